"""Pixels without detector: patches, single rows and columns, and tubes that are missing in all slices of a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.datasets import smooth_fields
from insml.datasets.placement import Placement

BoolArray = NDArray[np.bool_]

_ENOUGH = 500  # pixels of a slice that tell how much of a smooth field is above a value


def patches(rng: np.random.Generator, fraction: float, shape: tuple[int, ...]) -> BoolArray:
    """(n_slices, n0, n1) True in a share ``fraction`` of each slice, partly in the same places, and in single
    lines."""
    ns, n0, n1 = shape
    field = smooth_fields.field(smooth_fields.knots(rng, ns) + 2 * smooth_fields.knots(rng, 1), shape)
    some = field.reshape(ns, -1)[:, ::max(1, n0 * n1 // _ENOUGH)]
    cut = min(int((1 - fraction) * some.shape[1]), some.shape[1] - 1)
    threshold = np.partition(some, cut, axis=1)[:, cut]
    mask = field > threshold[:, None, None]
    mask |= (rng.random((ns, n0, 1)) < 0.05 * fraction) | (rng.random((ns, 1, n1)) < 0.05 * fraction)
    return np.asarray(mask)


def missing_tubes(rng: np.random.Generator, fraction: float, placement: Placement) -> BoolArray:
    """(n_slices, n0, n1) True on rows, columns and arcs of constant |Q|, the same in all slices of a run.

    Lines are dropped until ``fraction`` of a tile is gone, the last one with such a chance that this is the mean.
    """
    q, half = placement.q, 0.5 * placement.pixel
    n0, n1 = q.shape
    gone = np.zeros((placement.runs, n0, n1), bool)
    for tile in gone:
        covered = 0.0
        while covered < fraction:
            kind, place, chance = rng.random(3)
            line = np.zeros_like(tile)
            if kind < 1 / 3:
                line[int(place * n0)] = True
            elif kind < 2 / 3:
                line[:, int(place * n1)] = True
            else:
                line = np.abs(q - place * q.max()) < half
            after = np.count_nonzero(tile | line) / tile.size
            if after >= fraction:
                if chance * (after - covered) < fraction - covered:
                    tile |= line
                break
            tile |= line
            covered = after
    return np.asarray(gone[placement.index])
