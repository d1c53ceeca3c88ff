"""Cross sections of a calculated spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinw.options import matlab_style
from insml.spinw.struct import Struct
from insml.spinwave.polarised import plane_normal, polarised, q_directions
from insml.spinwave.spectrum import Spectrum

Array = NDArray[np.float64]
_CARTESIAN = 2 * np.pi * np.eye(3)
"""A cell whose r.l.u. are Cartesian 1/Angstrom."""


@matlab_style(1)
def sw_neutron(spectra: Struct, n: ArrayLike = (0.0, 0.0, 1.0), uv: Any = None, pol: bool = False) -> Struct:
    """``spectra`` with unpolarised and, with ``pol``, polarised cross sections (see insml.spinwave.polarised).

    Fields (a list of them, one for each twin, where Sab is a list)
    ------
    Sperp : (nMode, nQ). Mab : (3, 3, nMode, nQ) S^ab along x || Q, z normal to the scattering plane, y = z x X.
    intP : (3, nMode, nQ) intensity for polarisation of the incident beam along x, y, z.
    Pab : (3, 3, nMode, nQ) final (first index) and incident polarisation analysed.

    Parameters
    ----------
    n : normal of the scattering plane, Cartesian; or ``uv`` : two vectors in it, r.l.u.
    """
    if "Sab" not in spectra:
        raise ModelError("sw_neutron: expected a spectrum with Sab, found none; leave fastmode and neutron_output out")
    out = Struct(spectra)
    normal = n if uv is None or not len(uv) else plane_normal(
        out.obj.cell.vectors, *(np.asarray(x, float).ravel() for x in uv))
    results = [_cross_sections(tensor, out.hklA, normal, pol) for tensor in listed(out.Sab)]
    for name in results[0]:
        values = [r[name] for r in results]
        out[name] = values if isinstance(out.Sab, list) else values[0]
    out.param = Struct(out.get("param", {}), n=np.asarray(normal, float), uv=uv, pol=pol)
    return out


def listed(value: Any) -> list[Any]:
    """Entries for each twin, of which there may be one."""
    return value if isinstance(value, list) else [value]


def _cross_sections(Sab: NDArray[np.complex128], hklA: Array, normal: ArrayLike, pol: bool) -> dict[str, NDArray[Any]]:
    shape = Sab.shape[2:]
    q = np.asarray(hklA, float).reshape(3, -1).T
    tensor = Sab.reshape(3, 3, shape[0], -1).transpose(3, 2, 0, 1)
    x = q_directions(q, _CARTESIAN)
    unpolarised = np.einsum("qmaa->qm", tensor.real) - np.einsum("qa,qmab,qb->qm", x, tensor.real, x, optimize=True)
    out: dict[str, NDArray[Any]] = {"Sperp": unpolarised.T.reshape(shape)}
    if pol:
        found = polarised(Spectrum(q, unpolarised, unpolarised, lattice_vectors=_CARTESIAN, _tensor=tensor), normal)
        out["intP"] = found.incident.transpose(2, 1, 0).reshape(3, *shape)
        out["Pab"] = found.final.transpose(2, 3, 1, 0).reshape(3, 3, *shape)
        out["Mab"] = found.matrix.transpose(2, 3, 1, 0).reshape(3, 3, *shape)
    return out
