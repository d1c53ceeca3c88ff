"""Spectral-normalised neural Gaussian process (SNGP), Liu et al. 2020.

A network whose layers are bounded, so that images that differ stay apart, and a Gaussian process with an RBF kernel on its
features, as a linear model in random Fourier features: phi = sqrt(2 / m) cos(W f / length + phase).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.learn.method import METHODS, Batch, Method
from insml.learn.networks.backbone import Backbone
from insml.learn.uncertainty.doubt import doubt, doubted
from insml.learn.uncertainty.spectral import bound_layers

_PRIOR = 10.0  # standard deviation of a logit: far from all images a softmax must be able to be certain of anything
_FIRST_LENGTH = 0.25  # of the kernel, per feature: about the scatter of features that a bounded network ends with
_LEAST = 1e-6  # what rounding leaves of the share of the variance that is known


class RandomFeatures(nn.Module):
    """(batch, n) to (batch, size) whose products approximate exp(-|f - g|^2 / (2 length^2)); Rahimi and Recht 2007.

    Directions and phases stay as drawn, the length is learned.
    """

    directions: Tensor
    phases: Tensor

    def __init__(self, n: int, size: int) -> None:
        super().__init__()
        self.register_buffer("directions", torch.randn(size, n))
        self.register_buffer("phases", 2 * math.pi * torch.rand(size))
        self.log_length = nn.Parameter(torch.tensor(math.log(_FIRST_LENGTH * math.sqrt(n))))

    def forward(self, features: Tensor) -> Tensor:
        angles = features.float() @ self.directions.T / self.log_length.exp() + self.phases
        return math.sqrt(2 / len(self.phases)) * angles.cos()


@METHODS.add
class Sngp(Method):
    """Logits are damped by their variance (mean-field softmax, Lu et al. 2020); doubt is the share of the prior's variance
    that the training images leave.

    The precision is 1 + sum phi phi^T for all classes, as the authors' code has it: weighted by p (1 - p), as in the paper,
    images that are told apart with certainty would not count.
    size : number of random features. bound : of the layers' largest singular values.
    """

    kind: ClassVar[str] = "sngp"
    whiten: Tensor

    def __init__(self, backbone: Backbone, classes: int, *, size: int = 256, bound: float = 1.0) -> None:
        super().__init__(backbone, classes)
        self.size, self.bound = size, bound
        bound_layers(backbone, bound)
        self.random = RandomFeatures(backbone.n_features, size)
        self.readout = nn.Linear(size, classes, bias=False)
        # inverse Cholesky factor of the precision: the prior's before the fit
        self.register_buffer("whiten", torch.eye(size))

    @property
    def options(self) -> dict[str, Any]:
        return {"size": self.size, "bound": self.bound}

    def variance(self, phi: Tensor) -> Tensor:
        """(batch,) of a logit, phi (batch, size)."""
        return (phi @ self.whiten.T).square().sum(-1)

    def phi(self, features: Tensor) -> Tensor:
        """(batch, size) whose weights have the prior N(0, 1)."""
        out: Tensor = _PRIOR * self.random(features)
        return out

    def scores(self, features: Tensor) -> Tensor:
        phi = self.phi(features)
        variance = self.variance(phi)
        damped = self.readout(phi) / (1 + math.pi / 8 * variance).sqrt()[:, None]
        return doubted(damped, (1 - variance / phi.square().sum(-1)).clamp_min(_LEAST).log())

    def loss(self, batch: Batch) -> Tensor:
        return functional.cross_entropy(self.readout(self.phi(batch.features)), batch.onehot)

    @torch.no_grad()
    def fit(self, features: Tensor, labels: Tensor) -> None:
        phi = self.phi(features.to(self.whiten)).double()
        eye = torch.eye(self.size, dtype=phi.dtype, device=phi.device)
        factor = torch.linalg.cholesky(eye + phi.T @ phi)
        self.whiten.copy_(torch.linalg.solve_triangular(factor, eye, upper=False))

    def epistemic(self, draws: Tensor) -> Tensor:
        """Share of the prior's variance that is left."""
        return doubt(draws)
