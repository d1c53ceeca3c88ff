"""What a network, or several, say of many images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """Of n images.

    probability : (n, classes), calibrated. strangeness : (n,) out-of-distribution score in standard deviations of held-out
    simulations, above their mean. p_value : (n,) of it, small for strange images. epistemic : (n,) 0 to 1.
    """

    probability: Array
    strangeness: Array
    p_value: Array
    epistemic: Array

    @classmethod
    def together(cls, members: Sequence[Answers]) -> Answers:
        """Of an ensemble (Lakshminarayanan et al. 2017): the mean probability.

        What the members disagree about is the epistemic part: the mutual information of class and member over
        ln(classes). Twice the mean of p-values is a p-value however they depend on each other (Rueschendorf 1982).
        """
        p = np.stack([m.probability for m in members])
        mean = p.mean(0)
        information = _entropy(mean) - _entropy(p).mean(0)
        return cls(mean, np.mean([m.strangeness for m in members], axis=0),
                   np.minimum(1, 2 * np.mean([m.p_value for m in members], axis=0)),
                   np.clip(information / np.log(p.shape[-1]), 0, 1))


def _entropy(p: Array) -> Array:
    return np.asarray(-(p * np.log(np.maximum(p, 1e-300))).sum(-1))
