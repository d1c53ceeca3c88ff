"""Heads whose weights are random, trained by the evidence lower bound."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.learn.method import Batch, Method
from insml.learn.networks.backbone import Backbone

_FIRST_SPREAD = 0.1  # root mean square of the weights about their mean, before training; the prior's is 1


class VariationalLinear(nn.Module, ABC):
    """Weights mean + sigma * noise, (outputs, inputs + 1) with the bias last; the prior of each is N(0, 1)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(outputs, inputs + 1) / math.sqrt(inputs))
        first = math.log(_FIRST_SPREAD / math.sqrt(self.noise_power))
        self.log_sigma = nn.Parameter(torch.full((outputs, inputs + 1), first))

    @property
    @abstractmethod
    def noise_power(self) -> float:
        """Mean square of one number of the noise."""

    @abstractmethod
    def noise(self, number: int, generator: torch.Generator | None = None) -> Tensor:
        """(number, outputs, inputs + 1)"""

    @abstractmethod
    def noise_entropy(self) -> float:
        """Differential entropy of all of a sample's noise, nats."""

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence of posterior from prior, nats."""
        entropy: Tensor = self.noise_entropy() + self.log_sigma.sum()
        square = self.mean.square() + self.noise_power * (2 * self.log_sigma).exp()
        log_prior: Tensor = -0.5 * (square + math.log(2 * math.pi)).sum()
        return -entropy - log_prior

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """(draws, batch, outputs) of x (batch, inputs) and noise (draws, outputs, inputs + 1)."""
        weights = self.mean + self.log_sigma.exp() * noise
        out: Tensor = x @ weights[..., :-1].mT + weights[:, None, :, -1]
        return out


class BayesianHead(Method):
    """A linear readout of the features with random weights.

    The loss is the cross-entropy under one sample of the weights plus the divergence over the number of training images.
    """

    layer: ClassVar[type[VariationalLinear]]

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__(backbone, classes)
        self.head = self.layer(backbone.n_features, classes)

    def scores(self, features: Tensor) -> Tensor:
        """At the mean of the weights."""
        out: Tensor = self.head(features, torch.zeros_like(self.head.mean)[None])[0]
        return out

    def loss(self, batch: Batch) -> Tensor:
        sample = self.head(batch.features, self.head.noise(1))[0]
        return functional.cross_entropy(sample, batch.onehot) + self.head.divergence() / batch.images

    def draws(self, x: Tensor, features: Tensor, number: int, generator: torch.Generator) -> Tensor:
        out: Tensor = self.head(features, self.head.noise(number, generator))
        return out
