"""Distance of the features from the nearest class, in units of the scatter within classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from insml.learn.record import Record
from insml.learn.scores.score import Array, Score
from insml.learn.uncertainty.density import shrunk_covariance


@dataclass(frozen=True, eq=False)
class Mahalanobis(Score):
    """Squared distance in the covariance that all classes share (Lee et al. 2018), of the middle layer.

    means : (classes, d). whiten : (d, d), the inverse Cholesky factor of the shared covariance.
    """

    kind: ClassVar[str] = "mahalanobis"
    means: Array
    whiten: Array

    @classmethod
    def fit(cls, known: Record, labels: NDArray[np.int64], classes: int) -> Self:
        means = np.stack([known.middle[labels == c].mean(0) for c in range(classes)])
        return cls(means, _whitening(known.middle - means[labels]))

    def __call__(self, record: Record) -> Array:
        return np.asarray(_distances(record.middle, self.means, self.whiten).min(1))


@dataclass(frozen=True, eq=False)
class RelativeMahalanobis(Score):
    """The same less the distance in one Gaussian of all images (Ren et al. 2021): what is common to all images does
    not count.

    own : within classes. mean, whiten : (d,), (d, d) of all images.
    """

    kind: ClassVar[str] = "relative-mahalanobis"
    own: Mahalanobis
    mean: Array
    whiten: Array

    @classmethod
    def fit(cls, known: Record, labels: NDArray[np.int64], classes: int) -> Self:
        mean = known.middle.mean(0)
        return cls(Mahalanobis.fit(known, labels, classes), mean, _whitening(known.middle - mean))

    def __call__(self, record: Record) -> Array:
        return np.asarray(self.own(record) - _distances(record.middle, self.mean[None], self.whiten)[:, 0])


def _whitening(deviations: Array) -> Array:
    factor = np.linalg.cholesky(shrunk_covariance(deviations))
    return np.asarray(np.linalg.inv(factor))


def _distances(x: Array, means: Array, whiten: Array) -> Array:
    """(n, classes) squared."""
    return np.stack([np.square((x - mean) @ whiten.T).sum(1) for mean in means], axis=1)
