"""What a network says of many images, kept for everything that is fitted to it afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from insml.learn.appearance import MOMENTS, appearance, gaps
from insml.learn.evaluation_mode import evaluation_mode
from insml.learn.method import Method
from insml.learn.networks.backbone import Backbone

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Record:
    """Of n standardised stacks.

    scores : (n, classes) log scores, the mean probability of all draws as a logarithm where there are several.
    epistemic : (n,) 0 to 1. pooled : for each pooled layer (n, d), fine to coarse. features : (n, n_features).
    appearance : (n, d) :func:`insml.learn.appearance.appearance` of the stacks.
    changes : (n, parts, n_features) what features gain without each part of the slices; of no parts unless they were
    asked for. Where parts belong together, each says what the others say.
    odd : (n, k) :func:`insml.learn.oddness.oddness` of the images; of no numbers unless they were handed over.
    """

    scores: NDArray[np.float64]
    epistemic: NDArray[np.float64]
    pooled: tuple[NDArray[np.float64], ...]
    features: NDArray[np.float64]
    appearance: NDArray[np.float64]
    changes: NDArray[np.float64]
    odd: NDArray[np.float64]

    @classmethod
    @torch.no_grad()
    def of(cls, method: Method, stacks: NDArray[np.float32], *, parts: NDArray[np.int64] | None = None,
           odd: NDArray[np.float64] | None = None, draws: int = 16, seed: int = 0) -> Record:
        """Of standardised stacks (n, n_slices, n0, n1), in evaluation mode and float32. Nothing of ``method`` changes.

        Parameters
        ----------
        parts : (n_slices,) number of the part of each slice, for ``changes``; another pass for each.
        odd : (n, k) of the images, as they were before they were folded.
        """
        device = next(method.parameters()).device
        members = [] if parts is None else [torch.from_numpy(parts == p).to(device) for p in range(int(parts.max()) + 1)]
        scores, epistemic, pooled, features, looks, changes = [], [], [], [], [], []
        with evaluation_mode(method):
            for first in range(0, len(stacks), _BATCH):
                x = torch.from_numpy(stacks[first:first + _BATCH]).to(device)
                layers = method.backbone.pooled(x)
                found = method.backbone.features(layers[-1])
                # the same draws for every image, whatever the batches
                samples = method.draws(x, found, draws, torch.Generator().manual_seed(seed))
                scores.append(samples[0] if len(samples) == 1 else
                              samples.log_softmax(-1).logsumexp(0) - float(np.log(len(samples))))
                epistemic.append(method.epistemic(samples))
                pooled.append(layers)
                features.append(found)
                changes.append(_changes(method.backbone, x, found, members))
                looks.append(appearance(stacks[first:first + _BATCH]))
        return cls(_array(scores), _array(epistemic), tuple(map(_array, zip(*pooled, strict=True))), _array(features),
                   np.concatenate(looks), _array(changes), np.zeros((len(stacks), 0)) if odd is None else odd)

    @classmethod
    def joined(cls, records: Sequence[Record]) -> Record:
        """One after the other."""
        return cls(np.concatenate([r.scores for r in records]), np.concatenate([r.epistemic for r in records]),
                   tuple(map(np.concatenate, zip(*(r.pooled for r in records), strict=True))),
                   *(np.concatenate([getattr(r, name) for r in records])
                     for name in ("features", "appearance", "changes", "odd")))

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Record:
        """Of some of the images."""
        return Record(self.scores[which], self.epistemic[which], tuple(layer[which] for layer in self.pooled),
                      self.features[which], self.appearance[which], self.changes[which], self.odd[which])

    @property
    def middle(self) -> NDArray[np.float64]:
        """The pooled layer in the middle. The last features keep only what tells the candidates apart, so they can miss
        images that are strange in all other respects."""
        return self.pooled[(len(self.pooled) - 1) // 2]

    @property
    def slices(self) -> int:
        """Of the stacks."""
        return int(self.appearance.shape[1]) // MOMENTS

    @property
    def gaps(self) -> NDArray[np.float64]:
        """(n, 2) :func:`insml.learn.appearance.gaps` of the stacks."""
        return gaps(self.appearance)


def _changes(backbone: Backbone, x: Tensor, features: Tensor, members: Sequence[Tensor]) -> Tensor:
    """(batch, parts, n_features); a part that is missing is 0, as in the standard form."""
    if not members:
        return features.new_zeros(len(features), 0, features.shape[1])
    return torch.stack([backbone(x.masked_fill(own[:, None, None], 0)) - features for own in members], 1)


def _array(parts: object) -> NDArray[np.float64]:
    return np.asarray(torch.cat(list(parts)).double().cpu().numpy())  # type: ignore[call-overload]
