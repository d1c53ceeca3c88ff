"""Lattice and atoms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice, SpaceGroup
from insml.errors import ModelError
from insml.spinw import ions
from insml.spinw.options import matlab_style
from insml.spinw.state import State, columns
from insml.spinw.struct import Struct

Array = NDArray[np.float64]


class Cell(State):
    """genlattice, addatom and what follows from them."""

    @matlab_style(1)
    def genlattice(self, lat_const: Any = None, angled: Any = None, angle: Any = None, bv: Any = None, sym: Any = None,
                   spgr: Any = None, label: str = "", origin: Any = None, perm: Any = "abc",
                   nformula: int | None = None) -> Array:
        """Lattice and space group.

        Parameters
        ----------
        lat_const : (3,) Angstrom. angled : (3,) degrees. angle : (3,) rad.
        bv : (3, 3) basis vectors in columns, instead of the three above.
        sym, spgr : number, Hermann-Mauguin symbol, "x,y+1/2,-z; ...", (3, 4, n) operators, or (generators, label);
            0 or "" for no symmetry.
        label : name of a group given by its generators. origin : of its operators, fractional.
        perm : "bca" or (2, 3, 1): axes of the operators.
        nformula : formula units in the cell to which intensities are normalised, 0 for the cell.

        Returns
        -------
        (3, 3) rotation from the axes of ``bv`` to SpinW's (x along a, y in the ab plane).
        """
        rotation = np.eye(3)
        if bv is not None:
            vectors = np.asarray(bv, float)
            found = Lattice.from_vectors(vectors.T)
            self.lattice.lat_const = np.array([found.a, found.b, found.c])
            self.lattice.angle = np.radians([found.alpha, found.beta, found.gamma])
            rotation = found.vectors.T @ np.linalg.inv(vectors)
        else:
            if angled is not None:
                self.lattice.angle = np.radians(_numbers(angled, 3, "angled"))
            elif angle is not None:
                self.lattice.angle = _numbers(angle, 3, "angle")
            if lat_const is not None:
                self.lattice.lat_const = _numbers(lat_const, 3, "lat_const")
        group = sym if spgr is None else spgr
        if group is not None:
            self._set_symmetry(group, label, origin, perm)
        elif origin is not None or perm != "abc":
            raise ModelError("genlattice: expected sym with origin or perm, found none")
        if nformula is not None:
            self.unit.nformula = int(nformula)
        self.cell.vectors  # noqa: B018  refuses impossible constants here
        return rotation

    def _set_symmetry(self, group: Any, label: str, origin: Any, perm: Any) -> None:
        if isinstance(group, list | tuple) and len(group) == 2 and all(isinstance(x, str) for x in group):
            group, label = group[0], label or group[1]
        if isinstance(group, np.ndarray) and group.ndim == 3 and group.shape[:2] == (3, 4):
            group = group.transpose(2, 0, 1)
        if (isinstance(group, int | float | np.number) and group == 0) or (isinstance(group, str) and not group.strip()):
            self.lattice.sym, self.lattice.label, self.lattice.origin = np.zeros((3, 4, 0)), "P 0", np.zeros(3)
            return
        order = [ord(c) - ord("a") for c in perm] if isinstance(perm, str) else [int(p) - 1 for p in perm]
        if sorted(order) != [0, 1, 2]:
            raise ModelError(f"perm: expected a permutation of 'abc' or of 1, 2, 3, found {perm!r}")
        found = SpaceGroup.of(int(group) if isinstance(group, float) else group)
        self.lattice.sym = np.concatenate(
            [found.rotations[:, order][:, :, order], found.translations[:, order][:, :, None]], axis=2).transpose(1, 2, 0)
        self.lattice.label = label or found.name
        if origin is not None:
            shift = _numbers(origin, 3, "origin")
            if (shift < 0).any() or (shift > 1).any():
                raise ModelError(f"origin: expected fractional coordinates between 0 and 1, found {shift.tolist()}")
            self.lattice.origin = shift

    @matlab_style(1, ignored=("bn", "b", "bx", "biso", "A", "formfactx"))
    def addatom(self, r: Any = None, S: Any = None, label: Any = None, color: Any = None, ox: Any = None, occ: Any = None,
                Z: Any = None, formfactn: Any = None, formfact: Any = None, update: bool = True) -> None:
        """Atoms of the asymmetric unit.

        Parameters
        ----------
        r : (3, n) fractional positions, a column for each atom ((n, 3) where unambiguous).
        S : (n,) spins, 0 for atoms that are not magnetic; of 3d ions taken from labels such as "MCr3" where None.
        label : name(s), also those of the ions whose form factor is meant. color : for plots.
        formfactn, formfact : an ion or 7, 9 or 11 coefficients a1 b1 ... c, in place of that of the label.
        update : change an atom that has the same label and position instead of adding one.
        """
        if r is None:
            raise ModelError("addatom: expected positions r, found none")
        positions = np.asarray(columns(r, "r"), float) % 1.0
        n = positions.shape[1]
        names = [f"atom_{self.natom + i + 1}" for i in range(n)] if label is None else _texts(label, n, "label")
        spins = [_spin(name) if S is None else _entry(S, i, n, 0.0, "S") for i, name in enumerate(names)]
        if not all(np.isfinite(s) and s >= 0 for s in spins):
            raise ModelError(f"S: expected {n} numbers that are not negative, found {S!r}")
        tables = formfact if formfactn is None else formfactn
        if tables is None:
            ff = [ions.form_factor_of(name) for name in names]
        elif isinstance(tables, list | tuple) and all(isinstance(t, str) for t in tables):
            ff = [ions.coefficients(t, "formfactn") for t in _texts(tables, n, "formfactn")]
        else:
            ff = [ions.coefficients(tables, "formfactn")] * n
        colors = [None] * n if color is None else _colors(color, n)
        for i in range(n):
            entry = Struct(r=positions[:, i], S=spins[i], label=names[i], color=colors[i],
                           ff=ions.ONE if ff[i] is None else ff[i], occ=_entry(occ, i, n, 1.0, "occ"),
                           ox=_entry(ox, i, n, float((ions.ion_of(names[i]) or ("", 0))[1]), "ox"),
                           Z=int(_entry(Z, i, n, 113, "Z")))
            self._put_atom(entry, update)

    def _put_atom(self, atom: Struct, update: bool) -> None:
        u = self.unit_cell
        same = [i for i in range(self.natom) if u.label[i] == atom.label and np.allclose(u.r[:, i], atom.r, atol=1e-9)]
        ff = np.stack([atom.ff, np.zeros(11)])
        if update and same:
            i = same[0]
            u.S[i], u.color[i], u.occ[i], u.ox[i], u.Z[i], u.ff[:, :, i] = atom.S, atom.color, atom.occ, atom.ox, atom.Z, ff
            return
        u.r = np.column_stack([u.r, atom.r])
        u.ff = np.concatenate([u.ff, ff[:, :, None]], axis=2)
        u.label, u.color = [*u.label, atom.label], [*u.color, atom.color]
        u.S, u.occ = np.append(u.S, atom.S), np.append(u.occ, atom.occ)
        u.ox, u.Z = np.append(u.ox, atom.ox), np.append(u.Z, atom.Z)

    def unitcell(self, index: Any) -> Struct:
        """Atoms of the asymmetric unit by 1-based index or label, to be stored in ``unit_cell``."""
        wanted = [index] if isinstance(index, str | int | np.integer) else list(index)
        u = self.unit_cell
        keep = [i for w in wanted for i in range(self.natom) if (w in u.label[i] if isinstance(w, str) else w == i + 1)]
        if not keep:
            raise ModelError(f"unitcell: expected indices up to {self.natom} or labels of {', '.join(u.label)}, found "
                             f"{index!r}")
        return Struct({name: [value[i] for i in keep] if isinstance(value, list) else value[..., keep]
                       for name, value in u.items()})

    def symmetry(self) -> bool:
        """True where bonds follow from a space group, False where from their lengths alone."""
        return bool(self.lattice.sym.shape[2])


def _spin(label: str) -> float:
    spin = ions.spin_of(label)
    if spin is None:
        raise ModelError(f"S: expected the spin of {label!r}, which its label does not tell, found none")
    return spin


def _numbers(value: Any, n: int, name: str) -> Array:
    array = np.asarray(value, float).ravel()
    if array.shape != (n,) or not np.isfinite(array).all():
        raise ModelError(f"{name}: expected {n} numbers, found {value!r}")
    return array


def _texts(value: str | Sequence[str], n: int, name: str) -> list[str]:
    texts = [value] * n if isinstance(value, str) else [str(x) for x in value]
    if len(texts) != n:
        raise ModelError(f"{name}: expected {n} texts, one for each atom, found {texts!r}")
    return texts


def _colors(value: Any, n: int) -> list[Any]:
    if isinstance(value, str):
        return [value] * n
    if isinstance(value, list | tuple) and value and all(isinstance(c, str) for c in value):
        return _texts(value, n, "color")
    return [rgb.tolist() for rgb in columns(value, "color", n).T]


def _entry(value: Any, i: int, n: int, default: float, name: str) -> float:
    if value is None:
        return default
    array = np.asarray(value, float).ravel()
    if array.size not in (1, n):
        raise ModelError(f"{name}: expected {n} numbers, one for each atom, found {value!r}")
    return float(array[i % array.size])
