"""Couplings of a crystal, by name: matrices on bonds and atoms, rotated by the space group; and the model they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.invariant import averaged, stabiliser
from insml.errors import ModelError
from insml.spinwave import checks
from insml.spinwave.model import SpinModel, Twin
from insml.spinwave.parameters import Parameter

if TYPE_CHECKING:
    from insml.crystal import BondTable, Crystal
    from insml.spinwave.structure import MagneticStructure

Array = NDArray[np.float64]

#: mu0 muB^2 / 4 pi in meV Angstrom^3.
DIPOLE = 201.335431 * 0.057883818066**2 / (4 * np.pi)

#: A coupling on the chemical cell: magnetic atoms, cell of the second, matrix (or number), name.
_Link = tuple[int, int, NDArray[np.int64], Any, str]


def matrix_of(value: ArrayLike, where: str) -> Array:
    """(3, 3) of a number (Heisenberg), a vector D (Dzyaloshinskii-Moriya, D.(S_i x S_j)) or a matrix."""
    array = _array(value, where)
    if array.ndim == 0:
        array = float(array) * np.eye(3)
    elif array.shape == (3,):
        x, y, z = array
        array = np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]])
    return checks.matrix(array, where)


def _array(value: ArrayLike, where: str) -> Array:
    try:
        return np.array(value, float)
    except (TypeError, ValueError):
        raise ModelError(f"{where}: expected a number, a vector or a 3x3 matrix, found {checks.shown(value)}") from None


@dataclass
class _Direction:
    """What a parameter moves on the chemical cell: link or atom -> change per unit."""

    value: float
    links: dict[int, Array] = field(default_factory=dict)
    quartic: dict[int, float] = field(default_factory=dict)
    atoms: dict[int, Array] = field(default_factory=dict)

    def move(self, atoms: Sequence[int], matrices: Array) -> None:
        for i, matrix in zip(atoms, matrices, strict=True):
            self.atoms[i] = self.atoms.get(i, np.zeros((3, 3))) + matrix


class Interactions:
    """Collects couplings; each method returns the object, so that calls can be chained.

    Parameters
    ----------
    crystal : atoms with their spins. bonds : numbered bonds, ``crystal.bonds()`` (8 Angstrom) where left out.

    ``parameters`` of the model that results: ``J1`` for a number; for a vector or matrix ``J1`` is a common factor, now 1,
    and ``J1(a,b)``, a and b from 1 to 3, are those entries that symmetry lets move alone; so too for anisotropy. ``B`` is
    the length of the field and ``B(a)`` its components, in tesla.
    """

    def __init__(self, crystal: Crystal, bonds: BondTable | None = None) -> None:
        self.crystal = crystal
        self._bonds = bonds
        n = len(crystal.magnetic_atoms)
        self._links: list[_Link] = []
        self._quartic: list[_Link] = []
        self._anisotropy = np.zeros((n, 3, 3))
        self._g = self._rotated_to_atoms([s.g for s in crystal.sites], range(n))
        self._field = np.zeros(3)
        self._twins: list[Twin] = []
        self._moves: dict[str, _Direction] = {}
        self._given: dict[str, Array] = {}

    @cached_property
    def bonds(self) -> BondTable:
        """The bonds that numbers refer to."""
        return self.crystal.bonds() if self._bonds is None else self._bonds

    def exchange(self, name: str, value: ArrayLike, bond: int = 1, *, atoms: str | Sequence[str] | None = None,
                 subset: Iterable[int] | None = None, symmetry: bool = True, biquadratic: bool = False) -> Interactions:
        """Adds S_i^T J S_j (meV) to all bonds of a number.

        Parameters
        ----------
        value : number, DM vector or (3, 3) on the first bond of the number; the space group rotates it to the others.
        atoms : label at both ends, or the two labels in either order. subset : which bonds of the number, from 1.
        symmetry : False puts the same matrix on all. biquadratic : adds (B/2) (S_i.S_j)^2 instead; value is a number.

        Raises
        ------
        ModelError : no such bond, a matrix that symmetry does not allow, or a name already used with another value.
        """
        rows = self.bonds.of(bond)
        use = np.ones(len(rows), bool)
        if atoms is not None:
            wanted = sorted([atoms] * 2 if isinstance(atoms, str) else atoms)
            if len(wanted) != 2:
                raise ModelError(f"atoms: expected a label or two, found {wanted}")
            labels = [a.label for a in self.crystal.magnetic_atoms]
            for label in wanted:
                if label not in labels:
                    raise ModelError(f"atoms: expected labels among {', '.join(dict.fromkeys(labels))}, found {label!r}")
            use &= [sorted((labels[self.bonds.atom1[r]], labels[self.bonds.atom2[r]])) == wanted for r in rows]
        if subset is not None:
            part = np.array(list(subset), int)
            if not len(part) or part.min() < 1 or part.max() > len(rows):
                raise ModelError(f"subset: expected numbers from 1 to {len(rows)}, found {part.tolist()}")
            use &= np.isin(np.arange(1, len(rows) + 1), part)
        if not use.any():
            raise ModelError(f"bond {bond}: expected some between {atoms!r}, found none")
        if biquadratic:
            return self._biquadratic(name, value, rows[use])
        given = matrix_of(value, name)

        def spread(matrix: Array) -> Array:
            if not symmetry:
                return np.repeat(matrix[None], len(rows), axis=0)
            return self.bonds.rotated(bond, matrix)

        matrices = spread(given)[use]
        move = self._factor(name, value, given)
        first = len(self._links)
        for r, J in zip(rows[use], matrices, strict=True):
            self._links.append((int(self.bonds.atom1[r]), int(self.bonds.atom2[r]), self.bonds.dl[r], J, name))
        places = range(first, len(self._links))
        scalar = np.ndim(value) == 0
        move.links.update(zip(places, [np.eye(3)] * len(places) if scalar else matrices, strict=True))
        if not scalar:
            for entry, a, c in _entries(name):
                unit = np.zeros((3, 3))
                unit[a, c] = 1.0
                try:
                    images = spread(unit)[use]
                except ModelError:
                    continue  # tied to another entry
                known = self._moves.setdefault(entry, _Direction(float(given[a, c])))
                known.links.update(zip(places, images, strict=True))
        return self

    def _biquadratic(self, name: str, value: ArrayLike, rows: NDArray[np.int64]) -> Interactions:
        array = _array(value, name)
        if array.shape == (3, 3) and np.allclose(array, array[0, 0] * np.eye(3)):
            array = array[0, 0]
        strength = checks.number(array, name)
        move = self._factor(name, strength, strength * np.eye(3))
        for r in rows:
            move.quartic[len(self._quartic)] = 1.0
            self._quartic.append((int(self.bonds.atom1[r]), int(self.bonds.atom2[r]), self.bonds.dl[r], strength, name))
        return self

    def _factor(self, name: str, value: ArrayLike, matrix: Array) -> _Direction:
        """The parameter called ``name``: the number itself, or a factor of a vector or matrix."""
        known = self._given.setdefault(name, matrix)
        if not np.allclose(known, matrix, rtol=1e-9, atol=0):
            raise ModelError(f"{name}: expected one value for each name, found {known.tolist()} and {matrix.tolist()}")
        start = float(matrix[0, 0]) if np.ndim(value) == 0 else 1.0
        move = self._moves.setdefault(name, _Direction(start))
        if move.value != start:
            raise ModelError(f"{name}: expected a number or a matrix for each name, found both")
        return move

    def anisotropy(self, name: str, value: ArrayLike, atoms: Any = None) -> Interactions:
        """Adds S^T A S (meV) with A (3, 3), or its diagonal (3,), on the first atom of each site; symmetry rotates it.

        ``atoms``: a label, labels, or indices of magnetic atoms; None for all.
        """
        given = _array(value, name)
        given = checks.matrix(np.diag(given) if given.shape == (3,) else given, name)
        given = (given + given.T) / 2
        chosen = self._chosen(atoms)
        images = self._rotated_to_atoms([given] * len(self.crystal.sites), chosen, name)
        # a multiple of one, which says nothing, is a number, so that one name serves an exchange constant too
        number = np.array_equal(given, given[0, 0] * np.eye(3))
        move = self._factor(name, float(given[0, 0]) if number else given, given)
        move.move(chosen, np.tile(np.eye(3), (len(chosen), 1, 1)) if number else images)
        self._anisotropy[chosen] += images
        for entry, a, c in _entries(name):
            unit = np.zeros((3, 3))
            unit[a, c] = unit[c, a] = 1.0
            if a > c:
                continue
            try:
                images = self._rotated_to_atoms([unit] * len(self.crystal.sites), chosen, name)
            except ModelError:
                continue  # tied to another entry
            self._moves.setdefault(entry, _Direction(float(given[a, c]))).move(chosen, images)
        return self

    def g(self, name: str, value: ArrayLike, atoms: Any = None) -> Interactions:
        """Sets the g-tensor, a number or (3, 3) on the first atom of each site. ``name`` is for messages."""
        given = _array(value, name)
        given = checks.matrix(given * np.eye(3) if given.ndim == 0 else given, name)
        chosen = self._chosen(atoms)
        self._g[chosen] = self._rotated_to_atoms([(given + given.T) / 2] * len(self.crystal.sites), chosen, name)
        return self

    def _chosen(self, atoms: Any) -> list[int]:
        labels = [a.label for a in self.crystal.magnetic_atoms]
        if atoms is None:
            return list(range(len(labels)))
        out: list[int] = []
        for item in [atoms] if isinstance(atoms, str) or np.ndim(atoms) == 0 else list(atoms):
            found = [i for i, label in enumerate(labels) if label == item] if isinstance(item, str) else (
                [int(item)] if 0 <= int(item) < len(labels) else [])
            if not found:
                raise ModelError(f"atoms: expected labels among {', '.join(dict.fromkeys(labels))} or indices below "
                                 f"{len(labels)}, found {item!r}")
            out += found
        return sorted(set(out))

    def _rotated_to_atoms(self, matrices: Sequence[Array], chosen: Iterable[int], name: str = "g") -> Array:
        """(m, 3, 3): the matrix of each atom's site, turned from the first atom of the site."""
        crystal = self.crystal
        out = []
        for i in chosen:
            atom = crystal.magnetic_atoms[i]
            given = matrices[atom.site]
            r = crystal.sites[atom.site].position
            kept = averaged(given, stabiliser(crystal, r, r))
            if np.abs(kept - given).max() > 1e-4 * max(np.abs(given).max(), 1e-300):
                raise ModelError(f"{name}: expected a matrix that the symmetry of site {atom.label} allows, such as "
                                 f"{np.round(kept, 6).tolist()}, found {np.round(given, 6).tolist()}")
            turn = crystal.rotations[atom.operator]
            out.append(turn @ kept @ turn.T)
        return np.array(out).reshape(-1, 3, 3)

    def dipolar(self, cutoff: float) -> Interactions:
        """Adds the magnetic dipole interaction of all pairs up to ``cutoff`` Angstrom, with the g-tensors set so far:
        -(mu0 muB^2 / 4 pi r^3) g_i^T (3 r r^T - 1) g_j."""
        pairs = self.crystal.bonds(cutoff, symmetry=False)
        r = pairs.vectors / pairs.length[:, None]
        tensor = (3 * r[:, :, None] * r[:, None] - np.eye(3)) * (-DIPOLE / pairs.length**3)[:, None, None]
        J = self._g[pairs.atom1].transpose(0, 2, 1) @ tensor @ self._g[pairs.atom2]
        for i, j, dl, matrix in zip(pairs.atom1, pairs.atom2, pairs.dl, J, strict=True):
            self._links.append((int(i), int(j), dl, matrix, ""))
        return self

    def field(self, field: ArrayLike) -> Interactions:
        """Sets the field: tesla, Cartesian. A moment along it is stable."""
        self._field = checks.vector(field, "field")
        return self

    def twin(self, rotation: ArrayLike, weight: float = 1.0) -> Interactions:
        """Adds a domain: Cartesian rotation or reflection that takes the reference crystal into it, and its share."""
        self._twins.append(Twin(checks.matrix(rotation, "twin"), float(weight)))
        return self

    def model(self, structure: MagneticStructure) -> SpinModel:
        """All of it repeated over the magnetic cell of ``structure``.

        Raises
        ------
        ModelError : the spins of the structure are not as many, or as long, as those of the crystal in that cell.
        """
        atoms = self.crystal.magnetic_atoms
        n, size = len(atoms), np.array(structure.supercell, int)
        # atoms fastest, then cells along a, b, c
        cells = np.array([(x, y, z) for z in range(size[2]) for y in range(size[1]) for x in range(size[0])])
        spins = np.asarray(structure.spins, float)
        if spins.shape != (n * len(cells), 3):
            raise ModelError(f"structure: expected {n * len(cells)} spins, {n} for each of {len(cells)} cells, found "
                             f"{len(spins)}")
        lengths, wanted = np.linalg.norm(spins, axis=1), np.tile(self.crystal.lengths, len(cells))
        worst = int(np.abs(lengths - wanted).argmax())
        if abs(lengths[worst] - wanted[worst]) > 1e-3 * wanted[worst]:
            raise ModelError(f"structure: expected spin {worst} to have the length {wanted[worst]:g} of "
                             f"{atoms[worst % n].label}, found {lengths[worst]:g}; lengths=crystal.lengths scales spins")

        def repeated(links: list[_Link]) -> tuple[list[tuple[int, int, NDArray[np.int64], Any]], list[str]]:
            out, labels = [], []
            for c, cell in enumerate(cells):
                for i, j, dl, value, label in links:
                    home, inside = np.divmod(cell + dl, size)
                    other = inside[0] + size[0] * (inside[1] + size[1] * inside[2])
                    out.append((i + n * c, int(j + n * other), home, value))
                    labels.append(label)
            return out, labels

        bonds, labels = repeated(self._links)
        quartic, _ = repeated(self._quartic)
        sites = [self.crystal.sites[a.site] for a in atoms]
        return SpinModel(
            lattice_vectors=self.crystal.lattice.vectors,
            supercell=structure.supercell,
            positions=[(a.position + cell) / size for cell in cells for a in atoms],
            spins=spins,
            anisotropy=np.tile(self._anisotropy, (len(cells), 1, 1)),
            g=np.tile(self._g, (len(cells), 1, 1)),
            form_factors=[s.form_factor for s in sites] * len(cells),
            labels=[a.label for a in atoms] * len(cells),
            bonds=bonds,
            bond_labels=labels,
            biquadratic=quartic,
            field=self._field,
            twins=self._twins,
            k=structure.k,
            n=structure.n,
            parameters=self._parameters(len(cells)),
        )

    def _parameters(self, cells: int) -> dict[str, Parameter]:
        """The moves of the chemical cell, repeated, and those of the field."""
        out = {}
        for name, move in self._moves.items():
            def spread(entries: dict[int, Any], count: int) -> dict[int, Any]:
                return {place + count * c: value for c in range(cells) for place, value in entries.items()}

            out[name] = Parameter(move.value, spread(move.links, len(self._links)),
                                  spread(move.quartic, len(self._quartic)), spread(move.atoms, len(self._anisotropy)))
        length = float(np.linalg.norm(self._field))
        if length > 0:
            out.setdefault("B", Parameter(length, field=self._field / length))
        for a in range(3):
            out.setdefault(f"B({a + 1})", Parameter(float(self._field[a]), field=np.eye(3)[a]))
        return out


def _entries(name: str) -> list[tuple[str, int, int]]:
    return [(f"{name}({a + 1},{c + 1})", a, c) for a, c in np.ndindex(3, 3)]
