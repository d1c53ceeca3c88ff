"""The basis in which SpinW's getmatrix and setmatrix count the matrices that symmetry allows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SYMMETRIC = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_TOLERANCE = 1e-6


def basis(span: Array) -> Array:
    """(n, 3, 3) basis of the space of matrices ``span`` (m, 3, 3), which holds the transpose of each of its matrices.

    Symmetric matrices come first, of these combinations of elements before single ones, the latter from yz, xz, xy, zz, yy
    to xx; then D = Dx, Dy, Dz. The largest element is one. This is SpinW's order wherever it has at most one combination.
    """
    symmetric = np.array([[(m[a, b] + m[b, a]) / 2 for a, b in _SYMMETRIC] for m in span]).reshape(-1, 6)
    vectors = np.array([[m[1, 2] - m[2, 1], m[2, 0] - m[0, 2], m[0, 1] - m[1, 0]] for m in span]).reshape(-1, 3) / 2
    out = []
    for v in _ordered(symmetric)[::-1]:
        m = np.zeros((3, 3))
        for (a, b), x in zip(_SYMMETRIC, v / v[np.argmax(np.abs(v) > np.abs(v).max() - _TOLERANCE)], strict=True):
            m[a, b] = m[b, a] = x
        out.append(m)
    for x, y, z in sorted(_ordered(vectors), key=lambda d: float(np.abs(d) @ (1, 10, 100) / np.abs(d).max())):
        size = max(abs(x), abs(y), abs(z)) * np.sign(100 * x + 10 * y + z)
        out.append(np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]]) / size)
    return np.round(np.array(out).reshape(-1, 3, 3), 12) + 0.0


def _ordered(span: Array) -> list[Array]:
    """Unit vectors that lie in the space of the rows, then an echelon basis of what is left of it."""
    n = span.shape[1]
    _, values, rows = np.linalg.svd(span, full_matrices=False) if len(span) else (None, np.zeros(0), np.zeros((0, n)))
    rows = rows[values > _TOLERANCE * max(1.0, float(values.max(initial=0.0)))]
    projector = rows.T @ rows
    single = [e for e in np.eye(n) if np.linalg.norm(projector @ e - e) < _TOLERANCE]
    rest = projector - sum((np.outer(e, e) for e in single), np.zeros((n, n)))
    echelon: list[Array] = []
    for column in range(n):
        candidates = [row for row in rest if abs(row[column]) > _TOLERANCE]
        if candidates:
            pivot = candidates[0] / candidates[0][column]
            rest = rest - np.outer(rest[:, column], pivot)
            echelon = [row - row[column] * pivot for row in echelon] + [pivot]
    return [*single, *echelon]
