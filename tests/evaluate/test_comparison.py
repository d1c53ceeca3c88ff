"""Comparisons hold the number of training images."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

from insml.errors import InsmlError
from insml.evaluate.comparison import compare, require_equal_training
from insml.learn.answers import Answers


def networks(**numbers: int | None) -> dict[str, SimpleNamespace]:
    return {name: SimpleNamespace(n_training=n) for name, n in numbers.items()}


def answers(right: np.ndarray) -> Answers:
    """Of images whose class is 0."""
    p = np.where(right, 0.9, 0.2)
    return Answers(np.stack([p, 1 - p], 1), np.zeros(len(p)), np.ones(len(p)), np.zeros(len(p)))


def test_unequal_numbers_of_training_images_are_refused_unless_asked_for() -> None:
    assert require_equal_training(networks(a=6000, b=6000)) == 6000
    right = np.arange(100) < 80
    said = {"a": answers(right), "b": answers(right)}
    labels = np.zeros(100, np.int64)
    for numbers, told in (({"a": 6000, "b": 900}, "a 6000, b 900"), ({"a": None, "b": None}, "a an unknown"),
                          ({"a": 6000, "b": None}, "b an unknown or varying number")):
        with pytest.raises(InsmlError, match=f"equally many images, found .*{told}"):
            compare(networks(**numbers), said, labels)
        assert len(compare(networks(**numbers), said, labels, unequal=True)) == 1


def test_differences_are_paired() -> None:
    rng = np.random.default_rng(1)
    # both miss the same hard images, the second some more
    first = rng.random(2000) < 0.8
    second = first & (rng.random(2000) < 0.99)
    third = rng.random(2000) < 0.8
    said = {"a": answers(first), "b": answers(second), "c": answers(third)}
    found = {(d.first, d.second): d for d in compare(networks(a=1, b=1, c=1), said, np.zeros(2000, np.int64))}
    assert set(found) == {("a", "b"), ("a", "c"), ("b", "c")}
    pair = found["a", "b"]
    assert pair.value == pytest.approx(first.mean() - second.mean())
    assert pair.low < pair.value < pair.high
    assert pair.significant
    # of images drawn apart the same difference would be lost in their scatter
    assert pair.high - pair.low < 0.3 * (found["a", "c"].high - found["a", "c"].low)


def test_answers_of_others_are_refused() -> None:
    right = np.ones(10, bool)
    with pytest.raises(InsmlError, match="expected answers of a, b, found those of a"):
        compare(networks(a=1, b=1), {"a": answers(right)}, np.zeros(10, np.int64))
    with pytest.raises(InsmlError, match="b: expected answers to the same 10 images, found 9"):
        compare(networks(a=1, b=1), {"a": answers(right), "b": answers(right[:9])}, np.zeros(10, np.int64))
