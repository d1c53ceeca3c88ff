import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from insml.crystal import Lattice
from insml.datasets import Corruption, standardise
from insml.datasets.coverage import missing_tubes
from insml.datasets.displacement import Displacement
from insml.datasets.placement import Placement
from insml.datasets.structured import StructuredBackground
from insml.errors import InsmlError
from insml.gaps import zero_regions
from insml.mosaic import Axis, MosaicLayout, SliceSpec

SHAPE = (6, 18, 14)


def stack(seed: int = 0) -> np.ndarray:
    """Rings on an empty floor; slice 0 is empty."""
    x, y = np.linspace(-1, 1, SHAPE[1])[:, None], np.linspace(-1, 1, SHAPE[2])[None]
    radius = np.linspace(0, 1, SHAPE[0])[:, None, None] + 0.05 * seed
    clean = np.exp(-(((np.hypot(x, y) - radius) / 0.1) ** 2)).astype(np.float32)
    clean[0] = 0
    return clean


def noisy(seed: int) -> tuple[np.ndarray, np.ndarray]:
    signal, mask = Corruption(mask_fraction=(0.1, 0.4), hot_pixels=0, clip_probability=0).apply(stack(), 3, seed)
    return signal.astype(float), mask


def test_a_draw_depends_on_its_address_only() -> None:
    corruption = Corruption()
    alone = [corruption.apply(stack(), 7, i) for i in range(12)]
    with ThreadPoolExecutor(2) as executor:
        shuffled = dict(zip(reversed(range(12)), executor.map(lambda i: corruption.apply(stack(), 7, i),
                                                              reversed(range(12))), strict=True))
    for i, (signal, mask) in enumerate(alone):
        np.testing.assert_array_equal(signal, shuffled[i][0])
        np.testing.assert_array_equal(mask, shuffled[i][1])
    assert not np.array_equal(alone[0][0], alone[1][0])
    assert not np.array_equal(alone[0][0], corruption.apply(stack(), 8, 0)[0])


def test_noise_is_that_of_counts() -> None:
    level, relative = 4.0, 0.2
    clean = np.full((1, 200, 200), level, np.float32)
    clean[:, :100] /= 16
    quiet = Corruption(relative_noise=(relative, relative), background=(0, 0), scale_jitter=0, mask_fraction=(0, 0),
                       clip_probability=0, hot_pixels=0, slice_dropout=(0, 0))
    signal, mask = quiet.apply(clean, 1, 0)
    assert not mask.any()
    weighted = (clean**2).sum() / clean.sum()  # the slice's level
    for part, mean in ((np.s_[:, 100:], level), (np.s_[:, :100], level / 16)):
        assert signal[part].mean() == pytest.approx(mean, abs=0.03)
        # The subtracted background, 2 % of the level, still counts.
        expected = relative * np.sqrt(weighted * (mean + 0.02 * weighted))
        assert signal[part].std() == pytest.approx(expected, rel=0.03)


def test_nothing_drawn_gives_the_clean_stack() -> None:
    clean = stack()
    still = Corruption(relative_noise=(0, 0), background=(0, 0), scale_jitter=0, mask_fraction=(0, 0),
                       clip_probability=0, hot_pixels=0, slice_dropout=(0, 0))
    signal, mask = still.apply(clean, 1, 2)
    np.testing.assert_allclose(signal, clean)
    assert not mask.any()


def test_masked_share_negatives_and_hot_pixels() -> None:
    corruption = Corruption(mask_fraction=(0.2, 0.2), clip_probability=1, hot_pixels=20, slice_dropout=(0, 0))
    shares = []
    for i in range(20):
        signal, mask = corruption.apply(stack(), 1, i)
        assert (signal >= 0).all()
        assert (signal[mask] == 0).all()
        shares.append(mask.mean())
    assert 0.18 < np.mean(shares) < 0.3
    assert max(corruption.apply(stack(), 1, i)[0].max() for i in range(20)) > 5


def test_given_masks_are_used_and_mirrored() -> None:
    given_mask = np.zeros((1, *SHAPE), bool)
    given_mask[0, :, :3, :2] = True
    corruption = Corruption(masks=given_mask, mask_fraction=(0, 0), slice_dropout=(0, 0))
    corners = {tuple(bool(mask[0, r, c]) for r in (0, -1) for c in (0, -1))
               for _, mask in (corruption.apply(stack(), 1, i) for i in range(40))}
    assert len(corners) == 5  # each mirror image, and no mask at all


def test_mirrors_only_where_allowed() -> None:
    ramp = np.broadcast_to(np.linspace(1, 2, SHAPE[1], dtype=np.float32)[None, :, None], SHAPE)
    for allowed in (False, True):
        corruption = Corruption(relative_noise=(1e-3, 1e-3), background=(0, 0), mask_fraction=(0, 0), hot_pixels=0,
                                slice_dropout=(0, 0), mirror=(allowed, False))
        rising = {bool(s[0, -1].mean() > s[0, 0].mean()) for s, _ in (corruption.apply(ramp, 1, i) for i in range(20))}
        assert rising == ({True, False} if allowed else {True})


@pytest.mark.parametrize("wrong", [{"relative_noise": (0.5, 0.1)}, {"relative_noise": (0, 0.1)},
                                   {"mask_fraction": (0, 1.0)}, {"background": (-1, 0)},
                                   {"masks": np.zeros((3, 4, 4), bool)}])
def test_impossible_corruption_is_refused(wrong: dict) -> None:
    with pytest.raises(InsmlError, match=next(iter(wrong))):
        Corruption(**wrong)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 50), st.lists(st.floats(1e-6, 1e6), min_size=6, max_size=6),
       st.lists(st.floats(-100, 100), min_size=6, max_size=6))
def test_standard_form_ignores_scale_and_constant_of_each_slice(seed: int, scale: list, shift: list) -> None:
    signal, mask = noisy(seed)
    a, b = np.array(scale)[:, None, None], np.array(shift)[:, None, None]
    changed = a * (signal + b)
    np.testing.assert_allclose(standardise(changed, mask), standardise(signal, mask), atol=1e-4)


@given(st.integers(0, 50), st.floats(-1e9, 1e9))
@settings(max_examples=20, deadline=None)
def test_standard_form_ignores_what_stands_in_masked_pixels(seed: int, value: float) -> None:
    signal, mask = noisy(seed)
    expected = standardise(signal, mask)
    signal[mask] = value
    np.testing.assert_array_equal(standardise(signal, mask), expected)
    assert (expected[mask] == 0).all()


def test_standard_form_keeps_orders_and_bounds() -> None:
    signal, mask = noisy(1)
    y = standardise(signal, mask)
    assert y.dtype == np.float32
    assert np.abs(y).max() <= 8
    for s in range(len(y)):
        order = np.argsort(signal[s][~mask[s]])
        assert (np.diff(y[s][~mask[s]][order]) >= 0).all()


@pytest.mark.parametrize("height", [1e2, 1e9])
def test_one_hot_pixel_changes_only_itself(height: float) -> None:
    signal, mask = noisy(2)
    before = standardise(signal, mask)
    where = tuple(np.argwhere(~mask)[40])
    signal[where] = height
    after = standardise(signal, mask)
    assert after[where] == 8
    after[where] = before[where]
    assert np.abs(after - before).max() < 0.15


def test_clipping_negatives_changes_little_above_the_median() -> None:
    signal, mask = Corruption(background=(0, 0), hot_pixels=0, clip_probability=0).apply(stack(), 3, 4)
    clipped = standardise(np.maximum(signal, 0), mask)
    bright = standardise(signal, mask) > 1
    np.testing.assert_allclose(clipped[bright], standardise(signal, mask)[bright], atol=0.2)


def test_slices_without_information_become_zero() -> None:
    signal, mask = noisy(5)
    mask[1] = True
    signal[2] = 3.7
    signal[3][~mask[3]] = 1e-3 + 1e8
    y = standardise(signal, mask)
    assert not y[1:4].any()
    assert y[4].any()
    assert np.isfinite(y).all()


def test_sparse_peaks_on_a_flat_floor_survive() -> None:
    signal = np.zeros((1, 20, 20))
    signal[0, 3, 4:8] = [1, 2, 3, 4]
    y = standardise(signal, np.zeros(signal.shape, bool))
    assert (y[0, 3, 4:8] > 1).all()
    assert np.count_nonzero(y) == 4


STILL = Corruption(relative_noise=(0, 0), background=(0, 0), scale_jitter=0, mask_fraction=(0, 0),
                   clip_probability=0, hot_pixels=0, slice_dropout=(0, 0))


def placement() -> Placement:
    """Of :data:`SHAPE`: three slices of each of two incident energies, the second from high to low energy."""
    h, k = (np.linspace(-1, 1, n + 1) for n in SHAPE[1:])
    slices = [SliceSpec((e, e + 2), ei) for e, ei in ((1, 20), (3, 20), (5, 20), (30, 80), (20, 80), (10, 80))]
    layout = MosaicLayout((Axis("h", (1, 0, 0), h), Axis("k", (0, 1, 0), k)), (0, 0, 1), tuple(slices), (2, 3))
    return Placement.of(Lattice(2 * np.pi, np.pi, 10), layout)


IN_PLACE = Displacement((False, False), False, (0.0, 0.0), np.arange(6), np.zeros(6, np.float32), np.ones(6, np.float32))


def test_where_slices_lie() -> None:
    p = placement()
    assert p.groups == (0, 0, 0, 1, 1, 1)
    np.testing.assert_allclose(p.energy, [0.1, 0.2, 0.3, 31 / 80, 21 / 80, 11 / 80], rtol=1e-6)
    np.testing.assert_allclose(p.depth, [0, 0.1, 0.2, 0.25, 0.125, 0], atol=1e-7)
    np.testing.assert_array_equal(p.neighbours, [[0, 0, 1, 4, 5, 5], [1, 2, 2, 3, 3, 4]])
    # a* is 1 and b* is 2 per Angstrom
    h, k = (np.linspace(-1, 1, n + 1)[:-1] + 1 / n for n in SHAPE[1:])
    np.testing.assert_allclose(p.q, np.hypot(h[:, None], 2 * k), rtol=1e-6)


@given(st.floats(-1, 1), st.floats(-1, 1))
@settings(max_examples=20, deadline=None)
def test_shifts_are_linear_interpolation(first: float, second: float) -> None:
    rough = np.random.default_rng(1).random(SHAPE, np.float32)
    expected = ndimage.shift(rough, (0, first, second), order=1, mode="nearest")
    found = replace(IN_PLACE, shift=(first, second)).apply(rough)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@given(st.tuples(st.booleans(), st.booleans()), st.booleans(), st.sampled_from([np.float16, np.float32, float]))
def test_stacks_are_turned_as_tiles_are(mirrored: tuple[bool, bool], swapped: bool, dtype: type) -> None:
    square = np.random.default_rng(1).integers(0, 99, (6, 5, 5)).astype(dtype)
    turn = replace(IN_PLACE, mirrored=mirrored, swapped=swapped)
    np.testing.assert_array_equal(turn.apply(square), turn.turned(square))


def test_energy_mixes_within_a_run() -> None:
    numbers = np.broadcast_to(np.array([1, 2, 4, 30, 20, 10], np.float32)[:, None, None], SHAPE).copy()
    p = placement()
    shifted = replace(STILL, placement=p, energy_shift=0.5)
    seen = set()
    for i in range(20):
        signal, _ = shifted.apply(numbers, 1, i)
        np.testing.assert_allclose(signal, np.broadcast_to(signal[:, :1, :1], SHAPE), rtol=1e-6)
        for own, moved in ((numbers[:3, 0, 0], signal[:3, 0, 0]), (numbers[:2:-1, 0, 0], signal[:2:-1, 0, 0])):
            up, down = np.append(own[1:], own[-1]), np.append(own[0], own[:-1])
            share = (moved[1] - own[1]) / ((up if moved[1] > own[1] else down)[1] - own[1])
            assert 0 <= share <= 0.5
            other = up if moved[1] > own[1] else down
            np.testing.assert_allclose(moved, own + share * (other - own), rtol=1e-4)
            seen.add(bool(moved[1] > own[1]))
    assert seen == {True, False}


def test_slices_of_a_run_share_their_scale() -> None:
    spread = replace(STILL, placement=placement(), run_jitter=0.3)
    factors = []
    for i in range(300):
        signal, _ = spread.apply(stack(1) + 1, 1, i)
        ratio = (signal / (stack(1) + 1)).reshape(len(SHAPE) - 1, -1)
        np.testing.assert_allclose(ratio, ratio[:, :1].repeat(ratio.shape[1], axis=1), rtol=1e-5)
        factors.append(np.log(ratio[:, 0]))
    assert np.std(factors) == pytest.approx(0.3, rel=0.1)
    assert abs(np.corrcoef(np.transpose(factors))[0, 1]) < 0.2


def test_displaced_images_stay_within_the_stated_shift() -> None:
    x = np.linspace(0, 1, SHAPE[1], dtype=np.float32)[:, None]
    ramp = np.broadcast_to(1 + x, SHAPE)
    shifted = replace(STILL, pixel_shift=0.7)
    shifts = [(ramp - shifted.apply(ramp, 1, i)[0])[:, 2:-2] * (SHAPE[1] - 1) for i in range(100)]
    assert all(np.ptp(s) < 1e-4 for s in shifts)
    found = np.array([s.mean() for s in shifts])
    assert np.abs(found).max() < 0.7
    assert found.std() == pytest.approx(1.4 / np.sqrt(12), rel=0.2)


def test_structured_background_is_a_function_of_q_that_falls_with_energy() -> None:
    p, flat = placement(), np.ones(SHAPE, np.float32)
    tail, rings = StructuredBackground(tail=(0.5, 0.5)), StructuredBackground(rings=(0.5, 0.5))
    for background in (tail, rings):
        for i in range(5):
            signal, _ = replace(STILL, placement=p, structured=background).apply(flat, 1, i)
            added = signal - 1
            # both diagonals of the tile have the same |Q|, point by point
            np.testing.assert_allclose(added, added[:, ::-1, ::-1], atol=1e-5)
            np.testing.assert_allclose(added, added[:, ::-1], atol=1e-5)
            size = np.abs(added).max((1, 2))
            assert size[0] > size[1] > size[2]
            assert size[5] > size[4] > size[3]
            if background is tail:
                assert (added > -1e-6).all()
                # next to Q = 0 in the lowest slice of each run
                assert added[[0, 5]].max((1, 2)) == pytest.approx([0.5, 0.5], rel=0.05)


def structured_alone(background: StructuredBackground, index: int) -> np.ndarray:
    signal, _ = replace(STILL, placement=placement(), structured=background).apply(np.ones(SHAPE, np.float32), 1, index)
    return signal - 1


def test_cones_are_as_high_as_stated_and_open_with_energy() -> None:
    p = placement()
    for i in range(6):
        added = structured_alone(StructuredBackground(cones=(0.5, 0.5)), i)
        assert (added >= 0).all()
        # two cones at most lie over each other
        assert 0.4 < added.max() <= 1.0 + 1e-5
        for run in range(p.runs):
            own = np.flatnonzero(p.index == run)
            assert np.abs(added[own[0]] - added[own[-1]]).max() > 0.1


def test_spurions_stay_in_one_place_of_a_run() -> None:
    p = placement()
    for i in range(6):
        added = structured_alone(StructuredBackground(spurions=(0.5, 0.5)), i)
        assert (added >= -1e-6).all()
        for run in range(p.runs):
            own = added[p.index == run].reshape(-1, SHAPE[1] * SHAPE[2])
            # three spots, each at its place with its own course in energy
            assert np.linalg.matrix_rank(own, tol=1e-4 * np.linalg.norm(own)) <= 3


def test_a_common_factor_scales_all_structure() -> None:
    whole = StructuredBackground((0.2, 0.2), (0.3, 0.3), (0.4, 0.4), (0.5, 0.5))
    half = replace(whole, amount=(0.5, 0.5))
    drawn = replace(whole, amount=(0.0, 1.0))
    factors = []
    for i in range(20):
        full = structured_alone(whole, i)
        np.testing.assert_allclose(structured_alone(half, i), 0.5 * full, atol=1e-5)
        part = structured_alone(drawn, i)
        factors.append(float((part * full).sum() / (full * full).sum()))
        np.testing.assert_allclose(part, factors[-1] * full, atol=1e-5)
    assert 0 <= min(factors) < 0.2
    assert 0.8 < max(factors) <= 1


def test_kinds_of_structure_are_drawn_apart() -> None:
    everything = StructuredBackground((0.2, 0.2), (0.3, 0.3), (0.4, 0.4), (0.5, 0.5))
    kinds = ("rings", "tail", "cones", "spurions")
    alone = [StructuredBackground(**{kind: getattr(everything, kind)}) for kind in kinds]
    np.testing.assert_allclose(structured_alone(everything, 3), sum(structured_alone(one, 3) for one in alone), atol=1e-5)


def test_slices_are_missing_whole_and_as_many_as_stated() -> None:
    flat = np.ones((40, 6, 6), np.float32)
    lost = replace(STILL, slice_dropout=(0.1, 0.5))
    shares = []
    for i in range(200):
        signal, mask = lost.apply(flat, 1, i)
        assert (mask == mask[:, :1, :1]).all()
        assert not signal[mask].any()
        shares.append(mask.mean())
    assert np.mean(shares) == pytest.approx(0.3, abs=0.03)
    assert np.std(shares) > np.sqrt(0.3 * 0.7 / 40)


def test_a_share_of_images_has_whole_counts() -> None:
    flat, unit = np.full((1, 30, 30), 4, np.float32), 0.5**2 * 4
    half = replace(STILL, relative_noise=(0.5, 0.5), poisson=0.5)
    counts = [(half.apply(flat, 1, i)[0] + 0.02 * 4) / unit for i in range(200)]
    whole = [bool(np.allclose(c, c.round(), atol=1e-3)) for c in counts]
    assert np.mean(whole) == pytest.approx(0.5, abs=0.1)


def test_tubes_are_missing_in_a_whole_run() -> None:
    p = placement()
    lost = replace(STILL, placement=p, tubes=(0.1, 0.3))
    shares = []
    for i in range(200):
        signal, mask = lost.apply(stack(1) + 1, 1, i)
        assert (mask[:3] == mask[0]).all()
        assert (mask[3:] == mask[3]).all()
        assert not signal[mask].any()
        np.testing.assert_array_equal(signal[~mask], (stack(1) + 1)[~mask])
        shares.append(mask.mean())
    assert np.mean(shares) == pytest.approx(0.2, abs=0.015)
    assert not missing_tubes(np.random.default_rng(1), 0.0, p).any()


def test_backgrounds_are_mirrored_with_the_image() -> None:
    q = np.hypot(np.arange(18.0)[:, None], np.arange(14.0)).astype(np.float32)
    corruption = replace(STILL, placement=replace(placement(), q=q), structured=StructuredBackground(tail=(1, 1)),
                         mirror=(True, True))
    signals = [corruption.apply(np.ones(SHAPE, np.float32), 1, i)[0][0] for i in range(30)]
    bright = {tuple(int(x) for x in np.unravel_index(s.argmax(), SHAPE[1:])) for s in signals}
    assert bright == {(0, 0), (17, 0), (0, 13), (17, 13)}


def test_everything_else_is_equal_with_and_without_what_has_its_own_draws() -> None:
    plain = Corruption(placement=placement())
    signal, mask = plain.apply(stack(), 3, 1)
    with_tubes, more = replace(plain, tubes=(0.2, 0.2)).apply(stack(), 3, 1)
    assert (more >= mask).all()
    np.testing.assert_array_equal(with_tubes[~more], signal[~more])
    _, same = replace(plain, structured=StructuredBackground((0, 0.5), (0, 0.5)), run_jitter=0.2, poisson=1.0,
                      pixel_shift=0.5, energy_shift=0.1).apply(stack(), 3, 1)
    np.testing.assert_array_equal(same, mask)


def test_a_slope_is_exponential_and_common_to_all_slices() -> None:
    flat = np.arange(1, SHAPE[0] + 1, dtype=np.float32)[:, None, None] * np.ones(SHAPE, np.float32)
    ends = []
    for i in range(400):
        signal, _ = replace(STILL, slope=0.1).apply(flat, 1, i)
        np.testing.assert_allclose(signal / flat, np.broadcast_to(signal[0], SHAPE), rtol=1e-5)
        logarithm = np.log(signal[0])
        np.testing.assert_allclose(np.diff(logarithm, axis=0), logarithm[1, 0] - logarithm[0, 0], atol=1e-5)
        np.testing.assert_allclose(logarithm[0, 0], -logarithm[-1, -1], atol=1e-5)
        ends.append([logarithm[-1, 0] - logarithm[0, 0], logarithm[0, -1] - logarithm[0, 0]])
    np.testing.assert_allclose(np.std(ends, axis=0), 0.2, rtol=0.1)
    np.testing.assert_allclose(np.corrcoef(np.transpose(ends))[0, 1], 0, atol=0.15)


def test_counts_are_whole_and_vary_as_counts() -> None:
    flat = np.full((1, 300, 300), 4, np.float32)
    signal, _ = replace(STILL, relative_noise=(0.5, 0.5), poisson=1.0).apply(flat, 1, 0)
    unit = 0.5**2 * 4
    subtracted = 0.02 * 4
    counts = (signal + subtracted) / unit
    np.testing.assert_allclose(counts, counts.round(), atol=1e-3)
    mean = (4 + subtracted) / unit
    assert counts.mean() == pytest.approx(mean, rel=0.01)
    assert counts.var() == pytest.approx(mean, rel=0.02)
    assert ((counts - mean) ** 3).mean() == pytest.approx(mean, rel=0.1)


def test_images_without_a_mask_are_masked_where_they_are_zero() -> None:
    bare = Corruption(clip_probability=1, unknown_mask=1, background=(0, 0))
    signal, mask = bare.apply(stack(), 1, 0)
    np.testing.assert_array_equal(mask, zero_regions(signal))
    known_signal, known = replace(bare, unknown_mask=0).apply(stack(), 1, 0)
    np.testing.assert_array_equal(known_signal, signal)
    assert not np.array_equal(known, mask)


def test_a_record_is_plain_and_tells_placements_apart() -> None:
    full = Corruption(placement=placement(), structured=StructuredBackground((0, 0.1)), tubes=(0, 0.1))
    record = json.loads(json.dumps(full.to_dict()))
    assert record["structured"] == {"rings": [0, 0.1], "tail": [0, 0], "cones": [0, 0], "spurions": [0, 0],
                                    "amount": [1, 1]}
    other = replace(full, placement=replace(placement(), q=placement().q * 2))
    assert other.to_dict()["placement"] != record["placement"] == full.to_dict()["placement"]


@pytest.mark.parametrize("wrong", [{"run_jitter": 0.1}, {"tubes": (0, 0.1)},
                                   {"structured": StructuredBackground()}])
def test_runs_need_a_placement(wrong: dict) -> None:
    with pytest.raises(InsmlError, match="placement: expected one"):
        Corruption(**wrong)
    with pytest.raises(InsmlError, match=r"placement: expected one of the stack's shape \(3, 4, 4\)"):
        Corruption(placement=placement(), **wrong).apply(np.ones((3, 4, 4)), 1, 0)


@pytest.mark.parametrize("wrong", [{"pixel_shift": 1.5}, {"poisson": 2}, {"slice_dropout": (0, 2)}, {"tubes": (0.2, 0.1)},
                                   {"unknown_mask": 2}, {"slope": -0.1}])
def test_impossible_displacements_are_refused(wrong: dict) -> None:
    with pytest.raises(InsmlError, match=next(iter(wrong))):
        Corruption(placement=placement(), **wrong)
    with pytest.raises(InsmlError, match="rings"):
        StructuredBackground(rings=(0.5, 0.1))


def test_standard_form_of_a_peak_that_towers_above_everything() -> None:
    signal = np.random.default_rng(1).normal(0, 1e-30, (1, 20, 20)).astype(np.float32)
    signal[0, 3, 3] = 1e30
    y = standardise(signal, np.zeros(signal.shape, bool))
    assert y[0, 3, 3] == 8
    assert np.isfinite(y).all()


@pytest.mark.parametrize("dtype", [np.float32, float])
def test_standard_form_is_the_stated_formula(dtype: type) -> None:
    signal, mask = noisy(7)
    signal = signal.astype(dtype)
    found = standardise(signal, mask)
    for y, x, hidden in zip(found, signal.astype(float), mask, strict=True):
        q50, q84, q97 = np.quantile(x[~hidden], [0.5, 0.84, 0.97])
        z = (x - q50) / max(q84 - q50, (q97 - q50) / 8)
        expected = np.clip(2 * np.sign(z) * (np.sqrt(1 + np.abs(z)) - 1), -8, 8)
        np.testing.assert_allclose(y, np.where(hidden, 0, expected), atol=1e-5)
