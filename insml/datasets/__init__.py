"""Simulated training sets: generated once without noise, stored, and corrupted when they are read."""

from insml.datasets.corrupt import Corruption, standardise
from insml.datasets.store import TrainingSet

__all__ = ["Corruption", "TrainingSet", "standardise"]
