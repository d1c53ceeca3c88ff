"""What a network says of many images, kept for everything that is fitted to it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from insml.learn.appearance import appearance, gaps
from insml.learn.evaluation_mode import evaluation_mode
from insml.learn.method import Method

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Record:
    """Of n standardised stacks.

    scores : (n, classes) log scores, the mean probability of all draws as a logarithm where there are several.
    epistemic : (n,) 0 to 1. pooled : for each pooled layer (n, d), fine to coarse. features : (n, n_features).
    appearance : (n, d) :func:`insml.learn.appearance.appearance` of the stacks.
    """

    scores: NDArray[np.float64]
    epistemic: NDArray[np.float64]
    pooled: tuple[NDArray[np.float64], ...]
    features: NDArray[np.float64]
    appearance: NDArray[np.float64]

    @classmethod
    @torch.no_grad()
    def of(cls, method: Method, stacks: NDArray[np.float32], *, draws: int = 16, seed: int = 0) -> Record:
        """Of standardised stacks (n, n_slices, n0, n1), in evaluation mode and float32. Nothing of ``method`` changes."""
        device = next(method.parameters()).device
        scores, epistemic, pooled, features, looks = [], [], [], [], []
        with evaluation_mode(method):
            for first in range(0, len(stacks), _BATCH):
                x = torch.from_numpy(stacks[first:first + _BATCH]).to(device)
                layers = method.backbone.pooled(x)
                # the same draws for every image, whatever the batches
                samples = method.draws(x, draws, torch.Generator().manual_seed(seed))
                scores.append(samples[0] if len(samples) == 1 else
                              samples.log_softmax(-1).logsumexp(0) - float(np.log(len(samples))))
                epistemic.append(method.epistemic(samples))
                pooled.append(layers)
                features.append(method.backbone.features(layers[-1]))
                looks.append(appearance(stacks[first:first + _BATCH]))
        return cls(_array(scores), _array(epistemic), tuple(map(_array, zip(*pooled, strict=True))), _array(features),
                   np.concatenate(looks))

    @classmethod
    def joined(cls, records: Sequence[Record]) -> Record:
        """One after the other."""
        return cls(np.concatenate([r.scores for r in records]), np.concatenate([r.epistemic for r in records]),
                   tuple(map(np.concatenate, zip(*(r.pooled for r in records), strict=True))),
                   np.concatenate([r.features for r in records]), np.concatenate([r.appearance for r in records]))

    @property
    def middle(self) -> NDArray[np.float64]:
        """The pooled layer in the middle. The last features keep only what tells the candidates apart, so they can miss
        images that are strange in all other respects."""
        return self.pooled[(len(self.pooled) - 1) // 2]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """(n, 2) :func:`insml.learn.appearance.gaps` of the stacks."""
        return gaps(self.appearance)


def _array(parts: object) -> NDArray[np.float64]:
    return np.asarray(torch.cat(list(parts)).double().cpu().numpy())  # type: ignore[call-overload]
