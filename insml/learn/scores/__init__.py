"""How strange an image is to a trained network, in several ways; one file each, all fitted to a ``Record``.

Larger is stranger, for all of them.
"""

from __future__ import annotations

from insml.learn.scores.energy import Energy
from insml.learn.scores.mahalanobis import Mahalanobis, RelativeMahalanobis
from insml.learn.scores.neighbours import Neighbours
from insml.learn.scores.score import Score
from insml.learn.scores.virtual_logit import VirtualLogit

#: By name: what fits a score to the record of training images, their labels and the number of classes.
SCORES: dict[str, type[Score]] = {s.kind: s for s in (Energy, Mahalanobis, RelativeMahalanobis, Neighbours, VirtualLogit)}

__all__ = ["SCORES", "Energy", "Mahalanobis", "Neighbours", "RelativeMahalanobis", "Score", "VirtualLogit"]
