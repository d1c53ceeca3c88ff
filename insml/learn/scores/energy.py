"""Free energy of the scores (Liu et al. 2020, eq. 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from insml.learn.record import Record
from insml.learn.scores.score import Array, Score


@dataclass(frozen=True)
class Energy(Score):
    """-ln sum_c exp(score_c), at temperature 1. Nothing is fitted."""

    kind: ClassVar[str] = "energy"

    @classmethod
    def fit(cls, known: Record, labels: NDArray[np.int64], classes: int) -> Self:
        return cls()

    def __call__(self, record: Record) -> Array:
        return np.asarray(-logsumexp(record.scores, axis=1))
