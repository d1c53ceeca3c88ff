"""Folding: what mirror images say together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml.datasets import standardise
from insml.learn.form import Form
from insml.mosaic import Axis, MosaicLayout, SliceSpec


def layout(n0: int, n1: int, start: float = -1.0) -> MosaicLayout:
    return MosaicLayout((Axis("h", (1, 0, 0), np.linspace(start, 1, n0 + 1)),
                         Axis("k", (0, 1, 0), np.linspace(-1, 1, n1 + 1))), (0, 0, 1),
                        (SliceSpec((1, 2)), SliceSpec((2, 3))), (1, 2))


@given(st.integers(4, 9), st.integers(4, 9), st.tuples(st.booleans(), st.booleans()), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_folding_is_the_mean_of_what_is_covered(n0: int, n1: int, mirrors: tuple[bool, bool], seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = Form.of(layout(n0, n1), mirrors)
    signal = rng.normal(size=(2, n0, n1))
    mask = rng.random(signal.shape) < 0.4
    folded, holes = form.fold(signal, mask)
    assert folded.shape == holes.shape == form.layout.stack_shape
    rows, columns = (n - n // 2 if m else n for n, m in zip((n0, n1), mirrors, strict=True))
    assert folded.shape == (2, rows, columns)
    for i in range(rows):
        for j in range(columns):
            a = {n0 // 2 + i, n0 - 1 - n0 // 2 - i} if mirrors[0] else {i}
            b = {n1 // 2 + j, n1 - 1 - n1 // 2 - j} if mirrors[1] else {j}
            own = [(s, t) for s in a for t in b if not mask[0, s, t]]
            assert holes[0, i, j] == (not own)
            if own:
                assert folded[0, i, j] == pytest.approx(np.mean([signal[0, s, t] for s, t in own]), abs=1e-12)


@pytest.mark.parametrize("shape", [(6, 8), (7, 8), (6, 9), (7, 9)])
def test_even_stacks_come_back(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    form = Form.of(layout(*shape), (True, True))
    half = rng.normal(size=form.layout.stack_shape)
    whole = form.unfold(half)
    assert whole.shape == form.measured.stack_shape
    np.testing.assert_array_equal(whole, whole[:, ::-1])
    np.testing.assert_array_equal(whole, whole[:, :, ::-1])
    np.testing.assert_allclose(form.fold(whole, np.zeros(whole.shape, bool))[0], half, atol=1e-14)


def test_mirrored_measurements_are_the_same_to_a_network() -> None:
    rng = np.random.default_rng(2)
    form = Form.of(layout(6, 8), (True, True))
    signal, mask = rng.random((2, 6, 8)), rng.random((2, 6, 8)) < 0.3
    expected = form(signal, mask)
    for axes in ((1,), (2,), (1, 2)):
        np.testing.assert_allclose(form(np.flip(signal, axes), np.flip(mask, axes)), expected, atol=1e-6)


def test_no_mirror_no_folding() -> None:
    rng = np.random.default_rng(3)
    signal, mask = rng.random((2, 6, 8)), rng.random((2, 6, 8)) < 0.3
    for form in (Form.of(layout(6, 8), (False, False)), Form.of(layout(6, 8, start=-0.9), (True, False))):
        np.testing.assert_array_equal(form(signal, mask), standardise(signal, mask))
        assert form.layout.same_bins(form.measured)
