"""Cuts of images without pixels: whole bins of the source into larger ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.sqw.axes import Axes
from insml.sqw.descriptor import Bins, Existing, resolve
from insml.sqw.image import Dnd
from insml.sqw.projection import Projection

Array = NDArray[np.float64]


def cut_image(image: Dnd, projection: Projection | None, descriptors: Sequence[Any]) -> Dnd:
    """Edges of the new bins are moved to those of the image.

    Raises
    ------
    GeometryError : another projection than the image's, which would need its pixels; bins smaller than the image's.
    """
    if projection is not None:
        raise GeometryError("projection: expected none for an image without pixels, which can only be cut along its own "
                            "axes, found one")
    axes = image.axes
    found: list[Bins] = []
    for n, (descriptor, edges) in enumerate(zip(descriptors, axes.all_edges, strict=True)):
        step = float(edges[-1] - edges[0]) / (edges.size - 1)
        known = Existing(float(edges[0]), float(edges[-1]), step, n in axes.plotted, edges)
        found.append(_snapped(resolve(descriptor, known, f"p{n + 1}"), edges, f"p{n + 1}"))
    arrays = [image.signal * image.npix, image.variance * image.npix.astype(float) ** 2, image.npix.astype(float)]
    shape = [e.size - 1 for e in axes.all_edges]
    arrays = [a.reshape(shape) for a in arrays]
    for n, bins in enumerate(found):
        old = axes.all_edges[n]
        starts = np.searchsorted(old, bins.edges) if np.isfinite(old).all() else np.array([0, 1])
        arrays = [_summed(a, n, starts) for a in arrays]
    new = Axes(tuple(b.edges for b in found), tuple(n for n, b in enumerate(found) if b.plotted))
    signal, variance, npix = (a.reshape(new.shape) for a in arrays)
    many = np.maximum(npix, 1)
    return Dnd.of(new, image.projection, image.lattice, signal / many, variance / many**2, npix, image.title)


def _summed(values: Array, axis: int, starts: NDArray[np.intp]) -> Array:
    total = np.insert(np.cumsum(values, axis=axis), 0, 0.0, axis=axis)
    return np.asarray(np.diff(np.take(total, starts, axis=axis), axis=axis))


def _snapped(bins: Bins, old: Array, name: str) -> Bins:
    if not np.isfinite(old).all():
        return Bins(old, bins.plotted)
    at = np.abs(bins.edges[:, None].clip(old[0], old[-1]) - old).argmin(axis=1)
    inside = np.unique(at)
    if inside.size < 2:
        raise GeometryError(f"{name}: expected a range within {old[0]:g} to {old[-1]:g} at least a bin of the image wide, "
                            f"found {bins.edges[0]:g} to {bins.edges[-1]:g}")
    return Bins(old[inside], bins.plotted)
