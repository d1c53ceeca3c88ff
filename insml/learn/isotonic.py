"""Calibration by a rising step function of the confidence, where a temperature is too stiff."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IsotonicCalibration:
    """Per class, probability as it comes to the share of held-out images that were of the class (Zadrozny and Elkan
    2002), pool-adjacent-violators with linear interpolation; rows are normalised again.

    given, observed : per class, rising numbers.
    """

    given: tuple[Array, ...]
    observed: tuple[Array, ...]

    @classmethod
    def fit(cls, probability: Array, labels: NDArray[np.int64]) -> IsotonicCalibration:
        """From held-out images: probability (n, classes), labels (n,)."""
        given, observed = [], []
        for c in range(probability.shape[1]):
            x, where = np.unique(probability[:, c], return_inverse=True)
            weight = np.bincount(where).astype(float)
            share = np.bincount(where, weights=labels == c) / weight
            fitted = isotonic_regression(share, weights=weight)
            # A pool of k images, all or none of the class, proves 1/(k+2) at best (rule of succession).
            pools = np.add.reduceat(weight, fitted.blocks[:-1])
            hits = fitted.x[fitted.blocks[:-1]] * pools
            cautious = np.repeat((hits + 1) / (pools + 2), np.diff(fitted.blocks))
            given.append(x)
            observed.append(isotonic_regression(cautious, weights=weight).x)
        return cls(tuple(given), tuple(observed))

    def __call__(self, probability: Array) -> Array:
        """(n, classes)"""
        mapped = np.stack([np.interp(probability[:, c], x, y)
                           for c, (x, y) in enumerate(zip(self.given, self.observed, strict=True))], axis=1)
        return np.asarray(mapped / mapped.sum(1, keepdims=True))
