"""Virtual-logit matching, ViM (Wang et al. 2022): what features have outside the principal space of the training's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from insml.learn.record import Record
from insml.learn.scores.score import Array, Score


@dataclass(frozen=True, eq=False)
class VirtualLogit(Score):
    """alpha |residual| - ln sum_c exp(score_c), alpha such that both are as large on average in training.

    The last features here have hardly more dimensions than what they tell apart, so residuals are of the middle layer.

    mean : (d,). residual : (d, d - r) orthonormal, the directions outside the r principal ones. alpha : a number.
    """

    kind: ClassVar[str] = "vim"
    mean: Array
    residual: Array
    alpha: float

    @classmethod
    def fit(cls, known: Record, labels: NDArray[np.int64], classes: int) -> Self:
        mean = known.middle.mean(0)
        _, vectors = np.linalg.eigh(np.cov(known.middle - mean, rowvar=False))
        residual = vectors[:, : known.middle.shape[1] // 2]  # eigh: ascending
        length = np.linalg.norm((known.middle - mean) @ residual, axis=1)
        alpha = np.abs(known.scores.max(1)).mean() / max(float(length.mean()), 1e-12)
        return cls(mean, residual, float(alpha))

    def __call__(self, record: Record) -> Array:
        length = np.linalg.norm((record.middle - self.mean) @ self.residual, axis=1)
        return np.asarray(self.alpha * length - logsumexp(record.scores, axis=1))
