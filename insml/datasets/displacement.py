"""Bins a little beside where they are thought to be: sub-pixel shifts of tiles, and of energy between slices.

Linear interpolation: fast, and its blur of up to half a pixel is one more thing that a network should not mind.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.datasets.placement import Placement

Float32 = NDArray[np.float32]


def moved(stack: Float32, shift: tuple[float, float]) -> Float32:
    """The stack moved along the axes of its tiles.

    Parameters
    ----------
    stack : (n_slices, n0, n1).
    shift : pixels towards higher index along both axes, each from -1 to 1; edges are continued.
    """
    for axis, distance in zip((1, 2), shift, strict=True):
        if distance == 0:
            continue
        along = stack.swapaxes(1, axis)
        share = np.float32(abs(distance))
        out = along * (1 - share)
        # swapped and therefore strided where axis is 2; adding up in place costs one temporary
        here, there = (np.s_[:, 1:], np.s_[:, :-1]) if distance > 0 else (np.s_[:, :-1], np.s_[:, 1:])
        edge = 0 if distance > 0 else -1
        out[here] += share * along[there]
        out[:, edge] += share * along[:, edge]
        stack = out.swapaxes(1, axis)
    return stack


def mixed(stack: Float32, placement: Placement, share: NDArray[np.floating]) -> Float32:
    """Each slice with a share of its neighbour in energy.

    Parameters
    ----------
    stack : (n_slices, n0, n1). share : (runs,) of the slice above (positive) or below (negative) of the same run.
    """
    own = np.asarray(share, np.float32)[placement.index]
    other = np.where(own > 0, placement.neighbours[1], placement.neighbours[0])
    part: Float32 = stack[other]
    part -= stack
    part *= np.abs(own)[:, None, None]
    part += stack
    return part
