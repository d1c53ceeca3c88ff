"""What explanations of a score start from: the output of a layer, and the derivative of the score by it.

The score is a function of the input that is not squashed: a logit, or the difference of two classes' log kernel
values. Behind a saturated sigmoid or kernel gradients vanish and a map shows rounding errors.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from insml.errors import InsmlError

#: (batch, n_slices, n0, n1) to (batch,).
Score = Callable[[Tensor], Tensor]


def activation_and_gradient(score: Score, layer: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output of the layer, and the derivative of the score by it, both (channels, rows, columns).

    No gradient is stored and no state of the network changes.

    Parameters
    ----------
    score : runs ``layer`` exactly once. x : (1, n_slices, n0, n1)
    """
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


def input_gradient(score: Score, x: Tensor) -> Tensor:
    """(batch, n_slices, n0, n1) derivative of each image's score by itself."""
    with torch.enable_grad():
        moved = x.detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(score(moved).sum(), moved)
    return gradient
