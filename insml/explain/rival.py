"""What a simulated image ought to be told apart by: the likelihood ratio to its nearest rival, slice by slice.

Of an image whose model is known no fit is needed for its own side. For the other side the nearest image of any other
candidate is looked for in a set of simulated ones, each with the best scale and background in closed form as in
:mod:`insml.infer.linear`, but for all of them at once; and its parameters are then improved.

The likelihood ratio is that of the mean: for data that are the image itself the own model leaves nothing, so half the
rival's chi2 is what is expected of noisy data. Noise as in training: variance = (relative noise)^2 * level * (signal + what
was subtracted), see ``Corruption``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.conditions import Condition, simulator
from insml.datasets.store import TrainingSet
from insml.errors import InsmlError, UnstableStructureError
from insml.infer.library import chi2_of_library
from insml.infer.linear import LinearModel
from insml.mosaic import Mosaic
from insml.study import Study

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_SUBTRACTED = 0.25  # of a slice's level, what a background of up to half of it leaves in the noise on average
_DIFFERENCE = 3e-4  # of the prior's width
_IMAGES = 32        # at a time
_SETTLED = 0.01     # share of chi2 below which another step is not worth its simulations
_HALVINGS = 4       # of a step that leads up or into an unstable structure


@dataclass(frozen=True, eq=False)
class Rivals:
    """Of n images.

    Attributes
    ----------
    labels, rivals : (n,) classes. library : (n,) number of the nearest image in the set.
    values : (n,) parameters of the rival by name, meV.
    ratio : (n, n_slices) log-likelihood ratio of the own model to the rival, >= 0; 0 for a slice without detector.
    """

    labels: NDArray[np.int64]
    rivals: NDArray[np.int64]
    library: NDArray[np.int64]
    values: tuple[dict[str, float], ...]
    ratio: Array


def noise_variance(clean: Array, relative_noise: float) -> Array:
    """(n_slices, n0, n1) of the counts behind a clean stack: relative_noise^2 level (signal + 0.25 level).

    ``level`` of a slice is sum(I^2) / sum(I), half way (in logarithm) to the mean of all slices, as ``Corruption`` draws it
    on average; a slice without signal still counts something.
    """
    total = clean.sum((1, 2))
    own = np.divide((clean**2).sum((1, 2)), total, out=np.zeros(len(clean)), where=total > 0)
    common = float(own[own > 0].mean()) if own.any() else 1.0
    level = np.sqrt(np.maximum(own, 0.02 * common) * common)[:, None, None]
    return np.asarray(relative_noise**2 * level * (np.maximum(clean, 0) + _SUBTRACTED * level))


def nearest_rivals(study: Study, library: TrainingSet, clean: NDArray[Any], labels: NDArray[np.int64], *,
                   masks: BoolArray | None = None, relative_noise: float = 0.3) -> Rivals:
    """The nearest image of another candidate for each of many images.

    Parameters
    ----------
    library : clean images of the study, of every candidate.
    clean : (n, n_slices, n0, n1) simulated images without noise. labels : (n,) their classes.
    masks : (n, n_slices, n0, n1) or (n_slices, n0, n1), True without detector; None for none.
    relative_noise : sigma at a pixel as bright as the level of its slice; the ratio goes as its inverse square.

    Notes
    -----
    The cost is 2 + (number of background terms) products of the library with a matrix of n columns. A set of some thousand
    images is sparse in six parameters, so what is left of the nearest is partly parameters that do not fit:
    :func:`refined_rival` takes that away.

    Raises
    ------
    InsmlError : images of other shapes; a class without a rival in the library.
    """
    n = len(clean)
    if clean.shape[1:] != library.layout.stack_shape or len(labels) != n:
        raise InsmlError(f"nearest rivals: expected images of shape {library.layout.stack_shape} and a label for each, "
                         f"found {clean.shape} and {len(labels)} labels")
    hidden = np.broadcast_to(False if masks is None else masks, clean.shape)
    found: list[tuple[NDArray[np.int64], Array]] = []
    for first in range(0, n, _IMAGES):
        some = slice(first, first + _IMAGES)
        variance = np.stack([noise_variance(np.asarray(c, float), relative_noise) for c in clean[some]])
        parts = chi2_of_library(study, library, clean[some], variance, hidden[some])
        chi2 = np.where(library.labels[:, None] == labels[some], np.inf, parts.sum(0))
        nearest, images = chi2.argmin(0), np.arange(chi2.shape[1])
        if not np.isfinite(chi2[nearest, images]).all():
            raise InsmlError("nearest rivals: expected images of at least one other candidate in the set, found none")
        found.append((nearest, parts[:, nearest, images].T / 2))
    nearest = np.concatenate([numbers for numbers, _ in found])
    return Rivals(labels, library.labels[nearest], nearest, tuple(library.parameters(int(i)) for i in nearest),
                  np.concatenate([ratio for _, ratio in found]))


def refined_rival(study: Study, rivals: Rivals, i: int, clean: NDArray[Any], *, condition: Condition | None = None,
                  mask: BoolArray | None = None, relative_noise: float = 0.3, steps: int = 6, threads: int = 0) -> Rivals:
    """The rivals with the parameters of number ``i`` improved by Gauss-Newton steps within the priors.

    Parameters
    ----------
    clean : (n_slices, n0, n1) the image. condition : under which it was simulated; None for what the study states.
    steps : at most. mask, relative_noise : as of :func:`nearest_rivals`. threads : of the simulation, 0 for one per core.

    Notes
    -----
    A step simulates once for each parameter and once or more for itself; steps end where one gains less than 1 % of chi2.
    The result is never further away than the start.
    """
    name = list(study.candidates)[int(rivals.rivals[i])]
    candidate = study.candidates[name]
    image = np.asarray(clean, float)
    hidden = np.zeros(image.shape, bool) if mask is None else mask
    variance = noise_variance(image, relative_noise)
    linear = LinearModel(study, Mosaic.from_stack(image, hidden, study.layout, variance=variance))
    simulate = simulator(study, name, condition or Condition(), threads).stack
    low, high = np.array([p.prior for p in candidate.parameters]).T

    def residual(x: Array) -> Array | None:
        try:
            return linear.residual(simulate(dict(zip(candidate.names, (low + (high - low) * x).tolist(), strict=True))))
        except UnstableStructureError:
            return None

    x = np.clip((np.array([rivals.values[i][p] for p in candidate.names]) - low) / (high - low), 0, 1)
    here = residual(x)
    for _ in range(steps if here is not None else 0):
        assert here is not None
        jacobian = _differences(residual, x, here)
        step = np.linalg.lstsq(jacobian, -here, rcond=1e-8)[0]
        for _ in range(_HALVINGS):
            there = np.clip(x + step, 0, 1)
            found = residual(there)
            if found is not None and found @ found < here @ here:
                break
            step = step / 2
        else:
            break
        gained = 1 - (found @ found) / (here @ here)
        x, here = there, found
        if gained < _SETTLED:
            break
    if here is None or here @ here >= 2 * rivals.ratio[i].sum():
        return rivals
    values, ratio = list(rivals.values), rivals.ratio.copy()
    values[i] = dict(zip(candidate.names, (low + (high - low) * x).tolist(), strict=True))
    ratio[i] = linear.chi2_per_slice(here) / 2
    return replace(rivals, values=tuple(values), ratio=ratio)


def _differences(residual: Callable[[Array], Array | None], x: Array, here: Array) -> Array:
    """(n_pixels, n_parameters); forward, backward at the upper edge and beside an unstable region, else 0."""
    out = np.zeros((here.size, x.size))
    for i in range(x.size):
        for step in (_DIFFERENCE, -_DIFFERENCE):
            there = x.copy()
            there[i] += step
            found = residual(there) if 0 <= there[i] <= 1 else None
            if found is not None:
                out[:, i] = (found - here) / step
                break
    return out
