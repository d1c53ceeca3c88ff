"""Intrinsic line shapes in energy; widths are FWHM in meV."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from insml.errors import ModelError

Array = NDArray[np.float64]

_SIGMA = 1 / np.sqrt(8 * np.log(2))


def _width(fwhm: float) -> None:
    if not (np.isfinite(fwhm) and fwhm > 0):
        raise ModelError(f"fwhm: expected a positive width in meV, found {fwhm:g}")


@dataclass(frozen=True)
class GaussianLine:
    """Area one."""

    fwhm: float

    def __post_init__(self) -> None:
        _width(self.fwhm)

    def __call__(self, energy: ArrayLike, centre: ArrayLike) -> Array:
        """1/meV"""
        sigma = self.fwhm * _SIGMA
        x = (np.asarray(energy, float) - np.asarray(centre, float)) / sigma
        return np.asarray(np.exp(-0.5 * x * x) / (np.sqrt(2 * np.pi) * sigma))

    def cdf(self, energy: ArrayLike, centre: ArrayLike) -> Array:
        """Integral up to ``energy``."""
        return np.asarray(ndtr((np.asarray(energy, float) - np.asarray(centre, float)) / (self.fwhm * _SIGMA)))

    def quantile(self, u: ArrayLike) -> Array:
        """Deviation from the centre, meV, below which is the share u."""
        return np.asarray(self.fwhm * _SIGMA * ndtri(np.asarray(u, float)))


@dataclass(frozen=True)
class LorentzianLine:
    """Area one."""

    fwhm: float

    def __post_init__(self) -> None:
        _width(self.fwhm)

    def __call__(self, energy: ArrayLike, centre: ArrayLike) -> Array:
        """1/meV"""
        half = 0.5 * self.fwhm
        x = np.asarray(energy, float) - np.asarray(centre, float)
        return np.asarray(half / np.pi / (x * x + half * half))

    def cdf(self, energy: ArrayLike, centre: ArrayLike) -> Array:
        """Integral up to ``energy``."""
        x = np.asarray(energy, float) - np.asarray(centre, float)
        return np.asarray(0.5 + np.arctan(x / (0.5 * self.fwhm)) / np.pi)

    def quantile(self, u: ArrayLike) -> Array:
        """Deviation from the centre, meV, below which is the share u."""
        return np.asarray(0.5 * self.fwhm * np.tan(np.pi * (np.asarray(u, float) - 0.5)))


@dataclass(frozen=True)
class DampedOscillator:
    """Damped harmonic oscillator, (4 / pi) gamma w0 w / ((w^2 - w0^2)^2 + 4 (gamma w)^2) for w > 0 with FWHM 2 gamma.

    ``fwhm`` is that of the line where it is narrow against its energy. Odd in w: the Bose factor 1 / (1 - exp(-w / kT)),
    see :class:`insml.resolution.convolve.Factors`, makes of it a scattering function with detailed balance. The integral of
    its product with w over w > 0 is w0 for every width; its own goes to one where the line is narrow.
    """

    fwhm: float

    def __post_init__(self) -> None:
        _width(self.fwhm)

    def __call__(self, energy: ArrayLike, centre: ArrayLike) -> Array:
        """1/meV"""
        w, w0, gamma = np.asarray(energy, float), np.asarray(centre, float), 0.5 * self.fwhm
        return np.asarray(4 / np.pi * gamma * w0 * w / ((w * w - w0 * w0) ** 2 + 4 * (gamma * w) ** 2))

    def cdf(self, energy: ArrayLike, centre: ArrayLike) -> Array:
        """Integral from 0 to ``energy``; even in it."""
        w, w0, gamma = np.asarray(energy, float), np.asarray(centre, float), 0.5 * self.fwhm
        # partial fractions in w^2; imaginary where overdamped, and a centre of just gamma is moved off its double root
        root = np.sqrt(w0 * w0 - gamma * gamma + 0j)
        root = np.where(np.abs(root) < 1e-6 * gamma, 1e-6 * gamma, root)
        edge = w0 * w0 - 2 * gamma * gamma
        start = np.arctan(edge / (2 * gamma * root))
        return np.asarray((w0 / (np.pi * root) * (np.arctan((w * w - edge) / (2 * gamma * root)) + start)).real)
