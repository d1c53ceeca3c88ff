"""Radial Bayesian head (Farquhar, Osborne and Gal 2020).

Samples of many independent Gaussian weights all lie at one distance from their mean, far from where the density is highest.
Here a layer's noise is a direction times |N(0, 1)|, so that the distance of a sample varies as that of one weight.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor

from insml.learn.method import METHODS
from insml.learn.uncertainty.noise import normal
from insml.learn.uncertainty.variational import BayesianHead, VariationalLinear


class RadialLinear(VariationalLinear):
    """Noise is r u, u even over the unit sphere of all d weights of the layer and r = |N(0, 1)|."""

    @property
    def noise_power(self) -> float:
        return 1 / self.mean.numel()

    def noise(self, number: int, generator: torch.Generator | None = None) -> Tensor:
        direction = normal(self.mean, number, *self.mean.shape, generator=generator)
        length = normal(self.mean, number, 1, 1, generator=generator).abs()
        return direction * (length / direction.square().sum((1, 2), keepdim=True).sqrt())

    def noise_entropy(self) -> float:
        """Entropy of r, the logarithm of the sphere's area, and (d - 1) times the mean of log r."""
        d = self.mean.numel()
        log_area = math.log(2) + 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d)
        euler = 0.5772156649015329
        mean_log_r = -0.5 * (euler + math.log(2))
        return 0.5 * math.log(math.pi / 2) + 0.5 + log_area + (d - 1) * mean_log_r


@METHODS.add
class Radial(BayesianHead):
    """Radial weights."""

    kind: ClassVar[str] = "radial"
    layer = RadialLinear
