"""Other materials in closed form: square-lattice antiferromagnets and sound, on the bins of a study.

Linear spin waves of J-J' on the square lattice, each bond once in H: omega = sqrt(A^2 - B^2), A = 4 S (J - J' (1 -
cos x cos y)), B = 2 S J (cos x + cos y), intensity (A - B) / omega, from the Holstein-Primakoff expansion about
Neel order. Resolution is a Gaussian in energy of 2 % of Ei.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from insml.mosaic import MosaicLayout
from insml.study import Study

Array = NDArray[np.float64]
#: omega (meV) and intensity at Q (..., 2) in 1/Angstrom, along the first momentum axis and across it in the plane.
Modes = Callable[[Array], tuple[Array, Array]]

_SIGMA = 0.02     # of Ei
_SUBPIXELS = 3    # along each axis: cones are narrower than pixels
_SOFTEST = 0.02   # of the largest energy: intensities end there where they would diverge


def square_antiferromagnet(a: float, spin: float, j1: float, j2: float = 0.0) -> Modes:
    """``a`` Angstrom between neighbours; ``j1``, ``j2`` meV, positive antiferromagnetic."""
    def modes(q: Array) -> tuple[Array, Array]:
        x, y = a * q[..., 0], a * q[..., 1]
        diagonal = 4 * spin * (j1 - j2 * (1 - np.cos(x) * np.cos(y)))
        pair = 2 * spin * j1 * (np.cos(x) + np.cos(y))
        omega = np.sqrt(np.maximum(diagonal**2 - pair**2, 0))
        return omega, np.maximum(diagonal - pair, 0) / np.maximum(omega, _SOFTEST * 4 * spin * j1)

    return modes


def sound(a: float, velocity: float) -> Modes:
    """Acoustic phonons of a square lattice of ``a`` Angstrom, velocity in meV Angstrom; intensity Q^2 / omega."""
    def modes(q: Array) -> tuple[Array, Array]:
        largest = 2 * velocity / a
        omega = largest * np.sqrt(0.5 * (np.sin(0.5 * a * q) ** 2).sum(-1))
        return omega, (q**2).sum(-1) / np.maximum(omega, _SOFTEST * largest)

    return modes


#: J of Rb2MnF4 0.65 meV, S = 5/2; of La2NiO4 29.0 and 1.67 meV, S = 1.
MATERIALS: dict[str, Modes] = {
    "Rb2MnF4": square_antiferromagnet(4.23, 2.5, 0.65),
    "La2NiO4": square_antiferromagnet(3.89, 1.0, 29.0, 1.67),
    "soft phonons": sound(5.4, 20.0),
    "hard phonons": sound(3.9, 60.0),
}


def material_slices(study: Study, name: str, which: NDArray[np.int64]) -> Array:
    """(len(which), n0, n1) intensity of a material, its axis along the first momentum axis, in some slices."""
    q, layout = _plane(study), study.layout
    omega, intensity = MATERIALS[name](q)
    n0, n1 = (a.n for a in layout.axes)
    out = []
    for s in which:
        (lo, hi), ei = layout.slices[s].energy, layout.slices[s].ei
        sigma = _SIGMA * (hi if ei is None else ei)
        seen = intensity * (ndtr((hi - omega) / sigma) - ndtr((lo - omega) / sigma)) / (hi - lo)
        out.append(seen.reshape(n0, _SUBPIXELS, n1, _SUBPIXELS).mean((1, 3)))
    return np.array(out)


def _plane(study: Study) -> Array:
    """(n0 m, n1 m, 2) Cartesian Q in the plane of the tile, m points in each bin along each axis."""
    u, v = (study.lattice.reciprocal @ np.asarray(a.vector, float) for a in study.layout.axes)
    along = u / np.linalg.norm(u)
    across = v - (v @ along) * along
    across /= np.linalg.norm(across)
    x, y = (_points(study.layout, i) for i in (0, 1))
    q = x[:, None, None] * u + y[:, None] * v
    return np.stack([q @ along, q @ across], axis=-1)


def _points(layout: MosaicLayout, axis: int) -> Array:
    edges = layout.axes[axis].edges
    parts = (np.arange(_SUBPIXELS) + 0.5) / _SUBPIXELS
    return np.asarray((edges[:-1, None] + parts * np.diff(edges)[:, None]).ravel())
