"""Class activation map (Zhou et al. 2016), exact where the margin is linear in the means of the last layer's channels."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from insml.errors import InsmlError
from insml.explain.activation import activation_and_gradient
from insml.explain.layers import for_slices, map_layer
from insml.explain.subject import Subject

_TOLERANCE = 1e-3  # of the margin's parts


def class_activation(subject: Subject, name: str | None = None) -> NDArray[np.float64]:
    """(n_slices, m0, m1): sum_f (w_f winner - w_f runner-up) A_f with the readout's weights w; of either sign.

    Its mean over the layer, plus the difference of the readout's constants, is the margin. That is compared with what the
    whole network says, so that no normalisation between layer and readout goes unnoticed.

    Parameters
    ----------
    name : of a layer; None for the last.

    Raises
    ------
    InsmlError : the margin is not that mean.
    """
    name = name or list(subject.method.backbone.maps())[-1]
    layer, readout = map_layer(subject, name), subject.method.backbone.readout
    activation, _ = activation_and_gradient(subject.score, layer.module, subject.x)
    margin = subject.margin
    with torch.no_grad():
        weight = readout.weight[subject.winner] - readout.weight[subject.runner_up]
        linear = len(weight) == len(activation)
        if linear:
            parts = weight * activation.mean((1, 2))
            constant = readout.bias[subject.winner] - readout.bias[subject.runner_up]
            linear = abs(float(parts.sum() + constant) - margin) <= _TOLERANCE * (float(parts.abs().sum()) + abs(margin))
    if not linear or layer.sees == "slice":
        raise InsmlError(f"class activation map: expected a network whose margin is linear in the means of the layer "
                         f"{name!r} (the network 'pooled' with the method 'softmax'), found "
                         f"{type(subject.method.backbone).__name__} with {subject.method.kind!r}; "
                         "grad-cam and layercam have no such limit")
    coarse = (weight.detach()[:, None, None] * activation).sum(0)
    return for_slices(subject, layer, np.asarray(coarse.double().numpy()))
