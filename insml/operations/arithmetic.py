"""Sums, products and functions of images and of their pixels, with errors.

Variances are propagated to first order, as of independent values. A bin without pixels in either of two images has none in
the result.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.operations.pages import Page, rewritten
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd

Array = NDArray[np.float64]
#: Value and variance.
Pair = tuple[Array, Array]

#: Of one value: the function is numpy's, this is its derivative.
UNARY: dict[str, Callable[[Array], Any]] = {
    "negative": lambda s: -1.0, "absolute": np.sign, "sqrt": lambda s: 0.5 / np.sqrt(s), "square": lambda s: 2 * s,
    "reciprocal": lambda s: -1 / s**2, "exp": np.exp, "log": lambda s: 1 / s, "log10": lambda s: 1 / (s * np.log(10)),
    "sin": np.cos, "cos": np.sin, "tan": lambda s: 1 / np.cos(s) ** 2, "arcsin": lambda s: 1 / np.sqrt(1 - s**2),
    "arccos": lambda s: 1 / np.sqrt(1 - s**2), "arctan": lambda s: 1 / (1 + s**2), "sinh": np.cosh, "cosh": np.sinh,
    "tanh": lambda s: 1 / np.cosh(s) ** 2, "arcsinh": lambda s: 1 / np.sqrt(1 + s**2),
    "arccosh": lambda s: 1 / np.sqrt(s**2 - 1), "arctanh": lambda s: 1 / (1 - s**2)}

#: Of two values: derivatives by the first and the second.
BINARY: dict[str, Callable[[Array, Array], tuple[Any, Any]]] = {
    "add": lambda a, b: (1.0, 1.0), "subtract": lambda a, b: (1.0, -1.0), "multiply": lambda a, b: (b, a),
    "divide": lambda a, b: (1 / b, -a / b**2),
    "power": lambda a, b: (b * a ** (b - 1), a**b * np.log(np.where(a > 0, a, np.nan)))}


def applied(function: Any, inputs: tuple[Any, ...], filename: str | Path | None = None) -> Any:
    """A function of numpy (by its name) of one or two images, data with pixels, numbers or arrays of the shape of the bins.

    Data with pixels are changed pixel by pixel: by another of as many in each bin, or by the value of their bin.

    Raises
    ------
    GeometryError : shapes or bins that differ.
    """
    name = function.__name__
    if (len(inputs) == 1 and name not in UNARY) or (len(inputs) == 2 and name not in BINARY) or len(inputs) > 2:
        return NotImplemented
    with_pixels = [x for x in inputs if isinstance(x, Sqw)]
    first = with_pixels[0] if with_pixels else next(x for x in inputs if isinstance(x, Dnd))
    for x in inputs:
        if isinstance(x, (Sqw, Dnd)):
            _same_bins(first, x)
        elif not _number(x) or (np.ndim(x) and np.shape(x) != first.shape):
            raise GeometryError(f"arithmetic: expected a number or an array of the shape of the bins {first.shape}, found "
                                f"{f'shape {np.shape(x)}' if _number(x) else type(x).__name__}")
    if isinstance(first, Sqw):
        return _of_pixels(function, first, inputs, filename)
    filled = _filled(inputs, first.shape)
    signal, variance = _values(function, [_of_bins(x, first.shape) for x in inputs])
    return Dnd.of(first.axes, first.projection, first.lattice, np.where(filled, signal, 0.0),
                  np.where(filled, variance, 0.0), np.where(filled, first.npix, 0), first.title)


def _number(x: Any) -> bool:
    try:
        return np.asarray(x).dtype.kind in "iufb"
    except ValueError:
        return False


def _values(function: Any, given: list[Pair]) -> Pair:
    with np.errstate(all="ignore"):
        values = [s for s, _ in given]
        name = function.__name__
        slopes = (UNARY[name](values[0]),) if len(given) == 1 else BINARY[name](*values)
        # what is known exactly has no error, whatever its slope
        variance = sum(np.where(e > 0, np.square(d) * e, 0.0) for d, (_, e) in zip(slopes, given, strict=True))
        return np.asarray(function(*values), float), np.asarray(variance, float)


def _of_bins(x: Any, shape: tuple[int, ...]) -> Pair:
    if isinstance(x, (Sqw, Dnd)):
        return x.signal, x.variance
    value = np.broadcast_to(np.asarray(x, float), shape)
    return value, np.zeros(shape)


def _filled(inputs: tuple[Any, ...], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    out = np.ones(shape, bool)
    for x in inputs:
        if isinstance(x, (Sqw, Dnd)):
            out &= x.npix > 0
    return out


def _of_pixels(function: Any, first: Sqw, inputs: tuple[Any, ...], filename: str | Path | None) -> Sqw:
    bins = first.axes.bins
    flat: list[Pair | None] = []
    for x in inputs:
        if isinstance(x, Sqw):
            if not np.array_equal(x.counted, first.counted):
                raise GeometryError("arithmetic: expected as many pixels in each bin of both, found others; cut without "
                                    "pixels gives images that can be combined")
            flat.append(None)
        else:
            s, e = _of_bins(x, first.shape)
            flat.append((np.ravel(s, order="F"), np.ravel(e, order="F")))
    filled = np.ravel(_filled(inputs, first.shape), order="F")

    def change(page: Page) -> None:
        given = []
        for x, pair in zip(inputs, flat, strict=True):
            if pair is None:
                own = page.pixels if x is first else x.pixels.read(page.first, page.first + len(page.pixels))
                given.append((own[:, 7].astype(float), own[:, 8].astype(float)))
            else:
                given.append((pair[0][page.bins], pair[1][page.bins]))
        page.pixels[:, 7], page.pixels[:, 8] = _values(function, given)

    return rewritten(first, change, places=np.where(filled, np.arange(bins), -1), filename=filename)


def _same_bins(a: Sqw | Dnd, b: Sqw | Dnd) -> None:
    if a.shape != b.shape:
        raise GeometryError(f"arithmetic: expected images of the same bins, found {a.shape} and {b.shape}")
    for n, (x, y) in enumerate(zip(a.edges, b.edges, strict=True)):
        if np.abs(x - y).max() > 1e-4 * np.diff(x).min():
            raise GeometryError(f"arithmetic: expected images of the same bins, found along plotted axis {n + 1} {x[0]:g} "
                                f"to {x[-1]:g} and {y[0]:g} to {y[-1]:g}")
