"""Grad-CAM++ (Chattopadhay et al. 2018, eq. 10 and 19)."""

from __future__ import annotations

import torch
from torch import Tensor


def grad_cam_plus_plus(activation: Tensor, gradient: Tensor) -> Tensor:
    """ReLU(sum_f w_f A_f) with w_f = sum_p a_fp ReLU(g_fp) and a_fp = g_fp^2 / (2 g_fp^2 + g_fp^3 sum_q A_fq).

    g = d score / d A at pixel p; the class score of the paper is exp(score), whose higher derivatives are powers of g where
    the network is piecewise linear, and whose common factor is left out here. a is 0 where its denominator is.

    Parameters
    ----------
    activation, gradient : (channels, rows, columns)

    Returns
    -------
    (rows, columns), >= 0
    """
    below = 2 * gradient**2 + gradient**3 * activation.sum((1, 2), keepdim=True)
    share = torch.where(below == 0, 0, gradient**2 / torch.where(below == 0, 1, below))
    weight = (share * torch.relu(gradient)).sum((1, 2), keepdim=True)
    return torch.relu((weight * activation).sum(0))
