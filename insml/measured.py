"""Any supported input file as a mosaic in a study's bins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError, InsmlError
from insml.io import Histogram, Image, Run, open_any
from insml.mosaic import Mosaic
from insml.pixel_mosaic import mosaic_of_pixels
from insml.slicing import mosaic_from_histogram
from insml.sqw import Dnd, Sqw
from insml.study import Study

#: How a bare array may lie, and the axes along which it is reversed then.
ORIENTATIONS = {"as it is": (), "upside down": (0,), "left to right": (1,), "turned by half a turn": (0, 1)}


def readings(source: str | Path | Mosaic | NDArray[np.float64], study: Study,
             mask: NDArray[np.bool_] | None = None) -> dict[str, Mosaic]:
    """The mosaics a source may be, by how it would lie then.

    A bare array does not say which way it lies, so there are four of it. Without a mask and without NaN, connected regions
    of exact zeros are taken as uncovered (:func:`insml.gaps.zero_regions`). Other sources are one mosaic, "as it is".

    Parameters
    ----------
    mask : (rows, columns) True where there is no detector; for bare arrays.

    Raises
    ------
    InsmlError : a mask for a source that has its own. Others as :func:`measured_mosaic`.
    """
    content = source if isinstance(source, np.ndarray | Mosaic) else open_any(source)
    image = Image(Path("array"), np.asarray(content, float)) if isinstance(content, np.ndarray) else content
    if not isinstance(image, Image):
        if mask is not None:
            raise InsmlError(f"{source}: mask: expected none for a file that says where it was measured, found one")
        return {"as it is": measured_mosaic(source, study)}
    unmarked = mask is None and bool(np.isfinite(image.values).all())
    read = image.mosaic(study.layout, mask=mask, zeros_are_masked=unmarked)
    return {name: replace(read, values=np.flip(read.values, axes).copy(), mask=np.flip(read.mask, axes).copy())
            for name, axes in ORIENTATIONS.items()}


def measured_mosaic(source: str | Path | Mosaic | NDArray[np.float64], study: Study) -> Mosaic:
    """The measurement in ``study.layout``'s bins.

    ``source`` is a file (our mosaic, an ``.sqw``, a ``.npy`` image, a Mantid MDHisto), a mosaic, or a bare image array in
    the layout's orientation (NaN where there is no detector).

    Raises
    ------
    FormatError, GeometryError : the file is something else, or its bins are not the study's.
    InsmlError : a single run or image.
    """
    if isinstance(source, np.ndarray):
        return Image(Path("array"), np.asarray(source, float)).mosaic(study.layout)
    content = source if isinstance(source, Mosaic) else open_any(source)
    if isinstance(content, Image):
        return content.mosaic(study.layout)
    if isinstance(content, Histogram):
        return mosaic_from_histogram(content, study.layout)
    if isinstance(content, Sqw):
        return mosaic_of_pixels([content], study.layout, title=content.title, source=str(source))
    if isinstance(content, Run):
        raise InsmlError(f"{content.path}: expected pixels, a mosaic or a histogram in (h, k, l, E), found an NXspe run; "
                         "insml.horace.gen_sqw makes an .sqw of runs, or Mantid's MDNorm an MDHisto")
    if isinstance(content, Dnd):
        raise InsmlError(f"{source}: expected pixels, a mosaic or a histogram in (h, k, l, E), found a single image")
    if not content.layout.same_bins(study.layout):
        raise GeometryError(f"{content.source or content.title or 'mosaic'}: expected the slices and bins of the study "
                            f"{study.name!r}, found {len(content.layout.slices)} slices of "
                            f"{content.layout.axes[0].n}x{content.layout.axes[1].n} bins that differ from them")
    return Mosaic.from_stack(content.stack, content.stack_mask, study.layout, variance=content.stack_variance,
                             title=content.title, source=content.source, metadata=content.metadata)
