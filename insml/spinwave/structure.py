"""Magnetic structures: how the classical spins point, in a magnetic cell and, if they turn on, with one wave vector.

Sites are listed atoms fastest, then cells along x, y, z: index = atom + n_atoms (cx + n1 (cy + n2 cz)). Wave vectors are
in r.l.u. of the chemical cell, angles in degrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave import checks

Array = NDArray[np.float64]

COMMENSURATE = 1e-4
"""A wave vector this close (r.l.u.) to one that a magnetic cell holds is taken for it, so that 0.3333 means a third."""


class HasSpins(Protocol):
    """What :meth:`MagneticStructure.of` reads, such as a ``SpinModel``."""

    @property
    def supercell(self) -> tuple[int, int, int]: ...
    @property
    def spins(self) -> Array: ...
    @property
    def k(self) -> Array | None: ...
    @property
    def n(self) -> Array | None: ...


@dataclass(frozen=True, eq=False)
class MagneticStructure:
    """Spins of a magnetic cell; with ``k`` and ``n`` they turn from one magnetic cell to the next.

    The spin of site i in the cell at l (origin, whole chemical cells) is R_n(2 pi k.l) S_i, with R_n a rotation about
    ``n``; its component along ``n`` is the same in every cell, so cones need nothing more.

    Parameters
    ----------
    supercell : magnetic cell in chemical cells.
    spins : (n_atoms * cells, 3) Cartesian, length S, atoms fastest, then cells x, y, z.
    k, n : wave vector (r.l.u. of the chemical cell) and axis (normalised here); both or neither.

    Raises
    ------
    ModelError : shapes that do not fit, naming the field.
    """

    supercell: tuple[int, int, int]
    spins: Array
    k: Array | None = None
    n: Array | None = None

    def __post_init__(self) -> None:
        cell = _supercell(self.supercell)
        object.__setattr__(self, "supercell", cell)
        spins = checks.vectors(self.spins, None, "spins")
        if len(spins) == 0 or len(spins) % self.cells:
            raise ModelError(f"spins: expected a multiple of {self.cells}, the cells in supercell {cell}, found "
                             f"{len(spins)}")
        if (self.k is None) != (self.n is None):
            raise ModelError(f"k, n: expected both or neither, found k = {self.k!r}, n = {self.n!r}")
        if self.k is not None:
            object.__setattr__(self, "k", _frozen(checks.vector(self.k, "k")))
            object.__setattr__(self, "n", _frozen(direction_of(self.n, "n")))
        object.__setattr__(self, "spins", _frozen(spins))

    @classmethod
    def of(cls, model: HasSpins) -> MagneticStructure:
        """The structure a spin model holds."""
        return cls(model.supercell, model.spins, model.k, model.n)

    @classmethod
    def direct(cls, spins: ArrayLike, supercell: Sequence[int] = (1, 1, 1), k: ArrayLike | None = None,
               n: ArrayLike | None = None, *, lengths: ArrayLike | None = None, unit: str = "xyz",
               lattice: ArrayLike | None = None) -> MagneticStructure:
        """Every spin of the magnetic cell as given (SpinW's "direct").

        Parameters
        ----------
        spins : (n_atoms * cells, 3).
        k, n : see the class; a wave vector that the supercell makes commensurate needs a ``n`` too and is dropped.
        lengths : (n_atoms,) spin lengths to which directions are scaled; as given where None.
        unit : "xyz" Cartesian, or "lu": along a, b, c, each of length one. Applies to ``spins`` and ``n``.
        lattice : (3, 3) rows a, b, c; needed for "lu".
        """
        structure = cls(_supercell(supercell), _axes(spins, unit, lattice), _none_or(k),
                        None if n is None else _axes(n, unit, lattice))
        return structure.settled()._scaled(lengths)

    @classmethod
    def tile(cls, spins: ArrayLike, supercell: Sequence[int] = (1, 1, 1), *, lengths: ArrayLike | None = None,
             unit: str = "xyz", lattice: ArrayLike | None = None) -> MagneticStructure:
        """The spins (n_atoms, 3) of one chemical cell repeated in every cell (SpinW's "tile")."""
        one = _axes(spins, unit, lattice)
        return cls(_supercell(supercell), np.tile(one, (int(np.prod(_supercell(supercell))), 1)))._scaled(lengths)

    @classmethod
    def helical(cls, spins: ArrayLike, k: ArrayLike, n: ArrayLike | None = None, supercell: Sequence[int] = (1, 1, 1), *,
                positions: ArrayLike | None = None, r0: bool = True, lengths: ArrayLike | None = None,
                unit: str = "xyz", lattice: ArrayLike | None = None) -> MagneticStructure:
        """Spins turned about ``n``, by default z, by 2 pi k.r (SpinW's "helical"); components along ``n`` stay.

        r is the origin of the cell where ``spins`` holds one for each atom, the position of the atom where it holds a
        single one for several atoms (minus that of the first atom where ``r0`` is False). A full set for the supercell is
        taken as it is. A supercell that makes k commensurate gives plain spins, any other a rotating frame.

        Parameters
        ----------
        spins : (n_atoms, 3), (1, 3) or (n_atoms * cells, 3).
        positions : (n_atoms, 3) fractional in the chemical cell; without them ``spins`` must hold one for each atom.
        lengths, unit, lattice : see :meth:`direct`.
        """
        cell, axis = _supercell(supercell), direction_of((0, 0, 1) if n is None else _axes(n, unit, lattice), "n")
        wave = _snapped(checks.vector(k, "k"), cell)
        start = np.atleast_2d(_axes(spins, unit, lattice))
        at, index = _phase_origins(start, cell, positions, r0, lengths)
        turned = start[index] if at is None else np.einsum(
            "iab,ib->ia", rotation(axis, 360 * (at @ wave)), start[index])
        return cls(cell, turned, wave, axis).settled()._scaled(lengths)

    @classmethod
    def fourier(cls, components: ArrayLike, k: ArrayLike, supercell: Sequence[int] = (1, 1, 1), *,
                positions: ArrayLike | None = None, r0: bool = True, lengths: ArrayLike | None = None,
                unit: str = "xyz", lattice: ArrayLike | None = None) -> MagneticStructure:
        """S_i(r) = sum over k of Re[F_i(k) exp(-2 pi i k.r)] (SpinW's "fourier"); r as in :meth:`helical`.

        Every k must be commensurate with the supercell, but for one whose components turn on a circle about one axis
        n, F = S + i n x S, with at most a k = 0 component along n beside it: that gives a rotating frame.

        Parameters
        ----------
        components : (nk, n_atoms or 1, 3) complex, or without the first axis for a single k.
        k : (nk, 3) or (3,).
        positions, r0, lengths, unit, lattice : see :meth:`helical`.
        """
        waves = np.atleast_2d(np.asarray(k, float))
        F = np.asarray(components, complex)
        F = F[None] if F.ndim == 2 else F
        if waves.shape[1:] != (3,) or F.ndim != 3 or F.shape[2] != 3 or len(F) != len(waves):
            raise ModelError(f"fourier: expected components (nk, n_atoms, 3) for k (nk, 3), found shapes {F.shape} and "
                             f"{waves.shape}")
        F = np.stack([_axes(f.real, unit, lattice) + 1j * _axes(f.imag, unit, lattice) for f in F])
        cell = _supercell(supercell)
        waves = np.array([_snapped(wave, cell) for wave in waves])
        at, index = _phase_origins(F[0].real, cell, positions, r0, lengths)
        if at is None:
            at = np.zeros((len(index), 3))
        values = F[:, index] * np.exp(-2j * np.pi * np.einsum("ix,kx->ki", at, waves))[..., None]
        turning = [m for m, wave in enumerate(waves) if not _commensurate(wave, cell)]
        if not turning:
            return cls(cell, values.sum(axis=0).real)._scaled(lengths)
        if len(turning) > 1:
            raise ModelError(f"fourier: expected at most one k incommensurate with supercell {cell}, found "
                             f"{waves[turning].tolist()}; choose a supercell that holds them all")
        spiral, rest = values[turning[0]], np.delete(values, turning[0], axis=0).sum(axis=0).real
        axis = np.cross(spiral.real, spiral.imag).sum(axis=0)
        size = np.abs(spiral).max()
        axis = axis / max(float(np.linalg.norm(axis)), 1e-300)
        if not (axis.any() and np.allclose(np.cross(axis, spiral.real), spiral.imag, atol=1e-6 * size)
                and np.allclose(np.cross(axis, np.cross(axis, rest)), 0, atol=1e-6 * size)):
            raise ModelError(f"fourier: expected circular components F = S + i n x S for k = {waves[turning[0]].tolist()}, "
                             f"which supercell {cell} does not hold, found an elliptical or modulated wave; choose a "
                             "larger supercell")
        return cls(cell, spiral.real + rest, waves[turning[0]], axis)._scaled(lengths)

    @classmethod
    def random(cls, lengths: ArrayLike, supercell: Sequence[int] = (1, 1, 1), *, seed: int = 0, k: ArrayLike | None = None,
               n: ArrayLike | None = None) -> MagneticStructure:
        """Spins of the given ``lengths`` (n_atoms,) evenly distributed over the sphere (SpinW's "random")."""
        cell = _supercell(supercell)
        size = np.tile(np.atleast_1d(np.asarray(lengths, float)), int(np.prod(cell)))
        spins = np.random.default_rng(seed).standard_normal((len(size), 3))
        return cls(cell, spins * (size / np.linalg.norm(spins, axis=1))[:, None], _none_or(k), _none_or(n)).settled()

    @classmethod
    def from_function(cls, function: Callable[[Array], ArrayLike], positions: ArrayLike,
                      supercell: Sequence[int] = (1, 1, 1), *, lengths: ArrayLike | None = None) -> MagneticStructure:
        """Spins a function returns, (n, 3), for positions (n, 3) in chemical cells, counted from the first cell."""
        cell = _supercell(supercell)
        atoms = checks.vectors(positions, None, "positions")
        at = (origins(cell)[:, None] + atoms).reshape(-1, 3)
        return cls(cell, checks.vectors(function(at), len(at), "function"))._scaled(lengths)

    @classmethod
    def planar(cls, phi: ArrayLike, lengths: ArrayLike = 1.0, supercell: Sequence[int] = (1, 1, 1), *,
               k: ArrayLike | None = None, n: ArrayLike = (0.0, 0.0, 1.0)) -> MagneticStructure:
        """Spins in the plane normal to ``n`` at angles ``phi`` (n_atoms * cells,) from u (SpinW's gm_planard).

        u = n x (-z) and v = n x u, or x and y for n along z, normalised; S = S (u cos phi + v sin phi).
        """
        angle, axis = np.radians(np.atleast_1d(np.asarray(phi, float))), direction_of(n, "n")
        u = np.cross(axis, (0.0, 0.0, -1.0))
        u = u / np.linalg.norm(u) if np.linalg.norm(u) > 1e-9 else np.array([axis[2], 0.0, 0.0])
        spins = np.outer(np.cos(angle), u) + np.outer(np.sin(angle), np.cross(axis, u))
        return cls(_supercell(supercell), spins, _none_or(k), None if k is None else axis).settled()._scaled(lengths)

    @classmethod
    def spherical(cls, theta: ArrayLike, phi: ArrayLike, lengths: ArrayLike = 1.0, supercell: Sequence[int] = (1, 1, 1), *,
                  k: ArrayLike | None = None, n: ArrayLike | None = None) -> MagneticStructure:
        """Spins at polar angle ``theta`` from z and azimuth ``phi`` from x (SpinW's gm_spherical3d, in degrees)."""
        t, p = np.broadcast_arrays(*(np.radians(np.atleast_1d(np.asarray(x, float))) for x in (theta, phi)))
        spins = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], axis=1)
        return cls(_supercell(supercell), spins, _none_or(k), _none_or(n)).settled()._scaled(lengths)

    @property
    def cells(self) -> int:
        """Chemical cells in the magnetic cell."""
        return self.supercell[0] * self.supercell[1] * self.supercell[2]

    @property
    def n_atoms(self) -> int:
        """Atoms of the chemical cell."""
        return len(self.spins) // self.cells

    @property
    def lengths(self) -> Array:
        """(n_atoms * cells,) spin lengths."""
        return np.asarray(np.linalg.norm(self.spins, axis=1))

    def rotated(self, axis: ArrayLike, angle: float) -> MagneticStructure:
        """All spins (and ``n``) turned about ``axis`` by ``angle`` degrees (SpinW's "rotate")."""
        R = rotation(direction_of(axis, "axis"), angle)
        return MagneticStructure(self.supercell, self.spins @ R.T, self.k, None if self.n is None else R @ self.n)

    def aligned(self, direction: ArrayLike) -> MagneticStructure:
        """Turned the shortest way so that a collinear structure lies along ``direction``, and a planar one normal to it.

        SpinW's "rotate" with phi = 0. The spins of a rotating frame are planar about their ``n``.
        """
        target = direction_of(direction, "direction")
        now = self.n if self.n is not None else _moment_direction(self.spins)
        axis = np.cross(now, target)
        if np.linalg.norm(axis) < 1e-9:
            if now @ target > 0:
                return self
            axis = np.cross(now, np.eye(3)[np.argmin(np.abs(now))])
        return self.rotated(axis, float(np.degrees(np.arctan2(np.linalg.norm(np.cross(now, target)), now @ target))))

    def tiled(self, factors: Sequence[int]) -> MagneticStructure:
        """The same structure in a magnetic cell ``factors`` times as large; k is dropped where the new cell holds it."""
        times = _supercell(factors, "factors")
        cell = (self.supercell[0] * times[0], self.supercell[1] * times[1], self.supercell[2] * times[2])
        chemical = origins(cell).astype(np.int64)
        size = np.array(self.supercell)
        inner, block = chemical % size, chemical // size * size
        index = inner @ np.array([1, size[0], size[0] * size[1]])
        spins = self.spins.reshape(self.cells, -1, 3)[index]
        if self.k is not None and self.n is not None:
            spins = np.einsum("cab,cib->cia", rotation(self.n, 360 * (block @ _snapped(self.k, cell))), spins)
        return MagneticStructure(cell, spins.reshape(-1, 3), self.k, self.n).settled()

    def approximant(self, factors: Sequence[int]) -> MagneticStructure:
        """Plain spins in a cell ``factors`` times as large, with k moved to the nearest wave vector that cell holds."""
        if self.k is None:
            return self.tiled(factors)
        size = np.array(self.supercell) * np.array(_supercell(factors, "factors"))
        return MagneticStructure(self.supercell, self.spins, np.rint(self.k * size) / size, self.n).tiled(factors)

    def settled(self) -> MagneticStructure:
        """Plain spins where the magnetic cell holds k, the same structure otherwise."""
        if self.k is None or not _commensurate(self.k, self.supercell):
            return self
        return MagneticStructure(self.supercell, self.spins)

    def _scaled(self, lengths: ArrayLike | None) -> MagneticStructure:
        if lengths is None:
            return self
        wanted = np.atleast_1d(np.asarray(lengths, float))
        if wanted.ndim != 1 or len(self.spins) % len(wanted) or not (wanted > 0).all():
            raise ModelError(f"lengths: expected {self.n_atoms} positive numbers, one for each atom, found {wanted}")
        now = self.lengths
        if not (now > 1e-12).all():
            raise ModelError(f"spins[{int(np.argmin(now))}]: expected a direction, found zero")
        scale = np.tile(wanted, len(self.spins) // len(wanted)) / now
        return MagneticStructure(self.supercell, self.spins * scale[:, None], self.k, self.n)


def rotation(axis: ArrayLike, angle: ArrayLike) -> Array:
    """(..., 3, 3) rotations about a unit ``axis`` (3,) by ``angle`` (...) degrees, right-handed (Rodrigues)."""
    n, phi = np.asarray(axis, float), np.radians(np.asarray(angle, float))[..., None, None]
    cross = np.array([[0.0, -n[2], n[1]], [n[2], 0.0, -n[0]], [-n[1], n[0], 0.0]])
    along = np.outer(n, n)
    return np.asarray(along + np.cos(phi) * (np.eye(3) - along) + np.sin(phi) * cross)


def direction_of(value: ArrayLike | None, name: str) -> Array:
    """(3,) unit vector along ``value``; ``name`` is what an error calls it."""
    v = checks.vector(value, name)
    length = np.linalg.norm(v)
    if not length > 1e-9:
        raise ModelError(f"{name}: expected a direction, found {v.tolist()}")
    return np.asarray(v / length)


def origins(supercell: Sequence[int]) -> Array:
    """(cells, 3) origins of the chemical cells in a magnetic cell, x fastest."""
    n1, n2, n3 = supercell
    z, y, x = np.meshgrid(np.arange(n3), np.arange(n2), np.arange(n1), indexing="ij")
    return np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1).astype(float)


def commensurate_supercell(k: ArrayLike, tolerance: float = 1e-4) -> tuple[int, int, int]:
    """Supercell in which every k (nk, 3) is a reciprocal vector to within ``tolerance`` r.l.u. (SpinW's scalar nExt).

    Each component becomes the first convergent p/q of its nearest-integer continued fraction (Matlab's ``rat``) that
    is closer than the tolerance; the cell is the least common multiple of the q.
    """
    waves = np.atleast_2d(np.asarray(k, float))
    if waves.shape[1:] != (3,) or not np.isfinite(waves).all() or not tolerance > 0:
        raise ModelError("k: expected finite wave vectors (nk, 3) and a positive tolerance, found "
                         f"{waves.tolist()} and {tolerance}")
    a, b, c = (int(np.lcm.reduce([_denominator(float(x), tolerance) for x in column])) for column in waves.T)
    return a, b, c


def _denominator(x: float, tolerance: float) -> int:
    p, p0 = round(x), 1
    q, q0 = 1, 0
    rest = x - p
    while abs(x - p / q) > tolerance and rest:
        step = round(1 / rest)
        rest = 1 / rest - step
        p, p0, q, q0 = step * p + p0, p, step * q + q0, q
    return abs(q)


def _phase_origins(start: Array, cell: tuple[int, int, int], positions: ArrayLike | None, r0: bool,
                   lengths: ArrayLike | None) -> tuple[Array | None, NDArray[np.int64]]:
    """Where phases are counted, (n_atoms * cells, 3) or None for "already in", and which given spin each site takes."""
    cells = int(np.prod(cell))
    atoms = None if positions is None else checks.vectors(positions, None, "positions")
    count = len(atoms) if atoms is not None else len(start) if lengths is None else np.size(lengths)
    corner = np.repeat(origins(cell), count, axis=0)
    if len(start) == count:
        return corner, np.tile(np.arange(count), cells)
    if len(start) == 1 and atoms is not None:
        at = corner + np.tile(atoms, (cells, 1))
        return at if r0 else at - atoms[0], np.zeros(count * cells, np.int64)
    if len(start) == count * cells:
        return None, np.arange(count * cells)
    raise ModelError(f"spins: expected one (with positions), {count} (one for each atom) or {count * cells} (one for each "
                     f"site of the supercell), found {len(start)}")


def _supercell(value: Sequence[int], name: str = "supercell") -> tuple[int, int, int]:
    cell = np.asarray(value)
    if cell.shape != (3,) or not np.issubdtype(cell.dtype, np.number) or (cell != np.rint(cell)).any() or (cell < 1).any():
        raise ModelError(f"{name}: expected three positive integers, found {value!r}")
    return int(cell[0]), int(cell[1]), int(cell[2])


def _axes(value: ArrayLike, unit: str, lattice: ArrayLike | None) -> Array:
    """Cartesian components of vectors (..., 3) given in ``unit``."""
    try:
        v = np.array(value, float)
    except (TypeError, ValueError):
        raise ModelError(f"spins: expected vectors of three numbers, found {value!r}") from None
    if unit not in ("xyz", "lu"):
        raise ModelError(f"unit: expected 'xyz' or 'lu', found {unit!r}")
    if v.shape[-1:] != (3,) or not np.isfinite(v).all():
        raise ModelError(f"spins: expected finite vectors of three numbers, found shape {v.shape}")
    if unit == "xyz":
        return v
    if lattice is None:
        raise ModelError("lattice: expected the rows a, b, c for unit 'lu', found None")
    rows = checks.matrix(lattice, "lattice")
    return np.asarray(v @ (rows / np.linalg.norm(rows, axis=1)[:, None]))


def _moment_direction(spins: Array) -> Array:
    """Direction of collinear spins, normal of planar ones, as the axis of least spread otherwise."""
    values, vectors = np.linalg.eigh(spins.T @ spins)
    if values[1] <= 1e-12 * values[2]:
        return np.asarray(vectors[:, 2] * (np.sign(spins[0] @ vectors[:, 2]) or 1.0))
    return np.asarray(vectors[:, 0] * (np.sign(vectors[np.argmax(np.abs(vectors[:, 0])), 0]) or 1.0))


def _commensurate(k: Array, supercell: tuple[int, int, int]) -> bool:
    size = np.array(supercell)
    return bool((np.abs(k - np.rint(k * size) / size) < COMMENSURATE).all())


def _snapped(k: Array, supercell: tuple[int, int, int]) -> Array:
    return np.rint(k * np.array(supercell)) / np.array(supercell) if _commensurate(k, supercell) else k


def _none_or(value: ArrayLike | None) -> Array | None:
    return None if value is None else np.asarray(value, float)


def _frozen(value: Array) -> Array:
    value.flags.writeable = False
    return value
