"""A crystal: cell, space group and sites; the atoms they stand for, and the bonds between the magnetic ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal.bonds import BondTable, find_bonds
from insml.crystal.lattice import Lattice
from insml.crystal.space_group import SpaceGroup
from insml.errors import GeometryError

Array = NDArray[np.float64]

#: Images of a site closer than this (Angstrom) are one atom; closer than ``_CLASH`` but apart, a mistake.
SAME, _CLASH = 0.02, 0.1


@dataclass(frozen=True, eq=False)
class Site:
    """An atom of the asymmetric unit.

    Attributes
    ----------
    label : free text; couplings and ions may be chosen by it. position : (3,) fractional in the chemical cell.
    spin : length S; 0 is not magnetic. g : number, (3, 3) Cartesian or None for 2.
    form_factor : name of an ion such as "Mn3+", coefficients a1 b1 ... c, or None.
    occupancy : two atoms, not both magnetic, may share a place where theirs add up to one; a spin counts in full.
    """

    label: str
    position: Any
    spin: float = 0.0
    g: Any = None
    form_factor: Any = None
    occupancy: float = 1.0

    def __post_init__(self) -> None:
        position = np.array(self.position, float)
        if position.shape != (3,) or not np.isfinite(position).all():
            raise GeometryError(f"site {self.label}: position: expected three finite numbers, found {self.position!r}")
        object.__setattr__(self, "position", position)
        if not (np.isfinite(self.spin) and self.spin >= 0):
            raise GeometryError(f"site {self.label}: spin: expected a length S >= 0, found {self.spin!r}")
        g = 2.0 * np.eye(3) if self.g is None else np.array(self.g, float)
        g = g * np.eye(3) if g.ndim == 0 else g
        if g.shape != (3, 3) or not np.isfinite(g).all():
            raise GeometryError(f"site {self.label}: g: expected a number or a finite 3x3 matrix, found {self.g!r}")
        object.__setattr__(self, "g", (g + g.T) / 2)
        object.__setattr__(self, "form_factor", _coefficients(self.label, self.form_factor))


def _coefficients(label: str, value: Any) -> list[float] | None:
    if value is None:
        return None
    # periodictable is slow to import and needed only where an ion has a name
    from insml.study.form_factors import UnknownIonError, by_ion, from_coefficients

    try:
        return list(by_ion(value) if isinstance(value, str) else from_coefficients([float(x) for x in value]))
    except (UnknownIonError, ValueError, TypeError) as error:
        raise GeometryError(f"site {label}: form_factor: {error}"
                            + (f", found {value!r}" if isinstance(error, UnknownIonError) else "")) from None


@dataclass(frozen=True, eq=False)
class Atom:
    """One atom of the chemical cell.

    ``site`` index into ``Crystal.sites``; ``operator`` of the space group that makes it of the site; ``position`` (3,)
    fractional, in [0, 1).
    """

    site: int
    operator: int
    position: Array
    label: str
    spin: float


class Crystal:
    """Chemical cell with its symmetry.

    Parameters
    ----------
    lattice : cell constants. sites : the asymmetric unit; one within 0.02 Angstrom of a special position is put there.
    space_group : what :meth:`SpaceGroup.of` takes: number, Hermann-Mauguin symbol, operators; None for P1.

    Raises
    ------
    GeometryError : the group does not fit the cell, or atoms clash.
    """

    def __init__(self, lattice: Lattice, sites: Iterable[Site], space_group: Any = None) -> None:
        self.lattice = lattice
        self.space_group = SpaceGroup.of(space_group)
        self.rotations  # noqa: B018  checks the group against the cell
        self.sites = tuple(self._settled(site) for site in sites)
        self.atoms  # noqa: B018  checks distances

    @classmethod
    def from_cif(cls, path: str | Path, spins: Mapping[str, float] | None = None, *, block: str | None = None) -> Crystal:
        """From a CIF; see :func:`insml.crystal.cif.read_cif`."""
        from insml.crystal.cif import read_cif

        return read_cif(path, spins, block=block)

    @cached_property
    def rotations(self) -> Array:
        """(n, 3, 3) operators of the space group on Cartesian vectors."""
        return self.space_group.cartesian(self.lattice.vectors)

    @cached_property
    def atoms(self) -> tuple[Atom, ...]:
        """All atoms of the cell: site after site, each in the order of the operators (SpinW's)."""
        out: list[Atom] = []
        for s, site in enumerate(self.sites):
            images = self._images(site.position)
            same = self._distances(images, images) < SAME
            for o in np.flatnonzero(same.argmax(axis=1) == np.arange(len(images))):
                out.append(Atom(s, int(o), images[o], site.label, float(site.spin)))
        self._refuse_clashes(out)
        return tuple(out)

    def _images(self, position: Array) -> Array:
        images = self.space_group.rotations @ position + self.space_group.translations
        # rounding must not move an atom from one face of the cell to the other
        return np.asarray(images - np.floor(images + 1e-6))

    def _distances(self, one: Array, other: Array) -> Array:
        step = one[:, None] - other
        return np.asarray(np.linalg.norm((step - np.rint(step)) @ self.lattice.vectors, axis=-1))

    def _settled(self, site: Site) -> Site:
        """The site moved on to the special position it stands for, where few digits leave it a little off."""
        images = self._images(site.position)
        step = images - images[0]
        step -= np.rint(step)
        step = step[np.linalg.norm(step @ self.lattice.vectors, axis=1) < SAME]
        return site if np.abs(step).max() < 1e-9 else replace(site, position=site.position + step.mean(axis=0))

    def _refuse_clashes(self, atoms: list[Atom]) -> None:
        """Two elements may share a place, as in a solid solution; two spins may not."""
        at = np.array([a.position for a in atoms], float).reshape(-1, 3)
        share, spin = np.array([(self.sites[a.site].occupancy, a.spin) for a in atoms]).reshape(-1, 2).T
        distance = self._distances(at, at)
        refused = (share[:, None] + share > 1.01) | (np.minimum(spin[:, None], spin) > 0)
        close = np.argwhere(np.triu(refused & (distance < _CLASH), 1))
        if len(close):
            i, j = close[0]
            raise GeometryError(
                f"site {atoms[j].label}: expected atoms at least {_CLASH} Angstrom apart, found its image under "
                f"{self.space_group.triplet(atoms[j].operator)} {distance[i, j]:.2g} Angstrom from one of {atoms[i].label}")

    @cached_property
    def magnetic_atoms(self) -> tuple[Atom, ...]:
        """Atoms with a spin. Bonds and magnetic structures count these."""
        return tuple(a for a in self.atoms if a.spin > 0)

    @property
    def positions(self) -> Array:
        """(n, 3) of the magnetic atoms, fractional."""
        return np.array([a.position for a in self.magnetic_atoms], float).reshape(-1, 3)

    @property
    def lengths(self) -> Array:
        """(n,) S of the magnetic atoms."""
        return np.array([a.spin for a in self.magnetic_atoms], float)

    def bonds(self, max_distance: float = 8.0, *, tol_dist: float = 1e-3, tol: float = 1e-5, d_min: float = 0.5,
              max_sym: float | None = None, symmetry: bool = True) -> BondTable:
        """Bonds between magnetic atoms, numbered as SpinW numbers them; see :func:`insml.crystal.bonds.find_bonds`."""
        return find_bonds(self, max_distance, tol_dist=tol_dist, tol=tol, d_min=d_min, max_sym=max_sym, symmetry=symmetry)

    def allowed_on_atom(self, atom: int) -> Array:
        """(m, 3, 3) basis of the symmetric matrices that symmetry allows on a magnetic atom."""
        from insml.crystal.invariant import invariant_matrices, stabiliser

        r = self.positions[atom]
        return invariant_matrices(stabiliser(self, r, r), symmetric=True)
