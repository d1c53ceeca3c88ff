"""SWAG: moments of the weights it was shown."""

import numpy as np
import torch
import toy
from plain import plain, stacks

from insml.learn.method import METHODS
from insml.learn.networks import network


def walked(epochs: int = 12, rank: int = 4) -> tuple[torch.nn.Module, np.ndarray]:
    """A network whose weights were moved between epochs, and where they were."""
    method = plain("swag", 3, rank=rank, start=0.5)
    rng = np.random.default_rng(5)
    path = []
    for epoch in range(1, epochs + 1):
        weights = rng.normal(1, 0.3, 8)
        with torch.no_grad():
            method.backbone.readout.weight.copy_(torch.from_numpy(weights[:6].reshape(2, 3)))
            method.backbone.readout.bias.copy_(torch.from_numpy(weights[6:]))
        if epoch / epochs >= 0.5:
            path.append(weights)
        method.after_epoch(epoch / epochs)
    return method.eval(), np.array(path)


def test_moments_are_those_of_the_path() -> None:
    method, path = walked()
    assert int(method.count) == len(path) == 7
    np.testing.assert_allclose(method.mean, path.mean(0), rtol=1e-5)
    np.testing.assert_allclose(method.scatter / method.count, path.var(0), rtol=1e-4)
    # the last four, each from the mean at its time; the seventh is in the third row
    deviations = np.array([path[i] - path[:i + 1].mean(0) for i in (4, 5, 6, 3)])
    np.testing.assert_allclose(method.deviations, deviations, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(method.backbone.readout.weight.detach().flatten(), path.mean(0)[:6], rtol=1e-5)


def test_samples_have_half_of_either_covariance() -> None:
    method, path = walked()
    generator = torch.Generator().manual_seed(0)
    samples = torch.stack([method.sample(generator) for _ in range(5000)]).numpy()
    low = method.deviations.numpy()
    expected = 0.5 * np.diag(path.var(0)) + 0.5 * low.T @ low / (4 - 1)
    np.testing.assert_allclose(samples.mean(0), path.mean(0), atol=0.02)
    np.testing.assert_allclose(np.cov(samples.T), expected, atol=0.06 * expected.max())


def test_a_draw_is_the_network_at_sampled_weights() -> None:
    method, _ = walked()
    x = stacks(torch.randn(5, 3, generator=torch.Generator().manual_seed(1)))
    found = method.draws(x, method.backbone(x), 3, torch.Generator().manual_seed(2))
    generator = torch.Generator().manual_seed(2)
    for one in found:
        weights = method.sample(generator)
        expected = x.flatten(1) @ weights[:6].reshape(2, 3).T + weights[6:]
        torch.testing.assert_close(one, expected)


def test_while_it_is_trained_the_network_is_not_touched() -> None:
    method = plain("swag", 3)
    before = {k: v.clone() for k, v in method.backbone.state_dict().items()}
    for done in (0.25, 0.5, 0.75):
        method.after_epoch(done)
    assert all(torch.equal(before[k], v) for k, v in method.backbone.state_dict().items())
    assert int(method.count) == 2
    x = stacks(torch.ones(2, 3))
    assert torch.equal(method.draws(x, method.backbone(x), 9, torch.Generator()), method.logits(x)[None])


def test_running_statistics_are_averaged() -> None:
    torch.manual_seed(0)
    layout = toy.layout(8, 12)
    method = METHODS.make("swag", network("pooled", layout, 2), 2)
    norm = method.backbone.trunk.last_norm
    for value, done in ((1.0, 0.5), (2.0, 0.75), (6.0, 1.0)):
        norm.running_var.fill_(value)
        method.after_epoch(done)
    torch.testing.assert_close(norm.running_var, torch.full((32,), 3.0))
