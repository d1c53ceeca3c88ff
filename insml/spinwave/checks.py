"""Shapes of what a caller hands in, refused with one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError

Array = NDArray[np.float64]


def matrix(value: Any, name: str) -> Array:
    """(3, 3) finite floats."""
    try:
        array = np.array(value, float)
    except (TypeError, ValueError):
        raise ModelError(f"{name}: expected a 3x3 matrix of numbers, found {value!r}") from None
    if array.shape != (3, 3) or not np.isfinite(array).all():
        raise ModelError(f"{name}: expected a finite 3x3 matrix, found shape {array.shape}"
                         + ("" if np.isfinite(array).all() else " with NaN or infinity"))
    return array


def vector(value: Any, name: str) -> Array:
    """(3,) finite floats."""
    try:
        array = np.array(value, float)
    except (TypeError, ValueError):
        raise ModelError(f"{name}: expected three numbers, found {value!r}") from None
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ModelError(f"{name}: expected three finite numbers, found {value!r}")
    return array


def matrices(value: Any, n: int, name: str) -> Array:
    """(n, 3, 3) finite floats."""
    array = np.array(value, float)
    if array.shape != (n, 3, 3) or not np.isfinite(array).all():
        raise ModelError(f"{name}: expected {n} finite 3x3 matrices, found shape {array.shape}"
                         + ("" if np.isfinite(array).all() else " with NaN or infinity"))
    return array


def vectors(value: Any, n: int | None, name: str) -> Array:
    """(n, 3) finite floats; any n when it is None."""
    array = np.array(value, float)
    if array.ndim != 2 or array.shape[1] != 3 or (n is not None and len(array) != n) or not np.isfinite(array).all():
        wanted = "n" if n is None else str(n)
        raise ModelError(f"{name}: expected {wanted} finite vectors of three numbers, found shape {array.shape}"
                         + ("" if np.isfinite(array).all() else " with NaN or infinity"))
    return array


def wave_vectors(value: Any) -> Array:
    """(nq, 3) finite, contiguous; one wave vector becomes a list of one."""
    try:
        points = np.ascontiguousarray(np.atleast_2d(np.asarray(value, float)))
    except (TypeError, ValueError):
        raise ModelError(f"q: expected numbers of shape (nq, 3), found {value!r}") from None
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ModelError(f"q: expected finite numbers of shape (nq, 3), found shape {np.shape(value)}")
    return points


def reject_unknown(keys: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in keys:
        if key not in known:
            raise ModelError(f"{where}: expected only {', '.join(sorted(known))}, found {key!r}")
