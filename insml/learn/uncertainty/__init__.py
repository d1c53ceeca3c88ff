"""One file per method that says how much a network's answer is worth."""

from insml.learn.uncertainty.duq import Duq, DuqHead
from insml.learn.uncertainty.softmax import Softmax

__all__ = ["Duq", "DuqHead", "Softmax"]
