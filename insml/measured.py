"""Any supported input file as a mosaic in a study's bins."""

from __future__ import annotations

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
