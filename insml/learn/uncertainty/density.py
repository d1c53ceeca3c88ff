"""How strange an image is to a trained network: class-wise Gaussian density of its pooled features (as in DDU)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FeatureDensity:
    """Mixture of one Gaussian per class over features.

    Attributes
    ----------
    means : (classes, d).
    factors : (classes, d, d) lower Cholesky factors of the covariances.
    """

    means: Array
    factors: Array

    @classmethod
    def fit(cls, features: Array, labels: NDArray[np.int64], classes: int, blur: float = 0.0) -> FeatureDensity:
        """Mean and shrunk covariance of each class, through a Gaussian of sigma ``blur``; features (n, d), labels (n,)."""
        groups = [np.asarray(features[labels == c], float) for c in range(classes)]
        more = blur**2 * np.eye(features.shape[1])
        return cls(np.stack([g.mean(0) for g in groups]),
                   np.stack([np.linalg.cholesky(shrunk_covariance(g) + more) for g in groups]))

    def score(self, features: Array) -> Array:
        """(n,) strangeness: -2/d times the log density, up to a constant; larger is stranger.

        Near 1 plus a constant for typical images; grows as the squared Mahalanobis distance per feature to the nearest
        class.
        """
        d = self.means.shape[1]
        log_density = []
        for mean, factor in zip(self.means, self.factors, strict=True):
            white = solve_triangular(factor, (np.asarray(features, float) - mean).T, lower=True)
            log_density.append(-0.5 * np.square(white).sum(0) - np.log(np.diag(factor)).sum())
        return np.asarray(-2 / d * np.logaddexp.reduce(np.stack(log_density), axis=0))


def shrunk_covariance(x: Array) -> Array:
    """Ledoit-Wolf: mix with a multiple of the identity by the weight that minimises the expected error."""
    n, d = x.shape
    x = x - x.mean(0)
    sample = x.T @ x / n
    target = np.trace(sample) / d
    spread = np.square(sample).sum() - d * target**2
    error = (np.square(np.square(x).sum(1)).sum() / n - np.square(sample).sum()) / n
    weight = 1.0 if spread <= 0 else float(np.clip(error / spread, 0, 1))
    # Features that never move must not make every deviation infinitely strange.
    floor = 1e-6 * max(target, 1e-12)
    return np.asarray((1 - weight) * sample + (weight * target + floor) * np.eye(d))
