"""Transmission of a Fermi chopper with curved slits (T. G. Perring; the formulas of Horace and CHOP)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.instruments.distribution import Distribution, positive
from insml.instruments.neutron import speed

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FermiPackage:
    """Slit package: slit width, radius of the rotor and radius of curvature of the blades, all in metres."""

    slit: float
    radius: float
    curvature: float

    def __post_init__(self) -> None:
        for field in ("slit", "radius", "curvature"):
            positive(field, getattr(self, field))

    def opening(self, frequency: float) -> float:
        """Half of the base of the pulse of a straight-through setting, in seconds, at ``frequency`` in Hz."""
        positive("frequency", frequency)
        return self.slit / (2 * self.radius * 2 * np.pi * frequency)

    def gamma(self, ei: float, frequency: float) -> float:
        """How badly the blades' curvature fits the neutrons of ``ei`` (meV): 0 at best, closed at 4."""
        positive("ei", ei)
        mismatch = abs(1 / self.curvature - 4 * np.pi * frequency / float(speed(ei)))
        return 2 * self.radius**2 / self.slit * mismatch


@dataclass(frozen=True)
class FermiPulse(Distribution):
    """Time of passing the chopper's centre, in seconds about its middle.

    Parameters
    ----------
    opening : slit / (2 radius omega) in seconds.
    gamma : 0 <= gamma < 4 (:meth:`FermiPackage.gamma`). GeometryError from 4 on: nothing passes.
    """

    opening: float
    gamma: float

    def __post_init__(self) -> None:
        positive("opening", self.opening)
        if not 0 <= self.gamma < 4:
            raise GeometryError(f"gamma: expected at least 0 and below 4, where the chopper closes, found {self.gamma:.4g}")

    @property
    def transmission(self) -> float:
        """Area of the pulse relative to gamma = 0."""
        g, s = self.gamma, np.sqrt(self.gamma)
        return float(1 - g * g / 6 if g < 1 else s * (s - 2) ** 2 * (s + 4) / 6)

    @property
    def mean(self) -> float:
        return 0.0

    @property
    def variance(self) -> float:
        g, s = self.gamma, np.sqrt(self.gamma)
        shape = (1 - g**4 / 10) / (1 - g * g / 6) if g < 1 else 0.6 * g * (s - 2) ** 2 * (s + 8) / (s + 4)
        return float(self.opening**2 / 6 * shape)

    @property
    def _end(self) -> float:
        return float(1.0 if self.gamma < 1 else np.sqrt(self.gamma) * (2 - np.sqrt(self.gamma)))

    @property
    def support(self) -> tuple[float, float]:
        return -self.opening * self._end, self.opening * self._end

    def pdf(self, x: ArrayLike) -> Array:
        tau = np.minimum(np.abs(np.asarray(x, float)) / self.opening, self._end)
        g, root = self.gamma, 2 * np.sqrt(self.gamma)
        if g < 1:
            height = np.where(tau < g, 1 - (g + tau) ** 2 / (4 * max(g, 1e-300)), 1 - tau)
        else:  # in the distance from the end: no cancellation there
            w = self._end - tau
            height = w * (2 * root - w) / (4 * g)
        return np.asarray(height / (self.opening * self.transmission))

    def cdf(self, x: ArrayLike) -> Array:
        t = np.asarray(x, float)
        tau = np.minimum(np.abs(t) / self.opening, self._end)
        g = self.gamma
        if g < 1:
            curved = np.minimum(tau, g)
            straight = np.maximum(tau, g)
            # the curved part is 1 - (g + tau)^2 / 4g
            area = g - curved
            hump = area - ((2 * g) ** 3 - (g + curved) ** 3) / (12 * max(g, 1e-300))
            tail = 0.5 * (1 - straight) ** 2 + hump
        else:
            w = self._end - tau
            tail = w * w * (6 * np.sqrt(g) - w) / (12 * g)
        tail = tail / self.transmission
        return np.asarray(np.where(t < 0, tail, 1 - tail))
