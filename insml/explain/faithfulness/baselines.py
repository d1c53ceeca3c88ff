"""What a map of a network has to beat: no knowledge at all, and knowledge of the image alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import sobel

Array = NDArray[np.float64]


def edges(x: NDArray[np.floating], mask: NDArray[np.bool_]) -> Array:
    """(n_slices, n0, n1) length of Sobel's gradient in each slice of a standardised stack, 0 where masked.

    It knows nothing of any network: a map that looks like it may be a picture of the image (Adebayo et al. 2018).
    """
    lengths = [np.hypot(sobel(tile, axis=0), sobel(tile, axis=1)) for tile in np.asarray(x, float)]
    return np.where(mask, 0, np.stack(lengths))


def random_ranks(ranks: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Ranks (``slice_ranks``, ``pixel_ranks``) of the same steps in random order: whole slices stay whole."""
    n_slices = len(ranks)
    flat = ranks.reshape(n_slices, -1)
    if (flat == flat[:, :1]).all():
        return np.broadcast_to(rng.permutation(flat[:, 0])[:, None, None], ranks.shape)
    used = ranks >= 0
    out = ranks.copy()
    out[used] = rng.permutation(ranks[used])
    return out
