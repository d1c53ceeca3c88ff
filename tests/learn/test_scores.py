"""Scores of strangeness on features whose distribution is known."""

from dataclasses import replace

import numpy as np
import pytest

from insml.evaluate.metrics import auroc
from insml.learn.record import Record
from insml.learn.scores import SCORES, Mahalanobis, VirtualLogit

D = 16
# scatter that differs by direction, less than shrinkage of the covariance of 1200 images evens out
MIX = np.linalg.qr(np.random.default_rng(0).normal(size=(D, D)))[0] * np.geomspace(0.3, 2, D)


def record(seed: int, n: int = 1200, strange: np.ndarray | None = None) -> tuple[Record, np.ndarray]:
    """Two classes, 3 apart along the widest direction; ``strange`` is added to the features before mixing."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    white = rng.normal(size=(n, D))
    white[:, -1] += 3 * (2 * labels - 1)
    if strange is not None:
        white = white + strange
    x = white @ MIX.T
    scores = np.stack([-white[:, -1], white[:, -1]], axis=1)
    return Record(scores, np.zeros(n), (x,), x, x, np.zeros((n, 0, x.shape[1])), np.zeros((n, 0))), labels


@pytest.mark.parametrize("kind", ["mahalanobis", "vim"])
def test_directions_that_hardly_move_count(kind: str) -> None:
    """Eight sigma along the narrowest direction, invisible in the scores of the classes."""
    known, labels = record(1)
    score = SCORES[kind].fit(known, labels, 2)
    off = np.zeros(D)
    off[0] = 8
    assert auroc(score(record(2)[0]), score(record(3, strange=off)[0])) > 0.95
    # nothing strange, nothing found
    assert auroc(score(record(2)[0]), score(record(4)[0])) == pytest.approx(0.5, abs=0.06)


def test_relative_distance_sees_what_sets_classes_apart() -> None:
    """Far beyond both classes; between them it is small, and what all images share cancels."""
    known, labels = record(1)
    score = SCORES["relative-mahalanobis"].fit(known, labels, 2)
    beyond, common = np.zeros((1200, D)), np.zeros((1200, D))
    beyond[:, -1] = 6 * (2 * labels - 1)
    common[:, 5] = 6
    usual = score(record(2)[0])
    assert auroc(usual, score(record(3, strange=beyond)[0])) > 0.95
    change = score(record(2, strange=common)[0]) - usual
    assert abs(change.mean()) < 0.1 * (Mahalanobis.fit(known, labels, 2)(record(2, strange=common)[0]).mean())


def test_neighbours_see_another_cluster() -> None:
    known, labels = record(1)
    score = SCORES["neighbours"].fit(known, labels, 2)
    off = np.zeros(D)
    off[-2] = 9
    assert auroc(score(record(2)[0]), score(record(3, strange=off)[0])) > 0.95
    assert auroc(score(record(2)[0]), score(record(4)[0])) == pytest.approx(0.5, abs=0.06)


def test_energy_is_high_where_no_class_scores() -> None:
    known, labels = record(1)
    score = SCORES["energy"].fit(known, labels, 2)
    nothing = replace(known, scores=np.zeros((900, 2)), epistemic=np.zeros(900))
    assert auroc(score(record(2)[0]), score(nothing)) > 0.95


def test_mahalanobis_is_chi_squared() -> None:
    """Distances to the own class have mean d and variance 2 d."""
    known, labels = record(5, 20000)
    score = Mahalanobis.fit(known, labels, 2)
    own = score(known)[np.abs(known.scores[:, 1]) > 2]
    assert own.mean() == pytest.approx(D, rel=0.04)
    # invariance: any linear map of the features leaves the distances alone, up to the shrinkage
    turned = replace(known, pooled=(known.pooled[0] @ MIX,))
    np.testing.assert_allclose(Mahalanobis.fit(turned, labels, 2)(turned), score(known), rtol=0.2)


def test_virtual_logit_balances_its_two_halves() -> None:
    known, labels = record(6)
    score = VirtualLogit.fit(known, labels, 2)
    length = np.linalg.norm((known.middle - score.mean) @ score.residual, axis=1)
    assert score.alpha * length.mean() == pytest.approx(known.scores.max(1).mean())
    np.testing.assert_allclose(score.residual.T @ score.residual, np.eye(D // 2), atol=1e-12)
