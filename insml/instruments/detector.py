"""Where in a detector a neutron is absorbed.

Detector frame: z along the tube (height), x the direction of flight projected perpendicular to it (depth, away from the
sample), y across. Lengths in metres; kf in 1/Angstrom; ``angle`` between path and tube axis in degrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.instruments.conditional import JointTable
from insml.instruments.distribution import positive, probability

Array = NDArray[np.float64]

TOBYFIT_DEPTH = 75 / 127  # 15 mm of a one-inch tube
HE3_DIAMETERS = 100.09370736  # mean free paths per metre of radius, atmosphere and Angstrom: the diameter's


class Detector(Protocol):
    """What the resolution needs of a detector."""

    def mean(self, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array: ...

    def covariance(self, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array: ...

    def sample(self, u: ArrayLike, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array: ...


def path(kf: ArrayLike, angle: ArrayLike) -> Array:
    """kf sin(angle), broadcast and checked."""
    k, theta = np.asarray(kf, float), np.asarray(angle, float)
    if np.any(~(k > 0)):
        raise GeometryError(f"kf: expected positive wave numbers, found {k[~(k > 0)].flat[0]:g}")
    if np.any(~((theta > 0) & (theta < 180))):
        raise GeometryError("angle: expected between 0 and 180 degrees to the tube, found "
                            f"{theta[~((theta > 0) & (theta < 180))].flat[0]:g}")
    return np.asarray(k * np.sin(np.radians(theta)))


@dataclass(frozen=True)
class BlockDetector:
    """Tobyfit's classic approximation of a tube: a box, uniformly absorbing and the same for every energy.

    ``diameter`` of the tube, of which the box is 75/127 deep; ``width`` across (the diameter if None); ``height``.
    """

    diameter: float
    height: float
    width: float | None = None

    def __post_init__(self) -> None:
        for field in ("diameter", "height", "width"):
            if field != "width" or self.width is not None:
                positive(field, getattr(self, field))

    @property
    def box(self) -> Array:
        """(3,) full depth, width, height."""
        return np.array([TOBYFIT_DEPTH * self.diameter, self.width or self.diameter, self.height])

    def mean(self, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array:
        """(..., 3), zero."""
        return np.zeros((*path(kf, angle).shape, 3))

    def covariance(self, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array:
        """(..., 3, 3)."""
        return np.asarray(np.broadcast_to(np.diag(self.box**2 / 12), (*path(kf, angle).shape, 3, 3)))

    def sample(self, u: ArrayLike, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array:
        """Points (..., 3) for u (..., 3) uniform in [0, 1]; kf and angle broadcast against its leading axes."""
        path(kf, angle)
        return (probability(u) - 0.5) * self.box


@dataclass(frozen=True)
class TubeDetector:
    """Helium-3 tube: exponential absorption along the chord the neutron takes.

    ``diameter`` outside, ``height``, ``wall`` in metres; ``pressure`` in atmospheres at 300 K.
    """

    diameter: float
    height: float
    pressure: float = 10.0
    wall: float = 6.35e-4

    def __post_init__(self) -> None:
        for field in ("diameter", "height", "pressure"):
            positive(field, getattr(self, field))
        if not 0 <= self.wall < self.diameter / 2:
            raise GeometryError(f"wall: expected at least 0 and below the radius {self.diameter / 2:g} m, "
                                f"found {self.wall:g}")

    @property
    def inner_radius(self) -> float:
        return self.diameter / 2 - self.wall

    def mean_free_paths(self, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array:
        """Inner diameter along the path in absorption lengths."""
        return np.asarray(HE3_DIAMETERS * self.inner_radius * self.pressure / path(kf, angle))

    def efficiency(self, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array:
        """Fraction absorbed of the neutrons that meet the gas."""
        return chord_moments(self.mean_free_paths(kf, angle))[0]

    def mean(self, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array:
        """(..., 3): depth from the tube's axis; negative, absorption favours the front."""
        depth = chord_moments(self.mean_free_paths(kf, angle))[1]
        return np.stack([depth * self.inner_radius, np.zeros_like(depth), np.zeros_like(depth)], axis=-1)

    def covariance(self, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array:
        """(..., 3, 3), diagonal."""
        _, _, xx, yy = chord_moments(self.mean_free_paths(kf, angle))
        out = np.zeros((*xx.shape, 3, 3))
        out[..., 0, 0], out[..., 1, 1] = xx * self.inner_radius**2, yy * self.inner_radius**2
        out[..., 2, 2] = self.height**2 / 12
        return out

    def sample(self, u: ArrayLike, kf: ArrayLike, angle: ArrayLike = 90.0) -> Array:
        """Points (..., 3) for u (..., 3) uniform in [0, 1]; kf and angle broadcast against its leading axes."""
        p = probability(u)
        alpha = np.broadcast_to(self.mean_free_paths(kf, angle), p.shape[:-1])
        phi = across().quantile(p[..., 1], np.log(alpha))
        half = np.cos(phi)
        depth = -np.log1p(p[..., 0] * np.expm1(-alpha * half)) / alpha  # in units of the diameter, along the chord
        return np.stack([(2 * depth - half) * self.inner_radius, np.sin(phi) * self.inner_radius,
                         (p[..., 2] - 0.5) * self.height], axis=-1)


def chord_moments(alpha: Array, order: int = 24) -> tuple[Array, Array, Array, Array]:
    """Efficiency, mean x, variance of x and of y in a circle of radius 1 and diameter ``alpha`` mean free paths.

    The density is exp(-alpha (x + sqrt(1 - y^2)) / 2): along the chord in closed form, across by quadrature in the
    angle phi, y = sin(phi), good to 1e-7 up to alpha = 100.
    """
    points, weights = np.polynomial.legendre.leggauss(order)
    phi, w = np.pi / 4 * (points + 1), np.pi / 4 * weights
    half = np.cos(phi)
    flat = alpha.ravel()
    out = np.empty((4, flat.size))
    for start in range(0, flat.size, 32768):  # bounds the memory
        part = slice(start, start + 32768)
        a = flat[part, None] * half
        m0, m1, m2 = exponential_moments(a)
        common = w * half * half
        norm = m0 @ common
        x = (2 * m1 - m0) @ (common * half) / norm
        xx = (4 * m2 - 4 * m1 + m0) @ (common * half**2) / norm - x * x
        yy = m0 @ (common * np.sin(phi) ** 2) / norm
        out[:, part] = flat[part] * norm, x, xx, yy
    efficiency, x, xx, yy = (v.reshape(alpha.shape) for v in out)
    return efficiency, x, xx, yy


def exponential_moments(a: Array) -> tuple[Array, Array, Array]:
    """Integrals over v from 0 to 1 of v^k exp(-a v), k = 0, 1, 2."""
    small = a < 1
    far = np.where(small, 1.0, a)
    decay = np.exp(-far)
    m0 = -np.expm1(-far) / far
    m1 = (m0 - decay) / far
    m2 = (2 * m1 - decay) / far
    if np.any(small):
        near = a[small]
        term, series = np.ones_like(near), np.zeros((3, near.size))
        for n in range(20):
            for k in range(3):
                series[k] += term / (n + k + 1)
            term = -term * near / (n + 1)
        m0[small], m1[small], m2[small] = series
    return m0, m1, m2


@cache
def across() -> JointTable:
    """Density of phi (y = sin phi) for each log(alpha); uniform in y for a black tube, a semicircle for a thin one."""
    log_alpha, phi = np.linspace(np.log(1e-2), np.log(1e3), 161), np.linspace(-np.pi / 2, np.pi / 2, 513)
    half = np.maximum(np.cos(phi), 0.0)
    density = -np.expm1(-np.exp(log_alpha)[:, None] * half) * half
    return JointTable(log_alpha, phi, density / density.sum(1, keepdims=True))
