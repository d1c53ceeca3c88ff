"""A SpinW object in native form: crystal, bonds, interactions."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from insml.crystal import BondTable, Crystal, Site, SpaceGroup
from insml.errors import FormatError, ModelError
from insml.spinw.cell import Cell
from insml.spinw.struct import Struct
from insml.spinwave.interactions import Interactions
from insml.spinwave.structure import MagneticStructure

Array = NDArray[np.float64]
Self = TypeVar("Self", bound="Native")


class Native(Cell):
    """Fields translated to :mod:`insml.crystal` and :class:`insml.spinwave.interactions.Interactions`."""

    def __init__(self) -> None:
        super().__init__()
        self._bonds: tuple[bytes, BondTable] | None = None

    def copy(self: Self) -> Self:
        """A copy that shares nothing that can change with the original."""
        return copy.deepcopy(self, {id(self._bonds): self._bonds})

    @property
    def crystal(self) -> Crystal:
        """The magnetic atoms."""
        return self._crystal(np.flatnonzero(np.asarray(self.unit_cell.S) > 0))

    def _crystal(self, atoms: NDArray[np.int64]) -> Crystal:
        u, lattice = self.unit_cell, self.lattice
        rotations = np.rint(lattice.sym[:, :3].transpose(2, 0, 1)).astype(np.int64)
        shifts = lattice.sym[:, 3].T + lattice.origin - lattice.origin @ rotations.transpose(0, 2, 1)
        group = SpaceGroup(rotations, shifts % 1.0, lattice.label) if len(rotations) else None
        sites = [Site(u.label[i], u.r[:, i], float(u.S[i]), form_factor=_table(u.ff[0, :, i]), occupancy=float(u.occ[i]))
                 for i in atoms]
        return Crystal(self.cell, sites, group)

    @property
    def matom(self) -> Struct:
        """Magnetic atoms of the chemical cell: r (3, n), idx (n,) in unit_cell, S (n,)."""
        kinds, crystal = np.flatnonzero(np.asarray(self.unit_cell.S) > 0), self.crystal
        index = kinds[np.array([a.site for a in crystal.magnetic_atoms], int)]
        return Struct(r=crystal.positions.T, idx=index + 1, S=crystal.lengths)

    def multiplicities(self) -> list[int]:
        """How many atoms of the chemical cell each of unit_cell stands for."""
        return [len(self._crystal(np.array([i])).atoms) for i in range(self.natom)]

    def bonds(self) -> BondTable:
        """The bonds of ``coupling``, made again where this object was read from a file.

        Raises
        ------
        ModelError : there are none, or the crystal was changed since so that they are others.
        """
        c = self.coupling
        if not len(c.idx):
            raise ModelError("coupling: expected bonds, found none; use gencoupling")
        if self._bonds is None or self._bonds[0] != self._fingerprint():
            r = self.matom.r
            ends = np.concatenate([c.atom1, c.atom2])
            if ends.min() < 1 or ends.max() > r.shape[1]:
                raise ModelError(f"coupling: expected atoms from 1 to {r.shape[1]}, found {ends.min()} to {ends.max()}")
            length = np.linalg.norm(self.basisvector() @ (r[:, c.atom2 - 1] + c.dl - r[:, c.atom1 - 1]), axis=0)
            reach = {"max_distance": float(length.max()) + 1e-4}
            if c.nsym > 0:
                reach["max_sym"] = float(length[c.idx <= c.nsym].max(initial=0)) + 1e-4
            self._make_bonds(c.nsym > 0, **reach)
        assert self._bonds is not None
        found = self._bonds[1]
        same = len(found.index) == len(c.idx) and all(np.array_equal(a, b) for a, b in (
            (found.index, c.idx), (found.atom1 + 1, c.atom1), (found.atom2 + 1, c.atom2),
            (found.dl.T, c.dl)))
        if not same:
            raise ModelError(f"coupling: expected the {len(found.index)} bonds of this crystal, found {len(c.idx)} others; "
                             "use gencoupling")
        return found

    def _make_bonds(self, symmetric: bool, **options: Any) -> BondTable:
        """Find and keep the bonds of the crystal."""
        found = self.crystal.bonds(symmetry=symmetric, **options)
        if symmetric and self.lattice.sym.shape[2] == 1:  # in SpinW's "P 1" every bond has a number of its own
            found = replace(found, index=np.arange(1, len(found) + 1), operator=np.zeros(len(found), np.int64))
        self._bonds = self._fingerprint(), found
        return found

    def _fingerprint(self) -> bytes:
        """Of what bonds depend on."""
        u, lattice = self.unit_cell, self.lattice
        parts = (lattice.lat_const, lattice.angle, lattice.sym, lattice.origin, u.r, np.asarray(u.S) > 0)
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)

    def check_bonds(self, path: str | Path) -> None:
        """Refuse a file whose bonds are not those of its crystal."""
        try:
            if len(self.coupling.idx):
                self.bonds()
        except ModelError as error:
            raise FormatError(path, "bonds as this crystal has them", str(error), "coupling") from None

    def interactions(self) -> Interactions:
        """Matrices on bonds and atoms, with field, dipolar coupling and twins."""
        c, s = self.coupling, self.single_ion
        crystal = self.crystal
        if not c.nsym:  # bonds without symmetry: no atom's matrix is turned either
            atoms = [replace(crystal.sites[a.site], position=a.position) for a in crystal.magnetic_atoms]
            crystal = Crystal(self.cell, atoms)
        out = Interactions(crystal, self.bonds())
        for m, label in enumerate(self.matrix.label, 1):
            value: Any = self.matrix.mat[:, :, m - 1]
            if np.array_equal(value, value[0, 0] * np.eye(3)):
                value = float(value[0, 0])  # so that the parameter of this name is the exchange constant
            rows, columns = np.nonzero(c.mat_idx == m)
            for number, kind, rotate in sorted({(int(c.idx[b]), int(c.type[r, b]), int(c.sym[r, b]))
                                                for r, b in zip(rows, columns, strict=True)}):
                here = [int(b) for r, b in zip(rows, columns, strict=True)
                        if (c.idx[b], c.type[r, b], c.sym[r, b]) == (number, kind, rotate)]
                whole = np.flatnonzero(c.idx == number)
                part = None if len(here) == len(whole) else sorted(b - int(whole[0]) + 1 for b in here)
                out.exchange(label, value, bond=number, subset=part, symmetry=bool(rotate), biquadratic=bool(kind))
        for field, assign in ((s.aniso, out.anisotropy), (s.g, out.g)):
            for m in np.unique(field[field > 0]) if len(field) else ():
                assign(self.matrix.label[int(m) - 1], self.matrix.mat[:, :, int(m) - 1], np.flatnonzero(field == m))
        if self.coupling.rdip > 0:
            out.dipolar(float(self.coupling.rdip))
        share = self.twin.vol / np.sum(self.twin.vol)
        if len(share) > 1 or not np.allclose(self.twin.rotc[:, :, 0], np.eye(3)):
            for t, weight in enumerate(share):
                out.twin(self.twin.rotc[:, :, t], float(weight))
        return out.field(s.field)

    def bond_matrices(self) -> Array:
        """(nb, 3, 3) meV, what the bilinear matrices of each bond in ``coupling`` add up to."""
        sums: dict[tuple[int, ...], Array] = {}
        for i, j, dl, J in self.interactions().model(self._aligned()).bonds:
            for key, value in (((i, j, *map(int, dl)), J), ((j, i, *map(int, -dl)), J.T)):
                sums[key] = sums.get(key, np.zeros((3, 3))) + value
        c = self.coupling
        return np.array([sums.get((int(i) - 1, int(j) - 1, *map(int, dl)), np.zeros((3, 3)))
                         for i, j, dl in zip(c.atom1, c.atom2, c.dl.T, strict=True)]).reshape(-1, 3, 3)

    def ion_matrices(self) -> tuple[Array, Array]:
        """(n, 3, 3) anisotropy in meV and (n, 3, 3) g of the magnetic atoms."""
        model = self.interactions().model(self._aligned())
        return model.anisotropy, model.g

    def _aligned(self) -> MagneticStructure:
        """Spins of one chemical cell along z."""
        return MagneticStructure.tile(np.tile([0.0, 0.0, 1.0], (len(self.matom.S), 1)), lengths=self.matom.S)


def _table(ff: Any) -> list[float] | None:
    """Coefficients of a form factor, None where it is one."""
    return None if not np.any(ff[:-1]) and ff[-1] == 1 else [float(x) for x in ff]
