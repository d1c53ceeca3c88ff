"""Drawing one number given another, from a table of their joint density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from insml.instruments.distribution import Tabulated, into_cell

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class JointTable:
    """Density on a grid, bilinear between its points; draws are exact for that density.

    Parameters
    ----------
    s : (m,) ascending, x : (n,) ascending, density : (m, n), >= 0, any scale.
    """

    s: Array
    x: Array
    density: Array

    @cached_property
    def rows(self) -> Array:
        """(m, n) area of each row up to x, not normalised."""
        cells = 0.5 * (self.density[:, 1:] + self.density[:, :-1]) * np.diff(self.x)
        return np.concatenate([np.zeros((len(self.s), 1)), np.cumsum(cells, axis=1)], axis=1)

    @cached_property
    def marginal(self) -> Tabulated:
        """Distribution of s."""
        return Tabulated(self.s, self.rows[:, -1])

    def quantile(self, u: Array, s: Array) -> Array:
        """The x below which the fraction u lies given s; u and s of one shape. s is kept inside the table."""
        at = np.clip(s, self.s[0], self.s[-1])
        row = np.clip(np.searchsorted(self.s, at, side="right") - 1, 0, len(self.s) - 2)
        weight = (at - self.s[row]) / (self.s[row + 1] - self.s[row])

        def mix(table: Array, column: Array) -> Array:
            return np.asarray((1 - weight) * table[row, column] + weight * table[row + 1, column])

        last = len(self.x) - 1
        target = u * mix(self.rows, np.full(u.shape, last))
        lo, hi = np.zeros(u.shape, int), np.full(u.shape, last)
        for _ in range(int(np.ceil(np.log2(last))) + 1):
            middle = (lo + hi) // 2
            below = mix(self.rows, middle) <= target
            lo, hi = np.where(below, middle, lo), np.where(below, hi, middle)
        lo = np.minimum(lo, last - 1)
        into = into_cell(target - mix(self.rows, lo), mix(self.density, lo), mix(self.density, lo + 1),
                         np.diff(self.x)[lo])
        return np.asarray(self.x[lo] + into)
