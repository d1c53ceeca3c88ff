"""Weighted least squares: parameters, covariance, and whether it got there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from insml.errors import ModelError

Array = NDArray[np.float64]

#: Relative singular value of scaled derivatives at which parameters cannot be told apart.
_BLIND = 1e-8


@dataclass(frozen=True)
class Minimum:
    """``covariance``: (J^T J)^-1 of residuals in standard deviations, infinite variance and NaN beside it for parameters
    that residuals do not tell apart; ``chi_squared``: their sum of squares."""

    x: Array
    covariance: Array
    chi_squared: float
    converged: bool
    evaluations: int


def minimise(residuals: Callable[[Array], Array], jacobian: Callable[[Array], Array], start: Array, *,
             tolerance: float = 1e-8, evaluations: int = 200) -> Minimum:
    """Levenberg-Marquardt (MINPACK, through scipy).

    Raises
    ------
    ModelError : fewer residuals than parameters, parameters that do not matter.
    """
    first = residuals(start)
    if first.size < start.size:
        raise ModelError(f"fit: expected at least as many bins as free parameters, found {first.size} and {start.size}")
    if not start.size:
        return Minimum(start, np.zeros((0, 0)), float(first @ first), True, 1)
    found = least_squares(residuals, start, jacobian, method="lm", x_scale=np.maximum(np.abs(start), 1e-3),
                          ftol=tolerance, xtol=tolerance, gtol=1e-14, max_nfev=evaluations)
    j = jacobian(found.x)
    size = np.linalg.norm(j, axis=0)
    if not (size > 0).all():
        raise ModelError(f"fit: expected free parameters that change the model, found {np.flatnonzero(size == 0).tolist()} "
                         "(counted among the free ones) that do not")
    return Minimum(found.x, _inverse(j / size) / np.outer(size, size), float(2 * found.cost), bool(found.status > 0),
                   int(found.nfev))


def _inverse(j: Array) -> Array:
    """(J^T J)^-1 of columns of length one."""
    _, s, v = np.linalg.svd(j, full_matrices=False)
    # below this a direction is rounding of derivatives by differences
    seen = s > _BLIND * s[0]
    out = np.asarray((v[seen].T / s[seen] ** 2) @ v[seen])
    blind = (v[~seen] ** 2).sum(axis=0) > _BLIND
    out[blind], out[:, blind] = np.nan, np.nan
    out[blind, blind] = np.inf
    return out
