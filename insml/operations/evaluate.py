"""Models in place of what was measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError, ModelError
from insml.operations.pages import Page, pages, rewritten
from insml.sqw.coordinates import bin_centres
from insml.sqw.cut import Progress
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd

if TYPE_CHECKING:
    from insml.spinwave import SpinModel

Array = NDArray[np.float64]

#: FWHM over standard deviation of a Gaussian.
_FWHM = float(np.sqrt(8 * np.log(2)))


def func_eval(data: Sqw | Dnd, function: Callable[..., Any], p: Any, *, everywhere: bool = False,
              filename: str | Path | None = None) -> Any:
    """A function of the coordinates of the plotted axes, ``function(x1, ..., xn, p)``, at the centres of bins. Variances
    are 0.

    Parameters
    ----------
    function : takes and gives arrays (points,). p : its parameters, or as of :func:`arguments`.
    everywhere : of an image without pixels, also in bins where nothing was measured. filename : of data with pixels, all of
        which get the value of their bin; as of :func:`insml.operations.rewritten`.

    Raises
    ------
    ModelError : a function that gives other than one finite number for each point.
    """
    image = data.image
    grid = [g.ravel() for g in np.meshgrid(*image.centres, indexing="ij")]
    used = _used(data, everywhere)
    return _placed(data, used, called(function, [g[used] for g in grid], p), filename)


def sqw_eval(data: Sqw | Dnd, function: Callable[..., Any], p: Any, *, everywhere: bool = False, average: bool = False,
             filename: str | Path | None = None, progress: Progress | None = None) -> Any:
    """S(h, k, l, E) of a model, ``function(h, k, l, e, p)``: at every pixel, or at the centres of bins of an image without
    pixels. Variances are 0.

    Parameters
    ----------
    everywhere, filename, p : as of :func:`func_eval`. average : of data with pixels, once in each bin, at the mean of their
        coordinates.

    Raises
    ------
    ModelError : as :func:`func_eval`. GeometryError : an image that is integrated without limits.
    """
    if isinstance(data, Dnd):
        used = _used(data, everywhere)
        return _placed(data, used, called(function, bin_centres(data)[used].T, p), filename)
    if average:
        used = _used(data, False)
        return _placed(data, used, called(function, mean_coordinates(data)[used].T, p), filename)
    to_rlu = data.to_rlu

    def change(page: Page) -> None:
        hkl = page.pixels[:, :3].astype(float) @ to_rlu.T
        page.pixels[:, 7] = called(function, [*hkl.T, page.pixels[:, 3].astype(float)], p)
        page.pixels[:, 8] = 0.0

    return rewritten(data, change, filename=filename, progress=progress)


def disp2sqw_eval(data: Sqw | Dnd, dispersion: Callable[..., Any] | SpinModel, p: Any, fwhm: float | Callable[..., Any], *,
                  everywhere: bool = False, average: bool = False, filename: str | Path | None = None,
                  progress: Progress | None = None) -> Any:
    """:func:`sqw_eval` of modes, ``dispersion(h, k, l, p)`` -> (energies, weights), broadened in energy.

    Parameters
    ----------
    dispersion : energies (meV) and weights, each an array (points,), a list of such, one for each mode, or an array
        (points, modes). Energies alone have weights 1. Or a spin model, whose weights are S_perp; ``p`` is None then.
    fwhm : of a Gaussian of area 1, meV; or a function (E, mode energy) of the points that is multiplied by the weight.
    """
    at = dispersion_of(dispersion, p)

    def function(h: Array, k: Array, l: Array, e: Array, _: None) -> Array:  # noqa: E741
        return broadened(modes(at, [h, k, l]), e, fwhm)

    return sqw_eval(data, function, None, everywhere=everywhere, average=average, filename=filename, progress=progress)


def dispersion_of(dispersion: Callable[..., Any] | SpinModel, p: Any) -> Callable[..., Any]:
    """A function of h, k, l alone: of a function of these and parameters, or of a spin model, which has its own."""
    from insml.resolution.modes import spin_waves
    from insml.spinwave import SpinModel

    if isinstance(dispersion, SpinModel):
        return spin_waves(dispersion)
    first, constants, named = arguments(p)
    return lambda *hkl: dispersion(*hkl, first, *constants, **named)


def modes(dispersion: Callable[..., Any], hkl: Any) -> tuple[Array, Array]:
    """(points, modes) energies and weights of ``dispersion(h, k, l)``.

    Raises
    ------
    ModelError : other shapes.
    """
    points = np.shape(hkl[0])[0]
    found = dispersion(*hkl)
    energies, weights = found if isinstance(found, tuple) and len(found) == 2 else (found, None)

    def table(value: Any) -> Array:
        out = np.stack([np.asarray(v, float) for v in value], axis=-1) if isinstance(value, (list, tuple)) \
            else np.asarray(value, float)
        out = out.reshape(points, 1) if out.shape == (points,) else out
        if out.ndim != 2 or len(out) != points:
            raise ModelError(f"dispersion: expected arrays of {points} points, or a list of them, found shape {out.shape}")
        return out

    first = table(energies)
    second = np.ones_like(first) if weights is None else table(weights)
    if first.shape != second.shape:
        raise ModelError(f"dispersion: expected as many weights as energies, found {second.shape} and {first.shape}")
    return first, second


def broadened(found: tuple[Array, Array], e: Array, fwhm: float | Callable[..., Any]) -> Array:
    """(points,) the sum over modes at energies ``e``; modes that are NaN, as of an unstable structure, give nothing."""
    energies, weights = found
    if callable(fwhm):
        shape = np.asarray(fwhm(e[:, None], energies), float)
    else:
        if not fwhm > 0:
            raise ModelError(f"fwhm: expected a positive width in meV, found {fwhm}")
        sigma = fwhm / _FWHM
        shape = np.exp(-0.5 * ((e[:, None] - energies) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return np.asarray(np.where(np.isfinite(energies), weights * shape, 0.0).sum(axis=1))


def mean_coordinates(data: Sqw) -> Array:
    """(bins, 4) mean h, k, l, E of the pixels of bins, the last plotted axis fastest; NaN where there are none."""
    sums = np.zeros((data.axes.bins, 4))
    for page in pages(data):
        for n in range(4):
            sums[:, n] += np.bincount(page.bins, page.pixels[:, n].astype(float), minlength=len(sums))
    with np.errstate(invalid="ignore"):
        means = sums / data.counted[:, None]
    means[:, :3] = means[:, :3] @ data.to_rlu.T
    order = np.arange(len(means)).reshape(data.shape, order="F").ravel()
    return np.asarray(means[order])


def arguments(p: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Parameters; or, of [parameters, argument, ..., dict of keywords], these (Horace's cell array {p, c1, c2})."""
    if not isinstance(p, (list, tuple)) or not p or np.isscalar(p[0]):
        return p, (), {}
    first, *more = p
    named = more.pop() if more and isinstance(more[-1], dict) else {}
    return first, tuple(more), named


def called(function: Callable[..., Any], coordinates: Any, p: Any) -> Array:
    """One value of a model for each point.

    Raises
    ------
    ModelError : others.
    """
    first, more, named = arguments(p)
    given = [np.ascontiguousarray(c) for c in coordinates]
    found = np.asarray(function(*given, first, *more, **named), float)
    if found.shape not in ((), given[0].shape):
        raise ModelError(f"function: expected one value for each of {given[0].size} points, found shape {found.shape}")
    if not np.isfinite(found).all():
        raise ModelError("function: expected finite values, found others")
    return np.broadcast_to(found, given[0].shape)


def _used(data: Sqw | Dnd, everywhere: bool) -> NDArray[np.bool_]:
    """(bins,) in which a model is evaluated, the last axis fastest."""
    if everywhere and isinstance(data, Sqw):
        raise GeometryError("everywhere: expected an image without pixels, found data with pixels, which are what is "
                            "evaluated")
    return np.ones(data.axes.bins, bool) if everywhere else np.ravel(data.npix > 0)


def _placed(data: Sqw | Dnd, used: NDArray[np.bool_], values: ArrayLike, filename: str | Path | None) -> Any:
    full = np.zeros(used.size)
    full[used] = values
    signal = full.reshape(data.shape)
    if isinstance(data, Dnd):
        npix = np.where(used.reshape(data.shape), np.maximum(data.npix, 1), data.npix)
        return Dnd.of(data.axes, data.projection, data.lattice, signal, np.zeros(data.shape), npix, data.title)
    flat = np.ravel(signal, order="F")

    def change(page: Page) -> None:
        page.pixels[:, 7], page.pixels[:, 8] = flat[page.bins], 0.0

    return rewritten(data, change, filename=filename)
