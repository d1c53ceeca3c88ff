"""The image as it would be if the rival were right: its own signal exchanged for the rival's, all else (noise, background,
gaps) as it is.

From there to the image, integrated gradients say what makes the network prefer one candidate to the other: they add up to
the difference of the log odds between the two. Where an image looks the same under both candidates nothing is given,
whatever the network thinks of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.answer import ModelFit
from insml.explain.rival import noise_variance
from insml.infer.linear import LinearModel
from insml.mosaic import Mosaic
from insml.study import Study

Array = NDArray[np.float64]


def exchanged(signal: NDArray[Any], own: ModelFit, rival: ModelFit) -> Array:
    """(n_slices, n0, n1) of a measured stack, and the best fits of two candidates to it."""
    return np.asarray(signal + (rival.best_fit.stack - own.best_fit.stack))


def exchanged_known(study: Study, signal: NDArray[Any], mask: NDArray[np.bool_], own: NDArray[Any], rival: NDArray[Any],
                    *, relative_noise: float = 0.3) -> Array:
    """The same for a spoilt simulation, whose own clean stack is known, and the clean stack of a rival.

    Both get the scale and the background that fit the spoilt one best, as in a fit. relative_noise : as of
    :func:`insml.explain.nearest_rivals`; how much of it there is in all makes no difference.
    """
    one, other = np.asarray(own, float), np.asarray(rival, float)
    variance = noise_variance(one, relative_noise)
    linear = LinearModel(study, Mosaic.from_stack(np.asarray(signal, float), mask, study.layout, variance=variance))
    one, other = (linear.assemble(stack, linear.solve(stack)) for stack in (one, other))
    return np.asarray(signal + (other - one))
