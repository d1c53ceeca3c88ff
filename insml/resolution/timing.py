"""Distribution of the energy mismatch that the times of a neutron cause (rust/insml-core/src/convolution/kernel.rs)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

_BETA = np.linspace(-3.0, 5.0, 25)
_RHO = np.linspace(0.0, 1.0, 9)
_X = np.linspace(-4.5, 6.0, 106)
_K = 0.1 * (np.arange(160) + 0.5)
_STEP = 0.01


@dataclass(frozen=True)
class TimingKernel:
    """Distribution functions (beta, rho, x) of rho f_beta / sigma + sqrt(1 - rho^2) N(0, 1), x in standard deviations.

    f_beta = sum_i (P_i - beta R_i) t_i has mean zero and ``variance`` sigma^2, a polynomial in beta, lowest order first,
    1/Angstrom^2.
    """

    cumulative: NDArray[np.float32]
    variance: tuple[float, float, float]

    @property
    def grids(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """(first, step) of beta and of x."""
        return (float(_BETA[0]), float(_BETA[1] - _BETA[0])), (float(_X[0]), float(_X[1] - _X[0]))


class Characteristic:
    """Characteristic function of a component, from its quantiles, in units of its standard deviation."""

    def __init__(self, quantiles: Array) -> None:
        y = quantiles - quantiles.mean()
        self.sigma = float(y.std())
        self._table = np.ones(round(_K[-1] / _STEP) + 3, complex)
        if self.sigma > 0:
            step = np.exp(1j * _STEP * y / self.sigma)
            wave = np.ones_like(step)
            for i in range(1, len(self._table)):
                wave *= step
                self._table[i] = wave.mean()

    def __call__(self, k: Array) -> NDArray[np.complex128]:
        x = np.abs(k) / _STEP
        low = x.astype(int)
        value = self._table[low] + (x - low) * (self._table[low + 1] - self._table[low])
        return np.asarray(np.where(k < 0, value.conj(), value))


def timing_kernel(components: Sequence[tuple[Characteristic, float, float]]) -> TimingKernel:
    """The family for components (characteristic function, P, R): stretch of ki and of kf for a unit of each, 1/Angstrom.

    Distribution functions follow from the product of characteristic functions phi by F(x) = 1/2 - (1/pi) integral over
    k > 0 of Im(phi(k) e^{-i k x}) / k (J. Gil-Pelaez, Biometrika 38, 481 (1951)).
    """
    sigma, p, r = _columns(components)
    share = sigma * (p - np.multiply.outer(_BETA, r))
    share /= np.sqrt((share**2).sum(axis=1, keepdims=True))
    k = _RHO[:, None] * _K
    phi = np.repeat(np.exp(-0.5 * (1 - _RHO[:, None] ** 2) * _K**2)[None].astype(complex), len(_BETA), axis=0)
    for i, (c, _, _) in enumerate(components):
        phi *= c(share[:, i, None, None] * k)
    wave = np.multiply.outer(_K, _X)
    step = _K[1] - _K[0]
    cumulative = 0.5 - step / np.pi * ((phi.imag / _K) @ np.cos(wave) - (phi.real / _K) @ np.sin(wave))
    return TimingKernel(np.ascontiguousarray(cumulative.clip(0, 1), np.float32), _variance(components))


def gaussian_kernel(components: Sequence[tuple[Characteristic, float, float]]) -> TimingKernel:
    """The family of Gaussians with the same variances."""
    one = ndtr(_X).astype(np.float32)
    return TimingKernel(np.ascontiguousarray(np.broadcast_to(one, (len(_BETA), len(_RHO), len(_X)))), _variance(components))


def _columns(components: Sequence[tuple[Characteristic, float, float]]) -> Array:
    """(3, n): standard deviations, P and R."""
    return np.array([(c.sigma, p, r) for c, p, r in components]).T


def _variance(components: Sequence[tuple[Characteristic, float, float]]) -> tuple[float, float, float]:
    sigma, p, r = _columns(components)
    return float(((sigma * p) ** 2).sum()), float(-2 * ((sigma**2 * p) @ r)), float(((sigma * r) ** 2).sum())
