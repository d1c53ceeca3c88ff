"""SWAG (Maddox et al. 2019): a Gaussian over all weights, from where they were after each of the last epochs."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from insml.errors import InsmlError
from insml.learn.method import METHODS
from insml.learn.networks.backbone import Backbone
from insml.learn.uncertainty.noise import normal
from insml.learn.uncertainty.softmax import Softmax


@METHODS.add
class Swag(Softmax):
    """Trained as softmax. In the end the network gets the mean of collected weights; draws deviate from it by half their
    variance, weight by weight, and half their covariance, that of the last ``rank`` deviations.

    The learning rate falls to 0 meanwhile, so weights wander less than at the constant rate of the paper and draws differ
    less. Running statistics of batch normalisation are averaged like weights and the same in all draws: nothing passes the
    training images again, so for networks that have them this is an approximation.

    start : share of the training after which weights are collected. rank : the state is rank + 2 times the weights.
    """

    kind: ClassVar[str] = "swag"
    count: Tensor
    ended: Tensor
    mean: Tensor
    scatter: Tensor
    deviations: Tensor
    statistics: Tensor

    def __init__(self, backbone: Backbone, classes: int, *, start: float = 0.5, rank: int = 8) -> None:
        super().__init__(backbone, classes)
        if not 0 <= start < 1 or rank < 1:
            raise InsmlError(f"method swag: expected start from 0 to below 1 and rank of at least 1, found {start}, {rank}")
        self.start, self.rank = start, rank
        size = sum(p.numel() for p in backbone.parameters())
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("ended", torch.tensor(False))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("scatter", torch.zeros(size))  # sum of squared deviations
        self.register_buffer("deviations", torch.zeros(rank, size))
        self.register_buffer("statistics", torch.zeros(sum(s.numel() for s in self._running())))

    @property
    def options(self) -> dict[str, Any]:
        return {"start": self.start, "rank": self.rank}

    def _running(self) -> list[Tensor]:
        """Statistics of batch normalisation."""
        return [b for name, b in self.backbone.named_buffers() if name.endswith(("running_mean", "running_var"))]

    @torch.no_grad()
    def after_epoch(self, done: float) -> None:
        if done >= self.start:
            self._collect()
        if done >= 1:
            vector_to_parameters(self.mean.clone(), self.backbone.parameters())
            if self._running():
                vector_to_parameters(self.statistics.clone(), self._running())
            self.ended.fill_(True)

    def _collect(self) -> None:
        weights = parameters_to_vector(self.backbone.parameters())
        self.count += 1
        before = weights - self.mean
        self.mean += before / self.count
        self.scatter += before * (weights - self.mean)
        self.deviations[(int(self.count) - 1) % self.rank] = weights - self.mean
        if self._running():
            self.statistics += (parameters_to_vector(self._running()) - self.statistics) / self.count

    def sample(self, generator: torch.Generator) -> Tensor:
        """All weights, once."""
        columns = min(int(self.count), self.rank)
        diagonal = (0.5 * self.scatter / self.count).sqrt() * normal(self.mean, len(self.mean), generator=generator)
        share = normal(self.mean, self.rank, generator=generator) / (2 * (columns - 1)) ** 0.5
        out: Tensor = self.mean + diagonal + share @ self.deviations
        return out

    def draws(self, x: Tensor, features: Tensor, number: int, generator: torch.Generator) -> Tensor:
        """One, of the network as it is, while it is trained; afterwards as many passes as draws."""
        if not self.ended or self.count < 2:
            return super().draws(x, features, number, generator)
        return torch.stack([self._scores_at(self.sample(generator), x) for _ in range(number)])

    def _scores_at(self, weights: Tensor, x: Tensor) -> Tensor:
        shapes = dict(self.backbone.named_parameters())
        parts = torch.split(weights, [p.numel() for p in shapes.values()])
        named = {name: part.reshape(p.shape) for (name, p), part in zip(shapes.items(), parts, strict=True)}
        features = functional_call(self.backbone, named, (x,))
        return functional.linear(features, named["readout.weight"], named["readout.bias"])
