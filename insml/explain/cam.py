"""Gradient-weighted activation maps of a pre-activation score.

The score is a function of the input that is not squashed: a logit, or the difference of two classes' log kernel
values. Behind a saturated sigmoid or kernel gradients vanish and a map shows rounding errors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from insml.errors import InsmlError

Array = NDArray[np.float64]
Score = Callable[[Tensor], Tensor]


def grad_cam(score: Score, layer: nn.Module, x: Tensor) -> Array:
    """Grad-CAM as published: where ``layer`` speaks for a higher score.

    ReLU(sum_f alpha_f A_f) with A_f the layer's output channels and alpha_f the spatial mean of d score / d A_f. Meant
    for coarse layers, whose channels stand for something wherever it is. No gradient is stored and no state of the
    network changes.

    Parameters
    ----------
    score : maps (1, channels, n0, n1) to a tensor of one element, and runs ``layer`` exactly once.
    x : (1, channels, n0, n1)

    Returns
    -------
    (rows, columns) at the layer's resolution, >= 0; :func:`register` brings it to the pixels of the input.
    """
    activation, gradient = _activation_and_gradient(score, layer, x)
    weighted = gradient.mean((1, 2), keepdim=True) * activation
    return np.asarray(torch.relu(weighted.sum(0)).double().numpy())


def slice_maps(score: Score, layer: nn.Module, x: Tensor) -> Array:
    """How much each pixel of each slice bears on the score, for a layer whose channels know one slice each.

    | sum_f (d score / d A_f) A_f | over the channels f of a slice, at full resolution. Two things differ from Grad-CAM.
    The weights are those of the pixel, not their mean over the tile: in the first layer a channel means different
    things at different places (so too in HiResCAM and LayerCAM). And the sign is dropped: the margin between two
    candidates is decided as much by what the runner-up lacks as by what the winner shows.

    Parameters
    ----------
    score : as for :func:`grad_cam`.
    layer : gives (1, m * n_slices, n0, n1), the m channels of a slice side by side.
    x : (1, n_slices, n0, n1)

    Returns
    -------
    (n_slices, n0, n1), >= 0
    """
    activation, gradient = _activation_and_gradient(score, layer, x)
    if activation.shape[0] % x.shape[1] or activation.shape[1:] != x.shape[2:]:
        raise InsmlError(f"slice_maps: expected a layer with (m x {x.shape[1]}, {x.shape[2]}, {x.shape[3]}) outputs, "
                         f"found {tuple(activation.shape)}")
    share = (gradient * activation).reshape(x.shape[1], -1, *x.shape[2:]).sum(1)
    return np.asarray(share.abs().double().numpy())


def _activation_and_gradient(score: Score, layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output of the layer, and the derivative of the score by it, both (channels, rows, columns)."""
    outputs: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    try:
        with torch.enable_grad():
            value = score(x.detach().clone().requires_grad_(True))
    finally:
        handle.remove()
    if len(x) != 1 or len(outputs) != 1 or outputs[0].ndim != 4:
        shapes = [tuple(o.shape) for o in outputs]
        raise InsmlError("activation map: expected one image and a layer that runs once with output "
                         f"(1, channels, rows, columns), found {len(x)} images and outputs {shapes}")
    (gradient,) = torch.autograd.grad(value.sum(), outputs[0])
    return outputs[0][0].detach(), gradient[0]


def register(cam: Array, stride: int, shape: tuple[int, int]) -> Array:
    """Bring maps of a coarser layer to the input's pixels, where they belong.

    Parameters
    ----------
    cam : (..., rows, columns); entry (i, j) is centred on input pixel (stride * i, stride * j), as the layers of
        ``SliceStackNet`` are (its ``layers()`` gives the strides).
    shape : of the input tile.

    Returns
    -------
    (..., *shape), bilinear between the centres, constant beyond the last one. A plain resize to ``shape`` would move
    features by up to half a stride at the edges.
    """
    rows, columns = (_linear(n, stride, size) for n, size in zip(cam.shape[-2:], shape, strict=True))
    return np.asarray(rows @ cam @ columns.T)


def _linear(n: int, stride: int, size: int) -> Array:
    """(size, n) weights of linear interpolation."""
    position = np.minimum(np.arange(size) / stride, n - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(position[:, None] - np.arange(n))))
