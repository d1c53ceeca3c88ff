"""Networks that tell candidate models apart: training, calibration, out-of-distribution score. Needs torch."""

import os

from insml.errors import MissingExtraError

# Threads that spin while they wait take the cores from those that prepare the next batch and from other work, ten times
# slower on a busy machine. Read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    import safetensors
    import torch
except ImportError as e:
    raise MissingExtraError(e.name or "torch", "ml", "classification by a network") from e

from insml.learn.classifier import Classifier
from insml.learn.ensemble import Ensemble, load_network
from insml.learn.settings import TrainingSettings
from insml.learn.train import train

__all__ = ["Classifier", "Ensemble", "TrainingSettings", "load_network", "train"]

del safetensors, torch
