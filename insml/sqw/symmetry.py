"""Symmetry operations that bring pixels of equivalent wave vectors together (Horace's Symop)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.sqw.projection import vector

Array = NDArray[np.float64]


class Symop:
    """Q becomes W (Q - offset) + offset. ``a * b`` is b, then a."""

    offset: Any

    def matrix(self, b: Array) -> Array:
        """(3, 3) W in crystal Cartesian coordinates; ``b``: Busing and Levy's B."""
        raise NotImplementedError

    def affine(self, lattice: Lattice) -> tuple[Array, Array]:
        """W and shift: Q becomes W Q + shift, crystal Cartesian, 1/Angstrom."""
        b = Orientation(lattice, (1, 0, 0), (0, 1, 0)).b
        w, origin = self.matrix(b), b @ np.asarray(self.offset)
        return w, origin - w @ origin


@dataclass(frozen=True)
class SymopIdentity(Symop):
    """Leaves everything where it is."""

    offset: Any = (0.0, 0.0, 0.0)

    def matrix(self, b: Array) -> Array:
        return np.eye(3)


@dataclass(frozen=True)
class SymopReflection(Symop):
    """Mirror in the plane of ``u`` and ``v`` (r.l.u.) through ``offset``.

    Raises
    ------
    GeometryError : u and v parallel.
    """

    u: Any
    v: Any
    offset: Any = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("u", "v", "offset"):
            object.__setattr__(self, name, vector(getattr(self, name), name))
        if np.linalg.norm(np.cross(self.u, self.v)) < 1e-9 * np.linalg.norm(self.u) * np.linalg.norm(self.v):
            raise GeometryError(f"symmetry: expected u and v that are not parallel, found {self.u} and {self.v}")

    def matrix(self, b: Array) -> Array:
        normal = np.cross(b @ np.asarray(self.u), b @ np.asarray(self.v))
        normal /= np.linalg.norm(normal)
        return np.asarray(np.eye(3) - 2 * np.outer(normal, normal))


@dataclass(frozen=True)
class SymopRotation(Symop):
    """Turn by ``angle`` degrees about ``axis`` (r.l.u.) through ``offset``, right-handed.

    Raises
    ------
    GeometryError : an axis of no length.
    """

    axis: Any
    angle: float
    offset: Any = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("axis", "offset"):
            object.__setattr__(self, name, vector(getattr(self, name), name))
        if not np.any(self.axis) or not np.isfinite(self.angle):
            raise GeometryError(f"symmetry: expected an axis and an angle, found {self.axis} and {self.angle}")

    @classmethod
    def fold(cls, n: int, axis: Any, offset: Any = (0.0, 0.0, 0.0)) -> list[SymopRotation]:
        """The n - 1 turns of an n-fold axis beside the identity."""
        if n < 2:
            raise GeometryError(f"symmetry: expected a fold of at least 2, found {n}")
        return [cls(axis, 360.0 * k / n, offset) for k in range(1, n)]

    def matrix(self, b: Array) -> Array:
        from scipy.spatial.transform import Rotation

        along = b @ np.asarray(self.axis)
        return np.asarray(Rotation.from_rotvec(along / np.linalg.norm(along) * self.angle, degrees=True).as_matrix())


@dataclass(frozen=True)
class SymopGeneral(Symop):
    """``w``: (3, 3) on columns of h, k, l.

    Raises
    ------
    GeometryError : a matrix that changes volumes.
    """

    w: Any
    offset: Any = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        w = np.asarray(self.w, float)
        if w.shape != (3, 3) or not abs(abs(np.linalg.det(w)) - 1) < 1e-6:
            raise GeometryError(f"symmetry: expected a (3, 3) matrix that keeps volumes, found {self.w}")
        object.__setattr__(self, "w", tuple(map(tuple, w.tolist())))
        object.__setattr__(self, "offset", vector(self.offset, "offset"))

    def matrix(self, b: Array) -> Array:
        return np.asarray(b @ np.asarray(self.w) @ np.linalg.inv(b))


def affine_of(operation: Symop | Sequence[Symop], lattice: Lattice) -> tuple[Array, Array]:
    """Of one operation, or of several, the last of them first as matrices are multiplied."""
    w, shift = np.eye(3), np.zeros(3)
    for one in [operation] if isinstance(operation, Symop) else list(operation)[::-1]:
        if not isinstance(one, Symop):
            raise GeometryError(f"symmetry: expected operations, found {one!r}")
        turn, move = one.affine(lattice)
        w, shift = turn @ w, turn @ shift + move
    return w, shift
