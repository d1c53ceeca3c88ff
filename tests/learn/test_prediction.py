"""A prediction depends on the image alone, not on a network's mode nor on what else is asked, and changes nothing.

The network of Fig. 3a has batch normalisation, which breaks all three in training mode.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import toy
from torch import nn

from insml.datasets import Corruption
from insml.learn import Classifier, TrainingSettings, train


@pytest.fixture(scope="module")
def dense(corruption: Corruption) -> Classifier:
    settings = TrainingSettings(network="dense", epochs=1, batch=8, draws=1)
    return train(toy.training_set(40), corruption, settings, threads=1)


Leave = Callable[[str], dict[str, bool]]


@pytest.fixture
def left_in(dense: Classifier) -> Leave:
    def leave(mode: str) -> dict[str, bool]:
        dense.method.train(mode == "training")
        if mode == "mixed":
            for module in dense.method.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.train()
        return {name: m.training for name, m in dense.method.named_modules()}
    return leave


@pytest.mark.parametrize("mode", ["evaluation", "training", "mixed"])
def test_a_prediction_changes_nothing_and_does_not_depend_on_the_mode(dense: Classifier, left_in: Leave, mode: str,
                                                                      fresh: tuple[np.ndarray, np.ndarray]) -> None:
    mosaic, stacks = toy.mosaic(toy.rings(1, 0.9, 0.08)), fresh[0][:6]
    left_in("evaluation")
    expected, occluded, record = dense.predict(mosaic), dense.slice_occlusion(mosaic), dense.record(stacks)
    modes = left_in(mode)
    before = {name: t.clone() for name, t in dense.method.state_dict().items()}
    assert any("running_mean" in name for name in before)
    for _ in range(2):
        answer = dense.predict(mosaic)
        assert answer.to_dict() == expected.to_dict()
        np.testing.assert_array_equal(answer.saliency, expected.saliency)
        np.testing.assert_array_equal(dense.slice_occlusion(mosaic), occluded)
        np.testing.assert_array_equal(dense.record(stacks).scores, record.scores)
    assert all(torch.equal(t, before[name]) for name, t in dense.method.state_dict().items())
    assert {name: m.training for name, m in dense.method.named_modules()} == modes


@pytest.mark.parametrize("mode", ["evaluation", "training"])
def test_an_image_by_itself_gets_what_it_gets_in_a_batch(dense: Classifier, left_in: Leave, mode: str,
                                                         fresh: tuple[np.ndarray, np.ndarray]) -> None:
    stacks = fresh[0][:6]
    left_in(mode)
    together = dense.record(stacks)
    for i in range(len(stacks)):
        alone = dense.record(stacks[i:i + 1])
        np.testing.assert_allclose(alone.scores[0], together.scores[i], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(alone.features[0], together.features[i], rtol=1e-4, atol=1e-5)
    others = dense.record(np.concatenate([stacks[:1], 10 * stacks[1:]]))
    np.testing.assert_allclose(others.scores[0], together.scores[0], rtol=1e-4, atol=1e-6)


def test_in_training_mode_batch_normalisation_would_have_changed(dense: Classifier) -> None:
    """What the tests above guard against exists in this network."""
    before = {name: t.clone() for name, t in dense.method.state_dict().items()}
    dense.method.train()
    with torch.no_grad():
        dense.method.logits(torch.rand(4, toy.N_SLICES, toy.SIZE, toy.SIZE))
    after = dense.method.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    dense.method.load_state_dict(before)
    dense.method.eval()
    assert changed
    assert all("running" in name or "batches" in name for name in changed)
