"""Laplace approximation of the readout (MacKay 1992; Daxberger et al. 2021): a Gaussian about its trained weights."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn import functional

from insml.learn.method import METHODS
from insml.learn.networks.backbone import Backbone
from insml.learn.uncertainty.noise import normal
from insml.learn.uncertainty.softmax import Softmax

_LOG_PRECISIONS = (-14.0, 14.0)


def curvature(features: Tensor, probability: Tensor) -> Tensor:
    """(classes * d, classes * d) Hessian of the summed cross-entropy by the weights (classes, d) of a linear readout.

    Sum over the images of (diag p - p p^T) x (f f^T); features (n, d), probability (n, classes).
    """
    rows = []
    for c, p in enumerate(probability.T):
        weights = -p[:, None] * probability
        weights[:, c] += p
        rows.append(torch.cat([features.T @ (w[:, None] * features) for w in weights.T], 1))
    return torch.cat(rows)


def prior_precision(eigenvalues: Tensor, square: float) -> float:
    """Precision a of the prior N(0, 1/a) of each weight that makes the marginal likelihood largest.

    eigenvalues : of :func:`curvature`, >= 0. square : sum of the squared weights. In log a there is one maximum.
    """
    values = eigenvalues.numpy()

    def minus_log_evidence(log_precision: float) -> float:
        a = np.exp(log_precision)
        return float(0.5 * a * square + 0.5 * np.log1p(values / a).sum())

    return float(np.exp(minimize_scalar(minus_log_evidence, bounds=_LOG_PRECISIONS, method="bounded").x))


@METHODS.add
class Laplace(Softmax):
    """Trained as softmax; the full covariance of the readout's weights and biases is fitted afterwards."""

    kind: ClassVar[str] = "laplace"
    factor: Tensor

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__(backbone, classes)
        size = classes * (backbone.n_features + 1)
        # factor @ factor.T is the covariance; none before the fit
        self.register_buffer("factor", torch.zeros(size, size))

    def _weights(self) -> Tensor:
        """(classes, n_features + 1), biases last."""
        return torch.cat([self.backbone.readout.weight, self.backbone.readout.bias[:, None]], 1)

    @torch.no_grad()
    def fit(self, features: Tensor, labels: Tensor) -> None:
        features = features.to(self.factor)
        probability = self.scores(features).softmax(-1).double().cpu()
        values, vectors = torch.linalg.eigh(curvature(_with_one(features).double().cpu(), probability))
        values = values.clamp_min(0)
        precision = prior_precision(values, float(self._weights().square().sum()))
        self.factor.copy_(vectors / (values + precision).sqrt())

    def draws(self, x: Tensor, features: Tensor, number: int, generator: torch.Generator) -> Tensor:
        augmented = _with_one(features)
        deviations = normal(augmented, number, len(self.factor), generator=generator) @ self.factor.T
        weights = self._weights() + deviations.reshape(number, self.classes, -1)
        return torch.einsum("scf,bf->sbc", weights, augmented)


def _with_one(features: Tensor) -> Tensor:
    return functional.pad(features, (0, 1), value=1.0)
