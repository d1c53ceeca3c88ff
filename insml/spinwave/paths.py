"""Where spectra are taken: paths between corners, and regular grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.spinwave import checks

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Path:
    """Straight lines between corners.

    Attributes
    ----------
    q : (nq, 3) r.l.u.; a corner that two lines share is listed once.
    distance : (nq,) length of the way from the start, 1/Angstrom.
    corners : indices of the corners in ``q``. labels : their names.
    """

    q: Array
    distance: Array
    corners: tuple[int, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Grid:
    """Regular grid in one, two or three directions: q = origin + sum_d x_d directions_d.

    Attributes
    ----------
    directions : (d, 3) r.l.u., linearly independent. origin : (3,) r.l.u.
    edges : d arrays of ascending bin edges of x_d; points lie at the centres.
    """

    directions: Array
    edges: tuple[Array, ...]
    origin: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(e) - 1 for e in self.edges)

    @property
    def q(self) -> Array:
        """(prod(shape), 3) r.l.u., last direction fastest."""
        centres = np.meshgrid(*((e[:-1] + e[1:]) / 2 for e in self.edges), indexing="ij")
        return np.asarray(self.origin + np.stack([c.ravel() for c in centres], axis=1) @ self.directions)


def path(corners: ArrayLike, points: int | Sequence[int] = 100, *, lattice_vectors: ArrayLike,
         labels: Sequence[str] | None = None) -> Path:
    """Wave vectors along straight lines (SpinW's ``sw_qscan``).

    Parameters
    ----------
    corners : (n, 3) r.l.u., two or more. points : of each line, both its ends included; one number or one for each line.
    lattice_vectors : (3, 3) rows a, b, c, Cartesian Angstrom. labels : names of the corners; "(1/2, 0, 0)" by default.
    """
    ends = checks.vectors(corners, None, "corners")
    if len(ends) < 2:
        raise GeometryError(f"corners: expected two or more, found {len(ends)}")
    counts = [int(points)] * (len(ends) - 1) if isinstance(points, (int, np.integer)) else [int(n) for n in points]
    if len(counts) != len(ends) - 1 or min(counts) < 2:
        raise GeometryError(f"points: expected two or more for each of {len(ends) - 1} lines, found {points}")
    names = tuple(_label(q) for q in ends) if labels is None else tuple(labels)
    if len(names) != len(ends):
        raise GeometryError(f"labels: expected {len(ends)}, one for each corner, found {len(names)}")
    B = 2 * np.pi * np.linalg.inv(checks.matrix(lattice_vectors, "lattice_vectors"))
    pieces = [a + np.linspace(0, 1, n)[1:, None] * (b - a) for a, b, n in zip(ends[:-1], ends[1:], counts, strict=True)]
    q = np.concatenate([ends[:1], *pieces])
    steps = np.linalg.norm(np.diff(q, axis=0) @ B.T, axis=1)
    if not (steps > 0).all():
        raise GeometryError("corners: expected each to differ from the one before, found "
                            f"{q[int(np.argmin(steps))].tolist()} twice")
    at = np.concatenate([[0], np.cumsum(np.array(counts) - 1)])
    return Path(q, np.concatenate([[0.0], np.cumsum(steps)]), tuple(int(i) for i in at), names)


def grid(directions: ArrayLike, edges: Sequence[ArrayLike], *, origin: ArrayLike = (0.0, 0.0, 0.0)) -> Grid:
    """A regular grid (SpinW's ``sw_qgrid``); see :class:`Grid`."""
    along = checks.vectors(np.atleast_2d(np.asarray(directions, float)), None, "directions")
    if not 1 <= len(along) <= 3 or np.linalg.matrix_rank(along) < len(along):
        raise GeometryError(f"directions: expected one to three that are independent, found {along.tolist()}")
    bins = tuple(np.asarray(e, float) for e in edges)
    if len(bins) != len(along):
        raise GeometryError(f"edges: expected {len(along)} arrays, one for each direction, found {len(bins)}")
    for d, e in enumerate(bins):
        if e.ndim != 1 or len(e) < 2 or not np.isfinite(e).all() or not (np.diff(e) > 0).all():
            raise GeometryError(f"edges[{d}]: expected two or more ascending numbers, found {np.array2string(e)}")
    return Grid(along, bins, checks.vector(origin, "origin"))


def _label(q: Array) -> str:
    return "(" + ", ".join(_number(x) for x in q) + ")"


def _number(x: float) -> str:
    near = Fraction(float(x)).limit_denominator(12)
    return str(near) if abs(float(near) - x) < 1e-4 else f"{x:.3g}"
