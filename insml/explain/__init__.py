"""Why a network answered as it did: class activation maps, and occlusion to check them. Needs torch."""

from insml.errors import MissingExtraError

try:
    import torch
except ImportError as e:
    raise MissingExtraError("torch", "ml", "explaining a network") from e

from insml.explain.cam import grad_cam, register, slice_maps
from insml.explain.occlusion import occlude_slices

__all__ = ["grad_cam", "occlude_slices", "register", "slice_maps"]

del torch
