"""What measured pixels need before they are compared with a simulation: hot pixels out, honest variances in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from insml.mosaic import Mosaic
from insml.study import DataRules

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


def clean(mosaic: Mosaic, rules: DataRules) -> Mosaic:
    """The mosaic with hot pixels masked and a positive variance on every unmasked pixel.

    Measured variances are averaged over 3x3 neighbourhoods: a Poisson variance taken from the pixel's own counts gives
    low counts too much weight. Without variances they are estimated from the scatter between neighbours.
    """
    values, mask = mosaic.stack, mosaic.stack_mask
    if rules.hot_pixel_sigma is not None:
        mask = mask | hot_pixels(values, mask, rules.hot_pixel_sigma)
    mask = mask | beside_uncovered(mosaic.stack_mask, rules.edge_pixels)
    measured = mosaic.stack_variance
    variance = estimate_variance(values, mask) if measured is None else smooth_variance(values, measured, mask)
    cleaned = Mosaic.from_stack(values, mask, mosaic.layout, variance=variance)
    metadata = {**mosaic.metadata, "variance": "measured" if measured is not None else "estimated"}
    return replace(mosaic, values=cleaned.values, mask=cleaned.mask, variance=cleaned.variance, metadata=metadata)


def _neighbours(values: Array, mask: BoolArray) -> Array:
    """(8, ns, n0, n1) the eight neighbours, NaN where masked or outside."""
    padded = np.pad(np.where(mask, np.nan, values), ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    n0, n1 = values.shape[1:]
    return np.stack([padded[:, i : i + n0, j : j + n1] for i in range(3) for j in range(3) if (i, j) != (1, 1)])


def hot_pixels(values: Array, mask: BoolArray, sigma: float) -> BoolArray:
    """Single pixels (and touching pairs) far above all but one of their neighbours.

    The yardstick is the slice's robust scatter of a pixel about its neighbours' median, so that a narrow signal, which
    has bright neighbours, stays.
    """
    around = _neighbours(values, mask)
    count = np.isfinite(around).sum(axis=0)
    filled = np.sort(np.where(np.isfinite(around), around, -np.inf), axis=0)
    usable = ~mask & (count >= 3)
    second = np.where(usable, filled[-2], 0.0)
    middle = np.zeros_like(values)
    middle[usable] = np.nanmedian(around[:, usable], axis=0)
    out = np.zeros_like(mask)
    for s in range(len(values)):
        ok = usable[s]
        if ok.sum() < 16:
            continue
        deviation = values[s][ok] - middle[s][ok]
        scatter = _NORMAL * float(np.median(np.abs(deviation - np.median(deviation))))
        if scatter > 0:
            out[s] = ok & (values[s] - second[s] > sigma * scatter) & (values[s] - middle[s] > sigma * scatter)
    return out


def beside_uncovered(mask: BoolArray, pixels: int) -> BoolArray:
    """Pixels within ``pixels`` steps (diagonals count) of an uncovered one; the edge of a tile is no such edge."""
    grown = mask.copy()
    for _ in range(pixels):
        grown |= np.nansum(_neighbours(grown.astype(float), np.zeros_like(mask)), axis=0) > 0
    return grown


def smooth_variance(values: Array, variance: Array, mask: BoolArray) -> Array:
    """Variances averaged over 3x3 neighbourhoods; pixels without counts get the variance one count would have had."""
    out = np.where(mask, 0.0, variance)
    for s in range(len(values)):
        counted = ~mask[s] & (variance[s] > 0)
        if not counted.any():
            out[s][~mask[s]] = 1.0
            continue
        ratio = variance[s][counted & (values[s] > 0)] / values[s][counted & (values[s] > 0)]
        # variance / signal of Poisson counts is the value of one count
        one = float(np.median(ratio)) ** 2 if ratio.size else float(np.median(variance[s][counted]))
        out[s][~mask[s] & ~counted] = one
    around = _neighbours(out, mask)
    count = 1 + np.isfinite(around).sum(axis=0)
    return np.where(mask, 0.0, (out + np.nansum(around, axis=0)) / count)


def estimate_variance(values: Array, mask: BoolArray) -> Array:
    """Per slice a + b * level, from the scatter of neighbouring pixels in classes of equal brightness.

    Gradients of the signal add to the scatter, so narrow signals make the estimate too large rather than too small.
    """
    out = np.zeros_like(values)
    for s in range(len(values)):
        ok = ~mask[s]
        both = ok[:, 1:] & ok[:, :-1]
        difference = ((values[s][:, 1:] - values[s][:, :-1]) / np.sqrt(2))[both]
        level = (0.5 * (values[s][:, 1:] + values[s][:, :-1]))[both]
        spread = float(np.var(values[s][ok])) if ok.any() else 0.0
        floor = max(1e-6 * spread, 1e-12)
        if difference.size < 40:
            out[s][ok] = max(spread, floor)
            continue
        classes = np.array_split(np.argsort(level), 8)
        centre = np.array([level[c].mean() for c in classes])
        scatter = np.array([(_NORMAL * np.median(np.abs(difference[c]))) ** 2 for c in classes])
        slope, offset = np.polyfit(centre, scatter, 1) if np.ptp(centre) > 0 else (0.0, 0.0)
        if slope <= 0:
            slope, offset = 0.0, float(np.median(scatter))
        floor = max(floor, 0.25 * float(np.median(scatter)))
        out[s][ok] = np.maximum(offset + slope * _local_mean(values[s], mask[s])[ok], floor)
    return out


def _local_mean(values: Array, mask: BoolArray) -> Array:
    around = _neighbours(values[None], mask[None])[:, 0]
    count = (~mask).astype(float) + np.isfinite(around).sum(axis=0)
    return np.asarray((np.where(mask, 0.0, values) + np.nansum(around, axis=0)) / np.maximum(count, 1))
