"""Bounded layers, and what SNGP, DDU and SDE-Net make of features."""

import math

import numpy as np
import pytest
import torch
import toy
from plain import blobs, draws, epistemic, fitted, plain
from scipy.stats import multivariate_normal
from torch import nn
from torch.nn.utils import parametrize

from insml.learn.method import METHODS, Batch
from insml.learn.networks import network
from insml.learn.uncertainty.doubt import doubt, doubted
from insml.learn.uncertainty.sngp import RandomFeatures
from insml.learn.uncertainty.spectral import SpectralBound, bound_layers


def test_bound_is_that_of_the_singular_values() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(8, 12, 3, groups=4)
    free = convolution.weight.detach().clone() * torch.tensor([0.1, 1, 2, 3]).repeat_interleave(3)[:, None, None, None]
    with torch.no_grad():
        convolution.weight.copy_(free)
    bound = SpectralBound(convolution.weight, 4, 0.5)
    for _ in range(200):
        bound(free)
    found = bound.eval()(free).reshape(4, 3, -1).numpy()
    for part, own in zip(found, free.reshape(4, 3, -1).numpy(), strict=True):
        largest = np.linalg.svd(own, compute_uv=False)[0]
        np.testing.assert_allclose(np.linalg.svd(part, compute_uv=False)[0], min(largest, 0.5), rtol=1e-4)
        np.testing.assert_allclose(part, own * min(1, 0.5 / largest), rtol=1e-4)
    assert free[0].norm() < 0.5  # so that one group is left as it was


def test_all_layers_but_the_readout_are_bounded_and_only_training_moves_the_vectors() -> None:
    torch.manual_seed(0)
    backbone = network("slice-stack", toy.layout(8, 12), 2)
    bound_layers(backbone, 0.7)
    x = torch.randn(2, 8, 12, 12)
    for _ in range(30):
        backbone.train()(x)
    state = {k: v.clone() for k, v in backbone.state_dict().items()}
    backbone.eval()(x)
    assert all(torch.equal(state[k], v) for k, v in backbone.state_dict().items())
    for module in backbone.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            assert parametrize.is_parametrized(module) is (module is not backbone.readout)
            groups = module.groups if isinstance(module, nn.Conv2d) else 1
            matrices = module.weight.detach().reshape(groups, len(module.weight) // groups, -1)
            if module is not backbone.readout:
                assert torch.linalg.matrix_norm(matrices, 2).max() < 0.7 * 1.05
    backbone.train()
    (backbone(x) + backbone(x)).sum().backward()  # two passes before the backward one


def test_random_features_approximate_the_kernel() -> None:
    torch.manual_seed(1)
    random = RandomFeatures(6, 20_000)
    f = torch.randn(12, 6)
    found = random(f).detach()
    length = math.exp(random.log_length.item())
    expected = torch.exp(-torch.cdist(f, f) ** 2 / (2 * length**2))
    np.testing.assert_allclose(found @ found.T, expected, atol=5 / math.sqrt(20_000))


def test_sngp_variance_is_the_gaussian_process_posterior() -> None:
    """k(x, x) - k(x, X) (k(X, X) + 1)^-1 k(X, x), which does not invert what is fitted."""
    features, labels = blobs(50)
    method = fitted(plain("sngp", 2), features, labels, 0)
    new = torch.cat([features[:3], torch.tensor([[9.0, 9.0], [-6.0, 2.0]])])
    with torch.no_grad():
        old_phi, phi = method.phi(features).double().numpy(), method.phi(new).double().numpy()
        found = method.variance(method.phi(new)).numpy()
    cross = phi @ old_phi.T
    expected = (phi * phi).sum(1) - (cross * np.linalg.solve(old_phi @ old_phi.T + np.eye(50), cross.T).T).sum(1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_sngp_knows_less_the_farther_away() -> None:
    features, labels = blobs(200)
    method = plain("sngp", 2)
    method.random.log_length.data.fill_(math.log(2))
    fitted(method, features, labels, 100)
    ray = torch.tensor([[1.5, 1.5]]) + torch.arange(0, 13, 3.0)[:, None] * torch.tensor([[-0.7, -0.7]])
    u = epistemic(method, ray, 1)
    assert (u.diff() > 0).all()
    assert u[0] < 0.01
    assert u[-1] > 0.5
    confidence = draws(method, ray, 1)[0].softmax(-1).amax(-1)
    undamped = method.readout(method.phi(ray)).softmax(-1).amax(-1)
    assert (confidence <= undamped + 1e-6).all()
    assert (method.scores(features).argmax(1) == labels).float().mean() > 0.95


def test_ddu_strangeness_is_the_density() -> None:
    features, labels = blobs(300, n=3, classes=3)
    method = fitted(plain("ddu", 3, 3), features, labels, 50)
    factors = np.linalg.inv(method.whiten.double().numpy())
    new = torch.randn(20, 3, generator=torch.Generator().manual_seed(5)) * 4
    density = sum(multivariate_normal(m, f @ f.T).pdf(new.double().numpy())
                  for m, f in zip(method.means.double().numpy(), factors, strict=True))
    constant = -2 / 3 * -1.5 * math.log(2 * math.pi)  # what a density has beside the exponent and the volume
    np.testing.assert_allclose(method.strangeness(new), -2 / 3 * np.log(density) - constant, rtol=1e-3)
    usual, far = epistemic(method, features, 1), epistemic(method, features + 20, 1)
    assert usual.mean() < 0.15
    assert far.min() > 0.99
    moved = method.scores(features + 20).softmax(-1) - method.backbone.readout(features + 20).softmax(-1)
    assert moved.abs().max() < 1e-4


def test_doubt_is_beside_the_classes() -> None:
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(6))
    u = torch.tensor([0.0, 0.3, 0.999, 1.0])
    scores = doubted(logits, torch.log1p(-u))
    torch.testing.assert_close(scores.softmax(-1), logits.softmax(-1))
    torch.testing.assert_close(doubt(scores[None]), u)


def test_sde_net_diffuses_where_it_is_shown_noise() -> None:
    features, labels = blobs(200)
    method = fitted(plain("sde-net", 2, noise=10.0), features, labels, 200, rate=2e-2)
    assert (draws(method, features, 16).mean(0).argmax(1) == labels).float().mean() > 0.9
    # far from the blobs, as the noise was
    angle = torch.linspace(0, 2 * math.pi, 17)[:-1]
    far = 15 * torch.stack([angle.cos(), angle.sin()], 1)
    usual = epistemic(method, features)
    assert usual.median() < 0.1
    assert epistemic(method, far).min() > 0.9


def test_sde_net_integrates_its_equation() -> None:
    """With a drift of -h, dh = -h dt + s dW, known in closed form for so many steps."""
    method = plain("sde-net", 1, steps=50)

    class Back(nn.Module):
        def forward(self, h_and_time: torch.Tensor) -> torch.Tensor:
            return -h_and_time[..., :1]
    method.drift = Back()
    features = torch.full((20_000, 1), 3.0)
    noise = torch.randn(50, 20_000, 1, generator=torch.Generator().manual_seed(8))
    with torch.no_grad():
        end = method._end(features, noise)
        s = 2.0 * method.diffusion(features[:1]).sigmoid().item()
    decay = 1 - 1 / 50
    assert end.mean().item() == pytest.approx(3 * decay**50, abs=5 * s / math.sqrt(20_000))
    assert end.var().item() == pytest.approx(s**2 / 50 * sum(decay ** (2 * k) for k in range(50)), rel=0.05)


def test_sde_net_keeps_noise_out_of_running_statistics() -> None:
    torch.manual_seed(0)
    layout = toy.layout(8, 12)
    method = METHODS.make("sde-net", network("pooled", layout, 2), 2).train()
    x = torch.randn(4, *layout.stack_shape)
    features = method.backbone(x)
    before = [b.clone() for b in method.backbone.buffers()]
    method.loss(Batch(x, features, torch.eye(2).repeat(2, 1), 0.0, 0, 4)).backward()
    assert all(torch.equal(a, b) for a, b in zip(before, method.backbone.buffers(), strict=True))
    assert method.backbone.training


def test_dropped_features_average_to_all_of_them() -> None:
    method = plain("dropout", 6, rate=0.3)
    features, _ = blobs(4, n=6)
    found = draws(method, features, 20_000)
    contribution = features[:, None] * method.backbone.readout.weight.detach()
    sigma = (contribution.square().sum(-1) * 0.3 / 0.7).sqrt()
    torch.testing.assert_close(found.std(0), sigma, rtol=0.05, atol=0)
    np.testing.assert_array_less((found.mean(0) - method.scores(features).detach()).abs(), 5 * sigma / math.sqrt(20_000))
    # every image sees the same masks
    torch.testing.assert_close(draws(method, features[2:], 5), draws(method, features, 5)[:, 2:])
