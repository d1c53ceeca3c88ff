"""Tables of what an object holds."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from insml.errors import ModelError
from insml.spinw import ions
from insml.spinw.spectra import Spectra
from insml.spinw.struct import Struct


class Table(Struct):
    """Columns of equal length by name; prints as text."""

    def __len__(self) -> int:
        return len(next(iter(self.values()))) if super().__len__() else 0

    def __bool__(self) -> bool:
        return len(self) > 0

    def __str__(self) -> str:
        columns = [[name, *(_text(v) for v in values)] for name, values in self.items()]
        width = [max(map(len, column)) for column in columns]
        return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip()
                         for row in zip(*columns, strict=True))

    __repr__ = __str__


class Tables(Spectra):
    """table and formula."""

    def table(self, type: str, index: Any = 1, showVal: bool = False) -> Table:
        """Columns of a table.

        Parameters
        ----------
        type : "matom" (magnetic atoms), "bond", "matrix" or "mat", "ion" or "aniso", "mag" (spins).
        index : 1-based numbers of the bonds shown, None or [] for all. showVal : with the matrices of bonds and atoms.
        """
        kinds = {"matom": self._atom_table, "atom": self._atom_table, "matrix": self._matrix_table,
                 "mat": self._matrix_table, "mag": self._spin_table}
        if type in ("bond", "coupling"):
            return self._bond_table(index, showVal)
        if type in ("ion", "aniso"):
            return self._ion_table(showVal)
        if type not in kinds:
            raise ModelError(f"table: expected {', '.join((*kinds, 'bond', 'coupling', 'ion', 'aniso'))}, found {type!r}")
        return kinds[type]()

    def _labels(self, sites: Any) -> list[str]:
        return [str(self.unit_cell.label[int(self.matom.idx[int(i) - 1]) - 1]) for i in sites]

    def _atom_table(self) -> Table:
        number = np.arange(1, len(self.matom.S) + 1)
        return Table(matom=self._labels(number), idx=number, S=self.matom.S, pos=np.round(self.matom.r.T, 3))

    def _matrix_table(self) -> Table:
        used = {"bond": self.coupling.mat_idx, "aniso": self.single_ion.aniso, "gtensor": self.single_ion.g}
        assigned = []
        for i in range(1, len(self.matrix.label) + 1):
            where = [name for name, indices in used.items() if (indices == i).any()]
            assigned.append("none" if not where else where[0] if len(where) == 1 else "multiple")
        values = np.round(self.matrix.mat.transpose(2, 0, 1), 5) + 0.0
        return Table(matrix=list(self.matrix.label), Mx=values[:, 0], My=values[:, 1], Mz=values[:, 2],
                     type=[_kind(m) for m in values], assigned=assigned)

    def _spin_table(self) -> Table:
        spins, k = self.structure.spins, self.magstr().k
        atoms = len(self.matom.S)
        site = np.arange(len(spins)) % atoms + 1
        cells = np.indices(tuple(int(m) for m in self.mag_str.nExt)[::-1]).reshape(3, -1)[::-1].T
        return Table(num=np.arange(1, len(spins) + 1), matom=self._labels(site), idx=site,
                     S=np.round(np.linalg.norm(spins, axis=1), 6),
                     Shat=np.round(spins / np.linalg.norm(spins, axis=1)[:, None], 3) + 0.0,
                     pos=np.round(self.matom.r.T[site - 1] + np.repeat(cells, atoms, axis=0), 3),
                     kvect=np.tile(np.round(k, 5), (len(spins), 1)))

    def _bond_table(self, index: Any, values: bool) -> Table:
        c = self.coupling
        chosen = np.arange(len(c.idx)) if index is None or np.size(index) == 0 else np.flatnonzero(
            np.isin(c.idx, np.ravel(index)))
        first = {int(i): int(np.argmax(c.idx == i)) for i in np.unique(c.idx)}
        r = self.matom.r
        dr = (r[:, c.atom2[chosen] - 1] + c.dl[:, chosen] - r[:, c.atom1[chosen] - 1]).T
        names = [["" if m == 0 else ("»" if s and self.symmetry() else "") + self.matrix.label[m - 1]
                  for m, s in zip(c.mat_idx[:, b], c.sym[:, b], strict=True)] for b in chosen]
        out = Table(idx=c.idx[chosen], subidx=np.array([b - first[int(c.idx[b])] + 1 for b in chosen], int),
                    dl=c.dl[:, chosen].T, dr=np.round(dr, 3) + 0.0,
                    length=np.round(np.linalg.norm(dr @ self.basisvector().T, axis=1), 3),
                    matom1=self._labels(c.atom1[chosen]), idx1=c.atom1[chosen], matom2=self._labels(c.atom2[chosen]),
                    idx2=c.atom2[chosen], matrix=names)
        if values:
            J = np.round(self.bond_matrices()[chosen], 5) + 0.0
            out.update(Jx=J[:, 0], Jy=J[:, 1], Jz=J[:, 2],
                       DM=np.stack([J[:, 1, 2] - J[:, 2, 1], J[:, 2, 0] - J[:, 0, 2], J[:, 0, 1] - J[:, 1, 0]], axis=1) / 2)
        return out

    def _ion_table(self, values: bool) -> Table:
        number = np.arange(1, len(self.matom.S) + 1)
        columns = {}
        for column, field in (("aniso", "aniso"), ("gtensor", "g")):
            indices = self.single_ion[field] if len(self.single_ion[field]) == len(number) else 0 * number
            columns[column] = ["" if i == 0 else self.matrix.label[int(i) - 1] for i in indices]
        out = Table(matom=self._labels(number), idx=number, **columns)
        if values:
            A, g = (np.round(m, 5) + 0.0 for m in self.ion_matrices())
            out.update(Ax=A[:, 0], Ay=A[:, 1], Az=A[:, 2], gx=g[:, 0], gy=g[:, 1], gz=g[:, 2])
        return out

    def formula(self) -> str:
        """Atoms in the chemical cell, such as "Cr2 O3", divided by the formula units of the cell where these are known."""
        count: Counter[str] = Counter()
        for label, number, occupancy in zip(self.unit_cell.label, self.multiplicities(), self.unit_cell.occ, strict=True):
            count[(ions.ion_of(label) or (label, 0))[0]] += number * occupancy
        per = self.unit.nformula or 1
        return " ".join(f"{name}{number / per:g}" for name, number in count.items())


def _kind(matrix: Any) -> str:
    """SpinW's name for the form of an exchange matrix."""
    if np.allclose(matrix, matrix[0, 0] * np.eye(3)):
        return "Heisenberg"
    if np.allclose(matrix, np.diag(np.diag(matrix))):
        return "anisotropic"
    return "antisymmetric" if np.allclose(matrix, -matrix.T) else "general"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(v for v in value if v)
    if np.ndim(value):
        return " ".join(f"{x:g}" for x in value)
    return value if isinstance(value, str) else f"{value:g}"
