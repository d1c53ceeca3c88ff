"""Numbers of headers that later work could not be done with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.errors import FormatError, GeometryError

Array = NDArray[np.float64]

#: Angstrom.
_CELL = (1e-2, 1e5)


def checked_lattice(path: Path, numbers: Array, field: str) -> Lattice:
    """Of a, b, c, alpha, beta, gamma.

    Raises
    ------
    FormatError : no cell, or one that no crystal has.
    """
    try:
        lattice = Lattice(*numbers.tolist())
    except GeometryError as error:
        raise FormatError(path, "a lattice", str(error), field) from None
    if not (_CELL[0] <= numbers[:3].min() and numbers[:3].max() <= _CELL[1]):
        raise FormatError(path, f"lengths from {_CELL[0]:g} to {_CELL[1]:g} Angstrom", f"{numbers[:3].tolist()}", field)
    return lattice


def checked_axes(path: Path, columns: Array, field: str) -> None:
    """Raises FormatError where three vectors do not span a volume."""
    lengths = np.linalg.norm(columns, axis=0) if np.isfinite(columns).all() else np.zeros(3)
    if not (lengths > 0).all() or not abs(np.linalg.det(columns / np.where(lengths > 0, lengths, 1.0))) > 1e-9:
        raise FormatError(path, "axes that span a volume", f"{columns.tolist()}", field)
