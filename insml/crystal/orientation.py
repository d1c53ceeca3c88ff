"""How a crystal stands in the spectrometer: from Q in the spectrometer frame to r.l.u.

Conventions are Horace's. Spectrometer frame: x along ki, z up, y completes it. Crystal Cartesian frame: x along a*, z along
a* x b* (that of Horace's pixels; :class:`Lattice` has x along a).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.errors import GeometryError

Array = NDArray[np.float64]


def _turn(degrees: float, axis: int) -> Array:
    """Right-handed rotation matrix about a Cartesian axis."""
    s, c = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out = np.eye(3)
    out[[i, j], [i, j]] = c
    out[i, j], out[j, i] = -s, s
    return out


@dataclass(frozen=True)
class Orientation:
    """A lattice on its goniometer.

    ``u``, ``v``: r.l.u., the horizontal plane; with all angles zero u is along ki, v on the side of +y. ``psi``: angle of
    u from ki, anticlockwise seen from above. ``omega``, ``dpsi``, ``gl``, ``gs``: Horace's corrections (axis of the small
    goniometer, offset of psi, large and small arc). All degrees.

    Raises
    ------
    GeometryError : u, v parallel, or anything that is not finite.
    """

    lattice: Lattice
    u: tuple[float, float, float]
    v: tuple[float, float, float]
    psi: float = 0.0
    omega: float = 0.0
    dpsi: float = 0.0
    gl: float = 0.0
    gs: float = 0.0

    def __post_init__(self) -> None:
        for name in ("u", "v"):
            value = np.asarray(getattr(self, name), float)
            if value.shape != (3,) or not np.isfinite(value).all():
                raise GeometryError(f"orientation: {name}: expected three finite numbers, found {getattr(self, name)}")
            object.__setattr__(self, name, tuple(value.tolist()))
        for name in ("psi", "omega", "dpsi", "gl", "gs"):
            if not np.isfinite(getattr(self, name)):
                raise GeometryError(f"orientation: {name}: expected degrees, found {getattr(self, name)}")
        self.axes(self.u, self.v)

    @property
    def b(self) -> Array:
        """(3, 3) Busing and Levy's B: Q_crystal Cartesian = B @ hkl, 1/Angstrom with the 2 pi."""
        reciprocal = self.lattice.reciprocal
        return np.asarray(np.linalg.cholesky(reciprocal.T @ reciprocal).T)

    def axes(self, first: tuple[float, float, float], second: tuple[float, float, float]) -> Array:
        """(3, 3) orthonormal rows, crystal Cartesian: along ``first``, towards ``second`` (r.l.u.), normal to both."""
        x, y = self.b @ np.asarray(first, float), self.b @ np.asarray(second, float)
        z = np.cross(x, y)
        if not np.linalg.norm(z) > 1e-9 * np.linalg.norm(x) * np.linalg.norm(y):
            raise GeometryError(f"orientation: expected two vectors that are not parallel, found {first} and {second}")
        x, z = x / np.linalg.norm(x), z / np.linalg.norm(z)
        return np.array([x, np.cross(z, x), z])

    @property
    def ub(self) -> Array:
        """(3, 3) U B: hkl to the frame of (u, v)."""
        return np.asarray(self.axes(self.u, self.v) @ self.b)

    @property
    def spec_to_cc(self) -> Array:
        """(3, 3) rotation of the spectrometer frame into the crystal Cartesian frame."""
        arcs = _turn(self.dpsi, 2) @ _turn(self.gl, 1) @ _turn(self.gs, 0)
        axis = _turn(self.omega, 2)
        correction = (axis @ arcs @ axis.T).T
        return np.asarray(self.axes(self.u, self.v).T @ correction @ _turn(-self.psi, 2))

    @property
    def spec_to_rlu(self) -> Array:
        """(3, 3): hkl = spec_to_rlu @ Q, Q in the spectrometer frame, 1/Angstrom."""
        return np.asarray(np.linalg.solve(self.b, self.spec_to_cc))
