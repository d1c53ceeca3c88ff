"""Bins a little beside where they are thought to be: sub-pixel shifts of tiles, and of energy between slices.

Linear interpolation: fast, and its blur of up to half a pixel is one more thing that a network should not mind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml import _core

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Displacement:
    """Where a stack (n_slices, n0, n1) is to lie.

    Attributes
    ----------
    mirrored, swapped : axes of tiles that are turned over, and whether they are exchanged afterwards (n0 == n1).
    shift : pixels towards higher index along both axes, each from -1 to 1; edges are continued.
    other, share : (n_slices,) each slice gets a share, from 0 to 1, of another one instead of its own.
    scale : (n_slices,) that multiplies all.
    """

    mirrored: tuple[bool, bool]
    swapped: bool
    shift: tuple[float, float]
    other: NDArray[np.int64]
    share: Float32
    scale: Float32

    def apply(self, stack: NDArray[Any]) -> Float32:
        """The stack, displaced in the order of the attributes."""
        kept = stack if stack.dtype in (np.float16, np.float32) else stack.astype(np.float32)
        return _core.displaced(np.ascontiguousarray(kept), mirrored=self.mirrored, swapped=self.swapped, shift=self.shift,
                               other=self.other, share=self.share, scale=self.scale)

    def turned(self, tiles: NDArray[Any]) -> NDArray[Any]:
        """(n, n0, n1), mirrored and swapped alone."""
        tiles = np.flip(tiles, tuple(axis for axis, mirrored in zip((1, 2), self.mirrored, strict=True) if mirrored))
        return tiles.swapaxes(1, 2) if self.swapped else tiles
