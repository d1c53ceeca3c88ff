"""|Gradient x activation| of a layer that knows slices apart: where a margin comes from, whomever it speaks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from insml.errors import InsmlError
from insml.explain.activation import Score, activation_and_gradient


def slice_maps(score: Score, layer: nn.Module, x: Tensor) -> NDArray[np.float64]:
    """How much each pixel of each slice bears on the score, for a layer whose channels know one slice each.

    | sum_f (d score / d A_f) A_f | over the channels f of a slice, at full resolution. Two things differ from Grad-CAM.
    The weights are those of the pixel, not their mean over the tile: in the first layer a channel means different
    things at different places (so too in HiResCAM and LayerCAM). And the sign is dropped: the margin between two
    candidates is decided as much by what the runner-up lacks as by what the winner shows.

    Parameters
    ----------
    score : as for :func:`insml.explain.activation.activation_and_gradient`.
    layer : gives (1, m * n_slices, n0, n1), the m channels of a slice side by side.
    x : (1, n_slices, n0, n1)

    Returns
    -------
    (n_slices, n0, n1), >= 0
    """
    activation, gradient = activation_and_gradient(score, layer, x)
    if activation.shape[0] % x.shape[1] or activation.shape[1:] != x.shape[2:]:
        raise InsmlError(f"slice_maps: expected a layer with (m x {x.shape[1]}, {x.shape[2]}, {x.shape[3]}) outputs, "
                         f"found {tuple(activation.shape)}")
    share = (gradient * activation).reshape(x.shape[1], -1, *x.shape[2:]).sum(1)
    return np.asarray(share.abs().double().numpy())
