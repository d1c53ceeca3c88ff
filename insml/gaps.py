"""Where an image without a mask was not measured: connected regions of exact zeros."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Fewest pixels of exact zero, connected by their sides, that are taken as a gap between detectors.
GAP = 12

_IN_A_TILE = np.array([[[0, 0, 0]] * 3, [[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[0, 0, 0]] * 3], bool)


def zero_regions(stack: NDArray[Any]) -> NDArray[np.bool_]:
    """(n_slices, n0, n1) True where at least ``GAP`` connected pixels of a slice are exactly 0.

    Noise that was clipped at 0 makes such regions too, and nothing tells them apart: who reads images in this way must be
    trained on images that were read in this way.
    """
    from scipy.ndimage import label

    regions, n = label(stack == 0, _IN_A_TILE)
    large = np.bincount(regions.ravel(), minlength=n + 1) >= GAP
    large[0] = False  # region 0 is what is not zero
    return np.asarray(large[regions], bool)
