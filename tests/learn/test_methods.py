"""What every method must do, those that are added later too."""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from plain import Fast

from insml.cli.train import add_parser
from insml.datasets import Corruption
from insml.errors import InsmlError
from insml.learn import Classifier, TrainingSettings, train
from insml.learn.form import Form
from insml.learn.method import METHODS, Method
from insml.learn.networks import NETWORKS, network
from insml.learn.record import Record
from insml.learn.tensorfile import state_arrays

TINY = {"n_slices": 8, "size": 8}
MILD = Corruption(relative_noise=(0.1, 0.2), background=(0, 0.2), mask_fraction=(0, 0.1), hot_pixels=0,
                  slice_dropout=(0, 0), mirror=(True, True))
SETTINGS = TrainingSettings(batch=8, draws=1, validation=0.05, calibration=0.1)
#: Those that measure how far features are from those of training images.
KNOW_STRANGENESS = ("ddu", "sngp")


@pytest.fixture(scope="module")
def networks() -> Iterator[dict[str, Classifier]]:
    """Fast networks by method, each trained when it is first asked for."""
    class Trained(dict[str, Classifier]):
        def __missing__(self, name: str) -> Classifier:
            settings = replace(SETTINGS, network="fast", method=name, epochs=4, learning_rate=1e-2)
            self[name] = train(toy.training_set(160, **TINY), MILD, settings, threads=1)
            return self[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "fast", Fast)
        yield Trained()


def images(reverse: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Stacks and labels of images no training has seen; ``reverse``: the slices in reverse order."""
    data = toy.training_set(80, seed=99, **TINY)
    form = Form.of(data.layout, MILD.mirror)
    clean = data.clean[:, ::-1] if reverse else data.clean
    return np.stack([form(*MILD.apply(c, 12345, i)) for i, c in enumerate(clean)]), data.labels


def identical(a: Method, b: Method) -> bool:
    first, second = state_arrays(method=a), state_arrays(method=b)
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("name", METHODS.names)
def test_learns(networks: dict[str, Classifier], name: str) -> None:
    stacks, labels = images()
    record = networks[name].record(stacks)
    assert (record.scores.argmax(1) == labels).mean() > 0.8  # five standard deviations from chance
    assert (record.epistemic >= 0).all()
    assert (record.epistemic <= 1).all()


@pytest.mark.parametrize("name", KNOW_STRANGENESS)
def test_strange_images_are_known_less(networks: dict[str, Classifier], name: str) -> None:
    known, strange = (networks[name].record(images(reverse)[0]).epistemic for reverse in (False, True))
    assert np.median(strange) > 3 * np.median(known)


@pytest.mark.parametrize("name", METHODS.names)
def test_ends_the_same_when_interrupted_and_answers_the_same_when_loaded(name: str, tmp_path: Path) -> None:
    small = toy.training_set(30, **TINY)
    settings = replace(SETTINGS, method=name, epochs=3)
    whole = train(small, MILD, settings, threads=1)
    checkpoint = tmp_path / "checkpoint.safetensors"

    def stop(done: int, total: int, message: str) -> None:
        if done == total:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        train(small, MILD, settings, checkpoint=checkpoint, progress=stop, threads=1)
    resumed = train(small, MILD, settings, checkpoint=checkpoint, threads=1)
    assert identical(resumed.method, whole.method)
    assert (resumed.history, resumed.temperature) == (whole.history, whole.temperature)
    # nothing left to train: what is fitted afterwards does not build on an earlier fit
    assert identical(train(small, MILD, settings, checkpoint=checkpoint, threads=1).method, whole.method)

    whole.save(tmp_path / "network.safetensors")
    back = Classifier.load(tmp_path / "network.safetensors")
    assert identical(back.method, whole.method)
    stacks, _ = images()
    first, second = whole.record(stacks), back.record(stacks)
    np.testing.assert_array_equal(first.scores, second.scores)
    np.testing.assert_array_equal(first.epistemic, second.epistemic)
    answer = back.predict(toy.mosaic(toy.rings(0, 0.9, 0.08, **TINY), **TINY))
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert np.isfinite(answer.saliency).all()


@pytest.mark.parametrize("name", METHODS.names)
@pytest.mark.parametrize("architecture", ["slice-stack", "pooled"])
def test_predictions_change_nothing_and_do_not_depend_on_the_batch(name: str, architecture: str) -> None:
    """"pooled" has batch normalisation."""
    layout = toy.layout(8, 12)
    torch.manual_seed(3)
    method = METHODS.make(name, network(architecture, layout, 2), 2).train()
    stacks = np.random.default_rng(0).normal(size=(5, *layout.stack_shape)).astype(np.float32)
    with torch.no_grad():
        method.backbone(torch.from_numpy(stacks))  # statistics that are not those of a fresh network
    method.eval()
    for done in (0.5, 0.75, 1.0):
        method.after_epoch(done)
    features = method.backbone(torch.from_numpy(stacks)).detach()
    method.fit(features, torch.arange(5) % 2)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    random = torch.get_rng_state()
    together = Record.of(method, stacks)
    alone = Record.joined([Record.of(method, one[None]) for one in stacks])
    np.testing.assert_allclose(alone.scores, together.scores, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(alone.epistemic, together.epistemic, rtol=1e-3, atol=1e-4)
    parts = np.arange(layout.stack_shape[0]) // 3
    changes = Record.of(method, stacks, parts=parts).changes
    assert together.changes.shape == (5, 0, features.shape[1])
    for p in range(parts.max() + 1):
        without = np.where((parts == p)[:, None, None], 0, stacks).astype(np.float32)
        expected = Record.of(method, without).features - together.features
        np.testing.assert_allclose(changes[:, p], expected, rtol=1e-3, atol=1e-4)
    assert all(torch.equal(before[key], value) for key, value in method.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())
    assert not any(module.training for module in method.modules())


@pytest.mark.parametrize("name", METHODS.names)
def test_options_make_the_same_shapes(name: str) -> None:
    layout = toy.layout(**TINY)
    first = METHODS.make(name, network("slice-stack", layout, 2), 2)
    second = METHODS.make(name, network("slice-stack", layout, 2), 2, **first.options)
    assert {k: v.shape for k, v in first.state_dict().items()} == {k: v.shape for k, v in second.state_dict().items()}
    assert second.options == first.options


def test_what_cannot_be_is_named() -> None:
    backbone = network("slice-stack", toy.layout(**TINY), 2)
    with pytest.raises(InsmlError, match=r"method: expected one of .*, found 'x'"):
        METHODS.make("x", backbone, 2)
    with pytest.raises(InsmlError, match=r"method softmax: .*rate"):
        METHODS.make("softmax", backbone, 2, rate=0.5)
    with pytest.raises(InsmlError, match="dropout: rate"):
        METHODS.make("dropout", backbone, 2, rate=1.0)
    with pytest.raises(InsmlError, match="swag: expected start"):
        METHODS.make("swag", backbone, 2, start=1.0)


def test_the_command_line_names_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")  # no word is broken
    commands = argparse.ArgumentParser().add_subparsers()
    add_parser(commands)
    words = commands.choices["train"].format_help().replace(",", " ").split()
    assert set(METHODS.names) <= set(words)
