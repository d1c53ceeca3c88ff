"""Measured pixels, in memory or in a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError, GeometryError

#: u1, u2, u3 (crystal Cartesian Q, 1/Angstrom), energy transfer (meV), run, detector, energy bin (from 1), signal,
#: variance.
COLUMNS = ("u1", "u2", "u3", "dE", "run", "detector", "energy_bin", "signal", "variance")
BYTES = 36


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels (n, 9) float32, columns as ``COLUMNS``, in the order of the bins of their image.

    Either ``values`` or a stretch of a file: ``path``, first byte ``start``, number ``count``.
    """

    values: NDArray[np.float32] | None = None
    path: Path | None = None
    start: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        if self.values is not None:
            values = np.ascontiguousarray(self.values, np.float32)
            if values.ndim != 2 or values.shape[1] != len(COLUMNS):
                raise GeometryError(f"pixels: expected (n, {len(COLUMNS)}), found {values.shape}")
            object.__setattr__(self, "values", values)
            object.__setattr__(self, "count", len(values))

    def __len__(self) -> int:
        return self.count

    @property
    def source(self) -> NDArray[np.float32] | tuple[Path, int, int]:
        """What the core reads from."""
        if self.values is not None:
            return self.values
        assert self.path is not None
        return self.path, self.start, self.count

    def read(self, first: int = 0, last: int | None = None) -> NDArray[np.float32]:
        """(last - first, 9) pixels; from a file only those are read.

        Raises
        ------
        FormatError : the file has become shorter.
        """
        last = self.count if last is None else min(last, self.count)
        if self.values is not None:
            return self.values[first:last]
        assert self.path is not None
        with self.path.open("rb") as file:
            found = np.fromfile(file, "<f4", (last - first) * len(COLUMNS), offset=self.start + first * BYTES)
        if found.size != (last - first) * len(COLUMNS):
            raise FormatError(self.path, f"{last - first} pixels", f"{found.size // len(COLUMNS)}", "pixels")
        return found.reshape(-1, len(COLUMNS))
