"""From a layer's map to one for each slice.

What a layer can tell apart is written down with it (``MapLayer.sees``):

``slice``  its channels know one slice each. A formula is applied to the channels of each slice by themselves.
``image``  tiles stand side by side in it. The map is registered to the mosaic and cut into tiles. What an output sees
           may reach over the border of a tile, and then so does its map.
``stack``  all slices are mixed in it, and its map has only a place on the tile. Each slice gets that map times its own
           |input x d score / d input| (the product of Guided Grad-CAM, Selvaraju et al. 2017, with a plain gradient): the
           place is the layer's, the division among slices that of the input's gradient and not of the layer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from insml.errors import InsmlError
from insml.explain.activation import activation_and_gradient, input_gradient
from insml.explain.registration import register
from insml.explain.subject import Subject

if TYPE_CHECKING:
    from insml.learn.networks.backbone import MapLayer

Array = NDArray[np.float64]
#: Activation and gradient (channels, rows, columns) to (rows, columns).
Formula = Callable[[Tensor, Tensor], Tensor]


def map_layer(subject: Subject, name: str) -> MapLayer:
    """A layer of the network by name.

    Raises
    ------
    InsmlError : it has no such layer.
    """
    layers = subject.method.backbone.maps()
    if name not in layers:
        raise InsmlError(f"layer: expected one of {', '.join(layers)}, found {name!r}")
    return layers[name]


def finest_that_tells_slices(subject: Subject) -> str:
    """The layer maps are made at where none is named: one that knows slices apart, else the last."""
    layers = subject.method.backbone.maps()
    return next((name for name, layer in layers.items() if layer.sees == "slice"), list(layers)[-1])


def layer_maps(subject: Subject, name: str, formula: Formula) -> Array:
    """(n_slices, m0, m1) of a formula at a layer."""
    layer, n = map_layer(subject, name), len(subject.layout.slices)
    activation, gradient = activation_and_gradient(subject.score, layer.module, subject.x)
    if layer.sees == "slice":
        own = zip(activation.reshape(n, -1, *activation.shape[1:]), gradient.reshape(n, -1, *gradient.shape[1:]),
                  strict=True)
        coarse = np.stack([formula(a, g).double().numpy() for a, g in own])
        return register(coarse, layer.stride, layer.first, subject.layout.stack_shape[1:])
    return for_slices(subject, layer, np.asarray(formula(activation, gradient).double().numpy()))


def for_slices(subject: Subject, layer: MapLayer, coarse: Array) -> Array:
    """(n_slices, m0, m1) of the map (rows, columns) of a layer of kind ``image`` or ``stack``."""
    if layer.sees == "image":
        return np.asarray(subject.layout.split(register(coarse, layer.stride, layer.first, subject.layout.shape)))
    place = register(coarse, layer.stride, layer.first, subject.layout.stack_shape[1:])
    own = (subject.x * input_gradient(subject.score, subject.x))[0].abs().double().numpy()
    return np.asarray(place * own)
