"""Bonds of a crystal, numbered as SpinW's gencoupling numbers them, so that scripts carry over.

Bonds are sorted by length; lengths that differ by less than a tolerance form a group; with a space group each group is
split into orbits, and the number of a bond is that of its orbit. In an orbit bonds come in the order of the operators
that make them of the first one, which is the first of its group in the list sorted by length, then second atom, first
atom, and the cell along c, b, a.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from insml.crystal.invariant import averaged, invariant_matrices, stabiliser
from insml.errors import GeometryError, ModelError

if TYPE_CHECKING:
    from insml.crystal.crystal import Crystal
    from insml.crystal.lattice import Lattice

Array = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BondTable:
    """Bonds of one chemical cell, each once.

    Attributes
    ----------
    crystal : whose bonds these are.
    index : (nb,) number of the bond, from 1.
    atom1, atom2 : (nb,) magnetic atoms at its ends, from 0. dl : (nb, 3) cell of atom2, that of atom1 being 0.
    length : (nb,) Angstrom.
    operator : (nb,) operator of the space group that makes it of the first bond of its number; -1 where bonds of a number
        are grouped by length alone.
    """

    crystal: Crystal
    index: Int
    atom1: Int
    atom2: Int
    dl: Int
    length: Array
    operator: Int

    def __len__(self) -> int:
        return len(self.index)

    @property
    def vectors(self) -> Array:
        """(nb, 3) from atom1 to atom2, Cartesian Angstrom."""
        r = self.crystal.positions
        return np.asarray((r[self.atom2] + self.dl - r[self.atom1]) @ self.crystal.lattice.vectors)

    def of(self, number: int) -> Int:
        """Rows of a bond number.

        Raises
        ------
        ModelError : there is no such bond.
        """
        rows = np.flatnonzero(self.index == number)
        if not len(rows):
            raise ModelError(f"bond: expected a number from 1 to {self.index.max(initial=0)}, found {number}; a larger "
                             "max_distance finds more")
        return rows

    def _ends(self, row: int) -> tuple[Array, Array]:
        r = self.crystal.positions
        return r[self.atom1[row]], r[self.atom2[row]] + self.dl[row]

    def allowed(self, number: int) -> Array:
        """(m, 3, 3) basis of the matrices that symmetry allows on the first bond of a number: symmetric ones, then DM."""
        row = int(self.of(number)[0])
        operators = stabiliser(self.crystal, *self._ends(row)) if self.operator[row] >= 0 else [(np.eye(3), False)]
        return invariant_matrices(operators)

    def rotated(self, number: int, matrix: Array) -> Array:
        """(m, 3, 3) what a matrix on the first bond of a number becomes on all of them: R M R^T.

        Raises
        ------
        ModelError : symmetry does not allow the matrix.
        """
        rows = self.of(number)
        if self.operator[rows[0]] < 0:
            return np.repeat(np.asarray(matrix, float)[None], len(rows), axis=0)
        given = np.asarray(matrix, float)
        kept = averaged(given, stabiliser(self.crystal, *self._ends(int(rows[0]))))
        off = np.abs(kept - given).max()
        if off > 1e-4 * np.abs(given).max():
            raise ModelError(f"bond {number}: expected a matrix that its symmetry allows, such as {_shown(kept)}, found "
                             f"{_shown(given)}; symmetry=False assigns it as it is")
        turns = self.crystal.rotations[self.operator[rows]]
        return np.asarray(turns @ kept @ turns.transpose(0, 2, 1))

    def __str__(self) -> str:
        labels = [a.label for a in self.crystal.magnetic_atoms]
        lines = ["bond  length (A)  from  to    dl            dr (r.l.u.)"]
        r = self.crystal.positions
        for b in range(len(self)):
            one, other = int(self.atom1[b]), int(self.atom2[b])
            dr = r[other] + self.dl[b] - r[one]
            lines.append(f"{self.index[b]:4d}  {self.length[b]:10.4f}  {labels[one]}[{one}] {labels[other]}[{other}]  "
                         f"{self.dl[b].tolist()!s:12}  {np.round(dr, 4).tolist()}")
        return "\n".join(lines)


def _shown(matrix: Array) -> str:
    return str(np.round(matrix, 6).tolist())


def find_bonds(crystal: Crystal, max_distance: float = 8.0, *, tol_dist: float = 1e-3, tol: float = 1e-5,
               d_min: float = 0.5, max_sym: float | None = None, symmetry: bool = True) -> BondTable:
    """All bonds between magnetic atoms up to ``max_distance``.

    Parameters (Angstrom; names and defaults are SpinW's)
    ----------
    tol_dist : lengths that differ by less are of one group. tol : added to max_distance.
    d_min : atoms closer than this are a mistake. max_sym : longest bond that symmetry groups.
    symmetry : False groups by length alone.

    Raises
    ------
    GeometryError : no magnetic atom, atoms too close, or no bond that short.
    """
    for name, value in (("max_distance", max_distance), ("tol_dist", tol_dist), ("tol", tol), ("d_min", d_min)):
        if not (np.isfinite(value) and value >= 0):
            raise GeometryError(f"{name}: expected a length in Angstrom, found {value!r}")
    reach = max_distance + tol
    table = _by_length(crystal, reach)
    if not len(table):
        raise GeometryError(f"max_distance: expected one that reaches a neighbour, found {max_distance} Angstrom")
    length = table[:, 5]
    if length[0] < d_min:
        raise GeometryError(f"sites: expected magnetic atoms at least {d_min} Angstrom apart, found {length[0]:.3g}")
    group = np.concatenate([[1], 1 + np.cumsum(np.diff(length) > tol_dist)])
    bonds = table[:, :5].astype(np.int64)
    operator = np.full(len(bonds), -1)
    if symmetry and len(crystal.space_group) > 1:
        longest = reach if max_sym is None else max_sym
        last = int(group[length <= longest].max(initial=0))
        split, number, operator = _orbits(crystal, bonds[group <= last], group[group <= last])
        rest = group > last
        bonds = np.concatenate([split, bonds[rest]])
        group = np.concatenate([number, group[rest] - last + number.max(initial=0)])
        operator = np.concatenate([operator, np.full(int(rest.sum()), -1)])
    r = crystal.positions
    dl, one, other = bonds[:, :3], bonds[:, 3], bonds[:, 4]
    length = np.linalg.norm((r[other] + dl - r[one]) @ crystal.lattice.vectors, axis=1)
    return BondTable(crystal, group.astype(np.int64), one, other, dl, length, operator.astype(np.int64))


def _sorting_vectors(lattice: Lattice) -> Array:
    """(3, 3) rows a, b, c with SpinW's rounding: which of several equal lengths comes first, and with it the numbers of
    orbits of one length, hangs on the last bit there."""
    alpha, beta, gamma = (angle * np.pi / 180 for angle in (lattice.alpha, lattice.beta, lattice.gamma))
    y = np.sin(beta) * (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / (np.sin(beta) * np.sin(gamma))
    unit = np.array([
        [1.0, 0.0, 0.0],
        [np.cos(gamma), np.sin(gamma), 0.0],
        [np.cos(beta), y, np.sqrt(np.sin(beta) ** 2 - y**2)],
    ])
    return np.asarray(unit * np.array([lattice.a, lattice.b, lattice.c])[:, None])


def _by_length(crystal: Crystal, reach: float) -> Array:
    """Rows (dl, atom1, atom2, length), each bond once, sorted by length."""
    r, vectors = crystal.positions, _sorting_vectors(crystal.lattice)
    n = len(r)
    if not n:
        raise GeometryError("sites: expected at least one with a spin, found none")
    heights = 1 / np.linalg.norm(np.linalg.inv(vectors), axis=0)
    a, b, c = (int(m) for m in np.ceil(reach / heights))
    # half of the cells around the first one, the first index running fastest
    cells = np.array([(x, y, z) for z in range(-c, c + 1) for y in range(-b, b + 1) for x in range(a + 1)
                      if (x, z, y) >= (0, 0, 0)])
    rows = []
    for other in range(n):
        for one in range(n):
            here = cells if one < other else cells[cells.any(axis=1)]
            step = r[other] + here - r[one]
            # summed in SpinW's order, for the same reason as _sorting_vectors
            length = np.sqrt(sum((sum(vectors[i, k] * step[:, i] for i in range(3))) ** 2 for k in range(3)))
            near = length <= reach
            ends = np.broadcast_to([one, other], (int(near.sum()), 2))
            rows.append(np.concatenate([here[near], ends, length[near, None]], axis=1))
    table = np.concatenate(rows)
    return np.asarray(table[np.argsort(table[:, 5], kind="stable")])


def _orbits(crystal: Crystal, bonds: Int, group: Int) -> tuple[Int, Int, Int]:
    """Bonds orbit by orbit, with the number of the orbit and the operator that makes them of its first."""
    out: list[Int] = []
    numbers: list[int] = []
    operators: list[int] = []
    number = 0
    for g in np.unique(group):
        waiting = {tuple(row.tolist()): None for row in bonds[group == g]}
        while waiting:
            number += 1
            seed = next(iter(waiting))
            for o, image in enumerate(_images(crystal, np.array(seed))):
                for key in (image, (*(-x for x in image[:3]), image[4], image[3])):
                    if key in waiting:
                        del waiting[key]
                        out.append(np.array(image))
                        numbers.append(number)
                        operators.append(o)
                        break
    return np.array(out).reshape(-1, 5), np.array(numbers, int), np.array(operators, int)


def _images(crystal: Crystal, bond: Int) -> list[tuple[int, ...]]:
    """(dl, atom1, atom2) of a bond under every operator."""
    group, r = crystal.space_group, crystal.positions
    ends = np.stack([r[bond[3]], r[bond[4]] + bond[:3]])
    moved = np.einsum("oij,ej->oei", group.rotations, ends) + group.translations[:, None]
    # which atom, and in which cell
    step = moved[:, :, None, :] - r
    cell = np.rint(step)
    distance = np.linalg.norm((step - cell) @ crystal.lattice.vectors, axis=-1)
    atom = distance.argmin(axis=2)
    cell = np.take_along_axis(cell, atom[:, :, None, None], axis=2)[:, :, 0].astype(int)
    return [(*(int(x) for x in c[1] - c[0]), int(a[0]), int(a[1])) for c, a in zip(cell, atom, strict=True)]
