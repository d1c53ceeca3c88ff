"""The score that comes with a network: densities of what it finds and of how slices look."""

from dataclasses import replace

import numpy as np
import pytest

from insml.learn.appearance import MOMENTS, appearance, gaps, smoothness
from insml.learn.record import Record
from insml.learn.strangeness import PARTS, Strangeness

N, D, SLICES, FEATURES = 600, 5, 6, 4


def record(seed: int, middle: float = 0.0, looks: float = 0.0, changes: float = 0.0, missing: int = 0, slope: float = 0.0
           ) -> Record:
    """Unit Gaussians, all numbers of one kind moved by so much; one slice in ten, and the first so many, missing."""
    rng = np.random.default_rng(seed)
    moments = rng.normal(looks, 1, (N, MOMENTS, SLICES))
    empty = rng.random((N, SLICES)) < 0.1
    empty[:, :missing] = True
    np.copyto(moments[:, 1], 0, where=empty)
    return Record(np.zeros((N, 2)), np.zeros(N), (rng.normal(middle, 1, (N, D)),), rng.normal(size=(N, FEATURES)),
                  moments.reshape(N, -1), rng.normal(changes, 1, (N, 3, FEATURES)), rng.normal((slope, 0, 0), 0.04, (N, 3)))


@pytest.fixture(scope="module")
def strangeness() -> Strangeness:
    return Strangeness.fit(record(1), np.arange(N) % 2, 2, record(2))


def test_moments_are_those_of_the_slices() -> None:
    stacks = np.random.default_rng(1).normal(1, 2, (3, 2, 30, 40)).astype(np.float32)
    found = appearance(stacks).reshape(3, MOMENTS, 2)
    for image in range(3):
        for s in range(2):
            x = stacks[image, s].astype(float)
            pairs = [x[i, j] * x[i + 1, j] for i in range(29) for j in range(40)]
            np.testing.assert_allclose(found[image, :, s], [x.mean(), np.sqrt(((x - x.mean()) ** 2).mean()), (x**3).mean(),
                                                            (x**4).mean(), np.mean(pairs)], rtol=1e-9)


def test_held_out_images_set_the_scale(strangeness: Strangeness) -> None:
    each = strangeness.each(record(2))
    for name in ("network", "appearance"):
        assert each[name].mean() == pytest.approx(0, abs=1e-9)
        assert each[name].std() == pytest.approx(1)
    for name in ("gaps", "symmetry"):
        assert np.median(each[name]) == 0  # within usual bounds they tell nothing


def test_gaps_count_slices_and_stretches() -> None:
    stacks = np.random.default_rng(1).normal(0, 1, (3, 6, 4, 4)).astype(np.float32)
    stacks[1, [0, 2, 3]] = 0
    stacks[2] = 0
    np.testing.assert_allclose(gaps(appearance(stacks)), [[0, 0], [3 / 6, 2 / 6], [1, 1]])


def test_a_missing_slice_is_strange_where_none_was_missing_but_not_endlessly() -> None:
    whole = record(1)
    looks = np.where(whole.appearance == 0, 1.0, whole.appearance)
    whole = replace(whole, appearance=looks)
    strangeness = Strangeness.fit(whole, np.arange(N) % 2, 2, whole)
    one, all_of_them = (strangeness.each(record(2, missing=m))["gaps"] for m in (1, SLICES))
    assert one.min() < 100
    assert all_of_them.min() > one.min()


@pytest.mark.parametrize("strange", [{"middle": 4.0}, {"changes": 4.0}, {"looks": 4.0}, {"slope": 1.0}, {"slope": -1.0}])
def test_each_kind_is_enough_to_be_strange(strange: dict[str, float], strangeness: Strangeness) -> None:
    usual, odd = strangeness(record(3)), strangeness(record(4, **strange))
    assert odd.min() > np.quantile(usual, 0.999)
    each = strangeness.each(record(4, **strange))
    np.testing.assert_allclose(odd, sum(each.values()), rtol=1e-12)
    quiet = each["network" if "looks" in strange else "appearance"]
    assert abs(quiet.mean()) < 0.2


def test_a_run_that_is_missing_is_strange(strangeness: Strangeness) -> None:
    usual, odd = (strangeness.each(record(3, missing=m))["gaps"] for m in (0, 4))
    assert np.median(odd) > np.quantile(usual, 0.99)


def test_where_nothing_was_looked_at_nothing_is_odd(strangeness: Strangeness) -> None:
    unseen = replace(record(3, slope=1.0), odd=np.zeros((N, 0)))
    assert not strangeness.each(unseen)["symmetry"].any()


def test_networks_that_fold_nothing_have_no_such_part() -> None:
    known, held_out = (replace(record(n), odd=np.zeros((N, 0))) for n in (1, 2))
    strangeness = Strangeness.fit(known, np.arange(N) % 2, 2, held_out)
    assert tuple(strangeness.parts) == PARTS[:-1]
    again = Strangeness.of_contents(*strangeness.contents())
    np.testing.assert_array_equal(again(record(5)), strangeness(record(5)))


def test_contents_make_the_same_score(strangeness: Strangeness) -> None:
    again = Strangeness.of_contents(*strangeness.contents())
    np.testing.assert_array_equal(again(record(5)), strangeness(record(5)))
    assert tuple(again.parts) == PARTS


def test_smoothness_is_the_correlation_of_neighbours() -> None:
    """0 for noise, 1 for what hardly changes; slices without anything are no evidence."""
    rng = np.random.default_rng(6)
    noise = rng.normal(size=(1, SLICES, 60, 60))
    smooth = np.broadcast_to(np.sin(np.arange(60) * (np.pi / 15))[:, None], (1, SLICES, 60, 60))
    half = np.where(np.arange(SLICES)[:, None, None] < 3, smooth, 0)
    stacks = np.concatenate([noise, noise + smooth, smooth, half]).astype(np.float32)
    found = smoothness(appearance(stacks))
    np.testing.assert_allclose(found[[0, 2, 3]], [0, 1, 1], atol=0.05)
    assert 0.1 < found[1] < 0.9


def test_what_is_usual_for_a_noisy_image_is_strange_for_a_smooth_one() -> None:
    """Moments that scatter ten times as much where there is much noise."""
    def scattered(seed: int) -> Record:
        rng = np.random.default_rng(seed)
        noisy = rng.random(N) < 0.5
        moments = rng.normal(size=(N, MOMENTS, SLICES)) * np.where(noisy, 1.0, 0.1)[:, None, None]
        moments[:, 0], moments[:, 1], moments[:, -1] = 0, 1, np.where(noisy, 0.2, 0.8)[:, None]
        return replace(record(seed), appearance=moments.reshape(N, -1))

    known = scattered(1)
    strangeness = Strangeness.fit(known, np.zeros(N, int), 1, scattered(2))
    test = scattered(3)
    noisy = smoothness(test.appearance) < 0.5
    moved = replace(test, appearance=test.appearance + np.repeat([0, 0, 0.5, 0, 0], SLICES))
    usual, odd = (strangeness.each(r)["appearance"] for r in (test, moved))
    rise = odd - usual
    assert np.median(rise[~noisy]) > 5 * np.median(rise[noisy]) > 0
