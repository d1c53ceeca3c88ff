"""Crystal lattice: cell constants, real and reciprocal basis, d-spacings.

Cartesian frame (SpinW's): x along a, y in the ab plane, z completes a right-handed set. Reciprocal vectors carry the
2 pi: Q [1/Angstrom] = B @ hkl with a*.a = 2 pi.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Lattice:
    """Chemical cell: lengths in Angstrom, angles in degrees."""

    a: float
    b: float
    c: float
    alpha: float = 90.0
    beta: float = 90.0
    gamma: float = 90.0

    def __post_init__(self) -> None:
        for name in ("a", "b", "c"):
            if not (np.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise GeometryError(f"lattice: {name}: expected a positive length, found {getattr(self, name)}")
        for name in ("alpha", "beta", "gamma"):
            if not 0 < getattr(self, name) < 180:
                raise GeometryError(f"lattice: {name}: expected 0 < angle < 180, found {getattr(self, name)}")
        if not self._volume_factor_squared() > 1e-12:
            raise GeometryError("lattice: expected three angles that span a volume, found "
                                f"{self.alpha}, {self.beta}, {self.gamma}")

    def _cosines(self) -> tuple[float, ...]:
        ca, cb, cg = np.cos(np.radians([self.alpha, self.beta, self.gamma]))
        # an exact right angle must not leave a 1e-17 in every vector
        return tuple(float(np.where(abs(x) < 1e-15, 0.0, x)) for x in (ca, cb, cg))

    def _volume_factor_squared(self) -> float:
        ca, cb, cg = self._cosines()
        return 1 - ca**2 - cb**2 - cg**2 + 2 * ca * cb * cg

    @property
    def vectors(self) -> Array:
        """(3, 3) rows a, b, c in Cartesian Angstrom."""
        ca, cb, cg = self._cosines()
        sg = np.sqrt(1 - cg**2)
        cx, cy = cb, (ca - cb * cg) / sg
        cz = np.sqrt(self._volume_factor_squared()) / sg
        return np.array([
            [self.a, 0.0, 0.0],
            [self.b * cg, self.b * sg, 0.0],
            [self.c * cx, self.c * cy, self.c * cz],
        ])

    @property
    def reciprocal(self) -> Array:
        """(3, 3) B matrix: Q_cartesian = B @ hkl, in 1/Angstrom with the 2 pi."""
        return np.asarray(2 * np.pi * np.linalg.inv(self.vectors))

    @classmethod
    def from_vectors(cls, vectors: ArrayLike) -> Lattice:
        """Cell constants of three Cartesian row vectors (orientation is dropped)."""
        v = np.asarray(vectors, float)
        if v.shape != (3, 3):
            raise GeometryError(f"lattice vectors: expected shape (3, 3), found {v.shape}")
        a, b, c = np.linalg.norm(v, axis=1)
        angle = [np.degrees(np.arccos(np.clip(v[i] @ v[j] / np.linalg.norm(v[i]) / np.linalg.norm(v[j]), -1, 1)))
                 for i, j in ((1, 2), (0, 2), (0, 1))]
        return cls(float(a), float(b), float(c), *map(float, angle))
