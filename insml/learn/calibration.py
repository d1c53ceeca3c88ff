"""From scores to probabilities: temperature of the classes' scores, p-values against held-out simulations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

Array = NDArray[np.float64]


def fit_temperature(scores: Array, labels: NDArray[np.int64]) -> float:
    """Temperature T that minimises the cross-entropy of softmax(scores / T) on held-out images.

    The targets give each wrong class 1 / (n + classes), the share that n images can exclude at best: a held-out set
    without one mistake does not prove certainty.

    Parameters
    ----------
    scores : (n, classes) log kernel values.
    labels : (n,)
    """
    n, classes = scores.shape
    target = np.full((n, classes), 1 / (n + classes))
    target[np.arange(n), labels] = 1 - (classes - 1) / (n + classes)

    def cross_entropy(log_temperature: float) -> float:
        return float(-(target * log_softmax(scores / np.exp(log_temperature), axis=1)).sum())

    grid = np.linspace(-5, 8, 53)
    start = int(np.argmin([cross_entropy(t) for t in grid]))
    bounds = (grid[max(start - 1, 0)], grid[min(start + 1, len(grid) - 1)])
    return float(np.exp(minimize_scalar(cross_entropy, bounds=bounds, method="bounded").x))


def probabilities(scores: Array, temperature: float) -> Array:
    """(n, classes) calibrated class probabilities."""
    return np.asarray(softmax(scores / temperature, axis=1))


def p_value(score: float | Array, held_out: Array) -> Array:
    """Share of images at least as strange, the new one included: uniform for a new image of the same kind.

    ``score``: of one image or several. ``held_out``: (n,) scores of held-out simulated images. The smallest possible value
    is 1 / (n + 1).
    """
    n = len(held_out)
    return np.asarray((1 + n - np.searchsorted(np.sort(held_out), score, side="left")) / (1 + n))


def expected_calibration_error(probability: Array, labels: NDArray[np.int64], bins: int = 15) -> float:
    """Mean |confidence - accuracy| over bins of equal numbers of images; probability (n, classes)."""
    confidence = probability.max(1)
    right = probability.argmax(1) == labels
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(len(p) * abs(confidence[p].mean() - right[p].mean()) for p in parts) / len(labels))
