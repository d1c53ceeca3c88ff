"""What multiplies S(Q, E) at the true point: kf/ki, Bose factor, form factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.resolution.pixels import MeasuredPixels

Array = NDArray[np.float64]

BOLTZMANN = 0.08617333262  # meV / K


@dataclass(frozen=True)
class Factors:
    """All off unless stated.

    kf_over_ki : of the cross section. temperature : K, Bose factor 1 / (1 - exp(-E / kT)), for functions odd in E.
    form_factor : <j0>^2 of an ion such as "Mn3+".

    Raises
    ------
    ModelError : a negative temperature, an unknown ion.
    """

    kf_over_ki: bool = False
    temperature: float | None = None
    form_factor: str | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None and not self.temperature >= 0:
            raise ModelError(f"temperature: expected kelvin >= 0, found {self.temperature:g}")
        if self.form_factor is not None:
            self._coefficients()

    def at(self, points: Array, pixels: MeasuredPixels) -> Array:
        """(n, samples) for points (4, n, samples)."""
        return self.of_q(points, pixels) * self.of_energy(points[3], pixels)

    def of_energy(self, energy: Array, pixels: MeasuredPixels) -> Array:
        """kf/ki and Bose factor at true energies (n, ...)."""
        out = np.ones_like(energy) if self.temperature is None else bose(energy, self.temperature)
        if self.kf_over_ki:
            incident = np.array([run.incident for run in pixels.runs])[pixels.run]
            out = out * np.sqrt(np.maximum(1 - energy / incident.reshape(-1, *[1] * (energy.ndim - 1)), 0.0))
        return out

    def of_q(self, points: Array, pixels: MeasuredPixels) -> Array:
        """Form factor (n, samples) at h, k, l of points (>= 3, n, samples)."""
        out = np.ones(points.shape[1:])
        if self.form_factor is None:
            return out
        c = self._coefficients()
        for r in pixels.used:
            of = pixels.run == r
            h, k, l = points[:3, of]  # noqa: E741
            b = pixels.runs[r].orientation.b
            s2 = np.asarray(sum((row[0] * h + row[1] * k + row[2] * l) ** 2 for row in b)) / (16 * np.pi**2)
            out[of] = (sum(a * np.exp(-e * s2) for a, e in zip(c[:-1:2], c[1:-1:2], strict=True)) + c[-1]) ** 2
        return out

    def _coefficients(self) -> Array:
        from insml.study.form_factors import UnknownIonError, by_ion

        try:
            return np.array(by_ion(str(self.form_factor)))
        except UnknownIonError as error:
            raise ModelError(f"form_factor: expected {error.expected}, found {self.form_factor!r}") from None


def bose(energy: ArrayLike, temperature: float) -> Array:
    """n(E) + 1 = 1 / (1 - exp(-E / kT)), for both signs of E: negative for E < 0. At T = 0 it is 1 and 0."""
    e = np.asarray(energy, float)
    if temperature == 0:
        return np.where(e > 0, 1.0, 0.0)
    x = e / (BOLTZMANN * temperature)
    return np.asarray(-1 / np.expm1(-np.where(np.abs(x) < 1e-12, 1e-12, x).clip(-700)))
