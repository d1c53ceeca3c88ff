"""Energy of classical spins, its slope and curvature.

For spins in a rotating frame, S_i(cell l) = R_n(2 pi k.l) S_i, couplings are averaged over the turns about n:
S_i^T <J> R_n(2 pi k.dl) S_j with <J> = a (1 - n n^T) + b n n^T + c [n]x, and of anisotropy and field only what is
invariant about n counts. For couplings that are invariant, the only ones a rotating frame can hold, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave import checks
from insml.spinwave.structure import rotation

if TYPE_CHECKING:
    from scipy import sparse

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MU_B = 0.057883818066
"""Bohr magneton, meV/T."""


class Coupled(Protocol):
    """What the energy needs of a ``SpinModel``."""

    @property
    def supercell(self) -> tuple[int, int, int]: ...
    @property
    def spins(self) -> Array: ...
    @property
    def bonds(self) -> Sequence[tuple[int, int, Indices, Array]]: ...
    @property
    def biquadratic(self) -> Sequence[tuple[int, int, Indices, float]]: ...
    @property
    def anisotropy(self) -> Array: ...
    @property
    def g(self) -> Array: ...
    @property
    def field(self) -> Array: ...
    @property
    def k(self) -> Array | None: ...
    @property
    def n(self) -> Array | None: ...


@dataclass(frozen=True, eq=False)
class ClassicalEnergy:
    """E(S) = sum S_i^T J S_j + (B/2) (S_i.R S_j)^2 + sum S_i^T A S_i - h_i.S_i, in meV for one magnetic cell.

    Attributes
    ----------
    pairs (nb, 2), cells (nb, 3), exchange (nb, 3, 3) : bonds; ``cells`` in chemical cells.
    four_pairs (nq, 2), four_cells (nq, 3), four (nq,), turns (nq, 3, 3) : biquadratic bonds with B and R.
    anisotropy (n, 3, 3), zeeman (n, 3) : A symmetrised and h = muB g^T B.
    """

    pairs: Indices
    cells: Indices
    exchange: Array
    four_pairs: Indices
    four_cells: Indices
    four: Array
    turns: Array
    anisotropy: Array
    zeeman: Array

    @classmethod
    def of(cls, model: Coupled) -> ClassicalEnergy:
        """Couplings of a model in the frame of its own k and n."""
        plain = cls.plain(model)
        return plain if model.k is None or model.n is None else plain.turning(model.k, model.n)

    @classmethod
    def plain(cls, model: Coupled) -> ClassicalEnergy:
        """Couplings of a model as if its spins were the same in every magnetic cell."""
        size = np.array(model.supercell)
        g = (model.g + model.g.transpose(0, 2, 1)) / 2
        return cls(
            np.array([(i, j) for i, j, _, _ in model.bonds], np.int64).reshape(-1, 2),
            np.array([dl for _, _, dl, _ in model.bonds], np.int64).reshape(-1, 3) * size,
            np.array([J for *_, J in model.bonds], float).reshape(-1, 3, 3),
            np.array([(i, j) for i, j, _, _ in model.biquadratic], np.int64).reshape(-1, 2),
            np.array([dl for _, _, dl, _ in model.biquadratic], np.int64).reshape(-1, 3) * size,
            np.array([B for *_, B in model.biquadratic], float),
            np.tile(np.eye(3), (len(model.biquadratic), 1, 1)),
            (model.anisotropy + model.anisotropy.transpose(0, 2, 1)) / 2,
            MU_B * np.einsum("iab,a->ib", g, model.field),
        )

    def turning(self, k: Array, n: Array) -> ClassicalEnergy:
        """The same couplings between spins that turn about ``n`` with ``k`` (r.l.u. of the chemical cell)."""
        return replace(
            self,
            exchange=_averaged(self.exchange, n) @ rotation(n, 360 * (self.cells @ k)),
            turns=rotation(n, 360 * (self.four_cells @ k)),
            anisotropy=_averaged(self.anisotropy, n),
            zeeman=np.outer(self.zeeman @ n, n),
        )

    def total(self, spins: Array) -> float:
        """meV of one magnetic cell with spins (n, 3)."""
        one, other = self.pairs.T
        quadratic = np.einsum("ba,bac,bc->", spins[one], self.exchange, spins[other], optimize=True)
        onsite = np.einsum("ia,iac,ic->", spins, self.anisotropy, spins, optimize=True) - np.sum(self.zeeman * spins)
        return float(quadratic + onsite + self.four @ self._overlap(spins)**2 / 2)

    def field(self, spins: Array) -> Array:
        """(n, 3) molecular field -dE/dS_i, meV per unit of spin."""
        out = self.zeeman - 2 * np.einsum("iab,ib->ia", self.anisotropy, spins)
        one, other = self.pairs.T
        np.subtract.at(out, one, np.einsum("bac,bc->ba", self.exchange, spins[other]))
        np.subtract.at(out, other, np.einsum("bca,bc->ba", self.exchange, spins[one]))
        if len(self.four):
            one, other = self.four_pairs.T
            factor = (self.four * self._overlap(spins))[:, None]
            np.subtract.at(out, one, factor * np.einsum("bac,bc->ba", self.turns, spins[other]))
            np.subtract.at(out, other, factor * np.einsum("bca,bc->ba", self.turns, spins[one]))
        return np.asarray(out)

    def torque(self, spins: Array) -> Array:
        """(n,) |S_i x field_i| / S_i in meV, zero where the energy is stationary."""
        return np.asarray(np.linalg.norm(np.cross(spins, self.field(spins)), axis=1) / np.linalg.norm(spins, axis=1))

    def curvature(self, spins: Array) -> sparse.csr_array:
        """(3n, 3n) second derivatives d2E / dS dS, before the lengths are held fixed."""
        if not len(self.four):
            return self.matrix
        one, other = self.four_pairs.T
        turned = np.einsum("bac,bc->ba", self.turns, spins[other])
        back = np.einsum("bca,bc->ba", self.turns, spins[one])
        B, c = self.four[:, None, None], self._overlap(spins)[:, None, None]
        mixed = B * (turned[:, :, None] * back[:, None, :] + c * self.turns)
        blocks = [(one, one, B * turned[:, :, None] * turned[:, None, :]),
                  (other, other, B * back[:, :, None] * back[:, None, :]),
                  (one, other, mixed), (other, one, mixed.transpose(0, 2, 1))]
        whole: sparse.csr_array = self.matrix + _scatter(blocks, len(spins))
        return whole

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """(3n, 3n) symmetric M of the bilinear part, E = S^T M S / 2 - h.S."""
        one, other = self.pairs.T
        sites = np.arange(len(self.zeeman))
        return _scatter([(one, other, self.exchange), (other, one, self.exchange.transpose(0, 2, 1)),
                         (sites, sites, 2 * self.anisotropy)], len(sites))

    @cached_property
    def onsite(self) -> Array:
        """(n, 3, 3) symmetric Q of what a spin and its own images give, S^T Q S, without biquadratic terms."""
        out = self.anisotropy.copy()
        own = self.pairs[:, 0] == self.pairs[:, 1]
        J = self.exchange[own]
        np.add.at(out, self.pairs[own, 0], (J + J.transpose(0, 2, 1)) / 2)
        return out

    @cached_property
    def groups(self) -> list[Indices]:
        """Sites in groups within which no two interact: greedy colouring, sites of most neighbours first."""
        neighbours: list[set[int]] = [set() for _ in self.zeeman]
        for i, j in np.concatenate([self.pairs, self.four_pairs]).tolist():
            if i != j:
                neighbours[i].add(j)
                neighbours[j].add(i)
        colour = [-1] * len(neighbours)
        for i in sorted(range(len(neighbours)), key=lambda site: -len(neighbours[site])):
            taken = {colour[j] for j in neighbours[i]}
            colour[i] = next(c for c in range(len(neighbours)) if c not in taken)
        return [np.flatnonzero(np.array(colour) == c) for c in range(max(colour) + 1)]

    def _overlap(self, spins: Array) -> Array:
        one, other = self.four_pairs.T
        return np.asarray(np.einsum("ba,bac,bc->b", spins[one], self.turns, spins[other]))


def energy(model: Coupled, spins: ArrayLike | None = None) -> float:
    """Classical energy in meV per spin (as SpinW's ``energy``) of ``spins`` (n, 3), by default those of the model."""
    S = _spins(model, spins)
    return ClassicalEnergy.of(model).total(S) / len(S)


def molecular_field(model: Coupled, spins: ArrayLike | None = None) -> Array:
    """(n, 3) -dE/dS_i in meV per unit of spin; at rest every spin lies along its own field."""
    return ClassicalEnergy.of(model).field(_spins(model, spins))


def _spins(model: Coupled, spins: ArrayLike | None) -> Array:
    if spins is None:
        return model.spins
    S = checks.vectors(spins, len(model.spins), "spins")
    if not np.allclose(np.linalg.norm(S, axis=1), np.linalg.norm(model.spins, axis=1), rtol=1e-6):
        raise ModelError("spins: expected the spin lengths of the model, found others")
    return S


def _averaged(matrices: Array, n: Array) -> Array:
    """Mean of R^T J R over rotations R about n."""
    cross = np.array([[0.0, -n[2], n[1]], [n[2], 0.0, -n[0]], [-n[1], n[0], 0.0]])
    along = np.outer(n, n)
    b = np.einsum("a,...ac,c->...", n, matrices, n)[..., None, None]
    a = (np.trace(matrices, axis1=-2, axis2=-1)[..., None, None] - b) / 2
    c = np.einsum("...ac,ac->...", matrices, cross)[..., None, None] / 2
    return np.asarray(a * (np.eye(3) - along) + b * along + c * cross)


def _scatter(blocks: Sequence[tuple[Indices, Indices, Array]], n: int) -> sparse.csr_array:
    from scipy import sparse  # a fifth of a second that only those who move spins should wait

    row, column, value = (np.concatenate([block[m] for block in blocks]) for m in range(3))
    axis = np.arange(3)
    rows = np.broadcast_to(3 * row[:, None, None] + axis[:, None], value.shape)
    columns = np.broadcast_to(3 * column[:, None, None] + axis, value.shape)
    return sparse.csr_array(sparse.coo_array((value.ravel(), (rows.ravel(), columns.ravel())), shape=(3 * n, 3 * n)))
