"""Does any parameter set reproduce an image? Chi2 of the nearest simulated image of any candidate.

The strangeness that needs no network: what no candidate can make at any parameters is another thing. Fits of
:mod:`insml.infer.refine` say it of one image in minutes; a set of simulated images says it of thousands, up to how densely
it fills the priors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.cleaning import clean
from insml.datasets.store import TrainingSet
from insml.infer.library import chi2_of_library
from insml.mosaic import Mosaic
from insml.study import Study

Array = NDArray[np.float64]

_IMAGES = 32  # at a time


def nearest_chi2(study: Study, library: TrainingSet, images: Sequence[tuple[NDArray[Any], NDArray[np.bool_]]],
                 own: NDArray[np.int64] | None = None) -> Array:
    """(n,) chi2 per pixel of each image against the nearest of the library, at the best scale and background.

    Parameters
    ----------
    images : signal and mask (n_slices, n0, n1). Hot pixels are left out, and variances are estimated from the scatter
        between neighbours (:func:`insml.cleaning.clean`).
    own : (n,) numbers in the library that do not count, where images were made from some of it.
    """
    out: list[Array] = []
    for first in range(0, len(images), _IMAGES):
        some = images[first:first + _IMAGES]
        cleaned = [clean(Mosaic.from_stack(np.asarray(signal, float), mask, study.layout), study.data)
                   for signal, mask in some]
        hidden = np.stack([m.stack_mask for m in cleaned])
        variance = np.stack([v for m in cleaned if (v := m.stack_variance) is not None])
        chi2 = chi2_of_library(study, library, np.stack([m.stack for m in cleaned]), variance, hidden).sum(0)
        if own is not None:
            chi2[own[first:first + _IMAGES], np.arange(len(some))] = np.inf
        out.append(chi2.min(0) / np.maximum((~hidden).sum((1, 2, 3)), 1))
    return np.concatenate(out)
