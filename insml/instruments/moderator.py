"""Pulse shapes of moderators. Ikeda and Carpenter, Nucl. Instr. Meth. A 239, 536 (1985), in Horace's parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.instruments.distribution import Distribution, positive, probability

Array = NDArray[np.float64]

MICROSECOND = 1e-6


@dataclass(frozen=True)
class Ikcarp(Distribution):
    """Time of departure in seconds: a slowing-down pulse t^2 exp(-t / tau_f), a fraction r of it stored with decay tau_s.

    pdf = (1 - r) G(t) + r (G * exponential(tau_s)), G the gamma distribution of order three. r = 0 or tau_s = 0 is the
    chi-squared pulse, whose FWHM is 3.3947 tau_f.

    Parameters
    ----------
    tau_f, tau_s : decay times in **microseconds**.
    r : stored fraction, 0 to 1.
    """

    tau_f: float
    tau_s: float = 0.0
    r: float = 0.0

    def __post_init__(self) -> None:
        positive("tau_f", self.tau_f)
        if not (np.isfinite(self.tau_s) and self.tau_s >= 0):
            raise GeometryError(f"tau_s: expected a number >= 0, found {self.tau_s:g}")
        if not 0 <= self.r <= 1:
            raise GeometryError(f"r: expected a fraction from 0 to 1, found {self.r:g}")

    @property
    def mean(self) -> float:
        return (3 * self.tau_f + self.r * self.tau_s) * MICROSECOND

    @property
    def variance(self) -> float:
        return (3 * self.tau_f**2 + self.r * (2 - self.r) * self.tau_s**2) * MICROSECOND**2

    @property
    def support(self) -> tuple[float, float]:
        return 0.0, np.inf

    @property
    def _stored(self) -> bool:
        return self.r > 0 and self.tau_s > 0

    def pdf(self, x: ArrayLike) -> Array:
        t = np.maximum(np.asarray(x, float) / MICROSECOND, 0.0)
        fast = 0.5 * (t / self.tau_f) ** 2 * np.exp(-t / self.tau_f) / self.tau_f
        if self._stored:
            fast = (1 - self.r) * fast + self.r * self._slow(t)
        return np.asarray(fast / MICROSECOND)

    def cdf(self, x: ArrayLike) -> Array:
        from scipy.special import gammainc

        t = np.maximum(np.asarray(x, float) / MICROSECOND, 0.0)
        out = np.asarray(gammainc(3.0, t / self.tau_f))
        if self._stored:  # the cdf of a convolution with an exponential is cdf - tau_s pdf
            out = np.maximum(out - self.r * self.tau_s * self._slow(t), 0.0)
        return np.asarray(out)

    def quantile(self, u: ArrayLike) -> Array:
        if self._stored:
            return super().quantile(u)
        from scipy.special import gammaincinv

        return np.asarray(gammaincinv(3.0, probability(u)) * self.tau_f * MICROSECOND)

    def _slow(self, t: Array) -> Array:
        """The fast pulse convolved with the exponential, per microsecond."""
        t = np.minimum(t, 1e3 * (self.tau_f + self.tau_s))  # zero long before; keeps infinity out
        g = t * (1 / self.tau_f - 1 / self.tau_s)
        near = np.abs(g) < 1
        far = np.where(near, 1.0, g)
        closed = (np.exp(-t / self.tau_s) - np.exp(-t / self.tau_f) * (1 + far + 0.5 * far**2)) / far**3
        small, series = np.where(near, g, 0.0), np.zeros_like(g)
        for n in range(20, 2, -1):  # sum over n >= 3 of g^(n - 3) / n!
            series = 1 / _FACTORIAL[n] + small * series
        # exp(-t / tau_s) exp(-g) is exp(-t / tau_f)
        return np.asarray((t / self.tau_f) ** 3 / self.tau_s * np.where(near, np.exp(-t / self.tau_f) * series, closed))


_FACTORIAL = np.cumprod([1.0, *range(1, 21)])


def ikcarp_param(p1: float, p2: float, p3: float, ei: float) -> Ikcarp:
    """Horace's ``ikcarp_param`` pulse at ``ei`` (meV): tau_f = 1166.47 p1 / sqrt(Ei) and tau_s = p2 in microseconds,
    r = exp(-Ei / p3).
    """
    for field, value in (("ei", ei), ("p1", p1), ("p3", p3)):
        positive(field, value)
    return Ikcarp(1166.47 * p1 / float(np.sqrt(ei)), p2, float(np.exp(-ei / p3)))
