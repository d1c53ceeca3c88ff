"""Whether a map's slices are those that tell the candidates apart, the likelihood ratio being the truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[np.float64]


def truth_set(ratio: Array, share: float = 0.8) -> NDArray[np.int64]:
    """The fewest slices that carry a share of the positive log-likelihood ratio (n_slices,), strongest first."""
    order = np.argsort(-ratio, kind="stable")
    positive = np.maximum(ratio[order], 0)
    if not positive.any():
        return np.zeros(0, np.int64)
    # the rounding of a sum must not ask for a slice more
    enough = np.cumsum(positive) >= share * positive.sum() * (1 - 1e-12)
    return np.asarray(order[:int(enough.argmax()) + 1])


def pointing(values: Array, truth: NDArray[np.int64]) -> bool:
    """Whether the slice with the largest value is in the set (the pointing game of Zhang et al. 2018, with slices)."""
    return bool(np.isin(values.argmax(), truth))


def recall(values: Array, truth: NDArray[np.int64], top: int = 3) -> float:
    """Share of the set that the ``top`` largest values find, or of ``top`` where the set is larger than that."""
    found = np.isin(np.argsort(-values, kind="stable")[:top], truth).sum()
    return float(found / max(min(top, len(truth)), 1))


def rank_correlation(a: Array, b: Array) -> float:
    """Spearman's rho, -1 to 1; ties have mean ranks; 0 where one of the two is constant."""
    one, other = (rankdata(np.ravel(v)) for v in (a, b))
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other / size) if size > 0 else 0.0
