"""Laplace approximation: curvature, evidence and predictive against brute force."""

import math

import numpy as np
import pytest
import torch
from plain import blobs, draws, epistemic, fitted, plain
from scipy.special import logsumexp
from torch.nn import functional

from insml.learn.uncertainty.laplace import curvature, prior_precision


def test_curvature_is_the_hessian() -> None:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(20, 4, generator=generator, dtype=torch.float64)
    weights = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    labels = torch.arange(20) % 3

    def loss(w: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(features @ w.reshape(3, 4).T, labels, reduction="sum")
    hessian = torch.autograd.functional.hessian(loss, weights.flatten())
    torch.testing.assert_close(curvature(features, (features @ weights.T).softmax(-1)), hessian)


def test_prior_precision_maximises_the_evidence_of_a_linear_model() -> None:
    """Where the likelihood is Gaussian the evidence is exact: y ~ N(X w, 1), w ~ N(0, 1/a)."""
    rng = np.random.default_rng(2)
    n, d = 60, 8
    x = rng.normal(size=(n, d))
    y = x @ rng.normal(0, 0.3, d) + rng.normal(size=n)

    def log_evidence(a: float) -> float:
        covariance = np.eye(n) + x @ x.T / a
        return float(-0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * y @ np.linalg.solve(covariance, y))
    grid = np.exp(np.linspace(-3, 6, 400))
    best = grid[np.argmax([log_evidence(a) for a in grid])]
    # the maximum is a fixed point: weights at their own optimum for that precision
    a, values = 1.0, torch.from_numpy(np.linalg.eigvalsh(x.T @ x))
    for _ in range(200):
        w = np.linalg.solve(x.T @ x + a * np.eye(d), x.T @ y)
        a = prior_precision(values, float(w @ w))
    assert a == pytest.approx(best, rel=0.03)


def test_draws_have_the_posteriors_moments_and_its_probit_mean() -> None:
    features, labels = blobs(120)
    method = fitted(plain("laplace", 2), features, labels, 150)
    new = torch.tensor([[1.0, 1.0], [3.0, 0.0], [6.0, 5.0], [-4.0, -4.0]])
    logits = draws(method, new, 20000)
    margin = logits[..., 1] - logits[..., 0]
    phi = torch.cat([new, torch.ones(4, 1)], 1)
    contrast = torch.cat([-phi, phi], 1)  # of the flattened weights
    variance = (contrast @ method.factor).square().sum(1)
    torch.testing.assert_close(margin.var(0), variance, rtol=0.05, atol=0)
    mean = method.scores(new).detach() @ torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(margin.mean(0), mean, rtol=0.05, atol=0.05)
    probit = torch.sigmoid(mean / (1 + math.pi / 8 * variance).sqrt())
    torch.testing.assert_close(logits.softmax(-1).mean(0)[:, 1], probit, rtol=0, atol=0.02)


def test_posterior_is_that_of_a_grid() -> None:
    """One feature, two classes: the predictive at a point, with the prior that was found, from all weights on a grid."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(40) % 2
    features = torch.randn(40, 1, generator=generator) + labels[:, None]
    method = fitted(plain("laplace", 1), features, labels, 200, rate=1e-1)
    # in the margin (slope, intercept) the prior's variance is twice that of one weight
    covariance = (method.factor @ method.factor.T).double()
    values = torch.linalg.eigvalsh(covariance)
    prior = float(values.max())  # nothing is known of the sum of both classes' weights
    slope, intercept = np.meshgrid(np.linspace(-4, 6, 201), np.linspace(-6, 6, 201), indexing="ij")
    f, sign = features.numpy()[:, 0], 2 * labels.numpy() - 1
    log_post = -np.logaddexp(0, -sign * (slope[..., None] * f + intercept[..., None])).sum(-1)
    log_post -= (slope**2 + intercept**2) / (2 * 2 * prior)
    post = np.exp(log_post - logsumexp(log_post))
    for at in (-2.0, 0.5, 3.0):
        exact = float((post / (1 + np.exp(-(slope * at + intercept)))).sum())
        found = float(draws(method, torch.tensor([[at]]), 4000).softmax(-1).mean(0)[0, 1])
        assert found == pytest.approx(exact, abs=0.03)


def test_before_the_fit_all_draws_agree_and_far_away_they_do_not() -> None:
    """Far away in a direction in which no image told anything: the third feature is 0 in all of them."""
    features, labels = blobs(60)
    features = torch.cat([features, torch.zeros(60, 1)], 1)
    method = plain("laplace", 3)
    assert torch.equal(*draws(method, features, 2))
    fitted(method, features, labels, 100)
    far = epistemic(method, torch.tensor([[3.0, 0.0, 30.0], [0.0, 3.0, -30.0]]))
    assert (far > 5 * epistemic(method, features).median()).all()
