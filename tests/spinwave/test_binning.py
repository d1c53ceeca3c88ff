"""Histograms: exact integrals, whatever the bins."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr, voigt_profile

from insml.errors import GeometryError
from insml.spinwave import SpinModel, binning
from insml.spinwave.binning import bin_lines
from insml.spinwave.temperature import Lines, loss_lines

SIGMA = 1 / 2.3548200450309493
PROFILES = [{}, {"fwhm": 0.3}, {"lorentzian": 0.2}, {"fwhm": 0.3, "lorentzian": 0.2}, {"fwhm": [0.02, 0.1]}]


def lines(energy, weight=None):
    energy = np.atleast_2d(np.asarray(energy, float))
    return Lines(np.zeros((len(energy), 3)), energy, np.ones_like(energy) if weight is None else np.atleast_2d(weight))


@pytest.mark.parametrize("name", ["A_ybto_B2_Q1", "A_ybto_B2_Q2", "A_ybto_B2_Q3"])
def test_spinw_histograms(shared_data, name):
    folder = shared_data / "oracles" / "lswt"
    model = SpinModel.from_dict(json.loads((folder / f"{name}.json").read_text())["model"])
    with np.load(folder / f"{name}.npz") as file:
        q, edges, counts = file["q"], file["Evect_edges"], file["swConv"]
    binned = bin_lines(loss_lines(model.spectrum(q, g_tensor=True)), edges)
    np.testing.assert_allclose(binned.intensity * np.diff(edges), counts, atol=1e-9 * counts.max())


@pytest.mark.parametrize("profile", PROFILES)
def test_merging_bins_is_averaging_them(profile):
    rng = np.random.default_rng(1)
    given_lines = lines(rng.uniform(-1, 11, (7, 5)), rng.random((7, 5)))
    fine, coarse = (bin_lines(given_lines, np.linspace(0, 10, n + 1), **profile) for n in (400, 20))
    np.testing.assert_allclose(fine.intensity.reshape(7, 20, 20).mean(axis=2), coarse.intensity, atol=1e-7)
    np.testing.assert_allclose(fine.integrated, coarse.integrated, atol=1e-7)


@pytest.mark.parametrize("profile", [PROFILES[0], PROFILES[1], PROFILES[4]])
def test_all_the_weight_is_there(profile):
    rng = np.random.default_rng(2)
    weight = rng.random((6, 4))
    edges = np.concatenate([[-20], np.linspace(-5, 10, 37), [30]])
    binned = bin_lines(lines(rng.uniform(0, 5, (6, 4)), weight), edges, **profile)
    np.testing.assert_allclose(binned.integrated, weight.sum(axis=1), rtol=1e-13)


@pytest.mark.parametrize("gaussian", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("lorentzian", [0.0, 0.02, 0.7])
def test_every_bin_against_a_numerical_integral(gaussian, lorentzian):
    if not gaussian and not lorentzian:
        return
    edges, centre = np.array([-0.4, 0.1, 0.3, 0.9, 1.4, 4.0]), 0.83
    binned = bin_lines(lines(centre, 2.0), edges, fwhm=gaussian, lorentzian=lorentzian)
    expected = [2 * quad(lambda x: voigt_profile(x - centre, gaussian * SIGMA, lorentzian / 2), a, b, epsabs=1e-11,
                         points=[centre] if a < centre < b else None, limit=500)[0] / (b - a)
                for a, b in pairwise(edges)]
    np.testing.assert_allclose(binned.intensity[0], expected, atol=2e-7, rtol=2e-7)


def test_a_line_outside_the_window_leaves_its_tail_inside():
    binned = bin_lines(lines([[-0.2], [1.3]]), [0, 0.5, 1], fwhm=1.0)
    for row, at in enumerate((-0.2, 1.3)):
        np.testing.assert_allclose(binned.intensity[row], np.diff(ndtr((np.array([0, 0.5, 1]) - at) / SIGMA)) / 0.5)


def test_lines_without_width_fall_into_half_open_bins():
    binned = bin_lines(lines([0.0, 0.5, 0.99, 1.0, -0.1, 3.0]), [0, 0.5, 1, 3])
    np.testing.assert_array_equal(binned.intensity, [[2, 4, 0.5]])


def test_full_width_at_half_maximum_at_the_energy_of_each_line():
    edges = np.linspace(0, 12, 12001)
    table = np.array([[0, 0.2], [10, 1.2]])
    for width in (table, [0.1, 0.2], lambda e: 0.2 + 0.1 * e):
        binned = bin_lines(lines([[3.0], [8.0]]), edges, fwhm=width)
        for row, expected in enumerate((0.5, 1.0)):
            high = binned.intensity[row] > binned.intensity[row].max() / 2
            assert high.sum() * 1e-3 == pytest.approx(expected, abs=2e-3)


def test_modes_without_energy_do_not_count():
    binned = bin_lines(lines([1.0, np.nan], [1.0, 0.0]), [0, 2], fwhm=0.1)
    np.testing.assert_allclose(binned.integrated, 1)


@pytest.mark.parametrize("profile", PROFILES)
def test_pieces_change_nothing(profile, monkeypatch):
    rng = np.random.default_rng(3)
    given_lines = lines(rng.uniform(0, 10, (9, 4)))
    whole = bin_lines(given_lines, np.linspace(0, 10, 81), **profile)
    monkeypatch.setattr(binning, "_CHUNK", 50)
    pieces = bin_lines(given_lines, np.linspace(0, 10, 81), **profile)
    np.testing.assert_allclose(pieces.intensity, whole.intensity, atol=1e-13)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.floats(0.01, 3), st.integers(1, 30))
def test_gaussians_in_any_bins(energy, fwhm, n):
    edges = np.linspace(-2, 2, n + 1)
    expected = sum(np.diff(ndtr((edges - e) / (fwhm * SIGMA))) for e in energy) / np.diff(edges)
    np.testing.assert_allclose(bin_lines(lines(energy), edges, fwhm=fwhm).intensity[0], expected, atol=1e-12)


def test_scaled_and_lengths_of_q():
    q, one = np.array([[1.0, 0, 0], [0, 0, 2]]), np.ones((2, 1))
    given_lines = Lines(q, one, one, lattice_vectors=np.diag([2.0, 3, 4]))
    binned = bin_lines(given_lines, [0, 2])
    np.testing.assert_allclose(binned.q_abs, [np.pi, np.pi])
    scaled = binned.scaled(3.0, "mbarn/meV/sr/cell")
    assert scaled.unit == "mbarn/meV/sr/cell"
    np.testing.assert_allclose(scaled.intensity, 1.5)


@pytest.mark.parametrize("edges", [[1.0], [0, 1, 1], [1, 0], [[0, 1]], [0, np.nan]])
def test_bad_edges(edges):
    with pytest.raises(GeometryError, match="energy_edges: expected"):
        bin_lines(lines(1.0), edges)
