"""What a score loses when a slice is taken away: the check that a saliency map points at what matters."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from insml.explain.activation import Score

_BATCH = 32


@torch.no_grad()
def occlude_slices(score: Score, x: Tensor) -> NDArray[np.float64]:
    """Drop of the score when each slice in turn is replaced by nothing.

    Parameters
    ----------
    score : maps (batch, n_slices, n0, n1) to (batch,).
    x : (1, n_slices, n0, n1) standardised stack; 0 is a slice's median and what masked pixels hold.

    Returns
    -------
    (n_slices,) score(x) - score(x with slice s = 0). Positive: the slice speaks for the score. 0 for a masked slice.
    """
    n = x.shape[1]
    whole = score(x)
    drops = []
    for first in range(0, n, _BATCH):
        slices = torch.arange(first, min(first + _BATCH, n))
        without = x.repeat(len(slices), 1, 1, 1)
        without[torch.arange(len(slices)), slices] = 0
        drops.append(whole - score(without))
    return np.asarray(torch.cat(drops).double().numpy())
