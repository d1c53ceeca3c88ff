"""Line shapes against their integrals and their widths on the curve."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from insml import ModelError
from insml.resolution.line_shapes import DampedOscillator, GaussianLine, LorentzianLine


@pytest.mark.parametrize("line", [GaussianLine(1.7), LorentzianLine(1.7)])
def test_area_width_and_quantiles(line: GaussianLine | LorentzianLine) -> None:
    assert quad(lambda e: float(line(e, 3.0)), -np.inf, np.inf)[0] == pytest.approx(1.0, abs=1e-8)
    half = brentq(lambda x: float(line(3.0 + x, 3.0) - 0.5 * line(3.0, 3.0)), 0, 20)
    assert 2 * half == pytest.approx(1.7, rel=1e-10)
    for u in (0.02, 0.3, 0.5, 0.9):
        assert quad(lambda e: float(line(e, 0.0)), -np.inf, float(line.quantile(u)))[0] == pytest.approx(u, abs=1e-7)


def test_damped_oscillator() -> None:
    # first moment w0 for every width; narrow: a Lorentzian of that FWHM at w0
    for fwhm in (0.5, 3.0, 9.0):
        line = DampedOscillator(fwhm)
        first = quad(lambda w, line=line: w * float(line(w, 10.0)), 0, 200, points=(9.5, 10, 10.5), limit=500)[0]
        tail = 4 / np.pi * 0.5 * fwhm * 10 / 200  # of w^2 / w^4
        assert first + tail == pytest.approx(10.0, rel=2e-4)
        assert float(line(-4.0, 10.0)) == -float(line(4.0, 10.0))
    e = np.linspace(9.9, 10.1, 7)
    np.testing.assert_allclose(DampedOscillator(0.02)(e, 10.0), LorentzianLine(0.02)(e, 10.0), rtol=0.03)


@pytest.mark.parametrize("line", [GaussianLine(1.7), LorentzianLine(1.7), DampedOscillator(1.7), DampedOscillator(12.0),
                                  DampedOscillator(6.0)])
def test_cdf_is_the_integral(line: GaussianLine | LorentzianLine | DampedOscillator) -> None:
    """The oscillators: under-, over- and critically damped."""
    for a, b in ((0.5, 2.0), (2.9, 3.1), (-4.0, 1.0), (3.0, 60.0)):
        expected = quad(lambda e: float(line(e, 3.0)), a, b, epsabs=1e-12, limit=200)[0]
        assert float(line.cdf(b, 3.0) - line.cdf(a, 3.0)) == pytest.approx(expected, abs=1e-8)


def test_widths_are_positive() -> None:
    for shape in (GaussianLine, LorentzianLine, DampedOscillator):
        with pytest.raises(ModelError, match="fwhm: expected a positive width"):
            shape(0.0)
