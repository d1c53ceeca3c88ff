"""|Q| and E of bins, and what variance their neighbours let expect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve

from insml.crystal.orientation import Orientation
from insml.sqw.coordinates import hkle
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd

Array = NDArray[np.float64]

#: Pixels that are read at a time.
_BLOCK = 1 << 20
#: How many bins away neighbours are, in one dimension, two, ...: enough of them for a mean, near enough to be alike.
_REACH = (4, 2, 1, 1)


def places(data: Sqw | Dnd) -> Array:
    """(bins, 2) |Q| (1/Angstrom) and energy transfer (meV), the last plotted axis fastest.

    Means of the pixels where there are some, centres of bins otherwise. An axis that is integrated without limits has no
    centre and counts as 0.
    """
    out = _centres(data.image)
    if isinstance(data, Sqw):
        sums, many = _sums(data), data.counted.astype(float)
        order = np.arange(many.size).reshape(data.shape, order="F").ravel()
        sums, many = sums[order], many[order]
        filled = many > 0
        out[filled] = sums[filled] / many[filled, None]
    return out


def _centres(image: Dnd) -> Array:
    with np.errstate(invalid="ignore"):
        middles = [0.5 * (e[1:] + e[:-1]) for e in image.axes.all_edges]
    grid = np.meshgrid(*(np.where(np.isfinite(m), m, 0.0) for m in middles), indexing="ij")
    found = hkle(image.projection, image.lattice, np.stack([g.ravel() for g in grid], axis=-1))
    b = Orientation(image.lattice, (1, 0, 0), (0, 1, 0)).b
    return np.stack([np.linalg.norm(found[:, :3] @ b.T, axis=1), found[:, 3]], axis=-1)


def _sums(data: Sqw) -> Array:
    """(bins, 2) of |Q| and E over pixels, the first axis fastest."""
    turn = Orientation(data.image.lattice, (1, 0, 0), (0, 1, 0)).b @ data.to_rlu
    ends = np.cumsum(data.counted.astype(np.int64))
    out = np.zeros((ends.size, 2))
    for first in range(0, len(data.pixels), _BLOCK):
        own = data.pixels.read(first, first + _BLOCK)[:, :4].astype(float)
        bins = np.searchsorted(ends, np.arange(first, first + len(own)), side="right")
        for n, x in enumerate((np.linalg.norm(own[:, :3] @ turn.T, axis=1), own[:, 3])):
            out[:, n] += np.bincount(bins, x, minlength=ends.size)
    return out


def expected_variance(image: Dnd) -> Array:
    """Of each bin, from the variance of one pixel in the bins around it, without its own; 0 where no bin has any.

    A variance that is made of a bin's own counts is small where these are few, so that weights 1/variance would favour
    bins that came out low; the neighbours' says nothing of them.
    """
    measured = usable(image)
    npix = np.where(measured, image.npix.astype(float), 0.0)
    total = np.where(measured, image.variance, 0.0) * npix**2
    pixel = np.full(image.shape, total.sum() / max(npix.sum(), 1.0))
    wanted = measured.copy()
    for reach in (_REACH[image.ndim - 1] * wider for wider in (1, 2, 4)) if image.ndim else ():
        kernel = np.ones((2 * reach + 1,) * image.ndim)
        kernel[(reach,) * image.ndim] = 0.0
        around, many = (convolve(a, kernel, mode="constant") for a in (total, npix))
        found = wanted & (around > 0)
        pixel[found] = around[found] / many[found]
        wanted &= ~found
        if not wanted.any():
            break
    return np.where(measured, pixel / np.maximum(npix, 1.0), 0.0)


def usable(image: Dnd) -> NDArray[np.bool_]:
    """Bins with pixels and finite values."""
    return (image.npix > 0) & np.isfinite(image.signal) & np.isfinite(image.variance)
