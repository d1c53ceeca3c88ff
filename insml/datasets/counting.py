"""The noise of counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml import _core

Float32 = NDArray[np.float32]


def add_counting_noise(signal: Float32, subtracted: Float32, unit: Float32, rng: np.random.Generator, *, whole: bool
                       ) -> None:
    """Add to a stack, in place, the noise of what is counted in each pixel: max(signal, 0) + subtracted.

    Parameters
    ----------
    signal : (n_slices, n0, n1), contiguous. subtracted : (n_slices,) background that is gone from the mean but not from the
        noise. unit : (n_slices,) intensity of one count.
    rng : gives the seed, all else follows from that.
    whole : Poisson counts, within 0.003 of the distribution function (rust/insml-core/src/counting.rs); otherwise Gaussian
        noise of the same variance.
    """
    _core.counting_noise(signal, subtracted, unit, whole=whole, seed=int(rng.integers(1 << 63)))
