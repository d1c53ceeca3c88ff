"""Images drawn otherwise: their axes in another order, with more axes, smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd

Array = NDArray[np.float64]

#: FWHM over standard deviation of a Gaussian.
_FWHM = float(np.sqrt(8 * np.log(2)))


def permute(data: Sqw | Dnd, order: Sequence[int] | None = None) -> Any:
    """Plotted axes drawn in another order; all else stays.

    Parameters
    ----------
    order : numbers, from 0, of the axes as they are drawn now; where absent the first becomes the last.

    Raises
    ------
    GeometryError : anything but each number once.
    """
    now = data.axes.order
    wanted = [*range(1, len(now)), 0][: len(now)] if order is None else [int(n) for n in order]
    if sorted(wanted) != list(range(len(now))):
        raise GeometryError(f"order: expected each of 0 to {len(now) - 1} once, found {wanted}")
    axes = replace(data.axes, order=tuple(now[n] for n in wanted))
    if isinstance(data, Sqw):
        return replace(data, image=replace(data.image, axes=axes))
    return replace(data, axes=axes)


def replicate(data: Sqw | Dnd, like: Sqw | Dnd) -> Dnd:
    """The same values in all bins along the axes that ``like`` has and ``data`` has not.

    ``data``'s plotted axes are those of ``like`` of the same numbers, with the same bins.

    Raises
    ------
    GeometryError : others.
    """
    image, reference = (w.image for w in (data, like))
    shape = []
    for n, edges in zip(reference.axes.plotted, reference.edges, strict=True):
        if n not in image.axes.plotted:
            shape.append(1)
            continue
        own = image.axes.all_edges[n]
        if own.shape != edges.shape or np.abs(own - edges).max() > 1e-4 * np.diff(edges).min():
            raise GeometryError(f"replicate: axis {n + 1}: expected the bins {edges[0]:g} to {edges[-1]:g} in "
                                f"{edges.size - 1}, found {own[0]:g} to {own[-1]:g} in {own.size - 1}")
        shape.append(own.size - 1)
    more = set(image.axes.plotted) - set(reference.axes.plotted)
    if more:
        raise GeometryError(f"replicate: expected plotted axes of {[n + 1 for n in reference.axes.plotted]} alone, found "
                            f"{[n + 1 for n in image.axes.plotted]}")
    signal, variance, npix = (np.broadcast_to(a.reshape(shape), reference.shape)
                              for a in (image.signal, image.variance, image.npix))
    return Dnd.of(reference.axes, reference.projection, reference.lattice, signal, variance, npix, image.title)


def smooth(image: Dnd, width: ArrayLike = 3.0, shape: str = "hat") -> Dnd:
    """An image averaged over neighbours that were measured; unmeasured bins stay so.

    Parameters
    ----------
    width : in bins, one or one for each plotted axis: of "hat" the number of bins (made odd), of "gaussian" the FWHM.

    Raises
    ------
    GeometryError : pixels in the data, which smoothing would part from their image; another shape or width.
    """
    if not isinstance(image, Dnd):
        raise GeometryError("smooth: expected an image without pixels, found data with pixels; w.image is their image")
    if shape not in ("hat", "gaussian"):
        raise GeometryError(f"smooth: expected hat or gaussian, found {shape!r}")
    given = np.asarray(width, float)
    if given.ndim > 1 or given.size not in (1, image.ndim) or not (given > 0).all():
        raise GeometryError(f"smooth: expected positive widths, one or {image.ndim}, found {width!r}")
    there = image.npix > 0
    share, signal = there.astype(float), np.where(there, image.signal, 0.0)
    variance = np.where(there, image.variance, 0.0)
    for axis, wide in enumerate(np.broadcast_to(given, image.ndim)):
        kernel = _kernel(float(wide), shape)
        share, signal = (_along(a, kernel, axis) for a in (share, signal))
        variance = _along(variance, kernel**2, axis)
    weight = np.where(there, share, 1.0)
    return Dnd.of(image.axes, image.projection, image.lattice, np.where(there, signal / weight, 0.0),
                  np.where(there, variance / weight**2, 0.0), image.npix, image.title)


def _kernel(width: float, shape: str) -> Array:
    if shape == "hat":
        return np.ones(2 * int(width // 2) + 1)
    sigma = width / _FWHM
    reach = int(np.ceil(4 * sigma))
    return np.asarray(np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2))


def _along(values: Array, kernel: Array, axis: int) -> Array:
    from scipy.ndimage import convolve1d

    return np.asarray(convolve1d(values, kernel, axis=axis, mode="constant"))
