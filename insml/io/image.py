"""A mosaic exchanged as a bare two-dimensional ``.npy`` array."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import FormatError
from insml.gaps import zero_regions
from insml.mosaic import Mosaic, MosaicLayout

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels without a meaning: the array does not say which slices it holds or which way h and k run.

    ``values`` is (rows, columns) float64; NaN where there was no detector, if the producer marked it so.
    """

    path: Path
    values: Array

    def mosaic(self, layout: MosaicLayout, *, mask: ArrayLike | None = None, zeros_are_masked: bool = False) -> Mosaic:
        """The image read by ``layout``, whose orientation must be that of the array.

        Parameters
        ----------
        mask : (rows, columns), True where there is no detector; added to the pixels that are NaN.
        zeros_are_masked : take every region of at least 12 connected pixels of a tile that are exactly 0 as having no
            detector. Off by default: background subtraction with clipping makes such regions too.

        Raises
        ------
        FormatError : the array or the mask has not the shape of the layout.
        """
        if self.values.shape != layout.shape:
            raise FormatError(self.path, f"shape {layout.shape} of the mosaic layout", f"shape {self.values.shape}")
        masked = ~np.isfinite(self.values)
        if mask is not None:
            if np.shape(mask) != layout.shape:
                raise FormatError(self.path, f"a mask of shape {layout.shape}", f"shape {np.shape(mask)}")
            masked |= np.asarray(mask, bool)
        if zeros_are_masked:
            masked |= layout.assemble(zero_regions(layout.split(self.values)))
        tiles = layout.assemble(np.ones(layout.stack_shape, bool))
        return Mosaic(self.values, masked | ~tiles, layout, title=self.path.stem, source=str(self.path))


def read_image(path: str | Path) -> Image:
    """Read a ``.npy`` file with a two-dimensional array of real numbers; pickled objects are never loaded.

    Raises
    ------
    FormatError : anything else, or a truncated file.
    """
    path, expected = Path(path), "a .npy file with a two-dimensional array of real numbers"
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        found = "pickled Python objects, which are not loaded" if "object" in str(error).lower() else \
            f"a damaged or truncated one ({error})"
        raise FormatError(path, expected, " ".join(found.split())) from None
    if stored.ndim != 2 or stored.dtype.kind not in "fiu":
        raise FormatError(path, expected, f"shape {stored.shape} of type {stored.dtype}")
    return Image(path, np.array(stored, float))
