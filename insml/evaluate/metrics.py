"""Numbers that say how good answers are; of many images, from probabilities (n, classes) and labels (n,)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from insml.errors import InsmlError

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

SMALLEST_SAMPLE = 1000  # images behind an area or a rate of detection
SURE = 0.95             # probability from which an answer counts as confident


def accuracy(probability: Array, labels: Labels) -> float:
    """Share of images whose most probable class is the true one."""
    return float(correct(probability, labels).mean())


def correct(probability: Array, labels: Labels) -> Array:
    """(n,) 1 where the most probable class is the true one, else 0."""
    return np.asarray(probability.argmax(1) == labels, float)


def brier(probability: Array, labels: Labels) -> Array:
    """(n,) squared distance of the probabilities from the truth over 2: (1 - p)^2 for two classes (Brier 1950)."""
    truth = np.eye(probability.shape[1])[labels]
    return np.asarray(np.square(probability - truth).sum(1) / 2)


def negative_log_likelihood(probability: Array, labels: Labels) -> Array:
    """(n,) -ln of the probability of the true class."""
    return np.asarray(-np.log(np.maximum(probability[np.arange(len(labels)), labels], 1e-300)))


def confidently_wrong(probability: Array, labels: Labels, sure: float = SURE) -> Array:
    """(n,) 1 where a wrong class has a probability above ``sure``."""
    return np.asarray((probability.argmax(1) != labels) & (probability.max(1) > sure), float)


def auroc(usual: Array, strange: Array, *, smallest: int = SMALLEST_SAMPLE) -> float:
    """Probability that a strange image has a higher score than a usual one; ties count half.

    Raises
    ------
    InsmlError : fewer than ``smallest`` images altogether: an area from a handful of images is an anecdote.
    """
    n, m = len(usual), len(strange)
    _enough("AUROC", n, m, smallest)
    ranks = rankdata(np.concatenate([usual, strange]))
    return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))


def false_positive_rate(usual: Array, strange: Array, detected: float = 0.95, *, smallest: int = SMALLEST_SAMPLE) -> float:
    """Share of usual images that are flagged at the threshold which flags the share ``detected`` of the strange ones.

    Raises
    ------
    InsmlError : as :func:`auroc`.
    """
    _enough("FPR95", len(usual), len(strange), smallest)
    ordered = np.sort(strange)[::-1]
    threshold = ordered[int(np.ceil(detected * len(ordered))) - 1]
    return float((usual >= threshold).mean())


def risk_and_coverage(right: Array, doubt: Array) -> tuple[Array, Array]:
    """Error among the k least doubtful images and k / n, for k = 1 to n. Images of equal doubt come in together."""
    order = np.argsort(doubt, kind="stable")
    n = np.arange(1, len(order) + 1)
    wrong = np.cumsum(1 - right[order])
    ends = np.searchsorted(doubt[order], doubt[order], side="right") - 1
    starts = np.searchsorted(doubt[order], doubt[order], side="left")
    # within a tie, the expected number over all orders
    before = np.where(starts > 0, wrong[starts - 1], 0.0)
    share = (n - starts) / (ends - starts + 1)
    return (before + share * (wrong[ends] - before)) / n, n / len(order)


def area_under_risk(right: Array, doubt: Array) -> float:
    """Mean error over all coverages, AURC (Geifman and El-Yaniv 2017)."""
    return float(risk_and_coverage(right, doubt)[0].mean())


def error_at_coverage(right: Array, doubt: Array, coverage: float = 0.8) -> float:
    """Error among that share of images which is least doubtful."""
    risk, _ = risk_and_coverage(right, doubt)
    return float(risk[max(0, int(np.ceil(coverage * len(risk))) - 1)])


def bootstrap(values: Array, *, draws: int = 2000, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of the mean of (n,) values, one per image or one per seed."""
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(len(values), size=len(values))].mean() for _ in range(draws)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(first: Array, second: Array, *, draws: int = 2000, level: float = 0.95,
                      seed: int = 0) -> tuple[float, float, float]:
    """Mean of first - second over the same images, and its bootstrap interval.

    Raises
    ------
    InsmlError : different numbers of images.
    """
    if first.shape != second.shape:
        raise InsmlError(f"paired difference: expected the same images, found {first.shape} and {second.shape}")
    difference = first - second
    return (float(difference.mean()), *bootstrap(difference, draws=draws, level=level, seed=seed))


def _enough(what: str, usual: int, strange: int, smallest: int) -> None:
    if usual + strange < smallest or not usual or not strange:
        raise InsmlError(f"{what}: expected at least {smallest} images, some of each kind, "
                         f"found {usual} usual and {strange} strange ones")
