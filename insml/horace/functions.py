"""Horace's ready-made functions; parameters in Horace's order, last arguments of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def gauss(x: ArrayLike, p: ArrayLike) -> Array:
    """p: height, centre, standard deviation."""
    height, centre, sigma = np.asarray(p, float)
    return np.asarray(height * np.exp(-0.5 * ((np.asarray(x, float) - centre) / sigma) ** 2))


def gauss_bkgd(x: ArrayLike, p: ArrayLike) -> Array:
    """p: height, centre, standard deviation, constant, slope."""
    p = np.asarray(p, float)
    return gauss(x, p[:3]) + linear_bg(x, p[3:])


def lorentz(x: ArrayLike, p: ArrayLike) -> Array:
    """p: height, centre, half width at half maximum."""
    height, centre, gamma = np.asarray(p, float)
    return np.asarray(height * gamma**2 / ((np.asarray(x, float) - centre) ** 2 + gamma**2))


def linear_bg(*x_and_p: ArrayLike) -> Array:
    """On one axis p: constant, slope; on more: constant, then the slope along each."""
    *x, p = (np.asarray(a, float) for a in x_and_p)
    return np.asarray(p[0] + sum(slope * axis for slope, axis in zip(p[1:], x, strict=True)))


def quad_bg(x: ArrayLike, p: ArrayLike) -> Array:
    """p: constant, linear and quadratic coefficient."""
    p, x = np.asarray(p, float), np.asarray(x, float)
    return np.asarray(p[0] + x * (p[1] + x * p[2]))
