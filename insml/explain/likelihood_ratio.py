"""Which slices and pixels tell two fitted models apart: the log-likelihood ratio of the fits, what maps ought to show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.answer import ModelFit
from insml.errors import InsmlError
from insml.mosaic import Mosaic

Array = NDArray[np.float64]


def slice_ratio(one: ModelFit, other: ModelFit) -> Array:
    """(n_slices,) ln of the likelihood of ``one`` over that of ``other``: (chi2 of the other - chi2) / 2 / noise.

    Positive where a slice speaks for ``one``. Parameters, scales and backgrounds are at their best for all slices together.
    The noise is inflated as in ``ModelFit.log_evidence``, for both alike.

    Raises
    ------
    InsmlError : fits of different calls of ``refine``, whose noise differs.
    """
    _comparable(one, other)
    return np.asarray((other.chi2_per_slice - one.chi2_per_slice) / (2 * one.noise))


def pixel_ratio(mosaic: Mosaic, one: ModelFit, other: ModelFit) -> Array:
    """(n_slices, n0, n1) the same for each pixel, 0 where masked; sums to :func:`slice_ratio`.

    ``mosaic`` : that was fitted, cleaned, with its variances.
    """
    _comparable(one, other)
    variance = mosaic.stack_variance
    if variance is None:
        raise InsmlError(f"{mosaic.source or 'mosaic'}: expected a variance for the likelihood of a fit, found none")
    used = ~mosaic.stack_mask & (variance > 0)
    data, weight = mosaic.stack, np.where(used, 1 / np.where(used, variance, 1), 0)
    squares = [(data - fit.best_fit.stack) ** 2 * weight for fit in (one, other)]
    return np.asarray((squares[1] - squares[0]) / (2 * one.noise))


def _comparable(one: ModelFit, other: ModelFit) -> None:
    if one.noise != other.noise:
        raise InsmlError(f"likelihood ratio: expected fits of one call of refine, found {one.name!r} and {other.name!r} "
                         f"with noise {one.noise:.6g} and {other.noise:.6g}")
