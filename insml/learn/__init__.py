"""Networks that tell candidate models apart: training, calibration, out-of-distribution score. Needs torch."""

from insml.errors import MissingExtraError

try:
    import safetensors
    import torch
except ImportError as e:
    raise MissingExtraError(e.name or "torch", "ml", "classification by a network") from e

from insml.learn.classifier import Classifier
from insml.learn.settings import TrainingSettings
from insml.learn.train import train

__all__ = ["Classifier", "TrainingSettings", "train"]

del safetensors, torch
