"""Neighbour search: every pair of magnetic sites up to a distance, each physical bond once, grouped into shells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

LENGTH_TOLERANCE = 1e-3  # Angstrom; bonds that differ by less belong to one shell
_ROUNDING = 1e-9  # Angstrom


@dataclass(frozen=True)
class Pair:
    """Site ``i`` in cell 0 and site ``j`` in cell ``dl`` (magnetic cells).

    ``displacement`` is r_j - r_i in Cartesian Angstrom, ``length`` its norm.
    """

    i: int
    j: int
    dl: tuple[int, int, int]
    displacement: tuple[float, float, float]
    length: float

    @property
    def reverse(self) -> Pair:
        """The same physical bond seen from the other end."""
        x, y, z = self.displacement
        return Pair(self.j, self.i, _negative(self.dl), (-x, -y, -z), self.length)

    @property
    def key(self) -> tuple[int, int, tuple[int, int, int]]:
        return canonical(self.i, self.j, self.dl)


@dataclass(frozen=True)
class Shell:
    """Pairs of one length (within the tolerance), the shortest given."""

    length: float
    pairs: tuple[Pair, ...]


def _negative(dl: tuple[int, int, int]) -> tuple[int, int, int]:
    return (-dl[0], -dl[1], -dl[2])


def canonical(i: int, j: int, dl: tuple[int, int, int]) -> tuple[int, int, tuple[int, int, int]]:
    """One name for a physical bond: i -> j, dl and j -> i, -dl give the same."""
    return min((i, j, dl), (j, i, _negative(dl)))


def pairs_within(cell: ArrayLike, positions: ArrayLike, max_distance: float) -> tuple[Pair, ...]:
    """All pairs of different ions with length <= ``max_distance``, ordered by length, then by i, j, dl.

    Parameters
    ----------
    cell : (3, 3) rows are the magnetic cell vectors, Cartesian Angstrom.
    positions : (n, 3) site positions in fractions of the magnetic cell; any cell, not only [0, 1).
    max_distance : Angstrom.
    """
    vectors, r = np.asarray(cell, float), np.asarray(positions, float)
    # Lattice planes of direction k lie 1/|b_k| apart: that many cells reach max_distance, plus the sites' own spread.
    reach = np.linalg.norm(np.linalg.inv(vectors), axis=0) * max_distance + np.ptp(r, axis=0)
    n = np.floor(reach + 1e-9).astype(int)
    cells = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in n), indexing="ij"), axis=-1).reshape(-1, 3)
    found: list[Pair] = []
    for i in range(len(r)):
        for j in range(i, len(r)):
            displacement = (r[j] - r[i] + cells) @ vectors
            length = np.linalg.norm(displacement, axis=1)
            for c in np.flatnonzero(length <= max_distance + _ROUNDING):
                dl = (int(cells[c, 0]), int(cells[c, 1]), int(cells[c, 2]))
                if i < j or dl > (0, 0, 0):
                    x, y, z = (float(v) for v in displacement[c])
                    found.append(Pair(i, j, dl, (x, y, z), float(length[c])))
    return tuple(sorted(found, key=lambda p: (round(p.length, 6), p.i, p.j, p.dl)))


def group(pairs: Sequence[Pair], tolerance: float = LENGTH_TOLERANCE) -> tuple[Shell, ...]:
    """Shells of pairs that are ordered by length. A shell ends where a length exceeds its first by ``tolerance``."""
    shells: list[list[Pair]] = []
    for pair in pairs:
        if shells and pair.length - shells[-1][0].length <= tolerance:
            shells[-1].append(pair)
        else:
            shells.append([pair])
    return tuple(Shell(s[0].length, tuple(s)) for s in shells)


class NeighbourTable:
    """Shells of one structure, searched only as far as they are asked for."""

    def __init__(self, cell: ArrayLike, positions: ArrayLike) -> None:
        self._cell, self._positions = np.asarray(cell, float), np.asarray(positions, float)
        self._cutoff = float(np.min(np.linalg.norm(self._cell, axis=1)))
        self._shells = group(pairs_within(self._cell, self._positions, self._cutoff))

    def shell(self, number: int) -> Shell:
        """Shell ``number``, counted from 1 at the shortest bonds."""
        # The last shell found may be cut by the search radius: one more must exist before it is whole.
        while len(self._shells) <= number:
            self._cutoff *= 1.4
            self._shells = group(pairs_within(self._cell, self._positions, self._cutoff))
        return self._shells[number - 1]

    def near(self, distance: float, tolerance: float = LENGTH_TOLERANCE) -> tuple[Pair, ...]:
        """Pairs with a length within ``tolerance`` of ``distance`` (Angstrom)."""
        return tuple(p for p in pairs_within(self._cell, self._positions, distance + tolerance)
                     if p.length >= distance - tolerance)
