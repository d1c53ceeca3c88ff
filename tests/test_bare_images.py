"""Bare arrays: what they may be read as."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from insml.errors import FormatError, InsmlError
from insml.gaps import GAP, zero_regions
from insml.measured import ORIENTATIONS, measured_mosaic, readings
from insml.study import bundled


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    image = rng.uniform(0.5, 2, bundled("manganite").layout.shape)
    image[3:9, 5:11] = 0
    image[100, 100] = 0  # a clipped pixel, no gap
    return image


def test_a_bare_array_may_lie_in_four_ways(image: np.ndarray) -> None:
    found = readings(image, bundled("manganite"))
    assert list(found) == list(ORIENTATIONS)
    for name, axes in ORIENTATIONS.items():
        np.testing.assert_array_equal(found[name].values, np.flip(image, axes))
        np.testing.assert_array_equal(found[name].mask, np.flip(found["as it is"].mask, axes))


def test_connected_zeros_are_gaps_unless_a_mask_is_given(image: np.ndarray) -> None:
    study = bundled("manganite")
    mask = readings(image, study)["as it is"].mask
    assert mask[3:9, 5:11].all()
    assert mask.sum() == 36
    own = np.zeros(image.shape, bool)
    own[50] = True
    np.testing.assert_array_equal(readings(image, study, own)["as it is"].mask, own)
    marked = image.copy()
    marked[7, 7] = np.nan
    np.testing.assert_array_equal(readings(marked, study)["as it is"].mask, np.isnan(marked))


def test_regions_do_not_reach_into_the_next_tile() -> None:
    stack = np.ones((2, 5, 8))
    stack[0, 0, : GAP // 2] = 0
    stack[1, 0, : GAP // 2] = 0
    assert not zero_regions(stack).any()
    stack[0, 1, : GAP // 2] = 0
    assert zero_regions(stack).sum() == GAP
    stack[0, 1, :] = np.where(np.arange(8) == 7, 0, 1)
    assert not zero_regions(stack).any()


def test_what_says_how_it_lies_is_read_once(image: np.ndarray, tmp_path: Path) -> None:
    study = bundled("manganite")
    mosaic = measured_mosaic(image, study)
    assert list(readings(mosaic, study)) == ["as it is"]
    with pytest.raises(InsmlError, match="mask: expected none"):
        readings(replace(mosaic, source="a.nxs"), study, np.zeros(image.shape, bool))
    np.save(tmp_path / "image.npy", image)
    assert len(readings(tmp_path / "image.npy", study)) == 4


def test_other_shapes_are_refused(image: np.ndarray) -> None:
    for wrong in (image[:-1], image.T, np.zeros((3, 240, 400))):
        with pytest.raises(FormatError, match=r"shape \(240, 400\)"):
            readings(wrong, bundled("manganite"))
