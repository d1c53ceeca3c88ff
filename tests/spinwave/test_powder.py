"""Powder averages against integrals over the sphere done by hand."""

from importlib import import_module

import numpy as np
import pytest
from scipy.special import ndtr

from insml.errors import ModelError
from insml.spinwave import SpinModel, Twin
from insml.spinwave.powder import fibonacci_sphere, powder
from insml.spinwave.temperature import ELASTIC, K_B

A = 4.0


def single_ion(**changes):
    """One spin S = 3/2 on an easy axis D: E = 2 |D| S everywhere, S_perp = S/2 (1 + cos^2)."""
    arguments = {"lattice_vectors": A * np.eye(3), "positions": [[0, 0, 0]], "spins": [[0, 0, 1.5]],
                 "anisotropy": [np.diag([0, 0, -1.0])]}
    return SpinModel(**(arguments | changes))


def chain():
    """Ferromagnetic chain along z, J = -1, S = 1: E = 2 (1 - cos(Q a u)), S_perp = (1 + u^2) / 2, u = cos(Q, z)."""
    return SpinModel(lattice_vectors=A * np.eye(3), positions=[[0, 0, 0]], spins=[[0, 0, 1.0]],
                     bonds=[(0, 0, (0, 0, 1), -np.eye(3))])


def analytic(q, edges):
    """Below Q a = pi the energy grows with |u|, and bins of energy are intervals of u."""
    u = np.minimum(np.arccos(np.clip(1 - np.asarray(edges) / 2, -1, 1)) / (q * A), 1)
    return np.diff(u + u**3 / 3) / 2 / np.diff(edges)


def test_all_weight_of_one_spin():
    got = powder(single_ion(), [0.3, 2.0], [0, 1, 5], points=610)
    np.testing.assert_allclose(got.integrated, 1.5 * 2 / 3, rtol=1e-4)
    np.testing.assert_allclose(got.intensity[:, 0], 0)  # the level lies at 3 meV
    np.testing.assert_allclose(powder(single_ion(), [0.3], [0, 5], component="Sxx+Syy+Szz", points=5).integrated, 1.5)


def test_a_chain_against_its_integral():
    edges, q = np.linspace(0.2, 4, 20), 0.7
    got = powder(chain(), [q], edges, points=17711).intensity[0]
    np.testing.assert_allclose(got, analytic(q, edges), rtol=0.02, atol=1e-3)


def test_the_same_chain_in_an_oblique_cell():
    c = A * np.array([2.0, -1, 2]) / 3
    model = chain().replace(lattice_vectors=[[3, 0, 0], [1, 5, 0], c], spins=[c / A])
    edges = np.linspace(0.2, 4, 20)
    got = powder(model, [0.7], edges, points=17711).intensity[0]
    np.testing.assert_allclose(got, analytic(0.7, edges), rtol=0.02, atol=1e-3)


def test_more_points_come_nearer():
    edges, q = np.linspace(0.2, 4, 20), 0.7
    error = [np.abs(powder(chain(), [q], edges, points=n).intensity[0] - analytic(q, edges)).mean()
             for n in (144, 1597, 17711)]
    assert error[1] < 0.4 * error[0]
    assert error[2] < 0.4 * error[1]


def test_form_factor_and_width():
    model = chain().replace(form_factors=[[1.0, 10.0, 0.0]])
    q, fwhm = 0.6, 0.5
    edges = np.linspace(-2, 6, 33)
    got = powder(model, [q], edges, points=6765, fwhm=fwhm, form_factor=True).intensity[0]
    F, sigma = np.exp(-10 * (q / (4 * np.pi)) ** 2), fwhm / np.sqrt(8 * np.log(2))
    u, w = np.polynomial.legendre.leggauss(400)
    u, w = (u + 1) / 2, w / 2 * (1 + ((u + 1) / 2) ** 2) / 2
    energy = 2 * (1 - np.cos(q * A * u))
    w[energy < ELASTIC] = 0
    expected = F**2 * np.diff(ndtr((edges[:, None] - energy) / sigma), axis=0) @ w / np.diff(edges)
    np.testing.assert_allclose(got, expected, atol=1e-3)


def test_random_points_agree_with_even_ones():
    edges = np.linspace(0, 4, 9)
    even = powder(chain(), [0.5, 1.1], edges, points=10946)
    random = powder(chain(), [0.5, 1.1], edges, points=20000, method="random", seed=3)
    np.testing.assert_allclose(random.intensity, even.intensity, atol=0.03)
    assert np.abs(random.intensity - even.intensity).max() > 0


def test_seeds_and_rotations():
    def run(**options):
        return powder(chain(), [0.5, 0.5], np.linspace(0, 4, 9), points=55, **options).intensity

    np.testing.assert_array_equal(run(seed=4), run(seed=4))
    assert np.abs(run(seed=4) - run(seed=5)).max() > 0
    turned, fixed = run(), run(rotate=False)
    assert np.abs(turned[0] - turned[1]).max() > 0
    np.testing.assert_array_equal(fixed[0], fixed[1])


@pytest.mark.parametrize("options", [{}, {"method": "random"}, {"component": "Sxx-Syz"}, {"temperature": 20.0}])
def test_batches_change_nothing(options, monkeypatch):
    arguments = (chain(), [0.4, 0.8, 1.3], np.linspace(-4, 4, 9))
    whole = powder(*arguments, points=100, **options)
    monkeypatch.setattr(import_module("insml.spinwave.powder"), "_MODES_AT_ONCE", 37)
    np.testing.assert_allclose(powder(*arguments, points=100, **options).intensity, whole.intensity, rtol=1e-12)


def test_detailed_balance():
    T = 20.0
    got = powder(single_ion(), [1.0], [-4, -2, 2, 4], temperature=T).intensity[0]
    assert got[0] / got[2] == pytest.approx(np.exp(-3.0 / (K_B * T)))
    assert got[2] - got[0] == pytest.approx(powder(single_ion(), [1.0], [-4, -2, 2, 4]).intensity[0, 2])


def test_domains_are_grains():
    twins = (Twin(np.eye(3), 1.0), Twin(np.diag([1.0, -1, -1]), 3.0))
    edges = np.linspace(0, 4, 9)
    np.testing.assert_array_equal(powder(chain().replace(twins=twins), [0.9], edges).intensity,
                                  powder(chain(), [0.9], edges).intensity)


def test_even_points():
    points = fibonacci_sphere(1000)
    assert len(points) == 987
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=2e-3)
    np.testing.assert_allclose(points.T @ points / len(points), np.eye(3) / 3, atol=1e-3)
    nearest = np.sort(np.linalg.norm(points[:, None] - points, axis=2), axis=1)[:, 1]
    assert nearest.min() > 0.6 * np.sqrt(4 * np.pi / len(points))
    assert [len(fibonacci_sphere(n)) for n in (1, 2, 4, 13)] == [1, 2, 3, 13]


@pytest.mark.parametrize(("changes", "message"), [
    ({"q_abs": [0.0]}, "q_abs: expected"), ({"q_abs": [np.nan]}, "q_abs: expected"), ({"points": 0}, "points: expected"),
    ({"method": "grid"}, "method: expected"), ({"component": "Mzz"}, "component: expected"),
    ({"model": single_ion(field=[0, 0, 1.0])}, r"field: expected none for a powder.*found \[0.0, 0.0, 1.0\] T"),
])
def test_what_makes_no_sense(changes, message):
    with pytest.raises(ModelError, match=message):
        powder(**({"model": chain(), "q_abs": [1.0], "energy_edges": [0, 1]} | changes))
