"""Points of reciprocal space."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.spinw.options import matlab_style

Array = NDArray[np.float64]


def sw_qscan(qLim: Any) -> Array:
    """Points along straight lines.

    Parameters
    ----------
    qLim : a list of corners, with the number of points of each segment last (100 by default), as SpinW's cell
        ``{[0 0 0] [1 0 0] 100}``; one point; or an array (3, ...) of points, which comes back as it is. An array (n, 3)
        holds points in rows where n is not 3.

    Returns
    -------
    (3, nQ) r.l.u.; a corner between two segments counts once.
    """
    if isinstance(qLim, np.ndarray):
        array = qLim.astype(float)
        array = array.reshape(3, 1) if array.shape == (3,) else array
        if array.ndim == 2 and array.shape[1] == 3 and array.shape[0] != 3:
            array = array.T
        if array.ndim < 2 or array.shape[0] != 3 or not np.isfinite(array).all():
            raise ModelError(f"Q: expected finite points 3 x nQ, found shape {qLim.shape}")
        return array
    entries: Sequence[Any] = list(qLim)
    if len(entries) == 3 and all(np.ndim(x) == 0 for x in entries):
        return np.array(entries, float).reshape(3, 1)
    number = 100
    if len(entries) and np.size(entries[-1]) == 1:
        number, entries = int(np.asarray(entries[-1]).item()), entries[:-1]
    corners = np.array([np.asarray(x, float).ravel() for x in entries])
    if corners.ndim != 2 or corners.shape[1] != 3 or not np.isfinite(corners).all() or number < 1:
        raise ModelError(f"Q: expected corners of three numbers and how many points lie between them, found {qLim!r}")
    if len(corners) == 1:
        return corners.T
    if number == 1:
        return np.asarray((corners[1:] + corners[:-1]).T / 2)
    steps = np.linspace(0, 1, number)
    lines = [a + np.outer(steps, b - a) for a, b in itertools.pairwise(corners)]
    return np.concatenate([line[:-1] for line in lines[:-1]] + lines[-1:]).T


@matlab_style(0, ignored=("lab", "fid"))
def sw_qgrid(u: Any = (1, 0, 0), v: Any = (0, 1, 0), w: Any = (0, 0, 1), uoffset: Any = (0, 0, 0), ubin: Any = None,
             vbin: Any = None, wbin: Any = None, nExt: Any = (1, 1, 1), bin: Any = None, mat: Any = None) -> Array:
    """A grid of points uoffset + x u + y v + z w.

    Parameters
    ----------
    ubin, vbin, wbin : a value, (first, last) in steps of 1/nExt, or (first, step, last).
    bin : the values themselves along each axis, instead. mat : (3, n) axes in columns, instead of u, v, w.

    Returns
    -------
    (3, n1), (3, n1, n2) or (3, n1, n2, n3) r.l.u.
    """
    bins = [b for b in (ubin, vbin, wbin) if b is not None] if bin is None else list(bin)
    if not bins:
        raise ModelError("sw_qgrid: expected ubin, ubin and vbin, or all three, found none")
    axes = np.array([u, v, w], float) if mat is None else np.asarray(mat, float).T
    values = [np.asarray(b, float).ravel() if bin is not None else _values(b, nExt[i]) for i, b in enumerate(bins)]
    points = np.stack(np.meshgrid(*values, indexing="ij"))
    return np.asarray(np.tensordot(axes[: len(bins)].T, points, axes=1)
                      + np.asarray(uoffset, float)[:3].reshape(3, *[1] * len(bins)))


def _values(value: Any, divisions: float) -> Array:
    numbers = np.asarray(value, float).ravel()
    if numbers.size == 1:
        return numbers
    if numbers.size not in (2, 3):
        raise ModelError(f"sw_qgrid: expected bins of 1, 2 or 3 numbers, found {value!r}")
    first, last = numbers[0], numbers[-1]
    step = 1 / divisions if numbers.size == 2 else numbers[1]
    return np.asarray(first + step * np.arange(int(np.floor((last - first) / step + 1e-9)) + 1))
