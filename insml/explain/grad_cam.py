"""Grad-CAM (Selvaraju et al. 2017, eq. 1 and 2)."""

from __future__ import annotations

import torch
from torch import Tensor


def grad_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_f alpha_f A_f) with A_f the layer's channels and alpha_f the spatial mean of d score / d A_f.

    Meant for coarse layers, whose channels stand for something wherever it is.

    Parameters
    ----------
    activation, gradient : (channels, rows, columns)

    Returns
    -------
    (rows, columns), >= 0 where the layer speaks for a higher score.
    """
    return torch.relu((gradient.mean((1, 2), keepdim=True) * activation).sum(0))
