"""Deletion and insertion (Petsiuk et al. 2018): what a score does while pixels go, or come, in the order of a map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from insml.explain.activation import Score

Array = NDArray[np.float64]
#: (n_slices, n0, n1): in which step a pixel goes, from 0; -1 where there is nothing to take.
Ranks = NDArray[np.int64]

_BATCH = 32


def slice_ranks(values: Array, covered: NDArray[np.bool_], shape: tuple[int, int]) -> Ranks:
    """Slices as a whole, the largest value first, one per step. values, covered : (n_slices,)."""
    ranks = np.full(len(values), -1)
    used = np.flatnonzero(covered)
    ranks[used[np.argsort(-values[used], kind="stable")]] = np.arange(len(used))
    return np.broadcast_to(ranks[:, None, None], (len(values), *shape))


def pixel_ranks(maps: Array, mask: NDArray[np.bool_], steps: int = 50) -> Ranks:
    """Pixels, the largest value first, as many in each of ``steps``."""
    ranks = np.full(maps.shape, -1)
    used = np.flatnonzero(~mask)
    order = used[np.argsort(-maps.ravel()[used], kind="stable")]
    ranks.flat[order] = np.arange(len(used)) * steps // max(len(used), 1)
    return ranks


@torch.no_grad()
def curve(score: Score, x: Tensor, ranks: Ranks, *, insert: bool = False) -> Array:
    """(steps + 1,) the score after each step.

    Parameters
    ----------
    x : (1, n_slices, n0, n1) standardised; what is taken away becomes 0, a slice's median.
    insert : begin with nothing and put back, instead of beginning with all.
    """
    steps, order = int(ranks.max(initial=-1)) + 1, torch.from_numpy(np.ascontiguousarray(ranks))
    scores = []
    for first in range(0, steps + 1, _BATCH):
        done = torch.arange(first, min(first + _BATCH, steps + 1))[:, None, None, None]
        gone = (order < done) == (not insert)
        scores.append(score(torch.where(gone, 0, x)))
    return np.asarray(torch.cat(scores).double().numpy())


@dataclass(frozen=True)
class Areas:
    """Mean of a score over the steps. A good map makes it fall early (small ``deletion``) and rise early (large
    ``insertion``)."""

    deletion: float
    insertion: float


def areas(score: Score, x: Tensor, ranks: Ranks) -> Areas:
    """Under both curves, by the trapezoidal rule over the share of steps done."""
    falling, rising = (curve(score, x, ranks, insert=insert) for insert in (False, True))
    return Areas(_area(falling), _area(rising))


def _area(values: Array) -> float:
    return float(values[0]) if len(values) == 1 else float((values[1:] + values[:-1]).mean() / 2)


def sigmas_above(values: Array, random: Array, *, smaller_is_better: bool = False) -> float:
    """How many standard deviations the mean over images lies on the better side of that of random orders.

    Parameters
    ----------
    values : (n,) of n images. random : (n, draws) of random orders of the same images; the spread is that of the mean over
        images from draw to draw.
    """
    means = random.mean(0)
    better = float(means.mean() - values.mean()) if smaller_is_better else float(values.mean() - means.mean())
    spread = float(means.std(ddof=1))
    return better / spread if spread > 0 else float(np.copysign(np.inf, better)) if better else 0.0
