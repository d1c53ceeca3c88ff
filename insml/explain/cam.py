"""Gradient-weighted class activation maps (Grad-CAM) of a pre-activation score.

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


def grad_cam(score: Score, layer: nn.Module, x: Tensor, groups: int = 1) -> Array:
    """Map of where ``layer`` speaks for a higher score.

    ReLU(sum_f alpha_f A_f) with A_f the layer's output channels and alpha_f the spatial mean of d score / d A_f. With
    ``groups`` > 1 the channels are summed in that many consecutive groups, one map each: for the slice-resolved first
    layer of ``SliceStackNet`` one map per slice. No gradient is stored, no state of the network changes.

    Parameters
    ----------
    score : maps (1, channels, n0, n1) to a tensor of one element; calls ``layer`` exactly once.
    x : (1, channels, n0, n1)

    Returns
    -------
    (groups, rows, columns) at the layer's resolution, >= 0; see :func:`register` for coarser layers.
    """
    outputs: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    try:
        with torch.enable_grad():
            value = score(x.detach().clone().requires_grad_(True))
            if len(outputs) != 1 or outputs[0].ndim != 4 or outputs[0].shape[1] % groups:
                shapes = [tuple(o.shape) for o in outputs]
                raise InsmlError(f"grad_cam: expected a layer that runs once and gives "
                                 f"(1, {groups} x n, rows, columns), found outputs {shapes}")
            (gradient,) = torch.autograd.grad(value.sum(), outputs[0])
    finally:
        handle.remove()
    activation = outputs[0].detach()
    weighted = gradient.mean((2, 3), keepdim=True) * activation
    grouped = weighted[0].reshape(groups, -1, *weighted.shape[2:]).sum(1)
    return np.asarray(torch.relu(grouped).double().numpy())


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
