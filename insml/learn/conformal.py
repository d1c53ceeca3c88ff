"""Sets of classes that hold the truth with a stated probability (split conformal, Mondrian: per class)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.errors import InsmlError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConformalSets:
    """thresholds : (classes,) a class is in an image's set when its probability is at least its threshold.

    For a new image of class c of the same kind as the held-out ones, c is in the set with a probability between
    ``coverage`` and coverage + 1 / (n_c + 1) (Vovk et al. 2005), whatever the network is worth. Ties are broken towards
    larger sets, so that the promise holds where many probabilities are exactly 1.
    """

    thresholds: Array
    coverage: float

    @classmethod
    def fit(cls, probability: Array, labels: NDArray[np.int64], coverage: float = 0.9) -> ConformalSets:
        """From held-out images: probability (n, classes), labels (n,).

        Raises
        ------
        InsmlError : coverage not between 0 and 1.
        """
        if not 0 < coverage < 1:
            raise InsmlError(f"conformal sets: coverage: expected a number between 0 and 1, found {coverage}")
        thresholds = []
        for c in range(probability.shape[1]):
            own = np.sort(probability[labels == c, c])
            # the k-th smallest, k such that at most a share 1 - coverage of n + 1 lies below it
            k = int(np.floor((len(own) + 1) * (1 - coverage)))
            thresholds.append(own[k - 1] if k >= 1 else 0.0)
        return cls(np.array(thresholds), coverage)

    def __call__(self, probability: Array) -> NDArray[np.bool_]:
        """(n, classes) True for the classes of each image's set; none at all is an answer too."""
        return np.asarray(probability >= self.thresholds)


def set_coverage(sets: NDArray[np.bool_], labels: NDArray[np.int64]) -> float:
    """Share of images whose true class is in their set."""
    return float(sets[np.arange(len(labels)), labels].mean())
