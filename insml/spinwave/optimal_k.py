"""Wave vector of least energy by the method of J. M. Luttinger and L. Tisza, Phys. Rev. 70, 954 (1946).

With unit vectors s_i = S_i / S, E = sum over k of s(-k) J(k) s(k) / 2 for one cell, J_ij(k) = S_i S_j sum_dl J_ij(dl)
e^{2 pi i k.dl}; half the lowest eigenvalue over all k bounds the energy per spin from below, and is reached where its
eigenvector gives every spin its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave.classical import ClassicalEnergy
from insml.spinwave.structure import MagneticStructure, direction_of, origins

if TYPE_CHECKING:
    from insml.spinwave.model import SpinModel

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

_CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class OptimalWaveVector:
    """Where the Fourier transform of the couplings is lowest.

    Attributes
    ----------
    k : (3,) r.l.u. of the chemical cell, components in [0, 1) (zero along directions in which nothing is coupled).
    energy : lower bound of the energy in meV per spin, without field.
    equivalent : (m, 3) all minima found with this energy, ``k`` first; k and -k count as one.
    flat : share of the grid on which the energy is degenerate with the minimum; near 0 for isolated wave vectors.
    mode : (n_atoms, 3) eigenvector at ``k``, norm one; phases count from cell to cell.
    couplings : J(k) as a function of k.
    """

    k: Array
    energy: float
    equivalent: Array
    flat: float
    mode: Complex
    couplings: FourierCouplings

    def structure(self, n: ArrayLike = (0.0, 0.0, 1.0), supercell: Sequence[int] = (1, 1, 1)) -> MagneticStructure:
        """The spiral about ``n`` with this k: the lowest mode among those that turn in the plane normal to n.

        Every spin has its full length, so where the sites share the mode unequally the energy lies above the bound.
        """
        axis = direction_of(n, "n")
        u = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
        u /= np.linalg.norm(u)
        v = np.cross(axis, u)
        circle = (u - 1j * v) / np.sqrt(2)
        matrix = self.couplings.at(self.k[None])[0]
        n_atoms = len(self.couplings.lengths)
        plane = np.einsum("a,iajc,c->ij", circle.conj(), matrix.reshape(n_atoms, 3, n_atoms, 3), circle)
        phase = np.angle(np.linalg.eigh(plane)[1][:, 0])
        phase = phase - phase[0]
        spins = self.couplings.lengths[:, None] * (np.outer(np.cos(phase), u) + np.outer(np.sin(phase), v))
        return MagneticStructure.helical(spins, self.k, axis, supercell)


@dataclass(frozen=True, eq=False)
class FourierCouplings:
    """J(k) of a chemical cell.

    Attributes
    ----------
    pairs (nb, 2), cells (nb, 3), exchange (nb, 3, 3) : both directions of every bond, each with half its matrix.
    onsite (n_atoms, 3, 3), lengths (n_atoms,) : anisotropy and spin lengths.
    """

    pairs: NDArray[np.int64]
    cells: NDArray[np.int64]
    exchange: Array
    onsite: Array
    lengths: Array

    @classmethod
    def of(cls, model: SpinModel, *, anisotropy: bool = True) -> FourierCouplings:
        """Couplings of the chemical cell.

        Raises
        ------
        ModelError : biquadratic exchange, or couplings that differ from chemical cell to chemical cell.
        """
        if len(model.biquadratic):
            raise ModelError("optimal_k: expected bilinear couplings only, found biquadratic exchange")
        energy = ClassicalEnergy.plain(model)
        corner = origins(model.supercell).astype(np.int64)
        cells = len(corner)
        if len(model.spins) % cells:
            raise ModelError(f"optimal_k: expected the same sites in each of {cells} cells, found {len(model.spins)} sites")
        atoms = len(model.spins) // cells
        lengths = np.linalg.norm(model.spins, axis=1).reshape(cells, atoms)
        onsite = (energy.anisotropy if anisotropy else np.zeros_like(energy.anisotropy)).reshape(cells, atoms, 3, 3)
        cell, pairs = energy.pairs // atoms, energy.pairs % atoms
        steps = energy.cells + corner[cell[:, 1]] - corner[cell[:, 0]]
        # both directions of each bond, summed over duplicates, must repeat in every cell
        key = np.concatenate([np.column_stack([pairs, steps]), np.column_stack([pairs[:, ::-1], -steps])])
        both = np.concatenate([energy.exchange, energy.exchange.transpose(0, 2, 1)])
        unique, index = np.unique(key, axis=0, return_inverse=True)
        sums = np.zeros((len(unique), cells, 3, 3))
        np.add.at(sums, (index.ravel(), np.concatenate([cell[:, 0], cell[:, 1]])), both)
        scale = max(float(np.abs(both).max(initial=0.0)), 1e-300)
        if (np.abs(sums - sums[:, :1]).max(initial=0.0) > 1e-9 * scale or np.ptp(lengths, axis=0).max() > 1e-6
                or np.abs(onsite - onsite[:1]).max() > 1e-9 * max(float(np.abs(onsite).max()), 1e-300)):
            raise ModelError("optimal_k: expected couplings that repeat with the chemical cell, found some that differ "
                             "between the cells of the supercell")
        return cls(unique[:, :2], unique[:, 2:], sums[:, 0] / 2, onsite[0], lengths[0])

    @property
    def isotropic(self) -> bool:
        """Every matrix a multiple of one: J(k) is then the same for the three components."""
        return all(bool(np.allclose(m, m[:, :1, :1] * np.eye(3), atol=1e-14)) for m in (self.exchange, self.onsite))

    def at(self, k: Array, components: int = 3) -> Complex:
        """(nk, c n, c n) Hermitian J(k) in meV for k (nk, 3), with the first c = ``components`` of each spin."""
        c, n = components, len(self.lengths)
        one, other = self.pairs.T
        weight = self.exchange[:, :c, :c] * (self.lengths[one] * self.lengths[other])[:, None, None]
        phase = np.exp(2j * np.pi * (k @ self.cells.T))
        sums = np.zeros((n * n, len(k), c, c), complex)
        np.add.at(sums, one * n + other, phase.T[:, :, None, None] * weight[:, None])
        out = sums.reshape(n, n, len(k), c, c).transpose(2, 0, 1, 3, 4)
        out = out + out.transpose(0, 2, 1, 4, 3).conj()
        sites = np.arange(n)
        out[:, sites, sites] += 2 * self.onsite[:, :c, :c] * (self.lengths**2)[:, None, None]
        return np.asarray(out.transpose(0, 1, 3, 2, 4).reshape(len(k), c * n, c * n))

    def lowest(self, k: Array, components: int = 3) -> tuple[float, Array]:
        """Lowest eigenvalue at ``k`` (3,) and its slope dE/dk (3,) by the theorem of Hellmann and Feynman."""
        values, vectors = np.linalg.eigh(self.at(k[None], components)[0])
        v = vectors[:, 0].reshape(-1, components)
        one, other = self.pairs.T
        weight = self.exchange[:, :components, :components] * (self.lengths[one] * self.lengths[other])[:, None, None]
        terms = np.einsum("ba,bac,bc->b", v[one].conj(), weight, v[other]) * np.exp(2j * np.pi * (self.cells @ k))
        return float(values[0]), np.asarray(-4 * np.pi * (terms.imag @ self.cells))


def optimal_k(model: SpinModel, *, grid: Sequence[int] | None = None, anisotropy: bool = True) -> OptimalWaveVector:
    """The wave vector whose classical energy is lowest (SpinW's optmagk); the field is left out.

    Parameters
    ----------
    grid : points along a*, b*, c* before refinement; by default enough for couplings a few cells long, and one along
        directions in which nothing is coupled.
    anisotropy : count single-ion anisotropy.

    Raises
    ------
    ModelError : biquadratic exchange, or couplings that differ from chemical cell to chemical cell.
    """
    couplings = FourierCouplings.of(model, anisotropy=anisotropy)
    c = 1 if couplings.isotropic else 3
    coupled = np.abs(couplings.cells).max(axis=0, initial=0) > 0
    if grid is None:
        points = {0: 1, 1: 96, 2: 36}.get(int(coupled.sum()), 12 if len(couplings.lengths) * c > 24 else 18)
        grid = [points if on else 1 for on in coupled]
    elif len(grid) != 3 or any(int(m) != m or m < 1 for m in grid):
        raise ModelError(f"grid: expected three positive integers, found {grid!r}")
    axes = [np.arange(m) / m for m in grid]
    halved = next((a for a in range(3) if grid[a] > 1), 0)
    axes[halved] = axes[halved][: grid[halved] // 2 + 1]  # J(-k) is the conjugate of J(k)
    k = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    chunk = max(1, _CHUNK // (c * len(couplings.lengths))**2)
    lowest = np.concatenate([np.linalg.eigvalsh(couplings.at(k[a:a + chunk], c))[:, 0] for a in range(0, len(k), chunk)])
    scale = max(float(np.abs(lowest).max()), float(np.ptp(lowest)), 1e-300)
    found: list[tuple[float, Array]] = []
    best = float(lowest.min())
    for index in _starts(lowest, [len(a) for a in axes], np.asarray(grid), halved):
        start, value = _refined(couplings, k[index], c, np.array(grid) > 1)
        best = min(best, value)
        found.append((value, start))
    minima: list[Array] = []
    for value, point in sorted(found, key=lambda end: (round((end[0] - best) / (1e-9 * scale)), tuple(end[1].round(6)))):
        if value <= best + 1e-9 * scale and not any(_same(point, other) for other in minima):
            minima.append(point)
    flat = float(np.mean(lowest <= best + 1e-9 * scale))
    vectors = np.linalg.eigh(couplings.at(minima[0][None]))[1][0]
    return OptimalWaveVector(minima[0], best / 2, np.array(minima), flat, vectors[:, 0].reshape(-1, 3), couplings)


def _starts(lowest: Array, shape: list[int], grid: NDArray[np.int64], halved: int) -> list[int]:
    """Grid points no neighbour of which is lower, the lowest first, at most 24."""
    cube = lowest.reshape(shape)
    is_lowest = np.ones(shape, bool)
    for axis in range(3):
        if grid[axis] == 1:
            continue
        for step in (1, -1):
            index = np.arange(shape[axis]) + step
            # beyond the half that is kept lie points seen already
            index = np.clip(index, 0, shape[axis] - 1) if axis == halved else index % shape[axis]
            is_lowest &= cube <= np.take(cube, index, axis=axis) + 1e-12 * np.abs(lowest).max()
    candidates = np.flatnonzero(is_lowest.ravel())
    level = np.round((lowest[candidates] - lowest.min()) / max(float(np.abs(lowest).max()), 1e-300), 9)
    return [int(i) for i in candidates[np.argsort(level, kind="stable")][:24]]


def _refined(couplings: FourierCouplings, k: Array, c: int, move: NDArray[np.bool_]) -> tuple[Array, float]:
    """The minimum of the lowest eigenvalue near ``k``, with components in [0, 1)."""
    from scipy.optimize import minimize

    def place(x: Array) -> Array:
        point = k.copy()
        point[move] = x
        return point

    def value(x: Array) -> float:
        return couplings.lowest(place(x), c)[0]

    def slope(x: Array) -> Array:
        return np.asarray(couplings.lowest(place(x), c)[1][move])

    x = k[move]
    if move.any():
        # a simplex passes the kinks where eigenvalues cross, the slope makes the rest precise
        corners = np.vstack([x, x + 0.02 * np.eye(len(x))])
        rough = minimize(value, x, method="Nelder-Mead",
                         options={"initial_simplex": corners, "xatol": 1e-6, "fatol": 1e-14}).x
        fine = minimize(value, rough, method="BFGS", jac=slope, options={"gtol": 1e-11}).x
        ends = [x, np.array([_fraction(y) for y in fine]), fine, rough]
        energies = [value(y) for y in ends]
        x = next(y for y, e in zip(ends, energies, strict=True) if e <= min(energies) + 1e-13 * abs(min(energies)))
    wrapped = place(x) % 1.0
    wrapped[wrapped > 1 - 1e-9] = 0.0
    return wrapped, couplings.lowest(wrapped, c)[0]


def _fraction(x: float) -> float:
    for q in range(1, 13):
        if abs(x - round(x * q) / q) < 1e-6:
            return round(x * q) / q
    return x


def _same(a: Array, b: Array) -> bool:
    return any(bool((np.abs(d - np.rint(d)) < 1e-5).all()) for d in (a - b, a + b))
