import numpy as np
import pytest
from scipy.special import softmax

from insml.learn.calibration import (
    expected_calibration_error,
    fit_temperature,
    p_value,
    probabilities,
)
from insml.learn.uncertainty.density import FeatureDensity


def drawn(n: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are ``sharpness`` times the true log odds, with labels drawn from the true probabilities."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (n, 3))
    labels = np.array([rng.choice(3, p=p) for p in softmax(scores, axis=1)])
    return sharpness * scores, labels


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 8.0])
def test_temperature_undoes_over_and_underconfidence(sharpness: float) -> None:
    scores, labels = drawn(4000, sharpness)
    temperature = fit_temperature(scores, labels)
    assert temperature == pytest.approx(sharpness, rel=0.06)
    probability = probabilities(scores, temperature)
    np.testing.assert_allclose(probability.sum(1), 1)
    assert expected_calibration_error(probability, labels) < 0.03
    if sharpness == 8:
        assert expected_calibration_error(probabilities(scores, 1.0), labels) > 0.1


def test_a_perfect_held_out_set_does_not_prove_certainty() -> None:
    labels = np.arange(20) % 2
    scores = 50.0 * np.eye(2)[labels]
    probability = probabilities(scores, fit_temperature(scores, labels))
    assert 0.9 < probability.max() < 0.99


def test_p_values_of_the_same_kind_are_uniform() -> None:
    rng = np.random.default_rng(1)
    held_out = rng.normal(size=2000)
    p = np.array([p_value(s, held_out) for s in rng.normal(size=2000)])
    for level in (0.05, 0.2, 0.5, 0.9):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.04)
    assert p_value(100.0, held_out) == pytest.approx(1 / 2001)


def test_density_score_is_the_mixture_of_gaussians() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([0, 1], 20000)
    mixing = rng.normal(size=(2, 3, 3))
    features = np.stack([mixing[c] @ rng.normal(size=3) + 4 * c for c in labels])
    score = FeatureDensity.fit(features, labels, 2).score(features[::97])
    exact = []
    for x in features[::97]:
        logs = [-0.5 * (x - 4 * c) @ np.linalg.solve(mixing[c] @ mixing[c].T, x - 4 * c)
                - 0.5 * np.linalg.slogdet(mixing[c] @ mixing[c].T)[1] for c in (0, 1)]
        exact.append(-2 / 3 * np.logaddexp(*logs))
    np.testing.assert_allclose(score, exact, rtol=0.05, atol=0.15)


def test_units_of_features_do_not_matter_to_a_density() -> None:
    rng = np.random.default_rng(4)
    features, units, groups = rng.normal(size=(60, 40)), np.geomspace(1e-3, 1e5, 40), np.arange(60) % 2
    one, other = (FeatureDensity.fit(features * u, groups, 2).score(3 * features * u) for u in (1.0, units))
    np.testing.assert_allclose(other - other[0], one - one[0], rtol=1e-4, atol=1e-4)


def test_density_of_few_images_and_dead_features_is_finite_and_rises_outwards() -> None:
    rng = np.random.default_rng(3)
    features = np.hstack([rng.normal(size=(20, 50)), np.zeros((20, 2))])
    density = FeatureDensity.fit(features, np.arange(20) % 2, 2)
    scores = density.score(np.outer([0, 3, 10, 30], np.r_[np.ones(50), 0, 0]))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()
