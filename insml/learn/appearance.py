"""How the slices of a stack look, whatever a network makes of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def appearance(stacks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 4 n_slices) of standardised stacks (n, n_slices, n0, n1): of each slice mean, standard deviation, mean cube, and
    mean product of neighbours along the first axis.

    Features of a network forget what does not help to tell its candidates apart, such as how rough, skewed or smooth a
    background is; these moments do not.
    """
    x = np.asarray(stacks, np.float64)
    parts = (x.mean((2, 3)), x.std((2, 3)), (x**3).mean((2, 3)), (x[:, :, 1:] * x[:, :, :-1]).mean((2, 3)))
    return np.concatenate(parts, axis=1)


def gaps(looks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 2) of :func:`appearance`: share of slices without anything to see, and of the longest stretch of them side by
    side, as a run that was not measured leaves."""
    empty = looks[:, looks.shape[1] // 4:looks.shape[1] // 2] == 0
    longest = stretch = np.zeros(len(empty))
    for column in empty.T:
        stretch = np.where(column, stretch + 1, 0)
        longest = np.maximum(longest, stretch)
    return np.stack([empty.mean(1), longest / empty.shape[1]], axis=1)
