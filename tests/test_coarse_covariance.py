"""The published covariance images, against Gaussians that are written out."""

from dataclasses import replace

import numpy as np
import pytest

from insml import coarse_covariance
from insml.coarse_covariance import _add, _covariances, _Gaussians
from insml.instrument_simulation import instrument_of, simulate
from insml.study import Study, bundled


@pytest.fixture(scope="module")
def small() -> Study:
    whole = bundled("manganite")
    axes = tuple(replace(a, edges=np.linspace(-1, 1, 33)) for a in whole.layout.axes)
    return replace(whole, layout=replace(whole.layout, axes=axes, slices=whole.layout.slices[3:60:20], grid=(1, 3)))


def test_a_mode_is_a_gaussian_of_place_and_energy() -> None:
    rng = np.random.default_rng(3)
    factor = np.tril(rng.normal(size=(3, 3)) * [0.02, 0.02, 1.0]) + np.diag([0.05, 0.05, 1.0])
    covariance, steps, strength, energy = factor @ factor.T, [0.05, 0.08], 2.5, 0.7
    tile = np.zeros((5, 7))
    _add(tile, np.array([energy]), np.array([strength]), np.array([2 * 7 + 1]), _Gaussians.of(covariance[None], steps))
    expected = np.zeros_like(tile)
    for i in range(5):
        for j in range(4):  # two bins to each side of column 1
            d = np.array([(i - 2) * steps[0], (j - 1) * steps[1], energy])
            expected[i, j] = strength * np.exp(-0.5 * d @ np.linalg.solve(covariance, d)) / (2 * np.pi)
    np.testing.assert_allclose(tile, expected, rtol=1e-10, atol=1e-14)


def test_tabulated_covariances_are_the_instruments(small: Study) -> None:
    at = np.array([[14.0, 0.3, -0.5], [17.5, 0.0, 0.2]])
    found = _covariances(small, 35.0)(at)
    instrument = instrument_of(small)
    exact = np.stack([instrument.covariance(small.layout, 35.0, place[None, 1:], float(place[0]))[0] for place in at])
    np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-12)


def test_images_are_sharper_than_the_instruments(small: Study) -> None:
    """The published fault: fewer pixels hold the intensity than in an image of the same bins as the instrument sees it."""
    def filled(stack: np.ndarray) -> float:
        return float(stack.sum() ** 2 / (stack**2).sum())

    for name in small.candidates:
        coarse, accurate = coarse_covariance.simulate(small, name), simulate(small, name)
        np.testing.assert_array_equal(coarse.stack_mask, accurate.stack_mask)
        assert filled(coarse.stack) < filled(accurate.stack)
