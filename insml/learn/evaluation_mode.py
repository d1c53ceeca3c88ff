"""Predictions do not depend on the mode a network was left in, and leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """All parts in evaluation mode; the mode of each comes back afterwards.

    In training mode a batch normalisation answers by the rest of the batch, and keeps statistics of what it was asked: an
    answer would depend on the questions before it.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
