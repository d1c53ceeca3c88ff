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
    out = []
    for R, t, turn in zip(group.rotations, group.translations, crystal.rotations, strict=True):
        a, b = R @ one + t, R @ other + t
        for flipped, (first, second) in ((False, (one, other)), (True, (other, one))):
            step = a - first
            # where both ends are one point the exchange is no further operation
            if (np.abs(step - np.rint(step)).max() < 1e-4 and np.abs(b - second - step).max() < 1e-4
                    and not (flipped and np.array_equal(one, other))):
                out.append((turn, flipped))
    return out


def averaged(matrix: Array, operators: Stabiliser) -> Array:
    """Mean of R M R^T, transposed where the ends are exchanged: the part of M that symmetry allows."""
    images = [turn @ matrix @ turn.T for turn, _ in operators]
    return np.mean([m.T if flipped else m for m, (_, flipped) in zip(images, operators, strict=True)], axis=0)


def invariant_matrices(operators: Stabiliser, *, symmetric: bool = False) -> Array:
    """(m, 3, 3) orthonormal basis of the allowed matrices, symmetric ones first, then antisymmetric (DM) ones."""
    found: list[Array] = []
    for sign in (1.0,) if symmetric else (1.0, -1.0):
        units = [(u + sign * u.T) / 2 for u in np.eye(9).reshape(9, 3, 3)]
        flat = np.array([averaged(u, operators).ravel() for u in units])
        _, size, rows = np.linalg.svd(flat)
        found += [row.reshape(3, 3) for row, s in zip(rows, size, strict=True) if s > 1e-6]
    return np.array(found).reshape(-1, 3, 3)
