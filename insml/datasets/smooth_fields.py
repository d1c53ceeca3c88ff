"""Random fields that vary slowly over a tile: the shapes of backgrounds and holes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_KNOTS = 5  # per axis


def knots(rng: np.random.Generator, n: int) -> Float32:
    """(n, knots, knots) values between which :func:`field` interpolates."""
    return rng.standard_normal((n, _KNOTS, _KNOTS), np.float32)


def field(values: Float32, shape: tuple[int, ...]) -> Float32:
    """(n, n0, n1) field of about unit size that varies over a quarter of a tile."""
    *_, n0, n1 = shape
    return np.asarray(_interpolation(n0) @ values @ _interpolation(n1).T)


def backgrounds(rng: np.random.Generator, shape: tuple[int, ...], amplitude: Float32) -> Float32:
    """(n, n0, n1) sums of a constant, a paraboloid about a point in or near the tile, and an irregular field.

    ``amplitude`` : (n,) of about what size.
    A matrix product of each slice: rows carry its weights, columns the basis 1, v, v^2 and the knots' interpolation. In one
    product for all, threads of BLAS would wait for each other where images are made by several threads.
    """
    n, n0, n1 = shape
    weight = rng.standard_normal((3, n, 1, 1), np.float32) / np.float32(np.sqrt(3))
    centre = rng.uniform(-0.25, 1.25, (2, n, 1, 1)).astype(np.float32)
    weight *= amplitude[:, None, None]
    u = np.linspace(0, 1, n0, dtype=np.float32)[:, None] - centre[0]
    rows = np.empty((n, n0, 3 + _KNOTS), np.float32)
    rows[..., :1] = weight[0] + weight[1] * (u * u + centre[1] * centre[1])
    rows[..., 1:2] = -2 * weight[1] * centre[1]
    rows[..., 2:3] = weight[1]
    rows[..., 3:] = _interpolation(n0) @ (weight[2] * knots(rng, n))
    return np.asarray(rows @ _basis(n1))


@lru_cache(maxsize=8)
def _interpolation(n: int) -> Float32:
    """(n, knots) smooth weights from knots to pixels (cosine between neighbours)."""
    position = np.linspace(0, _KNOTS - 1, n)
    distance = np.abs(position[:, None] - np.arange(_KNOTS))
    weights = np.where(distance < 1, 0.5 + 0.5 * np.cos(np.pi * distance), 0)
    return np.asarray(weights, np.float32)


@lru_cache(maxsize=8)
def _basis(n: int) -> Float32:
    """(3 + knots, n)"""
    v = np.linspace(0, 1, n, dtype=np.float32)
    return np.concatenate([np.stack([np.ones_like(v), v, v * v]), _interpolation(n).T])
