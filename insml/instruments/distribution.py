"""Distributions of one number: all that is known of a component of a spectrometer.

Everything downstream asks for mean, variance, support, pdf, cdf and quantile, and never for the kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError

Array = NDArray[np.float64]

SQRT12 = float(np.sqrt(12.0))


class Distribution(ABC):
    """A probability distribution on an interval. SI units (seconds, metres) or radians.

    Subclasses give ``mean``, ``variance``, ``support``, ``pdf`` and ``cdf``; ``quantile`` is found from the cdf unless
    there is a closed form. All functions work elementwise on arrays.
    """

    @property
    @abstractmethod
    def mean(self) -> float: ...

    @property
    @abstractmethod
    def variance(self) -> float: ...

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """The ends of the interval outside which the density is zero; may be infinite."""

    @abstractmethod
    def pdf(self, x: ArrayLike) -> Array: ...

    @abstractmethod
    def cdf(self, x: ArrayLike) -> Array: ...

    def quantile(self, u: ArrayLike) -> Array:
        """The x with cdf(x) = u, for u in [0, 1]; quantile(0) and quantile(1) are the ends of the support."""
        return invert(self, probability(u))

    @property
    def sigma(self) -> float:
        return float(np.sqrt(self.variance))

    def shifted(self, offset: float) -> Distribution:
        return Shifted(self, float(offset))

    def centred(self) -> Distribution:
        """The same shape with mean zero."""
        return self.shifted(-self.mean)


def probability(u: ArrayLike) -> Array:
    p = np.asarray(u, float)
    if np.any(~((p >= 0) & (p <= 1))):
        raise GeometryError(f"u: expected probabilities from 0 to 1, found {p[~((p >= 0) & (p <= 1))].flat[0]:g}")
    return p


def invert(of: Distribution, u: Array, nodes: int = 513) -> Array:
    """Solve cdf(x) = u: bracketed by a table of the cdf, then Newton steps kept inside the bracket."""
    lo, hi = of.support
    step = of.sigma
    reach = 10 * step
    while not np.isfinite(hi) and of.cdf(of.mean + reach) < 1:
        reach *= 2
    while not np.isfinite(lo) and of.cdf(of.mean - reach) > 0:
        reach *= 2
    lo, hi = (end if np.isfinite(end) else of.mean + sign * reach for end, sign in ((lo, -1), (hi, 1)))
    x = np.linspace(lo, hi, nodes)
    known = of.cdf(x)
    flat = u.ravel()
    right = np.clip(np.searchsorted(known, flat, side="left"), 1, nodes - 1)
    found, a, b = np.empty(flat.size), x[right - 1], x[right]
    left, target, guess = np.arange(flat.size), flat, 0.5 * (a + b)
    for _ in range(200):  # bisection alone would take 50
        miss = of.cdf(guess) - target
        a, b = np.where(miss <= 0, guess, a), np.where(miss >= 0, guess, b)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = guess - miss / of.pdf(guess)
        better = np.where((newton > a) & (newton < b), newton, 0.5 * (a + b))
        found[left] = better
        more = np.abs(better - guess) > 1e-14 * np.abs(better) + 1e-15 * step
        if not np.any(more):
            break
        left, target, guess, a, b = left[more], target[more], better[more], a[more], b[more]
    out = np.where(flat <= 0, of.support[0], np.where(flat >= 1, of.support[1], found))
    return np.asarray(out.reshape(u.shape))


@dataclass(frozen=True)
class Shifted(Distribution):
    """``of`` moved by ``offset``."""

    of: Distribution
    offset: float

    @property
    def mean(self) -> float:
        return self.of.mean + self.offset

    @property
    def variance(self) -> float:
        return self.of.variance

    @property
    def support(self) -> tuple[float, float]:
        lo, hi = self.of.support
        return lo + self.offset, hi + self.offset

    def pdf(self, x: ArrayLike) -> Array:
        return self.of.pdf(np.asarray(x, float) - self.offset)

    def cdf(self, x: ArrayLike) -> Array:
        return self.of.cdf(np.asarray(x, float) - self.offset)

    def quantile(self, u: ArrayLike) -> Array:
        return self.of.quantile(u) + self.offset

    def shifted(self, offset: float) -> Distribution:
        return Shifted(self.of, self.offset + float(offset))


@dataclass(frozen=True)
class Delta(Distribution):
    """Always zero: no spread at all. The density is infinite there."""

    @property
    def mean(self) -> float:
        return 0.0

    @property
    def variance(self) -> float:
        return 0.0

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, 0.0

    def pdf(self, x: ArrayLike) -> Array:
        return np.where(np.asarray(x, float) == 0, np.inf, 0.0)

    def cdf(self, x: ArrayLike) -> Array:
        return np.where(np.asarray(x, float) >= 0, 1.0, 0.0)

    def quantile(self, u: ArrayLike) -> Array:
        return np.zeros_like(probability(u))


@dataclass(frozen=True)
class Uniform(Distribution):
    """A box of ``full_width`` about zero."""

    full_width: float

    def __post_init__(self) -> None:
        positive("full_width", self.full_width)

    @property
    def mean(self) -> float:
        return 0.0

    @property
    def variance(self) -> float:
        return self.full_width**2 / 12

    @property
    def support(self) -> tuple[float, float]:
        return -self.full_width / 2, self.full_width / 2

    def pdf(self, x: ArrayLike) -> Array:
        return np.where(np.abs(np.asarray(x, float)) <= self.full_width / 2, 1 / self.full_width, 0.0)

    def cdf(self, x: ArrayLike) -> Array:
        return np.asarray(np.clip(np.asarray(x, float) / self.full_width + 0.5, 0.0, 1.0))

    def quantile(self, u: ArrayLike) -> Array:
        return self.full_width * (probability(u) - 0.5)


@dataclass(frozen=True)
class Gaussian(Distribution):
    """Standard deviation ``standard_deviation`` about zero."""

    standard_deviation: float

    def __post_init__(self) -> None:
        positive("standard_deviation", self.standard_deviation)

    @property
    def mean(self) -> float:
        return 0.0

    @property
    def variance(self) -> float:
        return self.standard_deviation**2

    @property
    def support(self) -> tuple[float, float]:
        return -np.inf, np.inf

    def pdf(self, x: ArrayLike) -> Array:
        z = np.asarray(x, float) / self.standard_deviation
        return np.asarray(np.exp(-0.5 * z * z) / (np.sqrt(2 * np.pi) * self.standard_deviation))

    def cdf(self, x: ArrayLike) -> Array:
        from scipy.special import ndtr

        return np.asarray(ndtr(np.asarray(x, float) / self.standard_deviation))

    def quantile(self, u: ArrayLike) -> Array:
        from scipy.special import ndtri

        return np.asarray(self.standard_deviation * ndtri(probability(u)))


@dataclass(frozen=True, eq=False)
class Tabulated(Distribution):
    """A density known at points, straight between them; normalised here.

    Parameters
    ----------
    x : ascending points.
    density : at those points, >= 0, any scale; zero outside the table.
    """

    x: Array
    density: Array

    def __post_init__(self) -> None:
        x, y = (np.array(a, float) for a in (self.x, self.density))
        if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
            raise GeometryError(f"table: expected two equally long lists of at least 2 numbers, found shapes {x.shape} "
                                f"and {y.shape}")
        if not (np.all(np.isfinite(x)) and np.all(np.diff(x) > 0)):
            raise GeometryError("table x: expected finite, strictly ascending numbers, found others")
        if not (np.all(np.isfinite(y)) and np.all(y >= 0) and np.any(y > 0)):
            raise GeometryError("table density: expected numbers >= 0, not all zero, found others")
        y /= np.sum(0.5 * (y[1:] + y[:-1]) * np.diff(x))
        for array in (x, y):
            array.flags.writeable = False
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "density", y)

    @cached_property
    def cumulative(self) -> Array:
        """The cdf at ``x``."""
        total = np.concatenate([[0.0], np.cumsum(0.5 * (self.density[1:] + self.density[:-1]) * np.diff(self.x))])
        return np.asarray(total / total[-1])

    @cached_property
    def _moments(self) -> tuple[float, float]:
        middle = 0.5 * (self.x[0] + self.x[-1])
        a, b, h = self.x[:-1] - middle, self.x[1:] - middle, np.diff(self.x)
        p, q = self.density[:-1], self.density[1:]
        first = float(np.sum(h * (p * (2 * a + b) + q * (a + 2 * b))) / 6)
        second = float(np.sum(h * (p * (3 * a * a + 2 * a * b + b * b) + q * (a * a + 2 * a * b + 3 * b * b))) / 12)
        return first + middle, second - first**2

    @property
    def mean(self) -> float:
        return self._moments[0]

    @property
    def variance(self) -> float:
        return self._moments[1]

    @property
    def support(self) -> tuple[float, float]:
        return float(self.x[0]), float(self.x[-1])

    def pdf(self, x: ArrayLike) -> Array:
        return np.asarray(np.interp(np.asarray(x, float), self.x, self.density, left=0.0, right=0.0))

    def cdf(self, x: ArrayLike) -> Array:
        at = np.clip(np.asarray(x, float), self.x[0], self.x[-1])
        cell = np.clip(np.searchsorted(self.x, at, side="right") - 1, 0, len(self.x) - 2)
        into, slope = at - self.x[cell], np.diff(self.density)[cell] / np.diff(self.x)[cell]
        return np.asarray(np.clip(self.cumulative[cell] + into * (self.density[cell] + 0.5 * slope * into), 0.0, 1.0))

    def quantile(self, u: ArrayLike) -> Array:
        p = probability(u)
        cell = np.clip(np.searchsorted(self.cumulative, p, side="right") - 1, 0, len(self.x) - 2)
        width = np.diff(self.x)[cell]
        into = into_cell(p - self.cumulative[cell], self.density[cell], self.density[cell + 1], width)
        return np.asarray(self.x[cell] + into)


def into_cell(area: Array, left: Array, right: Array, width: Array) -> Array:
    """How far into a cell of a straight density, from ``left`` to ``right``, the area is ``area``; stable for any slope."""
    slope = (right - left) / width
    root = left + np.sqrt(np.maximum(left * left + 2 * slope * area, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        into = np.where(root > 0, 2 * area / root, 0.0)
    return np.asarray(np.clip(into, 0.0, width))


def positive(field: str, value: float) -> None:
    if not (np.isfinite(value) and value > 0):
        raise GeometryError(f"{field}: expected a positive number, found {value:g}")
