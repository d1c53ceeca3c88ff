"""Any supported input file as a mosaic in a study's bins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError, InsmlError
from insml.io import Histogram, Image, Run, open_any
from insml.mosaic import Mosaic
from insml.slicing import mosaic_from_histogram
from insml.sqw import Dnd, Sqw
from insml.study import Study


def measured_mosaic(source: str | Path | Mosaic | NDArray[np.float64], study: Study) -> Mosaic:
    """The measurement in ``study.layout``'s bins.

    ``source`` is a file (our mosaic, a ``.npy`` image, a Mantid MDHisto), a mosaic, or a bare image array in the
    layout's orientation (NaN where there is no detector).

    Raises
    ------
    FormatError, GeometryError : the file is something else, or its bins are not the study's.
    InsmlError : a run of pixels, which has to be cut into slices first.
    """
    if isinstance(source, np.ndarray):
        return Image(Path("array"), np.asarray(source, float)).mosaic(study.layout)
    content = source if isinstance(source, Mosaic) else open_any(source)
    if isinstance(content, Image):
        return content.mosaic(study.layout)
    if isinstance(content, Histogram):
        return mosaic_from_histogram(content, study.layout)
    if isinstance(content, (Run, Sqw, Dnd)):
        kind = {Run: "an NXspe run; insml.horace.gen_sqw makes pixels of runs, to be cut into slices",
                Sqw: "pixels, which have to be cut into slices", Dnd: "a single image"}[type(content)]
        raise InsmlError(f"{source}: expected a mosaic or a histogram in (h, k, l, E), found {kind}")
    if not content.layout.same_bins(study.layout):
        raise GeometryError(f"{content.source or content.title or 'mosaic'}: expected the slices and bins of the study "
                            f"{study.name!r}, found {len(content.layout.slices)} slices of "
                            f"{content.layout.axes[0].n}x{content.layout.axes[1].n} bins that differ from them")
    return Mosaic.from_stack(content.stack, content.stack_mask, study.layout, variance=content.stack_variance,
                             title=content.title, source=content.source, metadata=content.metadata)
