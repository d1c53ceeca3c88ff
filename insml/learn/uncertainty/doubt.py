"""Scores that say how much all classes together are worth.

A softmax, whatever its temperature, forgets what is common to all log scores of an image. Methods that measure doubt beside
the classes keep it there: exp(scores) sum over the classes to 1 - doubt.
"""

from __future__ import annotations

from torch import Tensor

_LOWEST = -30.0  # of log(1 - doubt): below, float32 would round off what sets the classes apart


def doubted(logits: Tensor, log_trust: Tensor) -> Tensor:
    """(..., classes) log scores of logits (..., classes) and log(1 - doubt) (...)."""
    return logits.log_softmax(-1) + log_trust.clamp_min(_LOWEST)[..., None]


def doubt(draws: Tensor) -> Tensor:
    """(batch,) 0 to 1, of log scores (draws, batch, classes) made by :func:`doubted`."""
    return (1 - draws.exp().sum(-1).mean(0)).clamp(0, 1)
