"""Monte Carlo dropout of the features (Gal and Ghahramani 2016)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from insml.errors import InsmlError
from insml.learn.method import METHODS, Batch
from insml.learn.networks.backbone import Backbone
from insml.learn.uncertainty.softmax import Softmax


@METHODS.add
class Dropout(Softmax):
    """Features are dropped before the readout, in training and in draws; ``scores`` keep all of them.

    rate : share of features that is dropped.
    """

    kind: ClassVar[str] = "dropout"

    def __init__(self, backbone: Backbone, classes: int, *, rate: float = 0.5) -> None:
        super().__init__(backbone, classes)
        if not 0 < rate < 1:
            raise InsmlError(f"method dropout: rate: expected a share between 0 and 1, found {rate}")
        self.rate = rate

    @property
    def options(self) -> dict[str, Any]:
        return {"rate": self.rate}

    def loss(self, batch: Batch) -> Tensor:
        return functional.cross_entropy(self.scores(functional.dropout(batch.features, self.rate)), batch.onehot)

    def draws(self, x: Tensor, features: Tensor, number: int, generator: torch.Generator) -> Tensor:
        # one mask per draw, for every image the same
        kept = torch.rand(number, 1, self.backbone.n_features, generator=generator) >= self.rate
        return self.scores(features * kept.to(features) / (1 - self.rate))
