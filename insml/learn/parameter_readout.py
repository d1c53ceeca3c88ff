"""A linear readout of an image's own parameters, which helps to form features and is left behind after training."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class ParameterReadout(nn.Module):
    """Features (batch, n_features) to the parameters of every class, of which only those of the true one count.

    Targets are in units of their scatter among the training images, so every parameter weighs the same.
    """

    targets: Tensor
    counts: Tensor

    def __init__(self, features: int, theta: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> None:
        """theta : (n, npar) as in ``TrainingSet``, NaN where a candidate has fewer; labels : (n,)."""
        super().__init__()
        width = theta.shape[1]
        self.linear = nn.Linear(features, classes * width)
        targets = np.zeros((len(theta), classes, width))
        counts = np.zeros(targets.shape, bool)
        for c in range(classes):
            own = np.flatnonzero(labels == c)
            centre, scatter = theta[own].mean(0), theta[own].std(0)
            known = np.isfinite(centre) & (scatter > 0)
            scaled = (theta[own] - centre) / np.where(known, scatter, 1.0)
            targets[own, c] = np.where(known, scaled, 0.0)
            counts[own, c] = known
        self.register_buffer("targets", torch.from_numpy(targets.reshape(len(theta), -1)).float(), persistent=False)
        self.register_buffer("counts", torch.from_numpy(counts.reshape(len(theta), -1)), persistent=False)

    def loss(self, features: Tensor, images: Tensor) -> Tensor:
        """Mean squared error in units of the scatter; 1 for a readout that knows nothing. ``images``: numbers (batch,)."""
        counts = self.counts[images]
        error = torch.where(counts, self.linear(features) - self.targets[images], 0.0)
        return error.square().sum() / counts.sum().clamp_min(1)
