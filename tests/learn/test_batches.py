"""Images for training: what is drawn does not depend on what is kept."""

import time

import numpy as np
import pytest
import toy

from insml.datasets import Corruption
from insml.learn import batches
from insml.learn.batches import Loader, epoch_order, split
from insml.learn.form import Form
from insml.learn.threads import workers

N, BATCH = 12, 4


def epochs(numbers: list[int], ahead: bool = False) -> list[dict[int, np.ndarray]]:
    """What each image looks like in some epochs, one after the other."""
    data = toy.training_set(N, size=8)
    order = {n: [epoch_order(np.arange(N), 3, n)[i:i + BATCH] for i in range(0, N, BATCH)] for n in range(9)}
    seen = []
    with workers(2) as executor:
        loader = Loader(data, Corruption(), Form.of(data.layout, (False, False)), 3, executor, ahead)
        for n in numbers:
            found = loader.epoch(n, order[n])
            seen.append({int(i): x for stacks, images in found for i, x in zip(images, stacks, strict=True)})
            assert len(seen[-1]) == N
    return seen


@pytest.mark.parametrize("room", [batches._ROOM, 5 * 4 * toy.N_SLICES * 64, 0])
@pytest.mark.parametrize("many", [0, 2000])
@pytest.mark.parametrize("ahead", [False, True])
def test_draws_depend_on_the_epoch_alone(room: int, many: int, ahead: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_MANY", many)
    expected = [epochs([n])[0] for n in range(4)]
    monkeypatch.setattr(batches, "_ROOM", room)
    for found, alone in zip(epochs([0, 1, 2, 3], ahead), expected, strict=True):
        for i in range(N):
            np.testing.assert_array_equal(found[i], alone[i])
    # a training that goes on after the first of two epochs
    np.testing.assert_array_equal(epochs([3])[0][5], expected[3][5])


@pytest.mark.parametrize("many", [N, N + 1])
def test_two_epochs_of_many_images_see_the_same_draws(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_MANY", many)
    seen = epochs([0, 1, 2])
    for i in range(N):
        assert np.array_equal(seen[0][i], seen[1][i]) == (many == N)
        assert not np.array_equal(seen[1][i], seen[2][i])


def test_what_is_made_at_a_time_and_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_MANY", 0)
    data = toy.training_set(N, size=8)
    monkeypatch.setattr(batches, "_ROOM", 6 * 4 * toy.N_SLICES * 64)
    every = [np.arange(N)[i:i + 2] for i in range(0, N, 2)]
    with workers(1) as executor:
        loader = Loader(data, Corruption(), Form.of(data.layout, (False, False)), 3, executor)
        for n in range(4):
            for _ in loader.epoch(n, every):
                assert len(loader._stacks) <= 6


@pytest.mark.parametrize("ahead", [False, True])
def test_held_out_images_come_in_order(ahead: bool) -> None:
    data = toy.training_set(N, size=8)
    parts = [(np.arange(4), 0), (np.arange(4, 6), 0), (np.arange(4), 1)]
    with workers(2) as executor:
        loader = Loader(data, Corruption(mirror=(True, True)), Form.of(data.layout, (True, True)), 3, executor, ahead)
        whole = list(loader.held_out_whole(iter(parts)))
        for (stacks, odd), (images, draw) in zip(whole, parts, strict=True):
            np.testing.assert_array_equal(stacks, loader.held_out(images, draw))
            assert len(odd) == len(images)
    assert not np.array_equal(whole[0][0], whole[2][0])


def test_a_stop_does_not_wait_for_images_that_nobody_will_see() -> None:
    begun = []

    def slow(n: int) -> None:
        begun.append(n)
        time.sleep(0.05)

    def stopped() -> None:
        with workers(1) as executor:
            for n in range(1000):
                executor.submit(slow, n)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert len(begun) < 100


def test_few_images_of_large_sets_are_held_out() -> None:
    labels = np.arange(8000) % 2
    parts = split(labels, 2, 0.1, 0.15, seed=1)
    assert [len(p) for p in (parts.validation, parts.calibration)] == [300, 600]
    few = split(labels[:400], 2, 0.1, 0.15, seed=1)
    assert [len(p) for p in (few.validation, few.calibration)] == [40, 60]
