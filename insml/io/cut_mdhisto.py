"""Images of cuts as Mantid's MDHistoWorkspace."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.io.histogram import HistogramAxis
from insml.io.write_mdhisto import write_mdhisto
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.projection import LineProj


def write_cut_mdhisto(path: str | Path, data: Sqw | Dnd) -> None:
    """Write the image of a cut along straight axes for Mantid (SaveMD version 2); the file is complete or not there.

    All four axes are written, those integrated over with one bin. Coordinates are counted from Q = 0 and E = 0, as Mantid
    has no offset. Bins without pixels are masked; the orientation is that of the crystal Cartesian frame.

    Raises
    ------
    GeometryError : curved axes, axes integrated without limits or of unequal bins, which the format has none of.
    InsmlError : no such directory, a disk that is full.
    """
    image = data.image
    if not isinstance(image.projection, LineProj):
        raise GeometryError(f"write_cut_mdhisto: expected straight axes, found {type(image.projection).__name__}")
    for n, edges in enumerate(image.axes.all_edges):
        if not np.isfinite(edges).all():
            raise GeometryError(f"axis {n + 1}: expected finite limits, found {edges[0]:g} to {edges[-1]:g}")
    frame = image.projection.frame(image.lattice)
    shift = np.append(np.linalg.solve(frame.momenta, frame.offset[:3]), frame.offset[3])
    axes = []
    for n, edges in enumerate(image.axes.all_edges):
        kind: Literal["momentum", "energy"] = "energy" if n == 3 else "momentum"
        h, k, l = frame.momenta[:, n % 3].tolist()  # noqa: E741
        axes.append(HistogramAxis(f"D{n}", "", "", edges + shift[n], None if n == 3 else (h, k, l), kind))
    shape = tuple(e.size - 1 for e in image.axes.all_edges)
    signal, variance, npix = (x.reshape(shape) for x in (image.signal, image.variance, image.npix))
    b = Orientation(image.lattice, (1, 0, 0), (0, 1, 0)).b
    write_mdhisto(path, np.where(npix > 0, signal, np.nan), axes, lattice=image.lattice, ub=b,
                  variance=np.where(npix > 0, variance, np.nan), num_events=npix.astype(float), title=image.title)
