"""Metrics against pair counts, closed forms and a published example."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml.errors import InsmlError
from insml.evaluate.metrics import (
    area_under_risk,
    auroc,
    bootstrap,
    brier,
    confidently_wrong,
    error_at_coverage,
    false_positive_rate,
    negative_log_likelihood,
    paired_difference,
    risk_and_coverage,
)

integers = st.lists(st.integers(0, 6), min_size=1, max_size=30)


@given(integers, integers)
def test_auroc_is_the_share_of_pairs_in_order(usual: list[int], strange: list[int]) -> None:
    a, b = np.array(usual, float), np.array(strange, float)
    pairs = (b[:, None] > a).mean() + 0.5 * (b[:, None] == a).mean()
    assert auroc(a, b, smallest=1) == pytest.approx(pairs)


def test_auroc_of_a_handful_is_refused() -> None:
    with pytest.raises(InsmlError, match="at least 1000 images"):
        auroc(np.zeros(500), np.ones(499))
    with pytest.raises(InsmlError, match="some of each kind"):
        auroc(np.zeros(2000), np.ones(0))
    assert auroc(np.zeros(500), np.ones(500)) == 1


def test_false_positives_of_two_gaussians() -> None:
    """FPR at 95 % detection of N(0,1) and N(d,1) is Phi(1.645 - d)."""
    from scipy.stats import norm

    rng = np.random.default_rng(1)
    usual, strange = rng.normal(size=20000), rng.normal(2.5, 1, 20000)
    assert false_positive_rate(usual, strange) == pytest.approx(norm.cdf(norm.ppf(0.95) - 2.5), abs=0.01)
    assert auroc(usual, strange) == pytest.approx(norm.cdf(2.5 / np.sqrt(2)), abs=0.005)


def test_scores_of_probabilities() -> None:
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.04, 0.96], [0.5, 0.5]])
    labels = np.array([0, 1, 0, 1])
    np.testing.assert_allclose(brier(p, labels), [0.01, 0.81, 0.9216, 0.25])
    np.testing.assert_allclose(negative_log_likelihood(p, labels), -np.log([0.9, 0.1, 0.04, 0.5]))
    np.testing.assert_array_equal(confidently_wrong(p, labels), [0, 0, 1, 0])


def test_risk_falls_when_doubt_knows_what_is_wrong() -> None:
    right = np.array([1.0] * 80 + [0.0] * 20)
    assert error_at_coverage(right, np.arange(100.0)) == 0
    assert error_at_coverage(right, -np.arange(100.0), 0.2) == 1
    # doubt that says nothing: the error is the same at every coverage, whatever the order of the images
    risk, coverage = risk_and_coverage(right, np.zeros(100))
    np.testing.assert_allclose(risk, 0.2)
    assert coverage[-1] == 1
    assert area_under_risk(right, np.zeros(100)) == pytest.approx(0.2)


@settings(max_examples=25)
@given(st.integers(0, 1000))
def test_ties_are_the_mean_over_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    right, doubt = rng.integers(0, 2, 12).astype(float), rng.integers(0, 4, 12).astype(float)
    orders = [risk_and_coverage(right, doubt + 1e-6 * rng.permutation(12))[0] for _ in range(1500)]
    np.testing.assert_allclose(risk_and_coverage(right, doubt)[0], np.mean(orders, axis=0), atol=0.08)


def test_bootstrap_covers() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for i in range(200):
        low, high = bootstrap(rng.normal(size=100), draws=400, seed=i)
        hits += low < 0 < high
    assert 0.88 < hits / 200 < 0.99


def test_pairs_are_sharper_than_two_intervals() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(0, 5, 500)
    difference, low, high = paired_difference(common + 0.3 + rng.normal(0, 0.1, 500), common)
    assert 0.25 < low < difference < high < 0.35
    with pytest.raises(InsmlError, match="same images"):
        paired_difference(common, common[1:])
