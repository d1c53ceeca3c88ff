"""Deep deterministic uncertainty (DDU), Mukhoti et al. 2023: class-wise Gaussians of a bounded network's features."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from insml.learn.method import METHODS, Batch, Method
from insml.learn.networks.backbone import Backbone
from insml.learn.uncertainty.density import FeatureDensity
from insml.learn.uncertainty.doubt import doubt, doubted
from insml.learn.uncertainty.spectral import bound_layers

_HALF = 3.0  # doubt is one half so many standard deviations beyond the mean strangeness of training images


@METHODS.add
class Ddu(Method):
    """Classes from a softmax, doubt from the density; what either is must not be asked of the other.

    Strangeness is -2 / n_features times the log density, as in ``FeatureDensity``; doubt a logistic function of it.
    bound : of the layers' largest singular values. Residual networks are what it was meant for.
    """

    kind: ClassVar[str] = "ddu"
    means: Tensor
    whiten: Tensor
    centre: Tensor
    width: Tensor

    def __init__(self, backbone: Backbone, classes: int, *, bound: float = 1.0) -> None:
        super().__init__(backbone, classes)
        self.bound = bound
        bound_layers(backbone, bound)
        n = backbone.n_features
        self.register_buffer("means", torch.zeros(classes, n))
        self.register_buffer("whiten", torch.eye(n).repeat(classes, 1, 1))  # inverse Cholesky factors
        self.register_buffer("centre", torch.tensor(0.0))
        self.register_buffer("width", torch.tensor(1.0))

    @property
    def options(self) -> dict[str, Any]:
        return {"bound": self.bound}

    def strangeness(self, features: Tensor) -> Tensor:
        """(batch,) up to a constant."""
        white = torch.einsum("cij,bcj->bci", self.whiten, features[:, None] - self.means)
        log_volume = self.whiten.diagonal(dim1=1, dim2=2).log().sum(1)
        return -2 / features.shape[1] * (log_volume - 0.5 * white.square().sum(-1)).logsumexp(-1)

    def scores(self, features: Tensor) -> Tensor:
        excess = (self.strangeness(features) - self.centre) / self.width
        return doubted(self.backbone.readout(features), functional.logsigmoid(_HALF - excess))

    def loss(self, batch: Batch) -> Tensor:
        return functional.cross_entropy(self.backbone.readout(batch.features), batch.onehot)

    @torch.no_grad()
    def fit(self, features: Tensor, labels: Tensor) -> None:
        density = FeatureDensity.fit(features.double().numpy(), labels.numpy(), self.classes)
        self.means.copy_(torch.from_numpy(density.means))
        self.whiten.copy_(torch.from_numpy(np.linalg.inv(density.factors)))
        strangeness = self.strangeness(features.to(self.means))
        self.centre.copy_(strangeness.mean())
        self.width.copy_(strangeness.std().clamp_min(1e-6))

    def epistemic(self, draws: Tensor) -> Tensor:
        """Doubt of the density."""
        return doubt(draws)
