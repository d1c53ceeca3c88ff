"""Images of cuts as columns of text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from insml.errors import GeometryError
from insml.io.atomic import atomic_path
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.labels import axis_name, caption


def write_columns(path: str | Path, data: Sqw | Dnd, *, null: float = np.nan) -> None:
    """Centres along the plotted axes, intensity, its error and pixels: a line for each bin, the last axis fastest.

    Parameters
    ----------
    null : intensity and error of bins that hold no pixels.

    Raises
    ------
    GeometryError : an image without plotted axes. InsmlError : no such directory, a disk that is full.
    """
    image = data.image
    table, names = _table(image, null)
    columns = np.column_stack([table, image.npix.ravel()])
    head = f"{caption(image)}\n" if caption(image) else ""
    formats = ["%.10g"] * table.shape[1] + ["%d"]
    with atomic_path(path) as aside:
        np.savetxt(aside, columns, formats, header=head + "  ".join([*names, "intensity", "error", "pixels"]),
                   encoding="utf-8")


def write_xye(path: str | Path, data: Sqw | Dnd, *, null: float = np.nan) -> None:
    """Three columns x, intensity, error of an image on one axis, without a heading.

    Raises
    ------
    GeometryError : another number of axes. InsmlError : no such directory, a disk that is full.
    """
    image = data.image
    if image.ndim != 1:
        raise GeometryError(f"write_xye: expected an image on one axis, found {image.ndim}")
    table, _ = _table(image, null)
    with atomic_path(path) as aside:
        np.savetxt(aside, table, "%.10g")


def _table(image: Dnd, null: float) -> tuple[np.ndarray, list[str]]:
    if not image.ndim:
        raise GeometryError("write_columns: expected an image with at least one plotted axis, found none")
    there = image.npix > 0
    grid = np.meshgrid(*image.centres, indexing="ij")
    values = [np.where(there, image.signal, null), np.where(there, np.sqrt(image.variance), null)]
    names = ["{} ({})".format(*axis_name(image, n)) for n in image.axes.plotted]
    return np.column_stack([g.ravel() for g in [*grid, *values]]), names
