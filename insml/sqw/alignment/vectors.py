"""Checked points of reciprocal space, and their way to Cartesian coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError

Array = NDArray[np.float64]


def to_cartesian(lattice: Lattice) -> Array:
    """(3, 3) Busing and Levy's B."""
    return Orientation(lattice, (1, 0, 0), (0, 1, 0)).b


def triples(value: ArrayLike, name: str) -> Array:
    """(n, 3); one point is n = 1."""
    found = np.atleast_2d(np.asarray(value, float))
    if found.ndim != 2 or found.shape[1] != 3 or not len(found):
        raise GeometryError(f"{name}: expected shape (n, 3), found {np.shape(value)}")
    return found
