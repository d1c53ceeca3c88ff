"""What a user says of an axis of a cut, and the bins that come of it (Horace's rules)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError

Array = NDArray[np.float64]

#: A remainder of bins below which their number is whole: that of float32, as in Horace.
WHOLE = float(np.finfo(np.float32).eps)
_BINS = 1 << 24


@dataclass(frozen=True, eq=False)
class Bins:
    """Edges of one axis, and whether it is plotted."""

    edges: Array
    plotted: bool


@dataclass(frozen=True)
class Existing:
    """What is known of an axis before: limits of the data along it; its step and whether it was plotted."""

    low: float
    high: float
    step: float
    plotted: bool
    #: its bins, where the projection stays
    edges: Array | None = None


def several(descriptor: Any) -> list[list[float]] | None:
    """[lo, separation, hi, width] as integration ranges of cuts beside each other; None for any other."""
    value = _numbers(descriptor)
    if value.size != 4:
        return None
    low, separation, high, width = value
    if not (separation > 0 and high >= low and width >= 0 and np.isfinite(value).all()):
        raise GeometryError(f"bins: expected [lo, separation, hi, width] in ascending order, found {value.tolist()}")
    centres = low + separation * np.arange(_count(low, separation, high))
    return [[float(c - width / 2), float(c + width / 2)] for c in centres]


def resolve(descriptor: Any, axis: Existing, name: str) -> Bins:
    """Bins of one axis.

    Parameters
    ----------
    descriptor : None or [] the axis as it is; step, its limits from the data and its centres whole numbers of steps, 0 for
        the step as it is; [lo, hi] integration, both limits inside; [lo, step, hi] first and last CENTRES of bins,
        integration where they are less than a step apart. Infinite limits are those of the data.

    Raises
    ------
    GeometryError : anything else.
    """
    value = _numbers(descriptor)
    if value.size > 3 or np.isnan(value).any():
        raise GeometryError(f"{name}: expected [], step, [lo, hi], [lo, step, hi] or [lo, separation, hi, width], found "
                            f"{descriptor!r}")
    if not value.size:
        return _as_it_is(axis, name)
    if value.size == 1:
        return _stepped(-np.inf, float(value[0]), np.inf, axis, name)
    if value.size == 2:
        return _integrated(float(value[0]), float(value[1]), name)
    return _stepped(float(value[0]), float(value[1]), float(value[2]), axis, name)


def _numbers(descriptor: Any) -> Array:
    try:
        return np.ravel(np.asarray([] if descriptor is None else descriptor, float))
    except (TypeError, ValueError):
        return np.array([np.nan])


def _as_it_is(axis: Existing, name: str) -> Bins:
    if axis.edges is not None:
        return Bins(axis.edges, axis.plotted)
    if axis.plotted:
        return _stepped(-np.inf, 0.0, np.inf, axis, name)
    return Bins(np.array([axis.low, axis.high]), False)


def _integrated(low: float, high: float, name: str) -> Bins:
    if low > high:
        raise GeometryError(f"{name}: expected [lo, hi] with lo <= hi, found [{low:g}, {high:g}]")
    if low == high:
        # float32 coordinates of pixels at that place must lie inside
        pad = 4 * WHOLE * max(abs(low), 1e-6)
        low, high = low - pad, high + pad
    return Bins(np.array([low, high]), False)


def _stepped(low: float, step: float, high: float, axis: Existing, name: str) -> Bins:
    if step == 0:
        step = axis.step
    if not (step > 0 and np.isfinite(step)) or low > high:
        raise GeometryError(f"{name}: expected a step above 0 and lo <= hi, found {low:g}, {step:g}, {high:g}")
    if not (np.isfinite(axis.low) and np.isfinite(axis.high)) and not (np.isfinite(low) and np.isfinite(high)):
        raise GeometryError(f"{name}: expected finite limits, as the data have none, found {low:g}, {step:g}, {high:g}")
    if np.isfinite(low):
        # centres from the limit that is given on
        last = high if np.isfinite(high) else low + step * max(round((axis.high - low) / step), 0)
    elif np.isfinite(high):
        low, last = high - step * max(round((high - axis.low) / step), 0), high
    else:
        low, last = step * np.floor(axis.low / step + 0.5), step * np.floor(axis.high / step + 0.5)
    if last - low < step:
        return Bins(np.array([low - step / 2, last + step / 2]), False)
    count = _count(low, step, last)
    if count > _BINS:
        raise GeometryError(f"{name}: expected at most {_BINS} bins, found {count}")
    return Bins(np.linspace(low - step / 2, low - step / 2 + count * step, count + 1), True)


def _count(low: float, step: float, high: float) -> int:
    wanted = (high - low + step) / step
    whole = int(np.floor(wanted))
    return whole + (wanted - whole > WHOLE * max(whole, 1))
