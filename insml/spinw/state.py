"""The fields of a SpinW object, with SpinW's names, shapes (columns are entries) and 1-based indices."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.errors import ModelError
from insml.spinw.struct import Struct
from insml.spinwave.structure import MagneticStructure

Array = NDArray[np.float64]
Self = TypeVar("Self", bound="State")

MAGNETIC = ("lattice", "unit_cell", "twin", "matrix", "single_ion", "coupling", "mag_str", "unit")


class State:
    """Fields of a SpinW object; what a MATLAB script reads or writes as ``obj.field.subfield``.

    Attributes
    ----------
    lattice : angle (3,) rad, lat_const (3,), sym (3, 4, n) operators, origin (3,), label.
    unit_cell : r (3, n), S (n,), label, color, ff (2, 11, n), occ, ox, Z of the atoms of the asymmetric unit.
    twin : vol (nt,), rotc (3, 3, nt).
    matrix : mat (3, 3, nm), label, color.
    single_ion : aniso and g (index of a matrix for each magnetic atom, 0 for none), field (3,) tesla, T.
    coupling : dl (3, nb), atom1, atom2 (nb,), mat_idx, type, sym (3, nb), idx (nb,), rdip, nsym.
    mag_str : F (3, n, nk) complex, k (3, nk), nExt (3,).
    unit : kB, muB, mu0, label, nformula, qmat (3, 3).
    """

    def __init__(self) -> None:
        self.lattice = Struct(angle=np.full(3, np.pi / 2), lat_const=np.full(3, 3.0), sym=np.zeros((3, 4, 0)),
                              origin=np.zeros(3), label="P 0")
        self.unit_cell = Struct(r=np.zeros((3, 0)), S=np.zeros(0), label=[], color=[], ff=np.zeros((2, 11, 0)),
                                occ=np.zeros(0), ox=np.zeros(0), Z=np.zeros(0, int))
        self.twin = Struct(vol=np.ones(1), rotc=np.eye(3)[:, :, None])
        self.matrix = Struct(mat=np.zeros((3, 3, 0)), label=[], color=[])
        self.single_ion = Struct(aniso=np.zeros(0, int), g=np.zeros(0, int), field=np.zeros(3), T=0.0)
        self.coupling = Struct(dl=np.zeros((3, 0), int), atom1=np.zeros(0, int), atom2=np.zeros(0, int),
                               mat_idx=np.zeros((3, 0), int), idx=np.zeros(0, int), type=np.zeros((3, 0), int),
                               sym=np.zeros((3, 0), int), rdip=0.0, nsym=0)
        self.mag_str = Struct(F=np.zeros((3, 0, 0), complex), k=np.zeros((3, 0)), nExt=np.ones(3, int))
        self.unit = Struct(kB=0.086173324, muB=0.057883818066, mu0=201.335431, label=["Å", "meV", "T", "K"], nformula=0,
                           qmat=np.eye(3))

    def copy(self: Self) -> Self:
        """A copy that shares nothing with the original."""
        return copy.deepcopy(self)

    def struct(self) -> Struct:
        """All fields as one struct (SpinW's ``struct(obj)``)."""
        return Struct({name: copy.deepcopy(getattr(self, name)) for name in MAGNETIC})

    @property
    def cell(self) -> Lattice:
        """The chemical cell."""
        a, b, c = map(float, self.lattice.lat_const)
        alpha, beta, gamma = (round(float(x), 12) for x in np.degrees(self.lattice.angle))
        return Lattice(a, b, c, alpha, beta, gamma)

    def basisvector(self, norm: bool = False) -> Array:
        """(3, 3) lattice vectors as columns in Angstrom, of length one where ``norm``."""
        vectors = self.cell.vectors
        return np.asarray((vectors / np.linalg.norm(vectors, axis=1)[:, None] if norm else vectors).T)

    def rl(self, norm: bool = False) -> Array:
        """(3, 3) reciprocal lattice vectors as rows in 1/Angstrom, of length one where ``norm``."""
        vectors = self.cell.reciprocal.T
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1)[:, None] if norm else vectors)

    def abc(self) -> Array:
        """(6,) a, b, c in Angstrom, angles in degrees."""
        return np.concatenate([self.lattice.lat_const, np.degrees(self.lattice.angle)])

    @property
    def natom(self) -> int:
        """Atoms of the asymmetric unit."""
        return int(self.unit_cell.r.shape[1])

    @property
    def nmagext(self) -> int:
        """Spins of the magnetic cell."""
        return int(self.mag_str.F.shape[1])

    def field(self, B: Any = None) -> Array:
        """(3,) field in tesla, Cartesian; set if ``B`` is given."""
        if B is not None:
            self.single_ion.field = _three(B, "field")
        return np.asarray(self.single_ion.field)

    def temperature(self, T: float | None = None) -> float:
        """Temperature in K, for the Bose factor; set if ``T`` is given."""
        if T is not None:
            if not (np.isfinite(T) and T >= 0):
                raise ModelError(f"temperature: expected a number of kelvin that is not negative, found {T!r}")
            self.single_ion.T = float(T)
        return float(self.single_ion.T)

    @property
    def structure(self) -> MagneticStructure:
        """The magnetic structure in native form.

        Raises
        ------
        ModelError : none was generated yet.
        """
        F, k = self.mag_str.F, self.mag_str.k
        if F.shape[1] == 0:
            raise ModelError("mag_str: expected a magnetic structure, found none; use genmagstr")
        cell = tuple(int(m) for m in self.mag_str.nExt)
        turns = np.abs(k * np.array(cell)[:, None] - np.rint(k * np.array(cell)[:, None])).max(axis=0) > 1e-4
        spins = F.sum(axis=2).real.T
        if not turns.any():
            return MagneticStructure((cell[0], cell[1], cell[2]), spins)
        first = int(np.argmax(turns))
        axis = np.cross(F[:, :, first].real.T, F[:, :, first].imag.T).sum(axis=0)
        if turns.sum() > 1 or np.linalg.norm(axis) < 1e-9:
            raise ModelError(f"mag_str: expected one incommensurate k with circular components, found k = {k.T.tolist()}")
        return MagneticStructure((cell[0], cell[1], cell[2]), spins, k[:, first], axis)

    @structure.setter
    def structure(self, value: MagneticStructure) -> None:
        spins, cell = value.spins, np.array(value.supercell)
        if value.k is None or value.n is None:
            self.mag_str = Struct(F=spins.T[:, :, None].astype(complex), k=np.zeros((3, 1)), nExt=cell)
            return
        along = np.outer(spins @ value.n, value.n)
        flat = spins - along
        parts, waves = [flat + 1j * np.cross(value.n, flat)], [value.k]
        if np.abs(along).max() > 1e-9:
            parts.append(along.astype(complex))
            waves.append(np.zeros(3))
        self.mag_str = Struct(F=np.stack([p.T for p in parts], axis=2), k=np.array(waves).T, nExt=cell)

    def magstr(self) -> Struct:
        """S (3, n), k (3,), n (3,), N_ext of the structure in the rotating frame (k = 0, n = z for a plain one)."""
        found = self.structure
        return Struct(S=found.spins.T.copy(), k=np.zeros(3) if found.k is None else np.array(found.k),
                      n=np.array([0.0, 0.0, 1.0] if found.n is None else found.n), N_ext=np.array(found.supercell),
                      exact=True)


def _three(value: Any, name: str) -> Array:
    array = np.asarray(value, float).ravel()
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ModelError(f"{name}: expected three numbers, found {value!r}")
    return array


def columns(value: Any, name: str, count: int | None = None) -> Array:
    """(3, n) from SpinW's 3 x n, or n x 3 where that is unambiguous; a 3 x 3 matrix holds columns."""
    array = np.asarray(value)
    array = array.reshape(3, 1) if array.shape == (3,) else array
    if array.ndim == 2 and array.shape[1] == 3 and (array.shape[0] != 3):
        array = array.T
    if array.ndim != 2 or array.shape[0] != 3 or not np.isfinite(array).all() or count not in (None, array.shape[1]):
        wanted = "n" if count is None else str(count)
        raise ModelError(f"{name}: expected 3 x {wanted} numbers, a column for each entry, found shape {np.shape(value)}")
    return array
