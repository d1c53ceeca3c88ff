"""How strange an image is to a trained network: a mixture of Gaussians over its features, one per group (as in DDU, where
groups are classes)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FeatureDensity:
    """Mixture of one Gaussian per group over features, all of one weight.

    Attributes
    ----------
    means : (groups, d).
    factors : (groups, d, d) lower Cholesky factors of the covariances. Both are numbers of single precision.
    """

    means: Array
    factors: Array

    @classmethod
    def fit(cls, features: Array, groups: NDArray[np.int64], number: int, blur: float = 0.0) -> FeatureDensity:
        """Mean and shrunk covariance of each group, through a Gaussian of sigma ``blur``; features (n, d), groups (n,) from
        0 to ``number`` - 1. Covariances shrink in units of each feature's own scatter, so that units do not matter."""
        features = np.asarray(features, float)
        scatter = features.std(0)
        scale = np.where(scatter > 0, scatter, 1.0)
        members = [features[groups == g] for g in range(number)]
        more = np.diag((blur / scale) ** 2)
        factors = [scale[:, None] * np.linalg.cholesky(shrunk_covariance(m / scale) + more) for m in members]
        return cls(_single(np.stack([m.mean(0) for m in members])), _single(np.stack(factors)))

    def score(self, features: Array) -> Array:
        """(n,) strangeness: -2/d times the log density, up to a constant; larger is stranger.

        Near 1 plus a constant for typical images; grows as the squared Mahalanobis distance per feature to the nearest
        group.
        """
        d = self.means.shape[1]
        log_density = []
        for mean, factor in zip(self.means, self.factors, strict=True):
            white = solve_triangular(factor, (np.asarray(features, float) - mean).T, lower=True)
            log_density.append(-0.5 * np.square(white).sum(0) - np.log(np.diag(factor)).sum())
        return np.asarray(-2 / d * np.logaddexp.reduce(np.stack(log_density), axis=0))


def _single(x: Array) -> Array:
    return x.astype(np.float32).astype(float)


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
