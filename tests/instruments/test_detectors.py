"""Absorption in boxes and tubes: closed limits, the integral over the circle, draws against moments."""

import numpy as np
import pytest

from insml import GeometryError
from insml.instruments import BlockDetector, TubeDetector

TUBE = TubeDetector(0.0254, 0.0367)


def strata(n: int) -> np.ndarray:
    """(n, n, 3): midpoints of a grid in the first two numbers; the third runs through [0, 1] with them."""
    g = (np.arange(n) + 0.5) / n
    u = np.empty((n, n, 3))
    u[..., 0], u[..., 1] = g[:, None], g
    u[..., 2] = (np.arange(n * n).reshape(n, n) * 0.6180339887498949) % 1
    return u


def circle(alpha: float, n: int = 400) -> np.ndarray:
    """Fraction absorbed, mean x, variances of x and y: the density exp(-(alpha/2)(x + sqrt(1 - y^2))) integrated in 2-D."""
    x, w = np.polynomial.legendre.leggauss(n)
    y, wy = np.sin(np.pi / 2 * x), np.pi / 2 * w * np.cos(np.pi / 2 * x)
    half = np.sqrt(1 - y * y)
    at = half[:, None] * x
    weight = (wy * half)[:, None] * w * np.exp(-alpha / 2 * (at + half[:, None]))
    total = weight.sum()
    mean = (weight * at).sum() / total
    return np.array([alpha / 4 * total, mean, (weight * (at - mean) ** 2).sum() / total,
                     (weight.sum(1) * y * y).sum() / total])


@pytest.mark.parametrize("kf", [0.6, 2.0, 10.0, 60.0])
@pytest.mark.parametrize("angle", [90.0, 60.0, 135.0])
def test_tube_moments_are_integrals_over_the_circle(kf: float, angle: float) -> None:
    """In the frame of the tube: an inclined path lengthens the absorption, not the depth."""
    alpha = float(TUBE.mean_free_paths(kf, angle))
    assert alpha == pytest.approx(100.09370736 * (0.0127 - 6.35e-4) * 10 / (kf * np.sin(np.radians(angle))), rel=1e-12)
    efficiency, mean, xx, yy = circle(alpha)
    r = TUBE.inner_radius
    np.testing.assert_allclose(TUBE.efficiency(kf, angle), efficiency, rtol=1e-8)
    np.testing.assert_allclose(TUBE.mean(kf, angle), [r * mean, 0, 0], rtol=1e-8, atol=1e-18)
    np.testing.assert_allclose(TUBE.covariance(kf, angle), np.diag([r * r * xx, r * r * yy, 0.0367**2 / 12]), rtol=1e-8)


def test_tube_limits() -> None:
    """Thin: a uniform disc, variance r^2 / 4 both ways. Black: everything at the surface, across uniform, r^2 / 3."""
    thin, black = TubeDetector(0.0254, 0.01, pressure=1e-5), TubeDetector(0.0254, 0.01, pressure=60.0)
    r = thin.inner_radius
    np.testing.assert_allclose(np.diag(thin.covariance(5.0))[:2] / r**2, [0.25, 0.25], rtol=1e-4)
    np.testing.assert_allclose(thin.mean(5.0), 0, atol=1e-4 * r)
    # mean of -sqrt(r^2 - y^2), and one mean free path deeper
    depth = np.array([-np.pi / 4 + 2 / float(black.mean_free_paths(0.15)), 0, 0]) * r
    np.testing.assert_allclose(black.mean(0.15), depth, rtol=2e-4, atol=1e-12)
    np.testing.assert_allclose(black.covariance(0.15)[1, 1] / r**2, 1 / 3, rtol=5e-3)
    assert float(black.efficiency(0.15)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("detector", [TUBE, BlockDetector(0.0254, 0.0367), BlockDetector(0.0254, 0.0367, 0.02)], ids=repr)
@pytest.mark.parametrize("kf", [0.6, 3.0, 10.0])
def test_draws_have_the_moments(detector: TubeDetector | BlockDetector, kf: float) -> None:
    points = detector.sample(strata(300), kf, 70.0).reshape(-1, 3)
    covariance = detector.covariance(kf, 70.0)
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(points.mean(0) / scale, detector.mean(kf, 70.0) / scale, atol=2e-3)
    np.testing.assert_allclose(np.cov(points.T) / np.outer(scale, scale), covariance / np.outer(scale, scale), atol=4e-3)
    if isinstance(detector, TubeDetector):
        assert np.max(np.hypot(points[:, 0], points[:, 1])) <= detector.inner_radius * (1 + 1e-12)


def test_block_is_tobyfits() -> None:
    """15 mm deep for a tube of 25.4 mm."""
    np.testing.assert_allclose(BlockDetector(0.0254, 0.0367).covariance(7.0),
                               np.diag(np.array([0.015, 0.0254, 0.0367]) ** 2 / 12), rtol=1e-14)


@pytest.mark.parametrize("detector", [TUBE, BlockDetector(0.0254, 0.0367)], ids=lambda d: type(d).__name__)
def test_pixels_at_once(detector: TubeDetector | BlockDetector) -> None:
    kf, angle = np.linspace(1, 9, 5)[:, None], np.array([60.0, 90.0])
    u = np.random.default_rng(3).random((5, 2, 3))
    together = detector.covariance(kf, angle), detector.mean(kf, angle), detector.sample(u, kf, angle)
    for i in range(5):
        for j in range(2):
            one = (detector.covariance(kf[i, 0], angle[j]), detector.mean(kf[i, 0], angle[j]),
                   detector.sample(u[i, j], kf[i, 0], angle[j]))
            for a, b in zip(together, one, strict=True):
                np.testing.assert_allclose(a[i, j], b, rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize(("make", "word"), [
    (lambda: TubeDetector(0.0254, 0.01, wall=0.013), "wall"),
    (lambda: TubeDetector(0.0254, 0.01, pressure=0.0), "pressure"),
    (lambda: BlockDetector(0.0254, -1.0), "height"),
    (lambda: BlockDetector(0.0254, 1.0, 0.0), "width"),
    (lambda: TUBE.covariance(0.0), "kf"),
    (lambda: TUBE.covariance(1.0, 180.0), "angle"),
    (lambda: TUBE.sample([0.5, 1.5, 0.5], 1.0), "probabilities"),
])
def test_mistakes_are_named(make: object, word: str) -> None:
    with pytest.raises(GeometryError, match=word):
        make()  # type: ignore[operator]
