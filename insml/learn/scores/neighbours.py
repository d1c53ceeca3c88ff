"""Distance to the k-th nearest image of the training (Sun et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from insml.learn.record import Record
from insml.learn.scores.score import Array, Score

_K = 10


@dataclass(frozen=True, eq=False)
class Neighbours(Score):
    """Among middle features scaled to length 1, as published. k is 10, or all where there are fewer."""

    kind: ClassVar[str] = "neighbours"
    tree: KDTree

    @classmethod
    def fit(cls, known: Record, labels: NDArray[np.int64], classes: int) -> Self:
        return cls(KDTree(_unit(known.middle)))

    def __call__(self, record: Record) -> Array:
        k = min(_K, self.tree.n)
        return np.asarray(self.tree.query(_unit(record.middle), k=[k])[0]).reshape(-1)


def _unit(x: Array) -> Array:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))
