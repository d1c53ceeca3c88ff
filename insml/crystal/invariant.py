"""Matrices that symmetry allows on a bond or an atom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from insml.crystal.crystal import Crystal

Array = NDArray[np.float64]

#: Operators that keep a bond, as Cartesian rotation and whether the ends are exchanged.
Stabiliser = list[tuple[Array, bool]]


def stabiliser(crystal: Crystal, one: Array, other: Array) -> Stabiliser:
    """Operators that map the pair of points (fractional) onto itself, up to a lattice vector."""
    group = crystal.space_group
    ends = np.stack([one, other])
    images = np.einsum("oij,ej->oei", group.rotations, ends) + group.translations[:, None]
    out: Stabiliser = []
    # where both ends are one point the exchange is no further operation
    for flipped in (False,) if np.array_equal(one, other) else (False, True):
        step = images - (ends[::-1] if flipped else ends)
        whole = np.rint(step[:, :1])
        kept = np.flatnonzero(np.abs(step - whole).max(axis=(1, 2)) < 1e-4)
        out += [(crystal.rotations[o], flipped) for o in kept]
    return out


def averaged(matrix: Array, operators: Stabiliser) -> Array:
    """Mean of R M R^T, transposed where the ends are exchanged: the part of M that symmetry allows."""
    images = [turn @ (matrix.T if flipped else matrix) @ turn.T for turn, flipped in operators]
    return np.asarray(np.mean(images, axis=0))


def invariant_matrices(operators: Stabiliser, *, symmetric: bool = False) -> Array:
    """(m, 3, 3) orthonormal basis of the allowed matrices, symmetric ones first, then antisymmetric (DM) ones."""
    found: list[Array] = []
    for sign in (1.0,) if symmetric else (1.0, -1.0):
        units = [(u + sign * u.T) / 2 for u in np.eye(9).reshape(9, 3, 3)]
        flat = np.array([averaged(u, operators).ravel() for u in units])
        _, size, rows = np.linalg.svd(flat)
        found += [row.reshape(3, 3) for row, s in zip(rows, size, strict=True) if s > 1e-6]
    return np.array(found).reshape(-1, 3, 3)
