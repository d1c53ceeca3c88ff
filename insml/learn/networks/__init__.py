"""Networks from stacks to features, one file per architecture, one interface (:class:`Backbone`)."""

from __future__ import annotations

from collections.abc import Callable

from insml.errors import InsmlError
from insml.learn.networks.backbone import Backbone
from insml.learn.networks.published import DenseNet, PooledNet
from insml.learn.networks.slice_stack import FILTERS_PER_SLICE, SliceStackNet
from insml.learn.networks.small_alexnet import SmallAlexNet
from insml.learn.networks.small_resnext import SmallResNeXt
from insml.mosaic import MosaicLayout

#: By name: made for the slices of a layout and a number of classes.
NETWORKS: dict[str, Callable[[MosaicLayout, int], Backbone]] = {
    "slice-stack": SliceStackNet, "dense": DenseNet, "pooled": PooledNet, "alexnet": SmallAlexNet, "resnext": SmallResNeXt}


def network(name: str, layout: MosaicLayout, classes: int) -> Backbone:
    """A network of an architecture with fresh weights: "slice-stack" (insml's own), "dense" and "pooled" (Fig. 3a and 3b of
    arXiv 2011.04584), "alexnet", "resnext".

    Raises
    ------
    InsmlError : another name. GeometryError : an image that is too small for it.
    """
    if name not in NETWORKS:
        raise InsmlError(f"network: expected one of {', '.join(NETWORKS)}, found {name!r}")
    return NETWORKS[name](layout, classes)


__all__ = ["FILTERS_PER_SLICE", "NETWORKS", "Backbone", "DenseNet", "PooledNet", "SliceStackNet", "SmallAlexNet",
           "SmallResNeXt", "network"]
