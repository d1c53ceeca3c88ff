"""Which fit leads, and which slices make it lead: the order in which a report tells things."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.answer import Answer

Array = NDArray[np.float64]


def ranking(answer: Answer) -> tuple[str, ...]:
    """Names of the fitted candidates, largest log evidence first."""
    return tuple(sorted(answer.fits, key=lambda name: -answer.fits[name].log_evidence))


def contrasts(answer: Answer) -> dict[str, Array]:
    """chi2 of each other candidate minus that of the leading one, (n_slices,); positive speaks for the leading one."""
    best, *others = ranking(answer) or ("",)
    return {name: answer.fits[name].chi2_per_slice - answer.fits[best].chi2_per_slice for name in others}


def log_ratios(answer: Answer) -> dict[str, Array]:
    """Log-likelihood ratio of the leading candidate to each other one, (n_slices,); positive speaks for the leading one."""
    return {name: values / (2 * answer.fits[name].noise) for name, values in contrasts(answer).items()}


def shares(values: Array) -> Array:
    """Of the sum, 0 where there is none."""
    return np.asarray(values / max(float(values.sum()), 1e-300))


def decisive_by_chi2(answer: Answer, count: int) -> tuple[int, ...]:
    """Slices in which the leading two fits differ most, largest |difference of chi2| first."""
    found = contrasts(answer)
    if not found:
        return ()
    return _largest(np.abs(next(iter(found.values()))), count)


def decisive_by_saliency(answer: Answer, count: int) -> tuple[int, ...]:
    """Slices the network looked at most, largest mean saliency first."""
    return () if answer.classification is None else _largest(answer.classification.slice_saliency, count)


def _largest(values: Array, count: int) -> tuple[int, ...]:
    order = np.argsort(-values, kind="stable")[:count]
    return tuple(int(s) for s in order if values[s] > 0)
