"""Widths, kinematic limits and broadening along |Q|."""

import numpy as np
import pytest

from insml.errors import GeometryError
from insml.spinwave.binning import BinnedSpectrum
from insml.spinwave.broadening import broaden_q, energy_fwhm, kinematic_limits, mask_unreachable
from insml.spinwave.powder import PowderSpectrum

HBAR2_2M = 2.0721248  # meV Angstrom^2


def flat(q_abs, value=1.0):
    return PowderSpectrum(np.asarray(q_abs, float), np.array([0.0, 1.0, 2.0]), np.full((len(q_abs), 2), value))


def test_forms_of_a_width():
    e = np.array([-1.0, 0.0, 2.0, 30.0])
    np.testing.assert_allclose(energy_fwhm(0.3, e), 0.3)
    np.testing.assert_allclose(energy_fwhm([0.1, 0.5], e), 0.1 * e + 0.5)
    np.testing.assert_allclose(energy_fwhm(np.array([[0, 1], [10, 2.0]]), e), [1, 1, 1.2, 2])
    np.testing.assert_allclose(energy_fwhm(lambda x: 0.1 + x**2, e), 0.1 + e**2)
    np.testing.assert_allclose(energy_fwhm(lambda x: 0.1, e), 0.1)


@pytest.mark.parametrize(("width", "message"), [
    (-0.1, "found -0.1 at"), ([1.0, 0.0], "found -1 at -1 meV"), (lambda e: e * np.nan, "found nan"),
    ([[0, 1, 2]], r"shape \(1, 3\)"), ([[1, 1], [0, 1]], "out of order"),
])
def test_widths_that_cannot_be(width, message):
    with pytest.raises(GeometryError, match=f"fwhm: expected .*{message}"):
        energy_fwhm(width, np.array([-1.0, 2.0]))


def test_elastic_line_is_bragg_s_law():
    k = np.sqrt(20 / HBAR2_2M)
    for fixed in ({"ei": 20.0}, {"ef": 20.0}):
        low, high = kinematic_limits([0.0], two_theta=(10, 135), **fixed)
        np.testing.assert_allclose([low[0], high[0]], 2 * k * np.sin(np.radians([5, 67.5])))


def test_inelastic_limits():
    e = np.array([-5.0, 3.0, 11.9, 12.1])
    low, high = kinematic_limits(e, ei=12.0, two_theta=(0, 90))
    ki, kf = np.sqrt(12 / HBAR2_2M), np.sqrt((12 - e[:3]) / HBAR2_2M)
    np.testing.assert_allclose(low[:3], np.abs(ki - kf), atol=1e-12)
    np.testing.assert_allclose(high[:3], np.sqrt(ki**2 + kf**2))
    assert np.isnan([low[3], high[3]]).all()
    low, high = kinematic_limits([-6.0, 8.0], ef=5.0)
    assert np.isnan(low[0])
    np.testing.assert_allclose(high[1], (np.sqrt(13) + np.sqrt(5)) / np.sqrt(HBAR2_2M))


def test_what_no_neutron_reaches_is_nan():
    spectrum = BinnedSpectrum(np.array([[0.05, 0, 0], [1.0, 0, 0], [4.0, 0, 0]]), np.array([0.0, 2.0, 8.0, 12.0]),
                              np.ones((3, 3)), lattice_vectors=2 * np.pi * np.eye(3))
    masked = mask_unreachable(spectrum, ei=9.0)
    ki, kf = np.sqrt(9 / HBAR2_2M), np.sqrt(np.array([8, 4]) / HBAR2_2M)
    expected = np.zeros((3, 3), bool)
    expected[:, :2] = (spectrum.q_abs[:, None] >= ki - kf) & (spectrum.q_abs[:, None] <= ki + kf)
    np.testing.assert_array_equal(np.isfinite(masked.intensity), expected)
    assert expected.any(axis=0).tolist() == [True, True, False]


@pytest.mark.parametrize(("options", "message"), [
    ({}, "expected one of the two"), ({"ei": 1.0, "ef": 1.0}, "expected one of the two"), ({"ei": -1.0}, "ei: expected"),
    ({"ef": np.nan}, "ef: expected"), ({"ei": 5.0, "two_theta": (30, 20)}, "two_theta: expected"),
    ({"ei": 5.0, "two_theta": (-3, 120)}, "two_theta: expected"),
])
def test_geometries_that_cannot_be(options, message):
    with pytest.raises(GeometryError, match=message):
        kinematic_limits([1.0], **options)


def test_a_constant_stays_one_on_uneven_points_with_gaps():
    q = np.array([0.1, 0.2, 0.5, 0.55, 1.0, 2.0])
    before = flat(q)
    before.intensity[2, 0] = np.nan
    after = broaden_q(before, 0.4)
    assert np.isnan(after.intensity[2, 0])
    known = np.isfinite(before.intensity)
    np.testing.assert_allclose(after.intensity[known], 1)


def test_a_ridge_becomes_a_gaussian_of_the_given_width():
    q = np.linspace(0.01, 4, 400)
    before = flat(q, 0.0)
    before.intensity[200] = 1
    after = broaden_q(before, 0.3).intensity[:, 0]
    sigma = 0.3 / np.sqrt(8 * np.log(2))
    gaussian = np.exp(-((q - q[200]) / sigma) ** 2 / 2) / np.sqrt(2 * np.pi) / sigma
    np.testing.assert_allclose(after, 0.01 * gaussian, atol=1e-9)
    assert after.sum() == pytest.approx(1)


def test_no_width_and_positions_of_a_path():
    before = flat([1.0, 1.0, 0.5])  # |Q| of a path goes up and down
    with pytest.raises(GeometryError, match="along: expected 3 ascending"):
        broaden_q(before, 0.1)
    np.testing.assert_allclose(broaden_q(before, 0.1, along=[0, 0.1, 0.2]).intensity, 1)
    assert broaden_q(flat([1.0, 2.0]), 0.0).intensity.tolist() == flat([1.0, 2.0]).intensity.tolist()
    with pytest.raises(GeometryError, match="fwhm: expected"):
        broaden_q(flat([1.0, 2.0]), -1)
