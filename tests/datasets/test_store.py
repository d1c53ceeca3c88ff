from dataclasses import replace

import numpy as np
import pytest

from insml.datasets import TrainingSet
from insml.errors import InsmlError
from insml.mosaic import Axis, MosaicLayout, SliceSpec


def make() -> TrainingSet:
    rng = np.random.default_rng(0)
    axis = np.linspace(-1, 1, 6)
    layout = MosaicLayout((Axis("h", (1, 0, 0), axis), Axis("k", (0, 1, 0), axis)), (0, 0, 1),
                          (SliceSpec((1, 2), 25.0), SliceSpec((2, 3))), (1, 2), ("-h", "+k"))
    return TrainingSet(
        rng.random((4, 2, 5, 5), np.float32), np.array([0, 1, 0, 1]),
        np.array([[1, 2], [3, np.nan], [4, 5], [6, np.nan]]), (("J1", "J2"), ("J",)), ("a", "b"), layout, "digest", 7)


@pytest.fixture
def small() -> TrainingSet:
    return make()


def test_equal_contents_have_equal_digests(small: TrainingSet) -> None:
    assert small.digest == make().digest
    for name in ("clean", "labels", "theta"):
        changed = getattr(small, name).copy()
        changed[0] = 1 if name == "labels" else changed[0] + 1
        assert replace(small, **{name: changed}).digest != small.digest
    assert replace(small, seed=8).digest != small.digest


@pytest.mark.parametrize("change", [{"labels": np.array([0, 1, 0, 2])}, {"labels": np.zeros(3, int)},
                                    {"theta": np.zeros((4, 3))}, {"clean": np.zeros((4, 2, 5, 4), np.float32)},
                                    {"candidates": ("a", "b", "c")}])
def test_parts_that_do_not_fit_are_refused(small: TrainingSet, change: dict) -> None:
    with pytest.raises(InsmlError, match="training set"):
        replace(small, **change)
