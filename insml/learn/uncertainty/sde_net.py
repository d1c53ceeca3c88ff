"""SDE-Net (Kong, Sun and Zhang 2020): features move by a stochastic differential equation before they are read out.

dh = drift(h, t) dt + sigma g(h_0) dW from t = 0 to 1, by Euler and Maruyama. The drift is trained to tell classes apart; g,
between 0 and 1, to be small for training images and large for images drowned in noise.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.learn.evaluation_mode import evaluation_mode
from insml.learn.method import METHODS, Batch, Method
from insml.learn.networks.backbone import Backbone
from insml.learn.uncertainty.doubt import doubt, doubted
from insml.learn.uncertainty.noise import normal

_SIGMA = 2.0   # of the diffusion where g = 1
_FIRST = -3.0  # logit of g before training: noise as large as features would hide the classes
_HIDDEN = 64


@METHODS.add
class SdeNet(Method):
    """Doubt is g. It knows the strangeness it was shown, noise, and may miss any other.

    steps : of the integration. noise : standard deviation of what is added to standardised stacks to make strange ones.
    """

    kind: ClassVar[str] = "sde-net"

    def __init__(self, backbone: Backbone, classes: int, *, steps: int = 4, noise: float = 2.0) -> None:
        super().__init__(backbone, classes)
        self.steps, self.noise = steps, noise
        n = backbone.n_features
        self.drift = nn.Sequential(nn.Linear(n + 1, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, n))
        last = nn.Linear(_HIDDEN, 1)
        nn.init.constant_(last.bias, _FIRST)
        self.diffusion = nn.Sequential(nn.Linear(n, _HIDDEN), nn.ReLU(), last)

    @property
    def options(self) -> dict[str, Any]:
        return {"steps": self.steps, "noise": self.noise}

    def _end(self, features: Tensor, noise: Tensor) -> Tensor:
        """(..., n_features) at t = 1; noise (steps, ..., n_features), standard normal."""
        scale = _SIGMA / math.sqrt(self.steps) * self.diffusion(features).sigmoid()
        h = features
        for i, kick in enumerate(noise):
            time = h.new_full((*h.shape[:-1], 1), i / self.steps)
            h = h + self.drift(torch.cat([h, time], -1)) / self.steps + scale * kick
        return h

    def _doubted(self, features: Tensor, end: Tensor) -> Tensor:
        return doubted(self.backbone.readout(end), functional.logsigmoid(-self.diffusion(features)[..., 0]))

    def scores(self, features: Tensor) -> Tensor:
        return self._doubted(features, self._end(features, features.new_zeros(self.steps, 1, 1)))

    def draws(self, x: Tensor, features: Tensor, number: int, generator: torch.Generator) -> Tensor:
        # one path of the noise per draw, for every image the same
        noise = normal(features, self.steps, number, 1, features.shape[1], generator=generator)
        return self._doubted(features, self._end(features.expand(number, -1, -1), noise))

    def loss(self, batch: Batch) -> Tensor:
        end = self._end(batch.features, normal(batch.features, self.steps, *batch.features.shape))
        known, strange = self.diffusion(self._both(batch.x)).squeeze(-1).chunk(2)
        apart = functional.softplus(known).mean() + functional.softplus(-strange).mean()
        return functional.cross_entropy(self.backbone.readout(end), batch.onehot) + apart

    @torch.no_grad()
    def _both(self, x: Tensor) -> Tensor:
        """Features of a batch and of the same drowned in noise, as a prediction has them: running statistics of the network
        must not see the noise, and the diffusion shapes itself, not the features."""
        with evaluation_mode(self.backbone):
            features: Tensor = self.backbone(torch.cat([x, x + self.noise * normal(x, *x.shape)]))
        return features

    def epistemic(self, draws: Tensor) -> Tensor:
        """g of the features."""
        return doubt(draws)
