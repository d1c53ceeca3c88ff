"""Conformal sets and isotonic calibration keep what they promise."""

import numpy as np
import pytest

from insml.errors import InsmlError
from insml.learn.calibration import expected_calibration_error
from insml.learn.conformal import ConformalSets, set_coverage
from insml.learn.isotonic import IsotonicCalibration


def answers(seed: int, n: int, sharpness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities of two classes, made too sure by ``sharpness``; labels drawn from the calibrated ones."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 2, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    p = 1 / (1 + np.exp(-sharpness * logit))
    return np.stack([1 - p, p], axis=1), labels


@pytest.mark.parametrize("sharpness", [1.0, 4.0, 0.2])
def test_coverage_per_class(sharpness: float) -> None:
    """Exact on average over held-out sets, however bad the probabilities."""
    found = np.array([[set_coverage(sets[labels == c], labels[labels == c]) for c in (0, 1)]
                      for seed in range(60)
                      for p, labels in [answers(seed + 500, 2000, sharpness)]
                      for sets in [ConformalSets.fit(*answers(seed, 300, sharpness))(p)]])
    assert (np.abs(found.mean(0) - 0.9) < 0.012).all(), found.mean(0)


def test_ties_keep_the_promise() -> None:
    p = np.tile([0.0, 1.0], (100, 1))
    labels = np.ones(100, np.int64)
    assert set_coverage(ConformalSets.fit(np.vstack([p, p[:, ::-1]]), np.r_[labels, 1 - labels])(p), labels) == 1


def test_too_few_images_exclude_nothing() -> None:
    p, labels = answers(1, 8)
    assert ConformalSets.fit(p, labels, 0.9)(p).all()


def test_bad_coverage() -> None:
    with pytest.raises(InsmlError, match="between 0 and 1"):
        ConformalSets.fit(*answers(1, 50), coverage=1.2)


def test_isotonic_mends_what_is_too_sure() -> None:
    calibration = IsotonicCalibration.fit(*answers(1, 4000, 3.0))
    p, labels = answers(2, 20000, 3.0)
    mended = calibration(p)
    np.testing.assert_allclose(mended.sum(1), 1)
    before, after = (expected_calibration_error(q, labels) for q in (p, mended))
    assert before > 0.08
    assert after < 0.02
    # the order of images stays
    order = np.argsort(p[:, 1])
    assert (np.diff(mended[order, 1]) >= -1e-12).all()


def test_isotonic_is_never_certain() -> None:
    p = np.array([[1.0, 0.0]] * 50 + [[0.0, 1.0]] * 50)
    labels = np.repeat([0, 1], 50)
    found = IsotonicCalibration.fit(p, labels)(p)
    np.testing.assert_allclose(found.max(1), 51 / 52)
