"""Smooth functions of |Q| and E: linear between the points of a grid, through data of which some lie above.

Penalised least squares with Huber's loss (Ann. Math. Stat. 35, 73 (1964)) on the upper side. How smooth is chosen by robust
generalised cross validation (Cantoni and Ronchetti, Stat. Comput. 11, 141 (2001)), effective parameters counted 1.4 times
(Kim and Gu, J. R. Stat. Soc. B 66, 337 (2004)) so that what is left of a signal is not taken for structure. Errors are
those of the posterior (Wahba, J. R. Stat. Soc. B 45, 133 (1983)), which count what smoothing hides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_array, diags_array, eye_array, kron
from scipy.stats import norm

Array = NDArray[np.float64]

#: Decades of smoothness along |Q| and E, in units of what the data weigh at a point of the grid: of waves along an axis,
#: those of 6 pieces are halved at 0, of 20 at 2.
Smoothness = tuple[int, int]
#: One at which little but signal stands out, and the least and most.
STIFF = (2, 2)
_LEAST, _MOST = -2, 6
#: How much a surface is kept flat where nothing else determines it; along an axis of one piece.
_FLAT, _ONE_PIECE = 1e-4, 1e4
#: Times that a parameter counts.
_COUNTED = 1.4
#: Share of a cost that is rounding; steps of Newton's method at most, of which some five are needed.
_ROUNDING, _STEPS = 1e-12, 100


@dataclass(frozen=True, eq=False)
class Grid:
    """Ascending points in |Q| (1/Angstrom) and in E (meV), at least two each. Of what belongs to points or to the pieces
    between them, E runs fastest."""

    q: Array
    energy: Array

    @property
    def shape(self) -> tuple[int, int]:
        return self.q.size, self.energy.size

    def pieces(self, places: Array) -> NDArray[np.intp]:
        """(n,) the piece that holds each of places (n, 2); -1 outside."""
        outside = ((places < [self.q[0], self.energy[0]]) | (places > [self.q[-1], self.energy[-1]])).any(axis=1)
        (i, _), (j, _) = self._between(places)
        return np.where(outside, -1, i * (self.energy.size - 1) + j)

    def corners(self, places: Array) -> tuple[NDArray[np.intp], Array]:
        """(n, 4) the points around each of places within the grid, and their shares in what is linear between."""
        (i, s), (j, t) = self._between(places)
        points = [(i + a) * self.energy.size + j + b for a, b in product((0, 1), repeat=2)]
        shares = [(s if a else 1 - s) * (t if b else 1 - t) for a, b in product((0, 1), repeat=2)]
        return np.stack(points, axis=-1), np.stack(shares, axis=-1)

    def _between(self, places: Array) -> list[tuple[NDArray[np.intp], Array]]:
        out = []
        for x, points in zip(places.T, (self.q, self.energy), strict=True):
            at = np.clip(np.searchsorted(points, x, side="right") - 1, 0, points.size - 2)
            out.append((at, (x - points[at]) / (points[at + 1] - points[at])))
        return out

    def design(self, places: Array) -> csr_array:
        """(n, points) from values at the points of the grid to places within it."""
        points, shares = self.corners(places)
        rows = np.repeat(np.arange(len(places)), 4)
        return csr_array((shares.ravel(), (rows, points.ravel())), shape=(len(places), self.q.size * self.energy.size))

    @cached_property
    def roughness(self) -> tuple[csr_array, csr_array, csr_array]:
        """Squares of second differences along |Q|, along E, and of what is to be flat, as matrices (points, points)."""
        (bent_q, flat_q), (bent_e, flat_e) = _differences(self.q.size), _differences(self.energy.size)
        same_q, same_e = eye_array(self.q.size), eye_array(self.energy.size)
        return (csr_array(kron(bent_q, same_e)), csr_array(kron(same_q, bent_e)),
                csr_array(kron(flat_q, same_e) + kron(same_q, flat_e)))


def _differences(n: int) -> tuple[csr_array, csr_array]:
    """Squares of second and of first differences of n values."""
    first = csr_array(np.diff(np.eye(n), axis=0))
    if n == 2:
        return csr_array((2, 2)), csr_array(_ONE_PIECE * (first.T @ first))
    second = csr_array(np.diff(np.eye(n), 2, axis=0))
    return csr_array(second.T @ second), csr_array(_FLAT * (first.T @ first))


@dataclass(frozen=True, eq=False)
class Surface:
    """Values at the points of a grid, their covariance, and the effective number of parameters."""

    values: Array
    covariance: Array
    smoothness: Smoothness
    parameters: float


def fitted(grid: Grid, places: Array, values: Array, sigma: Array, limit: float,
           smoothness: Smoothness | None = None) -> Surface:
    """The surface through data of which some lie above it.

    Minimises sum(loss(r) + c r) + roughness with r = (values - surface) / sigma, where the loss is r^2 / 2 up to ``limit``
    and straight from there. The same surface comes with a signal >= 0 in each place that costs ``limit`` times its sum in
    units of sigma, and so is sparse. ``c`` makes the mean slope 0 in normal noise, whose upper end the limit cuts off:
    without any signal the surface is unbiased. The time grows as the third power of the points of the grid.

    Parameters
    ----------
    places : (n, 2) |Q| and E, within the grid. values, sigma : (n,). limit : in units of sigma.
    smoothness : chosen by the data where None.
    """
    problem = _Problem(grid, places, values, sigma, limit)
    chosen = problem.best() if smoothness is None else smoothness
    found, covariance, parameters = problem.surface(chosen)
    return Surface(found, covariance, chosen, parameters)


class _Problem:
    def __init__(self, grid: Grid, places: Array, values: Array, sigma: Array, limit: float) -> None:
        self._design = csr_array(diags_array(1 / sigma) @ grid.design(places))
        self._values, self._limit = values / sigma, limit
        # minus the mean of min(z, limit) of a normal z
        self._shift = float(norm.pdf(limit) - limit * norm.sf(limit))
        weight = float((1 / sigma**2).sum()) / self._design.shape[1]
        self._roughness = [weight * r for r in grid.roughness]
        # least squares: some data lie below it, so that second derivatives do not vanish
        x = self._step(self._design.T @ self._values, (self._design.T @ self._design + self._penalty(STIFF)).toarray())[0]
        self._found = x

    def _penalty(self, smoothness: Smoothness) -> csr_array:
        q, e, flat = self._roughness
        return csr_array(10.0 ** smoothness[0] * q + 10.0 ** smoothness[1] * e + flat)

    @staticmethod
    def _step(slope: Array, hessian: Array) -> tuple[Array, Any]:
        factor = cho_factor(hessian)
        return np.asarray(cho_solve(factor, slope)), factor

    def _cost(self, x: Array, penalty: csr_array) -> float:
        r = self._values - self._design @ x
        low = np.minimum(r, self._limit)
        return float((low * (r - 0.5 * low) + self._shift * r).sum() + 0.5 * x @ (penalty @ x))

    def _slopes(self, x: Array) -> Array:
        """(n,) of loss and c."""
        return np.minimum(self._values - self._design @ x, self._limit) + self._shift

    def surface(self, smoothness: Smoothness) -> tuple[Array, Array, float]:
        """Values, covariance and parameters by Newton's method, from what was found last.

        Each step is of least squares with weights 1 below the limit and 0 above, shortened until the cost falls. A whole
        step after which the same data are below gives the minimum itself.
        """
        penalty, x = self._penalty(smoothness), self._found
        below, whole = np.zeros(self._values.size, bool), False
        for _ in range(_STEPS):
            slope, before = self._slopes(x), below
            below = slope < self._limit + self._shift
            if whole and np.array_equal(below, before):
                break
            data = (self._design.T @ diags_array(below.astype(float)) @ self._design).toarray()
            step, factor = self._step(self._design.T @ slope - penalty @ x, data + penalty.toarray())
            cost, length = self._cost(x, penalty), 1.0
            while self._cost(x + length * step, penalty) > cost + _ROUNDING * abs(cost) and length > _ROUNDING:
                length *= 0.5
            x, whole = x + length * step, length == 1.0
        self._found = x
        covariance = np.asarray(cho_solve(factor, np.eye(x.size)))
        return x, covariance, float((covariance * data).sum())

    def best(self) -> Smoothness:
        """Downhill from a stiff one, in steps of two decades and then of one."""
        scores: dict[Smoothness, float] = {}

        def score(at: Smoothness) -> tuple[float, int]:
            if at not in scores:
                scores[at] = self._score(at)
            # the smoother of equals
            return scores[at], -sum(at)

        found, stride = STIFF, 2
        while stride:
            around = [(found[0] + stride * a, found[1] + stride * b) for a, b in product((-1, 0, 1), repeat=2)]
            lowest = min((p for p in around if min(p) >= _LEAST and max(p) <= _MOST), key=score)
            if lowest == found:
                stride //= 2
            found = lowest
        return found

    def _score(self, smoothness: Smoothness) -> float:
        x, _, parameters = self.surface(smoothness)
        slope = self._slopes(x)
        left = 1 - _COUNTED * parameters / slope.size
        return float((slope**2).mean() / left**2) if left > 0 else np.inf
