"""Integrated gradients (Sundararajan et al. 2017, eq. 1), on a path that is divided until they are complete."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from insml.errors import InsmlError
from insml.explain.activation import Score, input_gradient

_NODES = 4       # of Gauss and Legendre on each piece of the path
_PIECES = 300    # at most
_EACH = 5        # errors of pieces by themselves, against that of their sum
_BATCH = 32


def integrated_gradients(score: Score, x: Tensor, baseline: Tensor, *, tolerance: float = 0.05) -> NDArray[np.float64]:
    """What each input adds to the score on the straight way from a baseline.

    (x - baseline) times the mean of d score / d input on the way. The sum over all inputs is score(x) - score(baseline),
    and so for each piece of the way by itself: pieces are halved where it is not. Normalising layers change fast near an
    input of zeros and hardly at all elsewhere.

    Parameters
    ----------
    x, baseline : (1, n_slices, n0, n1)
    tolerance : largest error of the sum, as a share of the largest change of the score on the way; the errors of all pieces
        together, whatever their signs, may be five times as large.

    Returns
    -------
    (n_slices, n0, n1)

    Raises
    ------
    InsmlError : not complete to ``tolerance`` on 300 pieces, as where the score jumps.
    """
    path = _Path(score, x, baseline)
    pieces, given, wrong = np.array([[0.0, 1.0]]), *path.pieces(np.array([[0.0, 1.0]]))
    while True:
        size, allowed = np.abs(wrong), tolerance * path.span
        if abs(wrong.sum()) <= allowed and size.sum() <= _EACH * allowed:
            return np.asarray(given.sum(0))
        coarse = size > allowed / len(size)
        if len(pieces) + coarse.sum() > _PIECES:
            raise InsmlError("integrated gradients: expected their sum to be the change of the score within "
                             f"{allowed:.3g}, found a difference of {size.sum():.3g} on {len(pieces)} pieces of the way")
        low, high = pieces[coarse].T
        halves = np.concatenate([np.stack([low, (low + high) / 2], 1), np.stack([(low + high) / 2, high], 1)])
        new, left = path.pieces(halves)
        pieces, wrong = np.concatenate([pieces[~coarse], halves]), np.concatenate([wrong[~coarse], left])
        given = np.concatenate([given[~coarse], new])


class _Path:
    """The way from ``baseline`` to ``x``; ``span``: largest change of the score on it found so far."""

    def __init__(self, score: Score, x: Tensor, baseline: Tensor) -> None:
        self.score, self.x, self.baseline, self.span = score, x, baseline, 0.0
        self.start = float(self._scores(np.zeros(1))[0])

    def _at(self, shares: NDArray[np.float64]) -> Tensor:
        t = torch.from_numpy(shares)[:, None, None, None]
        return (self.baseline.double() + t * (self.x - self.baseline).double()).to(self.x.dtype)

    @torch.no_grad()
    def _scores(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [self.score(self._at(part)).double().numpy() for part in _batches(shares)]
        return np.concatenate(parts)

    def pieces(self, ends: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, n_slices, n0, n1) what pieces (n, 2) of the way give, and (n,) by how much their sums are too large."""
        scores = self._scores(ends.ravel()).reshape(-1, 2)
        self.span = max(self.span, float(np.abs(scores - self.start).max()))
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        half = (ends[:, 1] - ends[:, 0]) / 2
        shares = (ends.mean(1)[:, None] + half[:, None] * nodes).ravel()
        amounts = (half[:, None] * weights).ravel()
        way = (self.x - self.baseline)[0].double().numpy()
        given = np.zeros((len(ends), *way.shape))
        number = np.repeat(np.arange(len(ends)), _NODES)
        for part in _batches(np.arange(len(shares))):
            gradient = input_gradient(self.score, self._at(shares[part])).double().numpy()
            np.add.at(given, number[part], amounts[part, None, None, None] * gradient * way)
        return given, given.sum((1, 2, 3)) - (scores[:, 1] - scores[:, 0])


def _batches(a: NDArray[Any]) -> list[NDArray[Any]]:
    return [a[first:first + _BATCH] for first in range(0, len(a), _BATCH)]
