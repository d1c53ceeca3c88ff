"""Maps of coarser layers brought to the pixels of the input, where they belong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def register(cam: Array, stride: tuple[int, int], first: tuple[float, float], shape: tuple[int, int]) -> Array:
    """Maps at the resolution of the input.

    Parameters
    ----------
    cam : (..., rows, columns); entry (i, j) is centred on input pixel ``first + stride * (i, j)``, the middle of what it
        depends on (``MapLayer``).
    shape : of the input.

    Returns
    -------
    (..., *shape), bilinear between the centres, constant beyond the outermost. A plain resize to ``shape`` would put
    features up to half a receptive field away from their cause at the edges.
    """
    rows, columns = (_linear(*each) for each in zip(cam.shape[-2:], stride, first, shape, strict=True))
    return np.asarray(rows @ cam @ columns.T)


def _linear(n: int, stride: int, first: float, size: int) -> Array:
    """(size, n) weights of linear interpolation."""
    position = np.clip((np.arange(size) - first) / stride, 0, n - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(position[:, None] - np.arange(n))))
