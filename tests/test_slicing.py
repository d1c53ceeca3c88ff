from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insml.errors import GeometryError
from insml.io import Histogram, HistogramAxis, read_mdhisto
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.slicing import mosaic_from_histogram, mosaic_to_slices, suggest_layout

EDGES = {"h": np.linspace(-1, 1, 9), "k": np.linspace(0, 3, 7), "l": np.linspace(-2, 2, 5), "e": np.linspace(0, 10, 6)}
DIRECTIONS = {"h": (1.0, 0.0, 0.0), "k": (-0.5, 1.0, 0.0), "l": (0.0, 0.0, 1.0)}


def a_histogram(order: str = "hkle", signs: dict[str, float] | None = None, seed: int = 0) -> Histogram:
    """The same measurement whatever the order of its axes and whatever the sign and length of their directions."""
    signs = signs or {}
    draw = np.random.default_rng(seed)
    shape = tuple(EDGES[name].size - 1 for name in "hkle")
    arrays: dict[str, Any] = {
        "signal": draw.normal(size=shape), "variance": draw.random(shape), "num_events": np.ones(shape),
        "mask": draw.random(shape) < 0.3}
    axes, flips = [], []
    for position, name in enumerate(order):
        scale = signs.get(name, 1.0)
        edges = EDGES[name] / scale if scale > 0 else EDGES[name][::-1] / scale
        if scale < 0:
            flips.append(position)
        direction = None if name == "e" else tuple(scale * x for x in DIRECTIONS[name])
        axes.append(HistogramAxis(f"D{position}", "DeltaE" if name == "e" else f"[{name}]", "", edges, direction,
                                  "energy" if name == "e" else "momentum"))
    order_of = ["hkle".index(name) for name in order]
    transposed = {key: np.flip(a.transpose(order_of), tuple(flips)) for key, a in arrays.items()}
    return Histogram(path=Path("made"), title="", version=2, axes=tuple(axes), lattice=None, ub=None,
                     stored_q_convention=None, load=transposed.__getitem__)


def a_layout(h: Any = EDGES["h"], k: Any = EDGES["k"], energies: Any = ((0, 2), (4, 8))) -> MosaicLayout:
    return MosaicLayout((Axis("h", DIRECTIONS["h"], h), Axis("k", DIRECTIONS["k"], k)), DIRECTIONS["l"],
                        tuple(SliceSpec(e) for e in energies), (1, len(energies)), ("-k", "+h"))


def merged(histogram: Histogram, h: slice, k: slice, l: slice, e: slice) -> tuple[float, float, int]:  # noqa: E741
    """Mean, its variance and number of covered bins of a block, one bin at a time."""
    covered = ~histogram.mask[h, k, l, e]
    n = int(covered.sum())
    return (histogram.signal[h, k, l, e][covered].sum() / max(n, 1),
            histogram.variance[h, k, l, e][covered].sum() / max(n, 1) ** 2, n)


@given(seed=st.integers(0, 1000))
def test_merged_bins_are_means_over_what_was_covered(seed: int) -> None:
    histogram = a_histogram(seed=seed)
    layout = a_layout(h=EDGES["h"][[0, 1, 4, 6]], k=EDGES["k"][[2, 3, 6]])
    mosaic = mosaic_from_histogram(histogram, layout)
    stack, mask, variance = mosaic.stack, mosaic.stack_mask, mosaic.stack_variance
    assert variance is not None
    for s, e in enumerate((slice(0, 1), slice(2, 4))):
        for i, h in enumerate((slice(0, 1), slice(1, 4), slice(4, 6))):
            for j, k in enumerate((slice(2, 3), slice(3, 6))):
                value, expected_variance, n = merged(histogram, h, k, slice(None), e)
                assert mask[s, i, j] == (n == 0)
                assert stack[s, i, j] == pytest.approx(value)
                assert variance[s, i, j] == pytest.approx(expected_variance)


@given(order=st.permutations("hkle"), scales=st.lists(st.sampled_from([1.0, -1.0, 0.5, -2.0]), min_size=3, max_size=3))
def test_order_sign_and_length_of_the_axes_do_not_matter(order: list[str], scales: list[float]) -> None:
    reference = mosaic_from_histogram(a_histogram(), a_layout(h=EDGES["h"][::2]))
    turned = a_histogram("".join(order), dict(zip("hkl", scales, strict=True)))
    mosaic = mosaic_from_histogram(turned, a_layout(h=EDGES["h"][::2]))
    assert np.allclose(mosaic.values, reference.values)
    assert np.array_equal(mosaic.mask, reference.mask)
    assert mosaic.variance is not None
    assert reference.variance is not None
    assert np.allclose(mosaic.variance, reference.variance)


def test_a_bin_without_coverage_is_masked() -> None:
    histogram = a_histogram()
    histogram.mask[3, 2, :, 2:4] = True
    mosaic = mosaic_from_histogram(histogram, a_layout())
    assert mosaic.stack_mask[1, 3, 2]
    assert mosaic.stack[1, 3, 2] == 0


def test_the_third_axis_is_averaged_within_its_range() -> None:
    histogram = a_histogram("khel")
    plain = a_histogram()
    mosaic = mosaic_from_histogram(histogram, a_layout(energies=((2, 4),)), third_range=(-1, 1))
    for i, j in ((0, 0), (3, 4), (7, 5)):
        value, _, n = merged(plain, slice(i, i + 1), slice(j, j + 1), slice(1, 3), slice(1, 2))
        assert mosaic.stack_mask[0, i, j] == (n == 0)
        assert mosaic.stack[0, i, j] == pytest.approx(value)


@pytest.mark.parametrize(("layout", "third_range", "message"), [
    (a_layout(h=np.array([-1, 0.1, 1])), None, "axis h: .* found 0.1; the nearest are 0 and 0.25"),
    (a_layout(k=np.array([0, 3.5])), None, "axis k: .* run from 0 to 3, found 3.5; the nearest are 2.5 and 3"),
    (a_layout(energies=((0, 2), (4, 7))), None, "slice 4 to 7 meV: .* found 7; the nearest are 6 and 8"),
    (a_layout(), (-1.5, 1), "third axis: .* found -1.5 to 1; the nearest bin is -2 to -1"),
    (a_layout(), (3, 4), "third axis: .* found 3 to 4; the nearest bin is 1 to 2"),
])
def test_bins_that_are_not_unions_of_the_histograms(layout: MosaicLayout, third_range: tuple[float, float] | None,
                                                    message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        mosaic_from_histogram(a_histogram(), layout, third_range=third_range)


def test_directions_that_are_not_measured() -> None:
    axes = (Axis("h", (1, 1, 0), EDGES["h"]), Axis("k", DIRECTIONS["k"], EDGES["k"]))
    with pytest.raises(GeometryError, match=r"made: expected an axis along \[1, 1, 0\]"):
        mosaic_from_histogram(a_histogram(), MosaicLayout(axes, (0, 0, 1), (SliceSpec((0, 2)),), (1, 1)))
    tilted = MosaicLayout(a_layout().axes, (1, 0, 1), (SliceSpec((0, 2)),), (1, 1))
    with pytest.raises(GeometryError, match=r"expected an axis along \[1, 0, 1\]"):
        mosaic_from_histogram(a_histogram(), tilted)
    again = MosaicLayout(a_layout().axes, (1, 0, 0), (SliceSpec((0, 2)),), (1, 1))
    with pytest.raises(GeometryError, match=r"found the third along \[h\] again"):
        mosaic_from_histogram(a_histogram(), again)


def test_edges_stored_in_single_precision_fit() -> None:
    layout = a_layout(h=EDGES["h"].astype(np.float32) + np.float32(3e-8))
    assert np.array_equal(mosaic_from_histogram(a_histogram(), layout).values,
                          mosaic_from_histogram(a_histogram(), a_layout()).values)


def test_slices_of_a_mosaic_are_ascending_tiles() -> None:
    histogram = a_histogram()
    slices = mosaic_to_slices(mosaic_from_histogram(histogram, a_layout(), third_range=(0, 1)))
    assert [s.spec.energy for s in slices] == [(0, 2), (4, 8)]
    assert np.array_equal(slices[0].mask, histogram.mask[:, :, 2, 0])
    assert np.array_equal(slices[0].values, np.where(slices[0].mask, 0, histogram.signal[:, :, 2, 0]))
    assert slices[0].variance is not None
    assert np.array_equal(slices[0].variance, np.where(slices[0].mask, 0, histogram.variance[:, :, 2, 0]))
    assert slices[1].axes[1].label == "k"


def test_a_suggested_layout_reproduces_the_histogram(shared_data: Path) -> None:
    histogram = read_mdhisto(shared_data / "lasrcro4" / "LaSrCrO4_experiment_data_normalized.nxs")
    layout = suggest_layout(histogram)
    assert [a.label for a in layout.axes] == ["h", "k"]
    assert layout.third == (0, 0, 1)
    assert layout.stack_shape == (41, 40, 40)
    mosaic = mosaic_from_histogram(histogram, layout)
    expected = histogram.signal[:, :, 0, :].transpose(2, 0, 1)
    assert np.array_equal(mosaic.stack_mask, np.isnan(expected))
    assert np.array_equal(mosaic.stack, np.nan_to_num(expected))


def test_a_suggested_layout_with_chosen_windows(shared_data: Path) -> None:
    histogram = read_mdhisto(shared_data / "nexus" / "1Dcut_sym_0p00T_K.nxs")
    layout = suggest_layout(histogram, [(-0.1, 0.044), (0.044, 0.1)])
    assert [a.vector for a in layout.axes] == [(1, 0, 0), (-0.5, 1, 0)]
    mosaic = mosaic_from_histogram(histogram, layout)
    assert mosaic.stack[0, 0, 0] == pytest.approx(histogram.signal[0, 0, 0, :18].mean())


def test_labels_of_a_suggested_layout_differ() -> None:
    histogram = a_histogram()
    axes = [HistogramAxis(a.name, label, a.units, a.edges, a.direction, a.kind)
            for a, label in zip(histogram.axes, ("[H,H,0]", "[-H,H,0]", "[0,0,L]", "DeltaE"), strict=True)]
    twice = Histogram(histogram.path, "", 2, tuple(axes), None, None, None, histogram.load)
    layout = suggest_layout(twice)
    assert [a.label for a in layout.axes] == ["h1", "h2"]
    assert layout.grid == (2, 3)
