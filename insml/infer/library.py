"""All images of a set against some images at once: chi2 at the best scale and background, as in ``insml.infer.linear``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.store import TrainingSet
from insml.infer.linear import background_terms, scale_groups
from insml.study import Study

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_LIBRARY = 512  # images of the set at a time


def chi2_of_library(study: Study, library: TrainingSet, images: NDArray[Any], variance: Array, hidden: BoolArray) -> Array:
    """(n_slices, n library, n images) chi2 of each slice at the best scale and background.

    Parameters
    ----------
    images : (n, n_slices, n0, n1). variance : the same shape, > 0 where not hidden. hidden : True without detector.

    Notes
    -----
    The cost is 2 + (number of background terms) products of the library with a matrix of n columns.
    """
    n_slices, n = images.shape[1], len(images)
    terms = background_terms(study).reshape(-1, images[0, 0].size)
    weight = np.where(hidden, 0.0, 1 / np.where(hidden, 1.0, variance))
    data, models = np.empty((n_slices, n)), np.empty((2, n_slices, len(library), n))
    for s in range(n_slices):
        w, y = weight[:, s].reshape(n, -1).T, np.asarray(images[:, s], float).reshape(n, -1).T
        basis = _basis(terms, w)                                              # (n_terms, pixels, n), orthonormal under w
        free = y - (basis * (basis * w * y).sum(1, keepdims=True)).sum(0)
        data[s] = (w * free * y).sum(0)
        for first in range(0, len(library), _LIBRARY):
            part = slice(first, first + _LIBRARY)
            m = np.asarray(library.clean[part, s], np.float64).reshape(-1, w.shape[0])
            models[0, s, part] = m @ (w * free)
            models[1, s, part] = np.maximum(m**2 @ w - sum((m @ (w * b)) ** 2 for b in basis), 0)
    top, bottom = models
    groups, scale = scale_groups(study), np.empty_like(top)
    for number in range(groups.max() + 1):
        group = np.flatnonzero(groups == number)
        above, below = top[group].sum(0), bottom[group].sum(0)
        # a negative scale would let a model fit holes, as in LinearModel
        scale[group] = np.where(below > 0, np.maximum(above, 0) / np.where(below > 0, below, 1), 0)
    return np.asarray(np.maximum(data[:, None] - 2 * scale * top + scale**2 * bottom, 0))


def _basis(terms: Array, w: Array) -> Array:
    """(n_terms, pixels, n) of background terms (n_terms, pixels), orthonormal under each image's weights (pixels, n)."""
    out: list[Array] = []
    for term in terms:
        left = np.repeat(term[:, None], w.shape[1], 1)
        before = (w * left**2).sum(0)
        for _ in range(2):  # once leaves rounding of what was nearly parallel
            for b in out:
                left = left - b * (b * w * left).sum(0)
        size = (w * left**2).sum(0)
        new = size > 1e-12 * before
        out.append(np.where(new, left / np.sqrt(np.where(new, size, 1)), 0))
    return np.stack(out) if out else np.zeros((0, *w.shape))
