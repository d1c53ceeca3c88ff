"""Parts of an image: whole bins that stay, with their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.operations.pages import Page, rewritten
from insml.sqw.axes import Axes
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd

Array = NDArray[np.float64]


def section(data: Sqw | Dnd, *ranges: Any, filename: str | Path | None = None) -> Any:
    """Bins whose centres lie in ranges, as they are.

    Parameters
    ----------
    ranges : [lo, hi] for each plotted axis in the order they are drawn; None, [] or 0 for all of it.
    filename : of data with pixels, as of :func:`insml.operations.rewritten`.

    Raises
    ------
    GeometryError : another number of ranges, no bin within one.
    """
    if len(ranges) > data.ndim:
        raise GeometryError(f"section: expected at most {data.ndim} ranges, found {len(ranges)}")
    chosen = [np.ones(n, bool) for n in data.shape]
    for axis, given in zip(data.axes.order, ranges, strict=False):
        value = np.ravel(np.asarray([] if given is None else given, float))
        if not value.size or (value.size == 1 and value[0] == 0):
            continue
        if value.size != 2:
            raise GeometryError(f"section: expected [lo, hi], found {given!r}")
        centres = data.image.centres[axis]
        chosen[axis] = (centres >= value[0]) & (centres <= value[1])
        if not chosen[axis].any():
            raise GeometryError(f"section: expected the centre of a bin from {value[0]:g} to {value[1]:g}, found them from "
                                f"{centres[0]:g} to {centres[-1]:g}")
    return _sub_image(data, chosen, filename)


def compact(data: Sqw | Dnd, *, filename: str | Path | None = None) -> Any:
    """Without the empty bins around what was measured.

    Raises
    ------
    GeometryError : nothing was measured.
    """
    filled = data.npix > 0
    if not filled.any():
        raise GeometryError("compact: expected at least one bin with pixels, found none")
    chosen = []
    for axis in range(data.ndim):
        there = np.flatnonzero(filled.any(axis=tuple(n for n in range(data.ndim) if n != axis)))
        inside = np.zeros(data.shape[axis], bool)
        inside[there[0] : there[-1] + 1] = True
        chosen.append(inside)
    return _sub_image(data, chosen, filename)


def _sub_image(data: Sqw | Dnd, chosen: Sequence[NDArray[np.bool_]], filename: str | Path | None) -> Any:
    """Bins in a box; ``chosen`` of each plotted axis are neighbours."""
    image = data.image
    axes = image.axes
    box = tuple(slice(int(np.argmax(c)), int(np.argmax(c)) + int(c.sum())) for c in chosen)
    edges = list(axes.all_edges)
    for axis, part in zip(axes.plotted, box, strict=True):
        edges[axis] = edges[axis][part.start : part.stop + 1]
    new = Axes(tuple(edges), axes.plotted, axes.order)
    if isinstance(data, Dnd):
        return Dnd.of(new, data.projection, data.lattice, data.signal[box], data.variance[box], data.npix[box], data.title)
    places = np.full(axes.shape, -1)
    places[box] = np.arange(new.bins).reshape(new.shape, order="F")
    return rewritten(data, frame=replace(image, axes=new), places=np.ravel(places, order="F"), filename=filename)


def mask(data: Sqw | Dnd, keep: ArrayLike, *, filename: str | Path | None = None) -> Any:
    """Bins that are not kept lose their pixels; in an image without pixels their signal is NaN.

    Parameters
    ----------
    keep : True where bins stay, of the shape of the bins or one for each (the first axis fastest, as Horace counts).

    Raises
    ------
    GeometryError : another shape.
    """
    kept = _shaped(keep, data.shape)
    if isinstance(data, Dnd):
        return Dnd.of(data.axes, data.projection, data.lattice, np.where(kept, data.signal, np.nan),
                      np.where(kept, data.variance, 0.0), np.where(kept, data.npix, 0), data.title)
    bins = np.arange(data.axes.bins)
    return rewritten(data, places=np.where(np.ravel(kept, order="F"), bins, -1), filename=filename)


def mask_points(data: Sqw | Dnd, *, keep: ArrayLike | None = None, remove: ArrayLike | None = None,
                mask: ArrayLike | None = None) -> NDArray[np.bool_]:
    """True for the bins to keep, for :func:`mask` and ``set_mask`` of fits.

    Parameters
    ----------
    keep, remove : [x_lo, x_hi, y_lo, y_hi, ...] of the plotted axes in the order they are drawn, or several such rows: bins
        whose centres lie in any of them. mask : as of :func:`mask`; bins that all three keep are kept.

    Raises
    ------
    GeometryError : rows of another length.
    """
    out = np.ones(data.shape, bool) if mask is None else _shaped(mask, data.shape).copy()
    for rows, inside_stays in ((keep, True), (remove, False)):
        if rows is None:
            continue
        inside = np.zeros(data.shape, bool)
        for row in np.atleast_2d(np.asarray(rows, float)):
            if row.size != 2 * data.ndim:
                raise GeometryError(f"mask_points: expected {2 * data.ndim} limits, found {row.size}")
            one = np.ones(data.shape, bool)
            for axis, (low, high) in zip(data.axes.order, row.reshape(-1, 2), strict=True):
                centres = data.image.centres[axis]
                along = (centres >= low) & (centres <= high)
                one &= along.reshape([-1 if n == axis else 1 for n in range(data.ndim)])
            inside |= one
        out &= inside if inside_stays else ~inside
    return out


def mask_runs(data: Sqw, runs: ArrayLike, *, filename: str | Path | None = None) -> Sqw:
    """Without the pixels of some runs, numbered from 1 in the order of ``data.runs``. Headers stay.

    Raises
    ------
    GeometryError : runs that are not there.
    """
    numbers = np.atleast_1d(np.asarray(runs, int))
    if not ((numbers >= 1) & (numbers <= len(data.runs))).all():
        raise GeometryError(f"mask_runs: expected numbers from 1 to {len(data.runs)}, found {numbers.tolist()}")
    ids = np.array([data.runs[n - 1].id for n in numbers], np.float32)

    def without(page: Page) -> NDArray[np.bool_]:
        return ~np.isin(page.pixels[:, 4], ids)

    return rewritten(data, without, filename=filename)


def _shaped(keep: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    found = np.asarray(keep)
    if found.dtype != bool and not np.isin(found, (0, 1)).all():
        raise GeometryError("mask: expected True or False for each bin, found others")
    if found.shape != shape:
        if found.shape != (int(np.prod(shape)),):
            raise GeometryError(f"mask: expected the shape of the bins {shape}, found {found.shape}")
        found = found.reshape(shape, order="F")
    return found.astype(bool)
