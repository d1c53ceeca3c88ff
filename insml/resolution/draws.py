"""Points at which the variables of a neutron's flight are drawn for images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

#: Standard deviations beyond which Gaussian variables are not drawn in :func:`deviates`.
FARTHEST = 4.0


def sobol(count: int, dimensions: int) -> NDArray[np.uint32]:
    """The first ``count`` points of Sobol's sequence, 32 bits each."""
    points = qmc.Sobol(dimensions, scramble=False, bits=32).random_base2(int(np.ceil(np.log2(max(count, 2)))))
    return np.ascontiguousarray((points[:count] * 2.0**32).astype(np.uint32))


def deviates(count: int, uniform: int, gaussian: int) -> NDArray[np.float64]:
    """(count, uniform + gaussian), a power of two of them: mean zero, variance 1/12."""
    # in the middle of equal intervals
    u = sobol(count, uniform + gaussian) / 2.0**32 + 0.5 / count
    u[:, uniform:] = np.clip(ndtri(u[:, uniform:]), -FARTHEST, FARTHEST) / np.sqrt(12.0) + 0.5
    return np.ascontiguousarray(u - 0.5)
