import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insml.errors import GeometryError
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec

ORIENTATIONS = [(s0 + a, s1 + b) for a, b in (("h", "k"), ("k", "h"))
                for s0, s1 in itertools.product("+-", repeat=2)]
orientations = st.sampled_from(ORIENTATIONS)


def a_layout(orientation: tuple[str, str] = ("+h", "+k"), n_slices: int = 3, grid: tuple[int, int] = (2, 2),
             n: tuple[int, int] = (4, 3)) -> MosaicLayout:
    axes = (Axis("h", (1, 0, 0), np.linspace(-1, 1, n[0] + 1)), Axis("k", (0, 1, 0), np.linspace(0, 1, n[1] + 1)))
    return MosaicLayout(axes, (0, 0, 1), tuple(SliceSpec((i, i + 1)) for i in range(n_slices)), grid, orientation)


@given(orientation=orientations, down=st.integers(1, 3), across=st.integers(1, 3), n0=st.integers(1, 4),
       n1=st.integers(1, 4), data=st.data())
def test_splitting_undoes_assembling(orientation: tuple[str, str], down: int, across: int, n0: int, n1: int,
                                     data: st.DataObject) -> None:
    n_slices = data.draw(st.integers(1, down * across))
    layout = a_layout(orientation, n_slices, (down, across), (n0, n1))
    stack = np.arange(1.0, 1 + np.prod(layout.stack_shape)).reshape(layout.stack_shape)
    image = layout.assemble(stack)
    assert image.shape == layout.shape
    assert np.array_equal(layout.split(image), stack)
    assert np.count_nonzero(image) == stack.size


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_orientation_says_which_way_h_and_k_run(orientation: tuple[str, str]) -> None:
    layout = a_layout(orientation)
    h, k = np.meshgrid(layout.axes[0].centres, layout.axes[1].centres, indexing="ij")
    for label, coordinate in (("h", h), ("k", k)):
        tile = layout.assemble(np.broadcast_to(coordinate, layout.stack_shape))[layout.tile(1)]
        axis = [o[1:] for o in orientation].index(label)
        sign = 1 if orientation[axis][0] == "+" else -1
        assert np.all(sign * np.diff(tile, axis=axis) > 0)
        assert np.all(np.diff(tile, axis=1 - axis) == 0)


def test_published_image_has_h_falling_and_k_falling() -> None:
    stack = np.zeros((3, 4, 3))
    stack[2, 3, 0] = 5.0  # third slice, highest h, lowest k
    image = a_layout(("-h", "-k")).assemble(stack)
    assert np.argwhere(image).tolist() == [[4, 2]]  # second tile row, its first row; left tile, its last column


@given(first=orientations, second=orientations, seed=st.integers(0, 1000))
def test_turning_a_mosaic_changes_the_picture_only(first: tuple[str, str], second: tuple[str, str], seed: int) -> None:
    draw = np.random.default_rng(seed)
    layout = a_layout(first)
    mosaic = Mosaic.from_stack(draw.normal(size=layout.stack_shape), draw.random(layout.stack_shape) < 0.3, layout,
                               variance=draw.random(layout.stack_shape), title="t", source="s", metadata={"a": 1})
    turned = mosaic.oriented(second)
    assert turned.layout.orientation == second
    assert np.array_equal(turned.stack, mosaic.stack)
    assert np.array_equal(turned.stack_mask, mosaic.stack_mask)
    assert turned.stack_variance is not None
    assert mosaic.stack_variance is not None
    assert np.array_equal(turned.stack_variance, mosaic.stack_variance)
    assert (turned.title, turned.source, turned.metadata) == ("t", "s", {"a": 1})
    assert turned.layout.same_bins(layout)
    back = turned.oriented(first)
    assert np.array_equal(back.values, mosaic.values)
    assert np.array_equal(back.mask, mosaic.mask)


def test_what_is_not_finite_is_masked_and_zero() -> None:
    layout = a_layout(n_slices=1, grid=(1, 1))
    values, variance = np.ones((4, 3)), np.ones((4, 3))
    values[0, 0], values[1, 1], variance[2, 2] = np.nan, np.inf, np.nan
    mosaic = Mosaic(values, np.zeros((4, 3), bool), layout, variance)
    assert np.argwhere(mosaic.mask).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert mosaic.values[mosaic.mask].tolist() == [0, 0, 0]
    assert mosaic.variance is not None
    assert mosaic.variance[mosaic.mask].tolist() == [0, 0, 0]


def test_tiles_without_a_slice_are_masked() -> None:
    layout = a_layout()
    mosaic = Mosaic.from_stack(np.ones(layout.stack_shape), np.zeros(layout.stack_shape, bool), layout)
    assert mosaic.mask[4:, 3:].all()
    assert mosaic.mask.sum() == 12


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_layout_survives_json(orientation: tuple[str, str]) -> None:
    layout = a_layout(orientation)
    back = MosaicLayout.from_dict(json.loads(json.dumps(layout.to_dict())))
    assert back.to_dict() == layout.to_dict()
    assert back.same_bins(layout)
    assert (back.orientation, back.grid, back.slices) == (layout.orientation, layout.grid, layout.slices)


def test_other_bins_are_other_bins() -> None:
    layout = a_layout()
    shifted = MosaicLayout((Axis("h", (1, 0, 0), layout.axes[0].edges + 0.01), layout.axes[1]), layout.third,
                           layout.slices, layout.grid)
    assert not layout.same_bins(shifted)
    assert not layout.same_bins(a_layout(n=(4, 4)))
    assert layout.same_bins(a_layout(("-k", "+h"), grid=(1, 3)))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Axis("h", (1, 0, 0), np.array([1.0])), "axis h: expected at least two ascending bin edges"),
    (lambda: Axis("h", (1, 0, 0), np.array([1.0, 1.0])), "axis h: expected at least two ascending bin edges"),
    (lambda: SliceSpec((2, 1)), "slice: expected an ascending energy window"),
    (lambda: a_layout(("+h", "+h")), "orientation: expected one signed entry"),
    (lambda: a_layout(("h", "+k")), "orientation: expected one signed entry"),
    (lambda: a_layout(n_slices=5), "grid: expected room for 5 slices"),
    (lambda: a_layout().assemble(np.zeros((3, 3, 4))), "stack: expected shape"),
    (lambda: a_layout().split(np.zeros((6, 8))), "image: expected shape"),
    (lambda: Mosaic(np.zeros((8, 6)), np.zeros((6, 8), bool), a_layout()), "mosaic mask: expected shape"),
])
def test_what_does_not_fit_together(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(GeometryError, match=message):
        make()
