"""Polarised neutrons: correlations in Blume and Maleev's axes, and the cross sections they give.

x along Q, z the part of the scattering plane's normal across Q, y = z x x; M = R S R^T with S^ab = conj(amp_a) amp_b (S. V.
Maleev et al., Sov. Phys. Solid State 4, 2533 (1963); M. Blume, Phys. Rev. 130, 1670 (1963); signs as in SpinW's
sw_neutron, S. Toth and B. Lake, J. Phys.: Condens. Matter 27, 166002 (2015)). Polarisation is twice the neutron's spin, and
vectors of a model point along moments: a ferromagnet along +Q loses energy to neutrons polarised along +x alone. Magnetic
scattering only, no nuclear interference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.spinwave import checks
from insml.spinwave.spectrum import Spectrum

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Polarised:
    """Cross sections for polarised neutrons, energy loss, per chemical cell, no Bose factor.

    Attributes
    ----------
    q (nq, 3), energy (nq, nmode) : as in the spectrum.
    axes : (nq, 3, 3) rows x, y, z of the Blume-Maleev frame in Cartesian axes of the crystal.
    matrix : (nq, nmode, 3, 3) M^ab.
    unpolarised : (nq, nmode) I0 = Myy + Mzz, equal to S_perp.
    chiral : (nq, nmode) Re i (Myz - Mzy).
    incident : (nq, nmode, 3) all that scatters for a beam polarised along x, y, z: I0 + chiral, I0, I0.
    final : (nq, nmode, 3, 3) [P_f, P_i] polarisation of the scattered beam times its intensity, less what an unpolarised
        beam gives in y and z: [[-I0 - ch, -ch, -ch], [0, Myy - Mzz, Myz + Mzy], [0, Myz + Mzy, Mzz - Myy]].
    """

    q: Array
    energy: Array
    axes: Array
    matrix: NDArray[np.complex128]

    @property
    def unpolarised(self) -> Array:
        return np.asarray((self.matrix[..., 1, 1] + self.matrix[..., 2, 2]).real)

    @property
    def chiral(self) -> Array:
        return np.asarray((self.matrix[..., 2, 1] - self.matrix[..., 1, 2]).imag)

    @property
    def incident(self) -> Array:
        i0 = self.unpolarised
        return np.stack([i0 + self.chiral, i0, i0], axis=-1)

    @property
    def final(self) -> Array:
        i0, chiral, zero = self.unpolarised, self.chiral, np.zeros_like(self.chiral)
        difference = (self.matrix[..., 1, 1] - self.matrix[..., 2, 2]).real
        mixed = (self.matrix[..., 1, 2] + self.matrix[..., 2, 1]).real
        rows = [[-i0 - chiral, -chiral, -chiral], [zero, difference, mixed], [zero, mixed, -difference]]
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def polarised(spectrum: Spectrum, normal: ArrayLike | None) -> Polarised:
    """Correlations of a spectrum in Blume and Maleev's axes.

    Parameters
    ----------
    normal : (3,) Cartesian direction of the normal of the scattering plane, see :func:`plane_normal`.

    Raises
    ------
    GeometryError : the normal is missing, zero or along one of the Q.
    """
    axes = blume_maleev_axes(spectrum.q, spectrum.lattice_vectors, normal)
    matrix = np.einsum("qac,qmcd,qbd->qmab", axes, spectrum.tensor, axes, optimize=True)
    return Polarised(spectrum.q, spectrum.energy, axes, matrix)


def plane_normal(lattice_vectors: ArrayLike, u: ArrayLike, v: ArrayLike) -> Array:
    """(3,) Cartesian unit normal, u x v, of the plane that the wave vectors u and v (r.l.u.) span."""
    B = 2 * np.pi * np.linalg.inv(checks.matrix(lattice_vectors, "lattice_vectors"))
    normal = np.cross(B @ checks.vector(u, "u"), B @ checks.vector(v, "v"))
    length = np.linalg.norm(normal)
    if not length > 1e-9:
        raise GeometryError(f"plane: expected two directions, found {u!r} and {v!r}")
    return np.asarray(normal / length)


def q_directions(q: Array, lattice_vectors: Array) -> Array:
    """(nq, 3) Cartesian unit vectors along q (r.l.u.); at Q = 0 that of the next non-zero point, else x."""
    Q = q @ (2 * np.pi * np.linalg.inv(lattice_vectors)).T
    length = np.linalg.norm(Q, axis=1)
    known = np.flatnonzero(length > 1e-12)
    following = np.append(known, -1)[np.searchsorted(known, np.arange(len(Q)))]
    unit = Q / np.where(length > 1e-12, length, 1.0)[:, None]
    return np.where((following >= 0)[:, None], unit[following], np.array([1.0, 0.0, 0.0]))


def blume_maleev_axes(q: Array, lattice_vectors: Array, normal: ArrayLike | None) -> Array:
    """(nq, 3, 3) rows x, y, z; see :func:`polarised`."""
    if normal is None:
        raise GeometryError("normal: expected the normal of the scattering plane (Cartesian) for polarised neutrons, found "
                            "none")
    n = checks.vector(normal, "normal")
    if not np.linalg.norm(n) > 1e-9:
        raise GeometryError(f"normal: expected a direction, found {n.tolist()}")
    x = q_directions(q, lattice_vectors)
    z = n / np.linalg.norm(n) - np.outer(x @ n / np.linalg.norm(n), np.ones(3)) * x
    length = np.linalg.norm(z, axis=1)
    if (length < 1e-6).any():
        at = q[int(np.argmin(length))].tolist()
        raise GeometryError(f"normal: expected a direction that is not along Q, found {n.tolist()} at q = {at}")
    z /= length[:, None]
    return np.stack([x, np.cross(z, x), z], axis=1)
