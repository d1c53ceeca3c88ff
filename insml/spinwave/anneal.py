"""Simulated annealing of classical spins.

Spins that do not interact are drawn together. Each is drawn from the heat bath of its molecular field (Y. Miyatake et
al., J. Phys. C 19, 2539 (1986)) and reflected about it (M. Creutz, Phys. Rev. D 36, 515 (1987)); anisotropy and biquadratic
exchange, which the field does not hold, enter by Metropolis' rule, with small turns added for low temperatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave.classical import ClassicalEnergy
from insml.spinwave.relax import relax
from insml.spinwave.structure import MagneticStructure
from insml.spinwave.temperature import K_B

if TYPE_CHECKING:
    from scipy import sparse

    from insml.spinwave.model import SpinModel

Array = NDArray[np.float64]



@dataclass(frozen=True, eq=False)
class Annealing:
    """What cooling gave.

    Attributes
    ----------
    model : the model with the spins at the end, relaxed where asked for. energy : theirs, meV per spin.
    temperatures : (nt,) K. mean_energy : (nt,) thermal mean, meV per spin.
    specific_heat : (nt,) from energy fluctuations, k_B per spin.
    """

    model: SpinModel
    energy: float
    temperatures: Array
    mean_energy: Array
    specific_heat: Array


def anneal(model: SpinModel, *, temperatures: ArrayLike | None = None, sweeps: int = 100, burn_in: int | None = None,
           seed: int = 0, random_start: bool = True, finish: bool = True) -> Annealing:
    """Cool the spins of the magnetic cell, periodic, through a list of temperatures.

    Parameters
    ----------
    temperatures : K, in the order visited; by default 40 from above the largest coupling to a thousandth of it.
    sweeps : measurements at each temperature, one after each visit to all spins. burn_in : visits before; ``sweeps`` // 2.
    seed : the same seed gives the same result. random_start : begin from random directions, else from the model's.
    finish : relax what is left after the last temperature.

    Raises
    ------
    ModelError : a model in a rotating frame, whose cells cannot move on their own; temperatures that are not positive.
    """
    if model.k is not None:
        raise ModelError(f"anneal: expected spins of a magnetic cell, found a rotating frame with k = {model.k.tolist()}; "
                         "use a supercell")
    if sweeps < 1:
        raise ModelError(f"sweeps: expected a positive number, found {sweeps}")
    energy = ClassicalEnergy.plain(model)
    length = np.linalg.norm(model.spins, axis=1)
    wanted = _default_temperatures(energy, length) if temperatures is None else temperatures
    kelvin = np.atleast_1d(np.asarray(wanted, float))
    if kelvin.ndim != 1 or len(kelvin) == 0 or not (np.isfinite(kelvin) & (kelvin > 0)).all():
        raise ModelError(f"temperatures: expected positive numbers in K, found {kelvin.tolist()}")
    rng = np.random.default_rng(seed)
    spins = MagneticStructure.random(length, seed=seed).spins.copy() if random_start else model.spins.copy()
    groups = [_Group.of(energy, sites, length) for sites in energy.groups]
    mean, heat, n = np.empty(len(kelvin)), np.empty(len(kelvin)), len(spins)
    for t, temperature in enumerate(kelvin):
        beta, seen = 1 / (K_B * temperature), np.empty(sweeps)
        for sweep in range(-(sweeps // 2 if burn_in is None else burn_in), sweeps):
            for group in groups:
                group.visit(spins, beta, rng)
            if sweep >= 0:
                seen[sweep] = energy.total(spins)
        mean[t], heat[t] = seen.mean() / n, seen.var() * beta**2 / n
    cooled = model.replace(spins=spins)
    if finish:
        rest = relax(cooled)
        return Annealing(rest.model, rest.energy, kelvin, mean, heat)
    return Annealing(cooled, energy.total(spins) / n, kelvin, mean, heat)


@dataclass(eq=False)
class _Group:
    """Sites that do not interact, with E(S_i) = -f.S_i + S_i^T Q S_i + sum (B/2) (S_i.S_j)^2."""

    energy: ClassicalEnergy
    sites: NDArray[np.int64]
    rows: sparse.csr_array
    length: Array
    four: tuple[NDArray[np.int64], NDArray[np.int64], Array]
    squares: bool

    @classmethod
    def of(cls, energy: ClassicalEnergy, sites: NDArray[np.int64], length: Array) -> _Group:
        place = np.full(len(length), -1)
        place[sites] = np.arange(len(sites))
        ends = np.concatenate([energy.four_pairs, energy.four_pairs[:, ::-1]])
        # (S.S)^2 of a spin with its own image is a constant
        kept = (place[ends[:, 0]] >= 0) & (ends[:, 0] != ends[:, 1])
        four = place[ends[kept, 0]], ends[kept, 1], np.tile(energy.four, 2)[kept]
        rows = energy.matrix[(3 * sites[:, None] + np.arange(3)).ravel()]
        squares = bool(len(four[0]) or np.ptp(np.linalg.eigvalsh(energy.onsite[sites]), axis=1).max() > 0)
        return cls(energy, sites, rows, length[sites], four, squares)

    def visit(self, spins: Array, beta: float, rng: np.random.Generator) -> None:
        now, Q = spins[self.sites], self.energy.onsite[self.sites]
        f = self.energy.zeeman[self.sites] - (self.rows @ spins.ravel()).reshape(-1, 3)
        f += 2 * np.einsum("iab,ib->ia", Q, now)
        strength = np.linalg.norm(f, axis=1)
        axis = np.where(strength[:, None] > 0, f / np.maximum(strength, 1e-300)[:, None], np.array([0.0, 0.0, 1.0]))
        now = self._accept(now, _heat_bath(axis, self.length, beta * strength * self.length, rng), spins, beta, rng)
        now = self._accept(now, 2 * np.sum(axis * now, axis=1)[:, None] * axis - now, spins, beta, rng)
        if self.squares:
            width = 10 ** rng.uniform(-2, 0, (len(now), 1))
            moved = now / self.length[:, None] + width * rng.standard_normal(now.shape)
            moved *= (self.length / np.linalg.norm(moved, axis=1))[:, None]
            now = self._accept(now, moved, spins, beta, rng, -np.sum(f * (moved - now), axis=1))
        spins[self.sites] = now

    def _accept(self, now: Array, trial: Array, spins: Array, beta: float, rng: np.random.Generator,
                cost: Array | float = 0.0) -> Array:
        if not self.squares:
            return trial
        cost = cost + self._squares(trial, spins) - self._squares(now, spins)
        return np.where((rng.random(len(now)) < np.exp(-beta * np.maximum(cost, 0.0)))[:, None], trial, now)

    def _squares(self, own: Array, spins: Array) -> Array:
        out = np.einsum("ia,iab,ib->i", own, self.energy.onsite[self.sites], own)
        site, other, B = self.four
        np.add.at(out, site, B / 2 * np.sum(own[site] * spins[other], axis=1)**2)
        return np.asarray(out)


def _heat_bath(axis: Array, length: Array, x: Array, rng: np.random.Generator) -> Array:
    """Spins with probability exp(x cos theta) about ``axis``."""
    x = np.maximum(x, 1e-9)
    cosine = np.clip(1 + np.log1p(rng.random(len(x)) * np.expm1(-2 * x)) / x, -1, 1)[:, None]
    turn = 2 * np.pi * rng.random((len(x), 1))
    u = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis), axis=1)])
    u /= np.linalg.norm(u, axis=1)[:, None]
    side = np.cos(turn) * u + np.sin(turn) * np.cross(axis, u)
    spins = cosine * axis + np.sqrt(1 - cosine**2) * side
    return np.asarray(spins * (length / np.linalg.norm(spins, axis=1))[:, None])


def _default_temperatures(energy: ClassicalEnergy, length: Array) -> Array:
    pull = (abs(energy.matrix) @ np.repeat(length, 3) + np.abs(energy.zeeman).ravel()).max(initial=0.0)
    four = np.bincount(energy.four_pairs.ravel(), np.repeat(np.abs(energy.four), 2), len(length)).max(initial=0.0)
    longest = float(length.max())
    scale = float(pull) * longest + float(four) * longest**4
    return np.asarray(np.geomspace(1.0, 1e-3, 40) * max(scale, 1e-6) / K_B)
