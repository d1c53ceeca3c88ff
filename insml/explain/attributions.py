"""Methods that explain a margin, by name, behind one call."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from insml.errors import InsmlError
from insml.explain.class_activation import class_activation
from insml.explain.grad_cam import grad_cam
from insml.explain.grad_cam_plus_plus import grad_cam_plus_plus
from insml.explain.integrated_gradients import integrated_gradients
from insml.explain.layer_cam import layer_cam
from insml.explain.layers import Formula, finest_that_tells_slices, layer_maps
from insml.explain.occlusion import occlude_slices
from insml.explain.slice_maps import slice_maps
from insml.explain.subject import Subject

Array = NDArray[np.float64]

#: Formulae that are applied to the output of a layer and the derivative of the margin by it.
FORMULAE: dict[str, Formula] = {"grad-cam": grad_cam, "grad-cam++": grad_cam_plus_plus, "layercam": layer_cam}


def _integrated(subject: Subject) -> Array:
    # from the medians of all slices, which is what masked pixels hold
    return integrated_gradients(subject.score, subject.x, torch.zeros_like(subject.x))


def _counterfactual(subject: Subject) -> Array:
    if subject.exchanged is None:
        raise InsmlError("counterfactual: expected best fits of the winner and the runner-up, found none")
    return integrated_gradients(subject.score, subject.x, subject.exchanged)


def _occlusion(subject: Subject) -> Array:
    pixels = np.maximum(np.count_nonzero(~subject.mask, axis=(1, 2)), 1)
    drops = occlude_slices(subject.score, subject.x) / pixels
    return np.broadcast_to(drops[:, None, None], subject.mask.shape)


def _slices(subject: Subject) -> Array:
    name = finest_that_tells_slices(subject)
    layer = subject.method.backbone.maps()[name]
    if layer.sees != "slice":
        raise InsmlError("slices: expected a network with a layer that knows slices apart (slice-stack), found "
                         f"{type(subject.method.backbone).__name__}")
    return slice_maps(subject.score, layer.module, subject.x)


#: Without a choice of layer: from the input, or from the one layer they are for.
WHOLE: dict[str, Callable[[Subject], Array]] = {
    "counterfactual": _counterfactual, "integrated-gradients": _integrated, "occlusion": _occlusion, "slices": _slices}

#: All names. ``cam``, ``counterfactual``, ``integrated-gradients`` and ``occlusion`` have signs, the others are >= 0.
ATTRIBUTIONS = ("cam", *FORMULAE, *WHOLE)


def attribute(subject: Subject, method: str, layer: str | None = None) -> tuple[Array, str]:
    """Maps (n_slices, m0, m1) on the grid the network sees, 0 where masked, and the name of the layer ("" for none).

    Larger values speak more for the winner, or matter more where a method has no sign. ``occlusion`` spreads the drop of a
    slice evenly over it.

    Parameters
    ----------
    layer : None for the finest that tells slices apart, for ``cam`` the last.

    Raises
    ------
    InsmlError : an unknown method or layer; a layer for a method that has none; ``cam`` or ``slices`` for a network that
    they are not for; ``counterfactual`` for a subject without an exchanged image.
    """
    if method not in ATTRIBUTIONS:
        raise InsmlError(f"method: expected one of {', '.join(ATTRIBUTIONS)}, found {method!r}")
    if method in WHOLE:
        if layer is not None:
            raise InsmlError(f"layer: expected none for the method {method}, found {layer!r}")
        maps, name = WHOLE[method](subject), ""
    elif method == "cam":
        name = layer or list(subject.method.backbone.maps())[-1]
        maps = class_activation(subject, name)
    else:
        name = layer or finest_that_tells_slices(subject)
        maps = layer_maps(subject, name, FORMULAE[method])
    return np.where(subject.mask, 0, maps), name
