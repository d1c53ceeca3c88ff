"""Why a network answered as it did, and whether that can be believed. Needs torch.

Maps of the margin between two candidates, one file per method (``ATTRIBUTIONS``); the likelihood ratio of two fits, slice
by slice, as what they ought to show; and in ``insml.explain.faithfulness`` the tests they have to pass.
"""

from insml.errors import MissingExtraError

try:
    import torch
except ImportError as e:
    raise MissingExtraError("torch", "ml", "explaining a network") from e

from insml.explain.attributions import ATTRIBUTIONS, attribute
from insml.explain.explanation import Explanation, explain
from insml.explain.likelihood_ratio import pixel_ratio, slice_ratio
from insml.explain.quality import SaliencyQuality, saliency_quality
from insml.explain.rival import Rivals, nearest_rivals, refined_rival
from insml.explain.subject import Subject

__all__ = ["ATTRIBUTIONS", "Explanation", "Rivals", "SaliencyQuality", "Subject", "attribute", "explain", "nearest_rivals",
           "pixel_ratio", "refined_rival", "saliency_quality", "slice_ratio"]

del torch
