"""A linear readout and the cross-entropy: the network alone, without anything that says how much its answer is worth."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from insml.learn.method import METHODS, Batch, Method


@METHODS.add
class Softmax(Method):
    """Scores are the logits of the backbone's readout."""

    kind: ClassVar[str] = "softmax"

    def scores(self, features: Tensor) -> Tensor:
        out: Tensor = self.backbone.readout(features)
        return out

    def loss(self, batch: Batch) -> Tensor:
        return functional.cross_entropy(self.scores(batch.features), batch.onehot)
