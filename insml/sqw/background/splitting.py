"""Images as a background that is smooth in |Q| and E, and a signal that stands above it in some bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_dilation

from insml.errors import GeometryError
from insml.sqw.background.places import expected_variance, places, usable
from insml.sqw.background.significance import standing_out
from insml.sqw.background.surface import STIFF, Grid, Surface, fitted
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: What a bin may pull at the background, in units of its sigma: while nothing is known of the signal, and once the bins
#: that hold it are left out.
_AT_FIRST, _THEN = 1.0, 3.0
#: Bins that stand out by this are left out, with those that touch them.
_SIGMA = 3.0
#: Rounds in which the smoothness is chosen anew; rounds after which bins that are left out stay so, which ends the search.
_CHOICES, _SETTLED = 2, 4
#: Pieces of the grid along |Q| and E, at most: instruments resolve little more.
_PIECES = (16, 32)
#: Their least width, 1/Angstrom and meV; in E that of the narrowest bins where these have one.
_FINEST = (0.05, 1.0)


@dataclass(frozen=True, eq=False)
class Split:
    """A background, linear in |Q| and E between the points of a grid.

    Attributes
    ----------
    grid : |Q| (1/Angstrom) and E (meV), ascending: the ends of the pieces. covered : (|Q| pieces, E pieces) that hold
        data; elsewhere nothing is known.
    background, error : (|Q| points, E points) values and standard errors, NaN beside pieces without data. Where all data
        are signal the background goes on as smoothly as elsewhere, with an error that says so.
    scatter : of the data below the background over what their errors state, at least 1; errors here are that much larger.
    """

    grid: tuple[Array, Array]
    covered: BoolArray
    background: Array
    error: Array
    scatter: float
    _surface: Surface = field(repr=False)

    @classmethod
    def of(cls, grid: Grid, covered: BoolArray, surface: Surface, scatter: float) -> Self:
        beside = np.zeros(grid.shape, bool)
        for q in (slice(None, -1), slice(1, None)):
            for e in (slice(None, -1), slice(1, None)):
                beside[q, e] |= covered
        values, errors = surface.values, np.sqrt(np.diag(surface.covariance))
        return cls((grid.q, grid.energy), covered, np.where(beside, values.reshape(grid.shape), np.nan),
                   np.where(beside, errors.reshape(grid.shape), np.nan), scatter, surface)

    def at(self, image: Dnd | Sqw) -> Dnd:
        """The background of each bin of any image, with its variance; no pixels where it is not known.

        Bins near each other share most of their error.
        """
        return self._at(image.image, places(image))

    def _at(self, image: Dnd, where: Array) -> Dnd:
        grid = Grid(*self.grid)
        piece = grid.pieces(where)
        known = (piece >= 0) & self.covered.ravel()[piece]
        points, share = grid.corners(where[known])
        covariance = self._surface.covariance[points[:, :, None], points[:, None, :]]
        value, variance, npix = np.zeros(known.size), np.zeros(known.size), np.zeros(known.size)
        value[known] = (self._surface.values[points] * share).sum(axis=1)
        variance[known] = np.einsum("na,nab,nb->n", share, covariance, share)
        npix[known] = np.maximum(np.ravel(image.npix)[known], 1)
        shape = image.shape
        return Dnd.of(image.axes, image.projection, image.lattice, value.reshape(shape), variance.reshape(shape),
                      npix.reshape(shape), image.title)

    def signal_mask(self, image: Dnd | Sqw, sigma: float = 3.0) -> BoolArray:
        """True in bins of the shape of the image that stand above the background by ``sigma``, with what touches them: see
        :func:`insml.sqw.background.significance.standing_out`.

        ``set_mask`` of fits takes it to keep the signal. For a mosaic, whose mask hides, masks of the images of its slices
        are put together: ``mosaic.mask | ~mosaic.layout.assemble(np.stack(masks))``.
        """
        return self._standing(_Bins.of(image), sigma)

    def background_mask(self, image: Dnd | Sqw, sigma: float = 3.0) -> BoolArray:
        """True in all other bins, also where nothing was measured or no background is known."""
        return ~self.signal_mask(image, sigma)

    def _standing(self, bins: _Bins, sigma: float) -> BoolArray:
        own = self._at(bins.image, bins.where.reshape(-1, 2))
        # what a bin's own counts say of its error grows with its signal; half of it still tells bins that are worse
        noise = np.sqrt(np.maximum(bins.expected, 0.5 * bins.image.variance)) * self.scatter
        known = bins.used & (own.npix > 0)
        return standing_out(bins.image.signal - own.signal, np.where(known, noise, 0.0), np.sqrt(own.variance), sigma)

    def _near_signal(self, bins: _Bins) -> BoolArray:
        return np.asarray(binary_dilation(self._standing(bins, _SIGMA), np.ones((3,) * bins.image.ndim, bool)))


@dataclass(frozen=True, eq=False)
class _Bins:
    """An image, and of its shape: |Q| and E (one axis more), the variance to expect, which bins are of use."""

    image: Dnd
    where: Array
    expected: Array
    used: BoolArray

    @classmethod
    def of(cls, data: Dnd | Sqw) -> Self:
        image = data.image
        expected = expected_variance(image)
        return cls(image, places(data).reshape(*image.shape, 2), expected, usable(image) & (expected > 0))

    @property
    def values(self) -> Array:
        return self.image.signal


def split(images: Dnd | Sqw | Sequence[Dnd | Sqw], *, grid: tuple[ArrayLike, ArrayLike] | None = None) -> Split:
    """The background that images have in common: smooth in |Q| and E, with signal above it in the lesser part of bins.

    First the convex problem of :func:`insml.sqw.background.surface.fitted` is solved for all bins with a stiff surface.
    Bins that stand out of it, and those that touch them, are then left out and the same problem is solved for the rest, as
    smooth as these tell, until none changes. Bins are weighted by the variance that their neighbours let expect.

    What tells signal from background is that bins of the same |Q| and E differ, or that it is narrow: signal as wide as a
    third of the range of an image is taken for background, more so where directions of Q are few, as in a single cut.

    Parameters
    ----------
    images : of one incident energy and sample environment. |Q| and E of a bin are the means of its pixels, or those of its
        centre in an image without; an axis integrated without limits then counts as 0.
    grid : the ends of pieces in |Q| and in E; data outside are not used. Up to 16 and 32 pieces of one width that span the
        data where None.

    Raises
    ------
    GeometryError : nothing measured with a variance; a grid that does not ascend or holds no data.
    """
    given = [_Bins.of(w) for w in ([images] if isinstance(images, (Dnd, Sqw)) else images)]
    where, values, variance = (_joined(given, name) for name in ("where", "values", "expected"))
    if not len(where):
        raise GeometryError("images: expected bins with pixels and a variance, found none")
    pieces = _spanning(given, where) if grid is None else _stated(grid)
    piece = pieces.pieces(where)
    inside = piece >= 0
    if not inside.any():
        low, high = where.min(axis=0), where.max(axis=0)
        raise GeometryError(f"grid: expected one that holds data, which are at |Q| {low[0]:g} to {high[0]:g} and E "
                            f"{low[1]:g} to {high[1]:g}, found {pieces.q[0]:g} to {pieces.q[-1]:g} and "
                            f"{pieces.energy[0]:g} to {pieces.energy[-1]:g}")
    covered = np.isin(np.arange((pieces.q.size - 1) * (pieces.energy.size - 1)), piece).reshape(pieces.q.size - 1, -1)
    sigma, free, rounds = np.sqrt(variance), inside, 0
    surface = fitted(pieces, where[free], values[free], sigma[free], _AT_FIRST, STIFF)
    while True:
        residuals = (values[free] - pieces.design(where[free]) @ surface.values) / sigma[free]
        found = Split.of(pieces, covered, surface, _scatter(residuals, surface.parameters))
        now = inside & ~np.concatenate([found._near_signal(b)[b.used] for b in given])
        if rounds > _SETTLED:
            now &= free
        if not now.any() or (rounds and (now == free).all()):
            return found
        free, rounds = now, rounds + 1
        surface = fitted(pieces, where[free], values[free], sigma[free] * found.scatter, _THEN,
                         None if rounds <= _CHOICES else surface.smoothness)


def _joined(given: Sequence[_Bins], name: str) -> Array:
    return np.concatenate([np.empty((0, 2) if name == "where" else 0), *(getattr(b, name)[b.used] for b in given)])


def _scatter(r: Array, parameters: float) -> float:
    """Of residuals below 0, where no signal is, over what is expected; 5 is the farthest that counts."""
    low = np.minimum(r[r < 0] ** 2, 25.0)
    freedom = r.size - parameters
    return max(1.0, float(np.sqrt(low.mean() * r.size / freedom))) if low.size and freedom > 0 else 1.0


def _spanning(given: Sequence[_Bins], where: Array) -> Grid:
    widths = [float(e[-1] - e[0]) / (e.size - 1) for e in (b.image.axes.all_edges[3] for b in given)]
    finest = (_FINEST[0], min((w for w in widths if np.isfinite(w)), default=_FINEST[1]))
    edges = []
    for x, most, least in zip(where.T, _PIECES, finest, strict=True):
        length = float(np.ptp(x))
        # the outermost data lie in the middle of pieces
        n = int(np.clip(length / least + 1 + 1e-6, 1, most))
        half = 0.5 * (length / (n - 1) if n > 1 else max(length, least))
        middle = [x.min(), x.max()] if n > 1 else [0.5 * (x.min() + x.max())] * 2
        edges.append(np.linspace(middle[0] - half, middle[1] + half, n + 1))
    return Grid(*edges)


def _stated(grid: tuple[ArrayLike, ArrayLike]) -> Grid:
    edges = [np.asarray(e, float) for e in grid]
    if len(edges) != 2:
        raise GeometryError(f"grid: expected |Q| and E, found {len(edges)} axes")
    for name, e in zip(("|Q|", "E"), edges, strict=True):
        if e.ndim != 1 or e.size < 2 or not np.isfinite(e).all() or not (np.diff(e) > 0).all():
            raise GeometryError(f"grid: {name}: expected two or more ascending numbers, found {e.tolist()}")
    return Grid(*edges)
