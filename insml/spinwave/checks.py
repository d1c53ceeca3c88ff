"""Shapes of what a caller hands in, refused with one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError

Array = NDArray[np.float64]

#: Numbers beyond this are mistakes; their products would overflow.
LARGEST = 1e15

#: Wave vectors (r.l.u.) beyond which sines lose their last digits.
FARTHEST = 1e6


def shown(value: Any) -> str:
    """On one line, cut where it grows long."""
    text = " ".join(repr(value).split())
    return text if len(text) < 100 else f"{text[:96]} ..."


def _numbers(value: Any, name: str, wanted: str) -> Array:
    try:
        array = np.array(value, float)
    except (TypeError, ValueError, OverflowError):
        raise ModelError(f"{name}: expected {wanted}, found {shown(value)}") from None
    return array


def _sound(array: Array, fits: bool, name: str, wanted: str) -> Array:
    if not fits:
        raise ModelError(f"{name}: expected {wanted}, found shape {array.shape}")
    if not np.isfinite(array).all():
        raise ModelError(f"{name}: expected {wanted}, found shape {array.shape} with NaN or infinity")
    if array.size and np.abs(array).max() > LARGEST:
        raise ModelError(f"{name}: expected numbers up to {LARGEST:g}, found {np.abs(array).max():g}")
    return array


def number(value: Any, name: str) -> float:
    """A finite float."""
    return float(_sound(array := _numbers(value, name, "a number"), array.shape == (), name, "a finite number"))


def whole(value: Any, name: str) -> int:
    try:
        result = int(value)
        exact = bool(result == value) and abs(result) < 2**31
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact:
        raise ModelError(f"{name}: expected a whole number, found {shown(value)}")
    return result


def entries(value: Any, name: str, fields: str = "") -> list[Any]:
    """A list; with ``fields`` ("i, j, dl, J") each entry a tuple of as many."""
    if isinstance(value, str | Mapping) or not np.iterable(value):
        raise ModelError(f"{name}: expected a list, found {shown(value)}")
    out = list(value)
    for index, entry in enumerate(out if fields else []):
        if isinstance(entry, str) or not np.iterable(entry) or len(tuple(entry)) != fields.count(",") + 1:
            raise ModelError(f"{name}[{index}]: expected ({fields}), found {shown(entry)}")
    return out


def matrix(value: Any, name: str) -> Array:
    """(3, 3) finite floats."""
    array = _numbers(value, name, "a 3x3 matrix of numbers")
    return _sound(array, array.shape == (3, 3), name, "a finite 3x3 matrix")


def vector(value: Any, name: str) -> Array:
    """(3,) finite floats."""
    array = _numbers(value, name, "three numbers")
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ModelError(f"{name}: expected three finite numbers, found {shown(value)}")
    return _sound(array, True, name, "three finite numbers")


def matrices(value: Any, n: int, name: str) -> Array:
    """(n, 3, 3) finite floats."""
    array = _numbers(value, name, f"{n} 3x3 matrices of numbers")
    return _sound(array, array.shape == (n, 3, 3), name, f"{n} finite 3x3 matrices")


def vectors(value: Any, n: int | None, name: str) -> Array:
    """(n, 3) finite floats; any n when it is None. An empty list is (0, 3)."""
    wanted = f"{'n' if n is None else n} finite vectors of three numbers"
    array = _numbers(value, name, wanted)
    if array.size == 0 and array.ndim > 0:
        array = array.reshape(-1, 3)
    return _sound(array, array.ndim == 2 and array.shape[1] == 3 and n in (None, len(array)), name, wanted)


def wave_vectors(value: Any) -> Array:
    """(nq, 3) finite, contiguous; one wave vector becomes a list of one."""
    try:
        points = np.ascontiguousarray(np.atleast_2d(np.asarray(value, float)))
    except (TypeError, ValueError):
        raise ModelError(f"q: expected numbers of shape (nq, 3), found {shown(value)}") from None
    if points.ndim != 2 or points.shape[1] != 3:
        raise ModelError(f"q: expected finite numbers of shape (nq, 3), found shape {np.shape(value)}")
    if not points.size:
        return points
    # NaN comes through; no array is made, for this is part of the time that small models take
    farthest = max(points.max(), -points.min())
    if not np.isfinite(farthest):
        raise ModelError(f"q: expected finite numbers of shape (nq, 3), found {farthest} among them")
    if farthest > FARTHEST:
        raise ModelError(f"q: expected r.l.u. up to {FARTHEST:g}, where phases are still known, found {farthest:g}")
    return points


def cell(value: Any, name: str) -> Array:
    """(3, 3) rows that span a cell of atomic size."""
    rows = matrix(value, name)
    lengths = np.linalg.norm(rows, axis=1)
    if not (lengths.min() > 1e-3 and lengths.max() < 1e6):
        raise ModelError(f"{name}: expected lengths of 0.001 to 1e6 Angstrom, found {lengths.tolist()}")
    if not abs(np.linalg.det(rows / lengths[:, None])) > 1e-6:
        raise ModelError(f"{name}: expected a cell with a volume, found three vectors in a plane, {rows.tolist()}")
    return rows


def reject_unknown(keys: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in keys:
        if key not in known:
            raise ModelError(f"{where}: expected only {', '.join(sorted(known))}, found {key!r}")
