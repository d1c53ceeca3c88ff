"""Fewer bits in training steps: where they are used, where not, and that nobody gets them unasked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toy

from insml.datasets import Corruption, TrainingSet
from insml.errors import InsmlError
from insml.learn import TrainingSettings, train
from insml.learn.method import METHODS
from insml.learn.networks import network
from insml.learn.tensorfile import state_arrays

SHORT = TrainingSettings(epochs=1, batch=8, draws=1)


@pytest.fixture(scope="module")
def small() -> TrainingSet:
    return toy.training_set(40)


@pytest.mark.parametrize("name", ["slice-stack", "dense"])
def test_only_steps_without_a_second_derivative_have_fewer_bits(name: str) -> None:
    method = METHODS.make("duq", network(name, toy.layout(), 2), 2)
    backbone = method.backbone
    seen: list[torch.dtype] = []
    # one that mixes channels: the others are faster in float32
    convolution = next(m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d) and m.groups == 1)
    convolution.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    x = torch.rand(4, toy.N_SLICES, toy.SIZE, toy.SIZE)
    for precision, training, differentiated, expected in (
            (torch.float32, True, False, torch.float32), (torch.bfloat16, True, False, torch.bfloat16),
            (torch.bfloat16, True, True, torch.float32), (torch.bfloat16, False, False, torch.float32)):
        backbone.precision = precision
        method.train(training)
        features = backbone(x.clone().requires_grad_(differentiated))
        scores = method.scores(features)
        assert seen.pop() == expected
        assert features.dtype == scores.dtype == torch.float32
        scores.sum().backward()
        assert all(p.grad is None or p.grad.dtype == torch.float32 for p in method.parameters())


def test_a_network_trained_with_fewer_bits_predicts_with_all(small: TrainingSet, corruption: Corruption) -> None:
    exact, rough = (train(small, corruption, replace(SHORT, precision=p), threads=1) for p in ("float32", "bfloat16"))
    first, second = (state_arrays(method=c.method) for c in (exact, rough))
    assert any(not np.array_equal(first[n], second[n]) for n in first)
    assert all(a.dtype == np.float32 for a in second.values())
    stacks = small.clean[:4].astype(np.float32)
    before = rough.record(stacks)
    rough.method.backbone.precision = torch.float32
    np.testing.assert_array_equal(rough.record(stacks).scores, before.scores)


def test_a_checkpoint_of_another_precision_is_not_used(small: TrainingSet, corruption: Corruption, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    train(small, corruption, SHORT, checkpoint=checkpoint, threads=1)

    def stop(done: int, total: int, message: str) -> None:
        raise KeyboardInterrupt(message)

    with pytest.raises(KeyboardInterrupt, match="made with other settings or data: starting afresh"):
        train(small, corruption, replace(SHORT, precision="bfloat16"), checkpoint=checkpoint, threads=1, progress=stop)


def test_the_device_of_this_machine_is_part_of_what_was_asked() -> None:
    here = "cuda" if torch.cuda.is_available() else "cpu"
    assert TrainingSettings().to_dict()["device"] == here
    assert TrainingSettings(device="cpu").torch_device() == torch.device("cpu")
    if here == "cpu":
        assert TrainingSettings(device="cpu").to_dict() == TrainingSettings().to_dict()
        with pytest.raises(InsmlError, match="device: expected one that torch finds, found no cuda"):
            TrainingSettings(device="cuda").to_dict()
    for wrong in ({"device": "gpu"}, {"precision": "float16"}):
        (name, value), = wrong.items()
        with pytest.raises(InsmlError, match=rf"{name}: expected one of .*, found '{value}'"):
            TrainingSettings(**wrong)
