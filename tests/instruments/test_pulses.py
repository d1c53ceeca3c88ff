"""Pulse shapes: normalisation, moments and quantiles against quadrature of the density, and published numbers."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml import GeometryError
from insml.instruments import (
    MAPS,
    MERLIN,
    Delta,
    Distribution,
    FermiPulse,
    Gaussian,
    Ikcarp,
    Tabulated,
    Uniform,
    double_disk,
    ikcarp_param,
)

US = 1e-6


def quadrature(of: Distribution, breaks: list[float], order: int = 60) -> np.ndarray:
    """Area, mean and variance by Gauss-Legendre between breaks."""
    x, w = np.polynomial.legendre.leggauss(order)
    at = np.concatenate([a + 0.5 * (b - a) * (x + 1) for a, b in pairwise(breaks)])
    weight = np.concatenate([0.5 * (b - a) * w for a, b in pairwise(breaks)]) * of.pdf(at)
    mean = weight @ at
    return np.array([weight.sum(), mean, weight @ (at - mean) ** 2])


def check_inverse(of: Distribution, rtol: float = 1e-10) -> None:
    u = np.concatenate([[1e-9, 1e-5], np.linspace(0.001, 0.999, 97), [1 - 1e-5]])
    x = of.quantile(u)
    assert np.all(np.diff(x) > 0)
    np.testing.assert_allclose(of.cdf(x), u, rtol=rtol, atol=1e-15)


IKCARP = [Ikcarp(7.4), Ikcarp(7.4, 0.0, 0.5), Ikcarp(20.0, 30.0, 0.0), Ikcarp(10.0, 30.0, 0.4), Ikcarp(10.0, 3.0, 0.7),
          Ikcarp(10.0, 10.0, 1.0), Ikcarp(10.0, 10.001, 0.3), Ikcarp(10.0, 0.01, 0.9), Ikcarp(1.0, 500.0, 0.2)]


@pytest.mark.parametrize("pulse", IKCARP, ids=repr)
def test_ikcarp(pulse: Ikcarp) -> None:
    end = 60 * (pulse.tau_f + pulse.tau_s)
    # geometric towards zero and even beyond: both decays are resolved
    breaks = [0.0, *(US * np.geomspace(1e-3, end, 60))]
    np.testing.assert_allclose(quadrature(pulse, breaks), [1, pulse.mean, pulse.variance], rtol=1e-9)
    check_inverse(pulse)
    t = US * np.array([0.01, 1.0, 8.0, 40.0]) * pulse.tau_f
    for at in t:
        area = quadrature(pulse, [0.0, *np.geomspace(at * 1e-4, at, 12)])[0]
        np.testing.assert_allclose(pulse.cdf(at), area, rtol=1e-9)
    assert pulse.cdf(np.inf) == 1
    assert pulse.pdf(-1e-6) == pulse.cdf(-1e-6) == 0


def test_ikcarp_is_the_published_form() -> None:
    """Horace: g = t (1/tau_f - 1/tau_s), the stored term in closed form where g is large."""
    tf, ts, r, t = 10.0, 25.0, 0.4, np.array([20.0, 60.0, 200.0])
    g = t * (1 / tf - 1 / ts)
    stored = (r / tf) * (t / tf) ** 2 * (t / ts) * np.exp(-t / ts) * (1 - np.exp(-g) * (1 + g + g * g / 2)) / g**3
    expected = (1 - r) * 0.5 * (t / tf) ** 2 * np.exp(-t / tf) / tf + stored
    np.testing.assert_allclose(Ikcarp(tf, ts, r).pdf(t * US) * US, expected, rtol=1e-12)


def test_chi_squared_pulse() -> None:
    """FWHM 3.394680670846503 tau, peak at 2 tau, and the moderator of MAPS at 90 meV: variance 3 (70 / sqrt(90))^2."""
    pulse = Ikcarp(10.0)
    peak = float(pulse.pdf(20 * US))
    sides = []
    for lo, hi in ((1.0, 20.0), (20.0, 100.0)):
        a, b = lo * US, hi * US
        for _ in range(100):
            middle = 0.5 * (a + b)
            inside = float(pulse.pdf(middle)) > peak / 2
            a, b = (a, middle) if inside == (lo == 1.0) else (middle, b)
        sides.append(a)
    assert (sides[1] - sides[0]) / US == pytest.approx(33.94680670846503, rel=1e-9)
    assert MAPS[1].moderator.at(90.0).variance == pytest.approx(3 * 70**2 / 90 * 1e-12, rel=1e-14)


def test_ikcarp_param() -> None:
    pulse = ikcarp_param(0.02, 30.0, 100.0, 50.0)
    assert (pulse.tau_f, pulse.tau_s) == (pytest.approx(1166.47 * 0.02 / np.sqrt(50)), 30.0)
    assert pulse.r == pytest.approx(np.exp(-0.5))


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 3.999))
def test_fermi_pulse(gamma: float) -> None:
    """Area, variance and cdf over the whole open range."""
    pulse = FermiPulse(2e-5, gamma)
    lo, hi = pulse.support
    edge = min(gamma * pulse.opening, hi)
    breaks = sorted({lo, -edge, 0.0, edge, hi})
    np.testing.assert_allclose(quadrature(pulse, breaks)[[0, 2]], [1, pulse.variance], rtol=1e-9)
    assert abs(quadrature(pulse, breaks)[1]) < 1e-12 * pulse.sigma
    for x in np.array([-0.9, -0.3, 0.2, 0.8]) * hi:
        area = quadrature(pulse, sorted({lo, x, *(b for b in breaks if b < x)}))[0]
        assert float(pulse.cdf(x)) == pytest.approx(area, rel=1e-9)
    check_inverse(pulse)


def test_fermi_transmission_is_the_area_of_the_pulse() -> None:
    """Peak height relative to an unblocked slit is 1 - gamma / 4, so pdf(0) opening transmission is that."""
    for gamma in (0.0, 0.5, 0.999, 1.0, 2.0, 3.9):
        pulse = FermiPulse(1e-5, gamma)
        assert float(pulse.pdf(0.0)) * pulse.opening * pulse.transmission == pytest.approx(1 - gamma / 4, rel=1e-12)
    assert FermiPulse(1e-5, 1 - 1e-12).variance == pytest.approx(FermiPulse(1e-5, 1.0).variance, rel=1e-10)


@pytest.mark.parametrize("family", [MAPS[1], MAPS[2], MERLIN[1]], ids=lambda f: f.name)
def test_every_open_setting_of_every_package(family: object) -> None:
    open_settings = 0
    for package in family.packages:  # type: ignore[attr-defined]
        for frequency in (100.0, 250.0, 600.0):
            for ei in (10.0, 40.0, 160.0, 640.0):
                if family.packages[package].gamma(ei, frequency) >= 4:  # type: ignore[attr-defined]
                    with pytest.raises(GeometryError, match=f"{ei:g} meV, found package {package} at {frequency:g} Hz"):
                        family.chopper_pulse(ei, package, frequency)  # type: ignore[attr-defined]
                    continue
                pulse = family.chopper_pulse(ei, package, frequency)  # type: ignore[attr-defined]
                open_settings += 1
                edge = min(pulse.gamma * pulse.opening, pulse.support[1])
                breaks = sorted({*pulse.support, -edge, 0.0, edge})
                np.testing.assert_allclose(quadrature(pulse, breaks)[[0, 2]], [1, pulse.variance], rtol=1e-8)
    assert open_settings > 10


def test_closed_chopper() -> None:
    with pytest.raises(GeometryError, match="closes"):
        FermiPulse(1e-5, 4.0)
    with pytest.raises(GeometryError, match=r"package A at 600 Hz"):
        MAPS[1].chopper_pulse(10.0, "A", 600.0)


@pytest.mark.parametrize(("aperture", "t1", "t2"), [(None, 0.5, 0.5), (0.04, 0.5, 0.5), (0.01, 0.125, 0.875),
                                                     (0.08, 0.5, 0.5)])
def test_double_disk_is_two_boxes(aperture: float | None, t1: float, t2: float) -> None:
    """Variances of boxes add; base and top of the trapezoid are their sum and difference."""
    full = 0.04 / (2 * np.pi * 0.28 * 100)
    pulse = double_disk(0.04, 0.28, 100.0, aperture)
    assert pulse.variance == pytest.approx((t1**2 + t2**2) / 12 * full**2, rel=1e-12)
    assert abs(pulse.mean) < 1e-12 * full
    assert pulse.support[1] == pytest.approx(0.5 * (t1 + t2) * full)
    assert float(pulse.pdf(0.0)) == pytest.approx(1 / (t2 * full))
    check_inverse(pulse)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 3), st.floats(0, 5)), min_size=2, max_size=9).filter(
    lambda p: sum(y for _, y in p) > 0.1))
def test_tabulated(points: list[tuple[float, float]]) -> None:
    x, y = np.cumsum([p[0] for p in points]), np.array([p[1] for p in points])
    pulse = Tabulated(x, y)
    np.testing.assert_allclose(quadrature(pulse, list(x), 4), [1, pulse.mean, pulse.variance], rtol=1e-10)
    u = np.linspace(0, 1, 41)
    np.testing.assert_allclose(pulse.cdf(pulse.quantile(u)), u, atol=1e-13)
    at = np.linspace(x[0], x[-1], 23)
    slope = np.gradient(pulse.cdf(np.array([at - 1e-7, at, at + 1e-7])), 1e-7, axis=0)[1][1:-1]
    inside = np.min(np.abs(at[1:-1, None] - x), axis=1) > 1e-6
    np.testing.assert_allclose(slope[inside], pulse.pdf(at[1:-1])[inside], atol=1e-6)


@pytest.mark.parametrize("of", [Uniform(0.3), Gaussian(0.2)], ids=repr)
def test_simple_shapes(of: Distribution) -> None:
    lo, hi = (v if np.isfinite(v) else np.sign(v) * 12 * of.sigma for v in of.support)
    np.testing.assert_allclose(quadrature(of, list(np.linspace(lo, hi, 9))), [1, 0, of.variance], atol=1e-12)
    check_inverse(of)
    assert float(of.quantile(0.5)) == pytest.approx(0, abs=1e-15)


def test_delta() -> None:
    of = Delta()
    assert of.mean == of.variance == 0
    np.testing.assert_array_equal(of.quantile([0.0, 0.3, 1.0]), 0)
    np.testing.assert_array_equal(of.cdf([-1e-9, 0.0]), [0, 1])


@pytest.mark.parametrize("of", [Ikcarp(10.0, 30.0, 0.4), FermiPulse(2e-5, 2.0),
                                Tabulated(np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 1.0]))],
                         ids=lambda of: type(of).__name__)
def test_centred(of: Distribution) -> None:
    moved = of.centred()
    assert moved.mean == pytest.approx(0, abs=1e-12 * of.sigma)
    assert moved.variance == of.variance
    u = np.linspace(0.01, 0.99, 9)
    np.testing.assert_allclose(moved.quantile(u), of.quantile(u) - of.mean, atol=1e-12 * of.sigma)
    np.testing.assert_allclose(moved.cdf(moved.quantile(u)), u, rtol=1e-9)
    np.testing.assert_array_equal(moved.shifted(of.sigma).pdf(of.quantile(u) - of.mean + of.sigma) > 0, True)
    assert moved.shifted(2.0).mean == pytest.approx(2.0)


def test_samples_have_the_moments() -> None:
    """The midpoints of 200000 equal parts of [0, 1]."""
    u = (np.arange(200000) + 0.5) / 200000
    for of in (Ikcarp(10.0, 30.0, 0.4), FermiPulse(2e-5, 0.3), FermiPulse(2e-5, 2.0), double_disk(0.04, 0.28, 60.0)):
        x = of.quantile(u)
        assert x.mean() == pytest.approx(of.mean, abs=1e-4 * of.sigma)
        assert x.var() == pytest.approx(of.variance, rel=2e-3)


@pytest.mark.parametrize(("make", "word"), [
    (lambda: Ikcarp(0.0), "tau_f"),
    (lambda: Ikcarp(1.0, -1.0), "tau_s"),
    (lambda: Ikcarp(1.0, 1.0, 1.5), "r: "),
    (lambda: Uniform(-1.0), "full_width"),
    (lambda: Gaussian(float("nan")), "standard_deviation"),
    (lambda: Tabulated([0.0, 0.0], [1.0, 1.0]), "ascending"),
    (lambda: Tabulated([0.0, 1.0], [0.0, 0.0]), "not all zero"),
    (lambda: Tabulated([0.0, 1.0, 2.0], [0.0, 1.0]), "equally long"),
    (lambda: Uniform(1.0).quantile(1.2), "probabilities"),
    (lambda: double_disk(0.04, 0.28, 0.0), "frequency"),
    (lambda: MAPS[1].chopper_pulse(50.0, "Z", 200.0), "package"),
])
def test_mistakes_are_named(make: object, word: str) -> None:
    with pytest.raises(GeometryError, match=word):
        make()  # type: ignore[operator]
