"""Which bins stand above their background."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve
from scipy.stats import norm

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def standing_out(above: Array, noise: Array, doubt: Array, sigma: float) -> BoolArray:
    """Bins that are part of something that stands out, of the shape of an image.

    A bin does that stands a third of ``sigma`` above the background while the sum over it and the bins that touch it
    (corners too) stands out by ``sigma``; or that stands out alone by so much that chance does it in one of all bins with
    the probability that belongs to ``sigma``. Away from any signal, chance so takes at most the share of bins that one side
    of a normal distribution has beyond ``sigma``, one bin on average more or less: 0.13 % at 3.

    Parameters
    ----------
    above : of the data over the background. noise : its standard deviation in each bin, 0 where nothing is known.
    doubt : standard error of the background, one with that of bins beside it.
    """
    known = noise > 0
    divisor = np.where(known, noise, 1.0)
    r, error = np.where(known, above / divisor, 0.0), np.where(known, doubt / divisor, 0.0)
    around = np.ones((3,) * above.ndim)
    total, many, shared = (convolve(a, around, mode="constant") for a in (r, known.astype(float), error))
    alone = norm.isf(norm.sf(sigma) / max(int(known.sum()), 1))
    strength = r / np.sqrt(1 + error**2)
    together = total / np.sqrt(np.maximum(many, 1.0) + shared**2)
    return np.asarray(known & ((strength > sigma / 3) & (together > sigma) | (strength > alone)))
