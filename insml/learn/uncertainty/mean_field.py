"""Mean-field variational inference (Blundell et al. 2015): independent Gaussian weights of the head."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from insml.learn.method import METHODS
from insml.learn.uncertainty.noise import normal
from insml.learn.uncertainty.variational import BayesianHead, VariationalLinear


class GaussianLinear(VariationalLinear):
    """Noise is standard normal."""

    @property
    def noise_power(self) -> float:
        return 1.0

    def noise(self, number: int, generator: torch.Generator | None = None) -> Tensor:
        return normal(self.mean, number, *self.mean.shape, generator=generator)

    def noise_entropy(self) -> float:
        return self.mean.numel() * 0.5 * math.log(2 * math.pi * math.e)


@METHODS.add
class MeanField(BayesianHead):
    """Gaussian weights."""

    kind: ClassVar[str] = "mean-field"
    layer = GaussianLinear
