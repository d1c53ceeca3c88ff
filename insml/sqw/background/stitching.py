"""A cut along energy that is free of signal, made of cuts that are free of it at some energies each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.sqw.axes import Axes
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd

Array = NDArray[np.float64]

#: Energies are the same when they differ by less than this share of a bin; files store edges as float32.
_SAME = 1e-3


def stitched(cuts: Sequence[Dnd | Sqw], ranges: Sequence[Sequence[tuple[float, float]]]) -> Dnd:
    """The cut along energy of what is no signal.

    Each cut is used in its bins that lie wholly in one of its ranges. Where several are, their mean with weights
    1/variance is taken; where one of them had no counts, and so states no variance, with the numbers of pixels as weights.
    Bins that none covers have no pixels: what was not measured is not guessed, and subtraction leaves them out.

    Parameters
    ----------
    cuts : along energy alone, at several wave vectors, in the same bins. ranges : for each cut the (low, high) in meV in
        which it is free of signal; none where it is not used.

    Returns
    -------
    The mean, its variance and the pixels used. It belongs to no wave vector: its momenta are without limits.

    Raises
    ------
    GeometryError : cuts along other axes, other bins, another number of ranges, a range that holds no bin.
    """
    if not cuts or len(cuts) != len(ranges):
        raise GeometryError(f"ranges: expected a list for each of one or more cuts, found {len(ranges)} for {len(cuts)}")
    images = [w.image for w in cuts]
    edges = [_energies(image, f"cut {n}") for n, image in enumerate(images)]
    for n, own in enumerate(edges[1:], 1):
        _matching(own, edges[0], f"cut {n}", "of cut 0")
    used = np.stack([(w.npix > 0) & _inside(e, r, f"cut {n}")
                     for n, (w, e, r) in enumerate(zip(images, edges, ranges, strict=True))])
    signal, variance, npix = (np.where(used, [getattr(w, name) for w in images], 0.0)
                              for name in ("signal", "variance", "npix"))
    stated = (~used | (variance > 0)).all(axis=0)
    weight = np.where(stated, np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0), npix)
    total = weight.sum(axis=0)
    weight /= np.where(total > 0, total, 1.0)
    first = images[0]
    anywhere = np.array([-np.inf, np.inf])
    axes = Axes((anywhere, anywhere, anywhere, first.axes.all_edges[3]), (3,))
    return Dnd.of(axes, first.projection, first.lattice, (weight * signal).sum(axis=0), (weight**2 * variance).sum(axis=0),
                  npix.sum(axis=0), first.title)


def spread(background: Dnd, like: Dnd | Sqw) -> Dnd:
    """A cut along energy in every bin of an image along its other axes.

    Bins of the same energy share one error: what is subtracted from many is not known better for being so.

    Raises
    ------
    GeometryError : a background along other axes, an image without energy, other bins of energy.
    """
    own, image = _energies(background, "background"), like.image
    if 3 not in image.axes.plotted:
        raise GeometryError(f"image: expected energy among its plotted axes, found axes "
                            f"{[n + 1 for n in image.axes.plotted]}")
    _matching(own, image.axes.all_edges[3] + float(image.projection.offset[3]), "background", "of the image")
    # energy is the last of the axes
    signal, variance, npix = (np.broadcast_to(a, image.shape)
                              for a in (background.signal, background.variance, background.npix))
    return Dnd.of(image.axes, image.projection, image.lattice, signal, variance, npix, background.title)


def subtracted(image: Dnd | Sqw, background: Dnd) -> Dnd:
    """The image less a background: of its own bins, or along energy alone and then :func:`spread`.

    Variances are added. A bin without pixels in either has none; elsewhere pixels are the image's.

    Raises
    ------
    GeometryError : other bins.
    """
    own = image.image
    if background.axes.plotted == (3,) and own.axes.plotted != (3,):
        background = spread(background, own)
    if background.shape != own.shape or background.axes.plotted != own.axes.plotted:
        raise GeometryError(f"background: expected the bins of the image {own.shape} along axes "
                            f"{[n + 1 for n in own.axes.plotted]}, found {background.shape} along "
                            f"{[n + 1 for n in background.axes.plotted]}")
    for n in own.axes.plotted:
        # energy counts from the offset of a projection
        theirs, mine = (w.axes.all_edges[n] + (float(w.projection.offset[3]) if n == 3 else 0.0) for w in (background, own))
        _matching(theirs, mine, "background", "of the image", f"axis {n + 1}")
    known = (own.npix > 0) & (background.npix > 0)
    return Dnd.of(own.axes, own.projection, own.lattice, np.where(known, own.signal - background.signal, 0.0),
                  np.where(known, own.variance + background.variance, 0.0), np.where(known, own.npix, 0), own.title)


def _energies(image: Dnd | Sqw, name: str) -> Array:
    """Bin edges, meV.

    Raises
    ------
    GeometryError : an image along anything but energy.
    """
    if image.axes.plotted != (3,):
        raise GeometryError(f"{name}: expected one plotted axis, energy, found axes {[n + 1 for n in image.axes.plotted]}")
    return image.axes.all_edges[3] + float(image.projection.offset[3])


def _matching(own: Array, edges: Array, name: str, of: str, axis: str = "energy") -> None:
    if own.shape != edges.shape or np.abs(own - edges).max() > _SAME * np.diff(edges).min():
        raise GeometryError(f"{name}: {axis}: expected the bins {of}, {edges.size - 1} from {edges[0]:g} to {edges[-1]:g}, "
                            f"found {own.size - 1} from {own[0]:g} to {own[-1]:g}")


def _inside(edges: Array, ranges: Sequence[tuple[float, float]], name: str) -> NDArray[np.bool_]:
    out = np.zeros(edges.size - 1, bool)
    slack = _SAME * np.diff(edges).min()
    for given in ranges:
        limits = np.asarray(given, float)
        if limits.shape != (2,) or not limits[0] < limits[1]:
            raise GeometryError(f"{name}: ranges: expected (low, high) with low < high, found {given}")
        whole = (edges[:-1] >= limits[0] - slack) & (edges[1:] <= limits[1] + slack)
        if not whole.any():
            raise GeometryError(f"{name}: ranges: expected at least one whole bin of {edges[0]:g} to {edges[-1]:g} within, "
                                f"found {limits[0]:g} to {limits[1]:g}")
        out |= whole
    return out
