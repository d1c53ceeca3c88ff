from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml.datasets import Corruption, standardise
from insml.errors import InsmlError

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
                       clip_probability=0, hot_pixels=0, slice_dropout=0)
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
                       clip_probability=0, hot_pixels=0, slice_dropout=0)
    signal, mask = still.apply(clean, 1, 2)
    np.testing.assert_allclose(signal, clean)
    assert not mask.any()


def test_masked_share_negatives_and_hot_pixels() -> None:
    corruption = Corruption(mask_fraction=(0.2, 0.2), clip_probability=1, hot_pixels=20, slice_dropout=0)
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
    corruption = Corruption(masks=given_mask, mask_fraction=(0, 0), slice_dropout=0)
    corners = {tuple(bool(mask[0, r, c]) for r in (0, -1) for c in (0, -1))
               for _, mask in (corruption.apply(stack(), 1, i) for i in range(40))}
    assert len(corners) == 5  # each mirror image, and no mask at all


def test_mirrors_only_where_allowed() -> None:
    ramp = np.broadcast_to(np.linspace(1, 2, SHAPE[1], dtype=np.float32)[None, :, None], SHAPE)
    for allowed in (False, True):
        corruption = Corruption(relative_noise=(1e-3, 1e-3), background=(0, 0), mask_fraction=(0, 0), hot_pixels=0,
                                slice_dropout=0, mirror=(allowed, False))
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
