"""Training: reproducible, resumable, and what its settings promise."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toy

from insml.datasets import Corruption, TrainingSet
from insml.errors import FormatError, InsmlError
from insml.learn import Classifier, TrainingSettings, train
from insml.learn.batches import epoch_order, split
from insml.learn.tensorfile import state_arrays
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec

SHORT = TrainingSettings(epochs=3, batch=8, draws=1, method_options={"penalty_every": 2})


@pytest.fixture(scope="module")
def small() -> TrainingSet:
    return toy.training_set(40)


def same(a: Classifier, b: Classifier) -> bool:
    first, second = (state_arrays(method=c.method) for c in (a, b))
    return (all(np.array_equal(first[name], second[name]) for name in first) and a.temperature == b.temperature
            and np.array_equal(a.held_out_scores, b.held_out_scores) and a.history == b.history)


def interrupt_after(steps: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, message: str) -> None:
        if done >= steps:
            raise KeyboardInterrupt
    return progress


def test_same_seed_same_network_and_other_seed_another(small: TrainingSet, corruption: Corruption) -> None:
    first = train(small, corruption, SHORT)
    torch.manual_seed(99)  # the caller's generator has no part in it
    assert same(first, train(small, corruption, SHORT))
    assert not same(first, train(small, corruption, replace(SHORT, seed=2)))


def test_interrupted_training_ends_as_if_it_had_not_been(small: TrainingSet, corruption: Corruption,
                                                         tmp_path: Path) -> None:
    whole = train(small, corruption, SHORT)
    checkpoint = tmp_path / "checkpoint.safetensors"
    steps = 30 // 8
    for stop in (steps + 1, 2 * steps + 2):
        with pytest.raises(KeyboardInterrupt):
            train(small, corruption, SHORT, checkpoint=checkpoint, progress=interrupt_after(stop))
        assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    seen = []
    resumed = train(small, corruption, SHORT, checkpoint=checkpoint, progress=lambda d, t, m: seen.append((d, t, m)))
    assert seen[0] == (2 * steps, 3 * steps, "going on after epoch 2")
    assert same(resumed, whole)
    assert same(train(small, corruption, SHORT, checkpoint=checkpoint), whole)  # nothing left to train


def test_checkpoint_of_another_training_is_not_used(small: TrainingSet, corruption: Corruption,
                                                    tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    one = replace(SHORT, epochs=1)
    train(small, corruption, one, checkpoint=checkpoint)
    others = [(small, corruption, replace(one, seed=3)), (small, replace(corruption, hot_pixels=1.0), one),
              (replace(small, study_digest="other"), corruption, one)]
    for data, spoil, settings in others:
        messages: list[str] = []
        result = train(data, spoil, settings, checkpoint=checkpoint,
                       progress=lambda done, total, message, kept=messages: kept.append(message))
        assert "starting afresh" in messages[0]
        assert same(result, train(data, spoil, settings))


def test_a_foreign_file_is_not_overwritten(small: TrainingSet, corruption: Corruption, tmp_path: Path) -> None:
    mine = tmp_path / "thesis.txt"
    mine.write_text("all my data")
    with pytest.raises(FormatError, match=r"thesis\.txt"):
        train(small, corruption, SHORT, checkpoint=mine)
    assert mine.read_text() == "all my data"


def test_progress_runs_from_start_to_end(small: TrainingSet, corruption: Corruption) -> None:
    calls: list[tuple[int, int]] = []
    settings = replace(SHORT, epochs=2)
    train(small, corruption, settings, progress=lambda done, total, message: calls.append((done, total)))
    done = [c[0] for c in calls]
    assert done == sorted(done)
    assert done[-1] == calls[-1][1] == 2 * (30 // 8)


def test_centroids_move_unless_the_preset_is_paper(small: TrainingSet, corruption: Corruption) -> None:
    for preset, moves in (("vanamersfoort", True), ("paper", False)):
        settings = replace(SHORT, epochs=1, method_options={"preset": preset})
        longer = replace(settings, epochs=2)
        first, second = (train(small, corruption, s).method.head for s in (settings, longer))
        assert torch.equal(first.centroids, second.centroids) is not moves


def test_the_callers_torch_settings_come_back(small: TrainingSet, corruption: Corruption) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    train(small, corruption, replace(SHORT, epochs=1), threads=1)
    assert torch.get_num_threads() == before[0]
    assert torch.are_deterministic_algorithms_enabled() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_splits_are_disjoint_and_hold_every_class() -> None:
    labels = np.repeat([0, 1, 2], [50, 20, 8])
    parts = split(labels, 3, 0.1, 0.2, seed=4)
    together = np.concatenate([parts.training, parts.validation, parts.calibration])
    assert sorted(together) == list(range(78))
    for part in (parts.training, parts.validation, parts.calibration):
        assert (np.bincount(labels[part], minlength=3) >= 2).all()
    assert sorted(epoch_order(parts.training, 4, 0)) == sorted(parts.training)
    assert not np.array_equal(epoch_order(parts.training, 4, 0), epoch_order(parts.training, 4, 1))


def test_impossible_requests_are_refused(small: TrainingSet, corruption: Corruption) -> None:
    with pytest.raises(InsmlError, match="epochs"):
        TrainingSettings(epochs=0)
    with pytest.raises(InsmlError, match="shares"):
        TrainingSettings(validation=0.6, calibration=0.5)
    with pytest.raises(InsmlError, match="6 images"):
        train(toy.training_set(8), corruption, SHORT)
    with pytest.raises(InsmlError, match="masks"):
        train(small, replace(corruption, masks=np.zeros((1, 2, 2, 2), bool)), SHORT)


def test_three_candidates_and_uneven_tiles(corruption: Corruption) -> None:
    rng = np.random.default_rng(0)
    layout = MosaicLayout((Axis("h", (1, 0, 0), np.arange(10.0)), Axis("k", (0, 1, 0), np.arange(14.0))), (0, 0, 1),
                          tuple(SliceSpec((e, e + 1)) for e in range(3)), (1, 3))
    n = 24
    data = TrainingSet(rng.random((n, 3, 9, 13), np.float32), np.arange(n) % 3, np.zeros((n, 1)),
                       (("J",), ("J",), ("J",)), ("a", "b", "c"), layout, "three", 0)
    classifier = train(data, corruption, replace(SHORT, epochs=1))
    answer = classifier.predict(Mosaic.from_stack(data.clean[0], np.zeros((3, 9, 13), bool), layout))
    assert set(answer.probabilities) == {"a", "b", "c"}
    assert answer.saliency.shape == (9, 39)
