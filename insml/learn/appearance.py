"""How the slices of a stack look, whatever a network makes of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Of each slice.
MOMENTS = 5


def appearance(stacks: NDArray[np.float32]) -> Array:
    """(n, 5 n_slices) of standardised stacks (n, n_slices, n0, n1): of each slice mean, standard deviation, mean cube, mean
    fourth power, and mean product of neighbours along the first axis.

    Features of a network forget what does not help to tell its candidates apart, such as how rough, skewed or smooth a
    background is; these moments do not.
    """
    x = np.asarray(stacks, np.float64)
    square, pixels = x * x, x[0, 0].size if len(x) else 1
    parts = (x.mean((2, 3)), x.std((2, 3)), _dot(square, x) / pixels, _dot(square, square) / pixels,
             _dot(x[:, :, 1:], x[:, :, :-1]) / max(pixels - x.shape[3], 1))
    return np.concatenate(parts, axis=1)


def gaps(looks: Array) -> Array:
    """(n, 2) of :func:`appearance`: share of slices without anything to see, and of the longest stretch of them side by
    side, as a run that was not measured leaves."""
    empty = _moments(looks)[1] == 0
    longest = stretch = np.zeros(len(empty))
    for column in empty.T:
        stretch = np.where(column, stretch + 1, 0)
        longest = np.maximum(longest, stretch)
    return np.stack([empty.mean(1), longest / empty.shape[1]], axis=1)


def smoothness(looks: Array) -> Array:
    """(n,) of :func:`appearance`: correlation of neighbouring pixels, the mean over the slices with something to see; the
    smaller, the noisier."""
    mean, deviation, _, _, product = _moments(looks)
    seen = deviation > 0
    correlation = np.divide(product - mean**2, deviation**2, out=np.zeros_like(mean), where=seen)
    return np.asarray(correlation.sum(1) / np.maximum(seen.sum(1), 1))


def _moments(looks: Array) -> Array:
    """(5, n, n_slices)"""
    return looks.reshape(len(looks), MOMENTS, -1).swapaxes(0, 1)


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("bsij,bsij->bs", a, b))
