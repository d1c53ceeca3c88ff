"""Images of a shift that were changed alike."""

import numpy as np
import pytest

pytest.importorskip("torch")

from insml.evaluate.variants import variants
from insml.learn.answers import Answers

USUAL, EACH = 980, 30


def answers(strangeness: np.ndarray, winners: np.ndarray) -> Answers:
    return Answers(np.eye(2)[winners], strangeness, np.zeros(len(winners)), np.zeros(len(winners)))


def test_each_kind_has_its_own_accuracy_and_area() -> None:
    rng = np.random.default_rng(1)
    names = ("ferromagnet",) * EACH + ("twins",) * EACH + ("rare",) * 9
    labels = np.r_[np.full(EACH, -1), np.arange(EACH) % 2, np.zeros(9, int)]
    usual, told = [], []
    for wrong in (0, 6):  # networks
        usual.append(answers(rng.normal(0, 1, USUAL), np.zeros(USUAL, int)))
        winners = np.maximum(labels, 0)
        winners[EACH:EACH + wrong] = 1 - winners[EACH:EACH + wrong]
        told.append(answers(np.r_[np.full(EACH, 9.0), np.full(EACH, -9.0), np.zeros(9)], winners))
    first, second = variants(names, labels, usual, told)
    assert (first.name, first.n, first.accuracy, first.auroc) == ("ferromagnet", EACH, None, 1.0)
    assert (second.name, second.n, second.auroc) == ("twins", EACH, 0.0)
    assert second.accuracy == pytest.approx((1 + (EACH - 6) / EACH) / 2)


def test_one_kind_and_anecdotes_are_left_out() -> None:
    usual, told = answers(np.zeros(USUAL), np.zeros(USUAL, int)), answers(np.ones(40), np.zeros(40, int))
    assert not variants(("same",) * 40, np.zeros(40, int), [usual], [told])
    two = ("one",) * 20 + ("other",) * 20
    assert [v.name for v in variants(two, np.zeros(40, int), [usual], [told])] == ["one", "other"]
    few = answers(np.zeros(979), np.zeros(979, int))
    assert not variants(two, np.zeros(40, int), [few], [told])


def test_images_without_a_right_answer_are_no_mistakes() -> None:
    usual, told = answers(np.zeros(USUAL), np.zeros(USUAL, int)), answers(np.ones(40), np.zeros(40, int))
    labels = np.where(np.arange(40) % 4 == 0, -1, 0)
    assert [v.accuracy for v in variants(("one",) * 20 + ("other",) * 20, labels, [usual], [told])] == [1.0, 1.0]
