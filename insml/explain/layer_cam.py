"""LayerCAM (Jiang et al. 2021, eq. 6 and 7)."""

from __future__ import annotations

import torch
from torch import Tensor


def layer_cam(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_f ReLU(g_f) A_f): each pixel has its own weight, the positive part of d score / d A_f there.

    So it stays meaningful in fine layers, where a channel means different things at different places.

    Parameters
    ----------
    activation, gradient : (channels, rows, columns)

    Returns
    -------
    (rows, columns), >= 0
    """
    return torch.relu((torch.relu(gradient) * activation).sum(0))
