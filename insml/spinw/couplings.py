"""Bonds, matrices and what they are assigned to."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.spinw.allowed import basis
from insml.spinw.native import Native
from insml.spinw.options import matlab_style

Array = NDArray[np.float64]
Int = NDArray[np.int64]


class Couplings(Native):
    """gencoupling, addmatrix and the assignment of matrices to bonds and atoms."""

    @matlab_style(1)
    def addmatrix(self, value: Any = None, label: Any = None, color: Any = None, mat: Any = None) -> None:
        """A matrix, or several.

        Parameters
        ----------
        value, mat : number J (J times one), three numbers D (D.(S1 x S2)), (3, 3), or (3, 3, n).
        label : name(s), "mat1", ... where None; a label that exists gets the new value. color : for plots.
        """
        given = np.asarray(1.0 if value is None and mat is None else mat if value is None else value, float)
        if given.size == 1:
            given = given.item() * np.eye(3)
        elif given.size == 3:
            x, y, z = given.ravel()
            given = np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]])
        if given.shape[:2] != (3, 3) or given.ndim > 3 or not np.isfinite(given).all():
            raise ModelError(f"value: expected 1, 3, 3 x 3 or 3 x 3 x n finite numbers, found shape {np.shape(value)}")
        given = given.reshape(3, 3, -1)
        first = self.matrix.mat.shape[2]
        labels = ([f"mat{first + i + 1}" for i in range(given.shape[2])] if label is None
                  else [label] if isinstance(label, str) else list(label))
        if len(labels) != given.shape[2]:
            raise ModelError(f"label: expected {given.shape[2]} labels, one for each matrix, found {labels!r}")
        for i, name in enumerate(labels):
            if name in self.matrix.label:
                self.matrix.mat[:, :, self.matrix.label.index(name)] = given[:, :, i]
            else:
                self.matrix.mat = np.concatenate([self.matrix.mat, given[:, :, i : i + 1]], axis=2)
                self.matrix.label, self.matrix.color = [*self.matrix.label, name], [*self.matrix.color, color]

    @matlab_style(1, ignored=("fid",))
    def gencoupling(self, maxDistance: float = 8.0, tolDist: float = 1e-3, tol: float = 1e-5, dMin: float = 0.5,
                    maxSym: float | None = None, forceNoSym: bool = False) -> None:
        """Bonds up to ``maxDistance`` Angstrom, numbered by length and symmetry; drops matrices assigned before.

        Parameters
        ----------
        tolDist : bonds whose lengths differ less count as equal. tol : added to maxDistance. dMin : shortest bond allowed.
        maxSym : longest bond that symmetry groups. forceNoSym : group by length alone.
        """
        bonds = self._make_bonds(self.symmetry() and not forceNoSym, max_distance=maxDistance, tol_dist=tolDist, tol=tol,
                                 d_min=dMin, max_sym=maxSym)
        n, atoms = len(bonds), len(self.matom.S)
        self.coupling.update(
            dl=bonds.dl.T.copy(), atom1=bonds.atom1 + 1, atom2=bonds.atom2 + 1, idx=bonds.index.copy(),
            mat_idx=np.zeros((3, n), int), type=np.zeros((3, n), int), sym=np.zeros((3, n), int),
            nsym=int(bonds.index[bonds.operator >= 0].max(initial=0)))
        self.single_ion.update(aniso=np.zeros(atoms, int), g=np.zeros(atoms, int))

    @matlab_style(1)
    def addcoupling(self, mat: Any = None, bond: Any = None, atom: Any = None, subIdx: Any = None, type: Any = "quadratic",
                    sym: bool | None = None) -> None:
        """Matrices on bonds.

        Parameters
        ----------
        mat : label(s) or 1-based index(es). bond : number(s) of the bond.
        atom : label or index in unit_cell of the atom at both ends, or of the two atoms in either order.
        subIdx : 1-based, which of the bonds that fit.
        type : "quadratic" or "biquadratic". sym : rotate the matrix from bond to bond by the space group; True unless
            ``subIdx`` is given.
        """
        matrices = [self._matrix(m) for m in (mat if isinstance(mat, list | tuple | np.ndarray) else [mat])]
        wanted = np.atleast_1d(np.asarray([] if bond is None else bond, int)).ravel()
        c = self.coupling
        chosen = np.isin(c.idx, wanted)
        if not len(wanted) or not np.isin(wanted, c.idx).all():
            raise ModelError(f"bond: expected numbers from 1 to {int(c.idx.max(initial=0))}, found {bond!r}; gencoupling "
                             "with a larger maxDistance makes more")
        if atom is not None:
            pair = [atom] if isinstance(atom, str | int | np.integer) else list(atom)
            if len(pair) > 2:
                raise ModelError(f"atom: expected one or two labels or indices, found {atom!r}")
            one, other = (self._magnetic(p) for p in (pair * 2)[:2])
            chosen &= (np.isin(c.atom1, one) & np.isin(c.atom2, other)) | (np.isin(c.atom1, other) & np.isin(c.atom2, one))
        index = np.flatnonzero(chosen)
        if subIdx is not None:
            part = np.atleast_1d(np.asarray(subIdx, int)).ravel()
            if not len(index) or part.min() < 1 or part.max() > len(index):
                raise ModelError(f"subIdx: expected numbers from 1 to {len(index)}, found {subIdx!r}")
            index = index[part - 1]
        if not len(index):
            raise ModelError(f"addcoupling: expected bonds {bond!r} between atoms {atom!r}, found none")
        kinds = [type] * len(matrices) if isinstance(type, str) else list(type)
        if len(kinds) != len(matrices) or not set(kinds) <= {"quadratic", "biquadratic"}:
            raise ModelError(f"type: expected 'quadratic' or 'biquadratic', found {type!r}")
        rotate = subIdx is None if sym is None else bool(sym)
        for m, kind in zip(matrices, kinds, strict=True):
            for b in index:
                if m in c.mat_idx[:, b]:
                    continue
                free = np.flatnonzero(c.mat_idx[:, b] == 0)
                if not len(free):
                    raise ModelError(f"addcoupling: expected at most three matrices on a bond, found a fourth on bond "
                                     f"{int(c.idx[b])}")
                c.mat_idx[free[0], b], c.type[free[0], b], c.sym[free[0], b] = m, kind == "biquadratic", rotate

    def addaniso(self, matrixIdx: str | int, atomTypeIdx: Any = None, atomIdx: Any = None) -> None:
        """Matrix S A S on atoms: all magnetic ones, those of the labels or indices ``atomTypeIdx``, or of these the
        1-based ``atomIdx`` (without a space group)."""
        self._assign("aniso", matrixIdx, atomTypeIdx, atomIdx)

    def addg(self, matrixIdx: str | int, atomTypeIdx: Any = None, atomIdx: Any = None) -> None:
        """g-tensor of atoms, chosen as in :meth:`addaniso`; 2 for all others."""
        self._assign("g", matrixIdx, atomTypeIdx, atomIdx)

    def _assign(self, field: str, matrix: str | int, atoms: Any, some: Any) -> None:
        index = self._matrix(matrix)
        n = len(self.matom.S)
        now = self.single_ion[field] if len(self.single_ion[field]) == n else np.zeros(n, int)
        if atoms is None:
            sites = np.arange(n)
        else:
            kinds = [atoms] if isinstance(atoms, str | int | np.integer) else list(atoms)
            sites = np.concatenate([self._magnetic(kind) for kind in kinds]) - 1
        if some is not None:
            if self.symmetry():
                raise ModelError("atomIdx: expected none with a space group, which makes equivalent atoms alike, found "
                                 f"{some!r}")
            sites = sites[np.atleast_1d(np.asarray(some, int)) - 1]
        now = now.copy()
        now[sites] = index
        self.single_ion[field] = now

    @matlab_style(1)
    def matparser(self, param: Any = None, mat: Any = None, selector: Any = None, init: bool = False) -> None:
        """Numbers into matrices.

        Parameters
        ----------
        param : (np,). mat : for each a label ("J1": the diagonal), an element ("D(3,3)") or a 1-based index.
        selector : (3, 3, np) of 1, -1 and 0: where the number, or its negative, goes. init : clear these matrices first.
        """
        values = np.asarray(param, float).ravel()
        names = list(range(1, len(values) + 1)) if mat is None else [mat] if isinstance(mat, str) else list(mat)
        if len(names) != len(values):
            raise ModelError(f"mat: expected {len(values)} entries, one for each parameter, found {names!r}")
        chosen = []
        for i, name in enumerate(names):
            element = re.fullmatch(r"(.*)\(([1-3]),\s*([1-3])\)", name) if isinstance(name, str) else None
            where = np.eye(3)
            if element is not None:
                where = np.zeros((3, 3))
                where[int(element[2]) - 1, int(element[3]) - 1] = 1
            chosen.append((self._matrix(element[1] if element is not None else name) - 1,
                           where if selector is None else np.asarray(selector, float).reshape(3, 3, -1)[:, :, i]))
        if init:
            for index, _ in chosen:
                self.matrix.mat[:, :, index] = 0
        for (index, where), value in zip(chosen, values, strict=True):
            self.matrix.mat[:, :, index] = np.where(where != 0, where * value, self.matrix.mat[:, :, index])

    @matlab_style(1, ignored=("tol", "fid"))
    def getmatrix(self, mat: Any = None, label: Any = None, bond: int | None = None, aniso: Any = None, gtensor: Any = None,
                  pref: Any = None) -> Array:
        """Matrices that symmetry allows.

        Parameters
        ----------
        mat, label : of a matrix that is assigned to one bond, or to the anisotropy or g-tensor of one kind of atom; or
        bond : number; aniso, gtensor : label or index of an atom in unit_cell.
        pref : (n,) prefactors, {index: prefactor} with 1-based indices, or [x] in a list for x times one.

        Returns
        -------
        (3, 3, n) on the first bond or atom, in the order of :func:`insml.spinw.allowed.basis`; with ``pref`` their sum.
        """
        found = self._allowed(mat if label is None else label, bond, aniso if gtensor is None else gtensor)
        return found.transpose(1, 2, 0) if pref is None else _summed(found, pref)

    @matlab_style(1, ignored=("tol", "fid"))
    def setmatrix(self, mat: Any = None, label: Any = None, pref: Any = 1.0) -> None:
        """A matrix from the prefactors ``pref`` of what :meth:`getmatrix` lists for it, or one number times one."""
        name = mat if label is None else label
        self.matrix.mat[:, :, self._matrix(name) - 1] = _summed(self._allowed(name, None, None), pref)

    def _allowed(self, matrix: Any, bond: int | None, atom: Any) -> Array:
        if matrix is not None:
            m = self._matrix(matrix)
            bonds = np.unique(self.coupling.idx[(self.coupling.mat_idx == m).any(axis=0)])
            sites = np.flatnonzero(np.logical_or.reduce(
                [f == m for f in (self.single_ion.aniso, self.single_ion.g) if len(f)] or [np.zeros(0, bool)]))
            kinds = np.unique(self.matom.idx[sites])
            if len(bonds) + len(kinds) != 1:
                raise ModelError(f"getmatrix: expected matrix {matrix!r} on one bond or one kind of atom, found "
                                 f"{len(bonds)} bonds and {len(kinds)} kinds of atoms")
            bond, atom = (int(bonds[0]), None) if len(bonds) else (None, int(kinds[0]))
        if not self.symmetry():
            raise ModelError("getmatrix: expected a space group, found none")
        if bond is not None:
            return basis(self.bonds().allowed(int(bond)))
        if atom is None:
            raise ModelError("getmatrix: expected mat, bond, aniso or gtensor, found none")
        return basis(self.crystal.allowed_on_atom(int(self._magnetic(atom)[0]) - 1))

    def _matrix(self, value: Any) -> int:
        """1-based index of a matrix given by label or index."""
        if isinstance(value, str):
            if value not in self.matrix.label:
                raise ModelError(f"matrix: expected one of {', '.join(self.matrix.label) or '(none)'}, found {value!r}")
            return int(self.matrix.label.index(value)) + 1
        if not isinstance(value, int | float | np.number) or value not in range(1, len(self.matrix.label) + 1):
            raise ModelError(f"matrix: expected a label or an index from 1 to {len(self.matrix.label)}, found {value!r}")
        return int(value)

    def _magnetic(self, value: Any) -> Int:
        """1-based magnetic atoms of a label or index in unit_cell."""
        kinds = ([i + 1 for i, label in enumerate(self.unit_cell.label) if label == value] if isinstance(value, str)
                 else [int(value)])
        found = np.flatnonzero(np.isin(self.matom.idx, kinds)) + 1
        if not len(found):
            names = sorted({self.unit_cell.label[int(i) - 1] for i in self.matom.idx})
            raise ModelError(f"atom: expected a magnetic atom of {', '.join(names)} or its index, found {value!r}")
        return found


def _summed(matrices: Array, pref: Any) -> Array:
    if isinstance(pref, dict):
        values = np.zeros(len(matrices))
        for index, value in pref.items():
            if index not in range(1, len(matrices) + 1):
                raise ModelError(f"pref: expected indices from 1 to {len(matrices)}, found {index!r}")
            values[int(index) - 1] = value
    elif np.size(pref) == 1 and len(matrices) != 1:
        return np.asarray(float(np.ravel(pref)[0]) * np.eye(3))
    else:
        values = np.asarray(pref, float).ravel()
    if values.shape != (len(matrices),):
        raise ModelError(f"pref: expected {len(matrices)} prefactors, found {values.size}")
    return np.asarray(np.tensordot(values, matrices, axes=1))
