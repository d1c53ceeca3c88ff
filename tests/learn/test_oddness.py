"""What mirror images differ by: slopes and turns that are known, and nothing where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from insml.instrument_simulation import InstrumentSimulator
from insml.learn.form import Form
from insml.learn.oddness import mirrored, odd_names, oddness
from insml.learn.trained import corruption_for
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.study import bundled

Array = NDArray[np.float64]
N0, N1, SLICES = 40, 36, 8


def form(mirrors: tuple[bool, bool] = (True, True), n0: int = N0, n1: int = N1) -> Form:
    h, k = (0.025 * n * np.linspace(-1, 1, n + 1) for n in (n0, n1))  # bins of one size
    axes = Axis("h", (1, 0, 0), h), Axis("k", (0, 1, 0), k)
    return Form.of(MosaicLayout(axes, (0, 0, 1), tuple(SliceSpec((e, e + 1)) for e in range(SLICES)), (1, SLICES)), mirrors)


def rings(turn: float = 0.0, shift: tuple[float, float] = (0.0, 0.0), n0: int = N0, n1: int = N1) -> Array:
    """Ellipses of several sizes about the middle, which is ``shift`` pixels from that of the tile, turned by degrees."""
    t = np.radians(turn)
    x, y = np.arange(n0)[:, None] - (n0 - 1) / 2 - shift[0], np.arange(n1) - (n1 - 1) / 2 - shift[1]
    a, b = x * np.cos(t) + y * np.sin(t), -x * np.sin(t) + y * np.cos(t)
    radii = np.linspace(5, 15, SLICES)[:, None, None]
    return np.asarray(10 * np.exp(-0.5 * ((np.hypot(a, 1.6 * b) - radii) / 1.5) ** 2))


def of(stack: Array, mirrors: tuple[bool, bool] = (True, True), mask: NDArray[np.bool_] | None = None) -> dict[str, float]:
    own = form(mirrors, *stack.shape[1:])
    found = oddness(own, stack, np.zeros(stack.shape, bool) if mask is None else mask)
    return dict(zip(odd_names(own), found.tolist(), strict=True))


@pytest.mark.parametrize("size", [(40, 36), (41, 37)])
def test_nothing_is_odd_in_an_even_image(size: tuple[int, int]) -> None:
    found = of(rings(n0=size[0], n1=size[1]))
    assert list(found) == ["slope h", "slope k", "turn"]
    np.testing.assert_allclose(list(found.values()), 0, atol=1e-6)


def test_a_slope_is_found_along_its_own_axis() -> None:
    x = np.linspace(-1, 1, N0)[:, None]
    for slope in (-0.3, 0.1, 0.3):
        found = of(rings() * (1 + slope * x))
        # the standard form is a square root of bright intensity
        assert 0.5 * abs(slope) < found["slope h"] * np.sign(slope) < abs(slope)
        assert abs(found["slope k"]) < 0.02


def test_a_turn_is_found_in_degrees() -> None:
    for degrees in (-1.5, 0.5, 1.5):
        found = of(rings(turn=degrees))
        assert found["turn"] == pytest.approx(degrees, rel=0.2)
        assert abs(found["slope h"]) < 0.02
        assert abs(found["slope k"]) < 0.02


def test_a_shift_is_no_slope_and_no_turn() -> None:
    found = of(rings(shift=(0.5, -0.3)))
    np.testing.assert_allclose(list(found.values()), 0, atol=0.06)


def test_backgrounds_of_few_slices_hardly_count() -> None:
    stack = rings() * (1 + 0.2 * np.linspace(-1, 1, N0)[:, None])
    expected = of(stack)["slope h"]
    spoilt = stack.copy()
    spoilt[:2, 25:, :20] += 30
    assert of(spoilt)["slope h"] == pytest.approx(expected, abs=0.05)


def test_mirror_images_change_signs_alone() -> None:
    rng = np.random.default_rng(2)
    stack = rings(turn=1.0) * (1 + 0.2 * np.linspace(-1, 1, N1)) + rng.normal(0, 0.3, (SLICES, N0, N1))
    mask = rng.random(stack.shape) < 0.1
    own = form()
    expected = mirrored(oddness(own, stack, mask)[None])
    turned = [oddness(own, np.flip(stack, axes), np.flip(mask, axes)) for axes in ((), (2,), (1,), (1, 2))]
    np.testing.assert_allclose(turned, expected, atol=1e-5)


def test_what_has_no_mirror_image_says_nothing() -> None:
    rng = np.random.default_rng(3)
    stack = rings() * (1 + 0.3 * np.linspace(-1, 1, N0)[:, None]) + rng.normal(0, 0.1, (SLICES, N0, N1))
    half = np.zeros(stack.shape, bool)
    half[:, N0 // 2:] = True
    assert of(stack, (True, False), half)["slope h"] == 0
    quarter = half.copy()
    quarter[:, N0 // 2:, : N1 // 2] = False
    assert of(stack, (True, False), quarter)["slope h"] > 0.1  # pairs where there are some
    assert list(of(stack, (True, False))) == ["slope h", "turn"]


def test_without_a_mirror_there_is_nothing_to_ask() -> None:
    assert of(rings(), (False, False)) == {}


def test_whatever_the_scale_and_what_stands_where_nothing_is() -> None:
    rng = np.random.default_rng(4)
    stack = rings(turn=1.0) + rng.normal(0, 0.3, (SLICES, N0, N1))
    mask = rng.random(stack.shape) < 0.2
    mask[3] = True
    own = form()
    expected = oddness(own, stack, mask)
    other = np.where(mask, 99.0, 7 * stack)
    np.testing.assert_allclose(oddness(own, other, mask), expected, atol=1e-5)
    assert np.isfinite(oddness(own, stack, np.ones(stack.shape, bool))).all()


def test_a_turned_sample_is_seen_through_all_that_a_measurement_does() -> None:
    """The manganite through the whole instrument, spoilt as in training but not mirrored, turned as alignments go wrong."""
    study = bundled("manganite")
    turns = np.linspace(-1, 1, 9)
    stacks = [InstrumentSimulator(study, "goodenough", turn=t).stack() for t in turns]
    spoil = replace(corruption_for(study, None), mirror=(False, False))
    own = Form.of(study.layout, (True, True))
    found = np.array([[oddness(own, *spoil.apply(stack, draw, i)) for i, stack in enumerate(stacks)] for draw in range(6)])
    turn = found[..., odd_names(own).index("turn")]
    assert np.corrcoef(np.tile(turns, 6), turn.ravel())[0, 1] > 0.9
    assert 0.4 < np.polyfit(np.tile(turns, 6), turn.ravel(), 1)[0] < 1.1
