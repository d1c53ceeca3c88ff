"""Counter-rotating disk choppers, and the pair of times they leave of a moderator pulse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.instruments.conditional import JointTable
from insml.instruments.distribution import Distribution, Tabulated, positive, probability

Array = NDArray[np.float64]


def double_disk(slot: float, radius: float, frequency: float, aperture: float | None = None) -> Tabulated:
    """Pulse of a pair of disks turning against each other, in seconds: two boxes convolved, a trapezoid or triangle.

    Parameters
    ----------
    slot : full width of the slots at ``radius``, metres. frequency : of each disk, Hz.
    aperture : full width of the beam there, metres; that of the slot if not given (and at most that).
    """
    for field, value in (("slot", slot), ("radius", radius), ("frequency", frequency)):
        positive(field, value)
    if aperture is not None:
        positive("aperture", aperture)
    per_metre = 1 / (2 * np.pi * radius * frequency)
    narrow = 0.5 * min(slot, slot if aperture is None else aperture) * per_metre
    wide = slot * per_metre - narrow
    outer, inner = 0.5 * (wide + narrow), 0.5 * (wide - narrow)
    if inner <= 1e-9 * outer:
        return Tabulated(np.array([-outer, 0.0, outer]), np.array([0.0, 1.0, 0.0]))
    return Tabulated(np.array([-outer, -inner, inner, outer]), np.array([0.0, 1.0, 1.0, 0.0]))


@dataclass(frozen=True, eq=False)
class ChopperTimes:
    """Joint distribution of (time at the shaping chopper, time at the monochromating chopper), seconds.

    Both are about the middle of the opening; the moderator lets a pair through with its pulse at
    t_shaping x0 / xa - t_mono (x0 - xa) / xa + offset, x0 the distance from moderator and xa that from shaping to
    monochromating chopper. The offset, the phase, is that of highest transmission.
    """

    shaping: Tabulated
    mono: Tabulated
    moderator: Distribution
    moderator_to_mono: float
    shaping_to_mono: float

    def __post_init__(self) -> None:
        positive("moderator_to_mono", self.moderator_to_mono)
        positive("shaping_to_mono", self.shaping_to_mono)
        if self.shaping_to_mono >= self.moderator_to_mono:
            raise GeometryError(f"shaping_to_mono: expected less than moderator_to_mono = {self.moderator_to_mono:g} m, "
                                f"found {self.shaping_to_mono:g}")
        if not self.moderator.variance > 0:
            raise GeometryError("moderator: expected a pulse of finite width, found none")

    @cached_property
    def offset(self) -> float:
        """Time in the moderator pulse (seconds) at which the choppers are centred."""
        a, b = self._ratios
        (s, ws), (t, wt) = nodes(self.shaping, 24), nodes(self.mono, 24)
        spread, weight = (a * s[:, None] - b * t).ravel(), (ws[:, None] * wt).ravel()
        lo, hi = self.moderator.quantile([1e-6, 1 - 1e-6])
        lo, hi = lo - np.ptp(spread) / 2, hi + np.ptp(spread) / 2
        # the passed intensity has one maximum; 25 points bracket it and the bracket shrinks
        for _ in range(12):
            grid = np.linspace(lo, hi, 25)
            passed = self.moderator.pdf(grid[:, None] + spread) @ weight
            best = int(np.argmax(passed))
            if hi - lo < 1e-5 * self.moderator.sigma:
                break
            lo, hi = grid[max(best - 1, 0)], grid[min(best + 1, 24)]
        return float(grid[best])

    @property
    def _ratios(self) -> tuple[float, float]:
        x0, xa = self.moderator_to_mono, self.shaping_to_mono
        return x0 / xa, (x0 - xa) / xa

    def pdf(self, shaping: ArrayLike, mono: ArrayLike) -> Array:
        """Joint density, not normalised; the two times broadcast."""
        a, b = self._ratios
        s, t = np.asarray(shaping, float), np.asarray(mono, float)
        return self.shaping.pdf(s) * self.mono.pdf(t) * self.moderator.pdf(a * s - b * t + self.offset)

    @cached_property
    def _moments(self) -> tuple[Array, Array]:
        (s, ws), (t, wt) = nodes(self.shaping, 160), nodes(self.mono, 160)
        a, b = self._ratios
        weight = ws[:, None] * wt * self.moderator.pdf(a * s[:, None] - b * t + self.offset)
        weight /= weight.sum()
        along = (weight.sum(1), weight.sum(0))
        mean = np.array([along[0] @ s, along[1] @ t])
        ds, dt = s - mean[0], t - mean[1]
        cross = float(ds @ weight @ dt)
        return mean, np.array([[along[0] @ ds**2, cross], [cross, along[1] @ dt**2]])

    @property
    def mean(self) -> Array:
        """(2,) seconds."""
        return self._moments[0]

    @property
    def covariance(self) -> Array:
        """(2, 2) seconds squared, by quadrature."""
        return self._moments[1]

    @cached_property
    def _table(self) -> JointTable:
        s, t = (np.linspace(*pulse.support, 385) for pulse in (self.shaping, self.mono))
        return JointTable(s, t, self.pdf(s[:, None], t))

    def sample(self, u: ArrayLike) -> Array:
        """Pairs (..., 2) in seconds for u (..., 2) uniform in [0, 1]."""
        p = probability(u)
        shaping = self._table.marginal.quantile(p[..., 0])
        return np.stack([shaping, self._table.quantile(p[..., 1], shaping)], axis=-1)


def nodes(pulse: Tabulated, order: int) -> tuple[Array, Array]:
    """Gauss-Legendre points of every straight piece of ``pulse``, and weights that include its density."""
    x, w = np.polynomial.legendre.leggauss(order)
    width = np.diff(pulse.x)[:, None]
    at = (pulse.x[:-1, None] + 0.5 * width * (x + 1)).ravel()
    return at, (0.5 * width * w).ravel() * pulse.pdf(at)
