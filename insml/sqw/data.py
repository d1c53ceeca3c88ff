"""An image with the pixels it is made of (Horace's sqw)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal.orientation import Orientation
from insml.errors import FormatError
from insml.sqw.axes import Axes
from insml.sqw.detectors import DetectorTable
from insml.sqw.image import Dnd
from insml.sqw.operators import Operators
from insml.sqw.pixels import Pixels
from insml.sqw.projection import Projection
from insml.sqw.run import RunHeader

Array = NDArray[np.float64]

#: Beyond this a frame of runs is not the lattice's in float32, but of a crystal that was realigned.
_REALIGNED = 1e-5


@dataclass(frozen=True, eq=False)
class Sqw(Operators):
    """Pixels in the order of the bins of ``image``, and where they come from.

    Attributes
    ----------
    runs, detectors : what pixels refer to. detector_file : name and folder it was read from.
    title : of the whole file. pixel_range : (2, 4) smallest and largest coordinates along the axes of the image.
    load_equipment : gives {"instruments": one for each run, "samples": one for each run} as recorded, dicts with Horace's
        names; empty where not recorded.
    """

    image: Dnd
    runs: tuple[RunHeader, ...]
    detectors: DetectorTable
    pixels: Pixels
    pixel_range: Array
    title: str = ""
    filename: str = ""
    filepath: str = ""
    detector_file: tuple[str, str] = ("", "")
    load_equipment: Callable[[], dict[str, list[Any]]] | None = None
    #: what a file of version 4 says beyond this, to be written again
    kept: Any = None

    @cached_property
    def equipment(self) -> dict[str, list[Any]]:
        return self.load_equipment() if self.load_equipment is not None else {}

    @property
    def axes(self) -> Axes:
        return self.image.axes

    @property
    def projection(self) -> Projection:
        return self.image.projection

    @property
    def signal(self) -> Array:
        return self.image.signal

    @property
    def variance(self) -> Array:
        return self.image.variance

    @property
    def npix(self) -> NDArray[np.uint64]:
        return self.image.npix

    @property
    def edges(self) -> tuple[Array, ...]:
        return self.image.edges

    @property
    def centres(self) -> tuple[Array, ...]:
        return self.image.centres

    @property
    def shape(self) -> tuple[int, ...]:
        return self.image.shape

    @property
    def ndim(self) -> int:
        return self.image.ndim

    @cached_property
    def to_rlu(self) -> Array:
        """(3, 3): (h, k, l) of u1, u2, u3 of pixels. The inverse of B, but for files whose crystal was realigned without
        its pixels: their runs say how."""
        b = Orientation(self.image.lattice, (1, 0, 0), (0, 1, 0)).b
        inverse = np.linalg.inv(b)
        frame = self.runs[0].frame
        if frame is None or np.abs(b @ frame.momenta - np.eye(3)).max() < _REALIGNED:
            return np.asarray(inverse)
        return frame.momenta

    @property
    def realigned(self) -> bool:
        """Whether the crystal was realigned without its pixels."""
        b = Orientation(self.image.lattice, (1, 0, 0), (0, 1, 0)).b
        return bool(np.abs(b @ self.to_rlu - np.eye(3)).max() >= _REALIGNED)

    @cached_property
    def counted(self) -> NDArray[np.uint64]:
        """Pixels of all bins, (bins,), the first axis fastest: where in ``pixels`` each bin is.

        Raises
        ------
        FormatError : another sum than there are pixels.
        """
        npix = np.ravel(self.npix, order="F")
        # the largest first: a sum of nonsense may wrap round to what is expected
        if npix.max(initial=0) > len(self.pixels) or int(npix.sum()) != len(self.pixels):
            where = self.pixels.path or self.filename or "sqw"
            raise FormatError(where, f"a sum of {len(self.pixels)}, the number of pixels", f"{npix.sum(dtype=float):g}",
                              "npix")
        return npix
