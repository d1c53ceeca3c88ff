"""Random weights: their noise and their divergence from the prior."""

import math

import numpy as np
import pytest
import torch
from plain import blobs, draws, epistemic, fitted, plain
from scipy.stats import halfnorm, kstest
from torch.distributions import Normal, kl_divergence

from insml.learn.uncertainty.mean_field import GaussianLinear
from insml.learn.uncertainty.radial import RadialLinear
from insml.learn.uncertainty.variational import VariationalLinear


def layer(kind: type[VariationalLinear], inputs: int = 5, outputs: int = 3) -> VariationalLinear:
    torch.manual_seed(4)
    made = kind(inputs, outputs)
    with torch.no_grad():
        made.log_sigma.copy_(torch.randn(outputs, inputs + 1) * 0.5 - 1)
    return made


def test_gaussian_divergence_is_that_of_distributions() -> None:
    made = layer(GaussianLinear)
    expected = kl_divergence(Normal(made.mean, made.log_sigma.exp()), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(made.divergence(), expected)


def test_radial_divergence_of_one_weight_is_gaussian_and_of_many_is_sampled() -> None:
    """In one dimension r u is standard normal. In more, the density of the noise is 2 N(r; 0, 1) over the sphere's area."""
    one = RadialLinear(1, 1)
    one.mean, one.log_sigma = (torch.nn.Parameter(p[:, :1]) for p in (one.mean, one.log_sigma))
    expected = kl_divergence(Normal(one.mean, one.log_sigma.exp()), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(one.divergence(), expected)
    made = layer(RadialLinear).requires_grad_(False)
    d = made.mean.numel()
    noise = made.noise(200_000, torch.Generator().manual_seed(0)).double()
    r = noise.flatten(1).norm(dim=1)
    log_area = math.log(2) + d / 2 * math.log(math.pi) - math.lgamma(d / 2)
    log_q = (math.log(2) - 0.5 * math.log(2 * math.pi) - r**2 / 2 - log_area - (d - 1) * r.log()
             - made.log_sigma.sum().double())
    weights = made.mean + made.log_sigma.exp() * noise
    log_p = Normal(0.0, 1.0).log_prob(weights).sum((1, 2))
    sampled = log_q - log_p
    error = float(sampled.std()) / math.sqrt(len(sampled))
    assert made.divergence().item() == pytest.approx(sampled.mean().item(), abs=5 * error)


def test_radial_noise_is_a_half_normal_length_times_a_direction() -> None:
    noise = layer(RadialLinear).noise(4000, torch.Generator().manual_seed(1)).flatten(1)
    length = noise.norm(dim=1)
    assert kstest(length.numpy(), halfnorm.cdf).pvalue > 1e-3
    direction = noise / length[:, None]
    np.testing.assert_allclose(direction.mean(0), 0, atol=5 / math.sqrt(4000 * 18))
    np.testing.assert_allclose(direction.T @ direction / 4000, np.eye(18) / 18, atol=0.01)


@pytest.mark.parametrize("kind", [GaussianLinear, RadialLinear])
def test_noise_power_is_its_mean_square(kind: type[VariationalLinear]) -> None:
    made = layer(kind)
    square = made.noise(20_000, torch.Generator().manual_seed(2)).square().mean().item()
    assert square == pytest.approx(made.noise_power, rel=0.05)


@pytest.mark.parametrize("name", ["mean-field", "radial"])
def test_the_posterior_is_known_where_data_are_and_the_prior_elsewhere(name: str) -> None:
    """The third feature is 0 in all images: its weights stay as the prior has them."""
    features, labels = blobs(400)
    features = torch.cat([features, torch.zeros(400, 1)], 1)
    method = fitted(plain(name, 3), features, labels, 400, rate=4e-2)
    head = method.head
    spread = head.log_sigma.exp().detach() * math.sqrt(head.noise_power)
    assert (spread[:, 2] > 1.5 * spread[:, :2].amax(1)).all()
    assert (method.scores(features).argmax(1) == labels).float().mean() > 0.95
    off = torch.tensor([[3.0, 0.0, 20.0], [0.0, 3.0, -20.0]])
    assert (epistemic(method, off) > 3 * epistemic(method, features).median()).all()


def test_draws_are_linear_maps_of_sampled_weights() -> None:
    method = plain("radial", 3)
    features, _ = blobs(6, n=3)
    found = draws(method, features, 4, seed=7)
    noise = method.head.noise(4, torch.Generator().manual_seed(7))
    for one, eps in zip(found, noise, strict=True):
        weights = (method.head.mean + method.head.log_sigma.exp() * eps).detach()
        torch.testing.assert_close(one, features @ weights[:, :3].T + weights[:, 3])
