"""How good a cleaned image is, and whether a denoiser sees things."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.errors import InsmlError
from insml.learn.generative.denoiser import Denoiser
from insml.learn.generative.units import SliceUnits

BoolArray = NDArray[np.bool_]


def psnr(estimate: NDArray[Any], clean: NDArray[Any], mask: BoolArray) -> float:
    """Peak signal-to-noise ratio, dB: 10 log10(max(clean)^2 / mean squared error), over pixels with detector.

    Raises
    ------
    InsmlError : other shapes, or no pixel.
    """
    _check(estimate, clean, mask)
    error = float(np.mean((estimate - clean)[~mask] ** 2))
    return float(10 * np.log10(np.max(clean[~mask]) ** 2 / error)) if error > 0 else float("inf")


def chi2_per_pixel(values: NDArray[Any], model: NDArray[Any], variance: NDArray[Any], mask: BoolArray) -> float:
    """Mean of (values - model)^2 / variance over pixels with detector, in all of which the variance must be
    positive.

    Raises
    ------
    InsmlError : other shapes, no pixel, or a variance that is not positive.
    """
    _check(values, model, mask)
    _check(variance, model, mask)
    if not (variance[~mask] > 0).all():
        raise InsmlError("chi2: variance: expected positive ones where there is a detector, "
                         f"found {variance[~mask].min()}")
    return float(np.mean((values - model)[~mask] ** 2 / variance[~mask]))


def _check(a: NDArray[Any], b: NDArray[Any], mask: BoolArray) -> None:
    if not a.shape == b.shape == mask.shape or mask.all():
        raise InsmlError("images: expected one shape and at least one pixel with detector, "
                         f"found {a.shape}, {b.shape}, {mask.shape} with {np.count_nonzero(~mask)} pixels")


@dataclass(frozen=True)
class Hallucination:
    """What a denoiser shows where there is nothing.

    Attributes
    ----------
    contrast : 99.9 % of the pixels lie within so many noise deviations of the median of their cleaned slice.
    significant : share of pixels that the denoiser holds to be more than 3 of its own deviations above 0; of its
        errors were normal, 0.00135.
    """

    contrast: float
    significant: float


def hallucination(denoiser: Denoiser, corruption: Corruption, images: int = 32, seed: int = 0) -> Hallucination:
    """Clean ``images`` stacks of noise and nothing else: holes and counting noise of ``corruption`` about a
    constant.

    A noise deviation is the scale of the slice's units, which for normal noise is its 84 % quantile less its
    median.
    """
    empty = np.zeros(denoiser.layout.stack_shape, np.float32)
    pure = replace(corruption, background=(0.0, 0.0), structured=None, hot_pixels=0.0, clip_probability=0.0)
    contrasts, significant = [], []
    for index in range(images):
        signal, mask = pure.apply(empty, seed, index)
        value, deviation, mask = denoiser.clean_stack(signal, mask)
        units, _ = SliceUnits.of(signal, mask)
        for s in np.flatnonzero(units.usable & ~mask.all((1, 2))):
            kept = value[s][~mask[s]]
            contrasts.append(np.abs(kept - np.median(kept)) / units.scale[s])
            significant.append(kept > 3 * deviation[s][~mask[s]])
    if not contrasts:
        raise InsmlError("hallucination test: corruption: expected one with noise and detectors, found none")
    return Hallucination(float(np.quantile(np.concatenate(contrasts), 0.999)),
                         float(np.concatenate(significant).mean()))
