"""Why a magnetic structure is not a minimum of the energy, and what would lower it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import InsmlError
from insml.spinwave import checks
from insml.spinwave.classical import ClassicalEnergy
from insml.spinwave.optimal_k import OptimalWaveVector, optimal_k
from insml.spinwave.relax import Relaxation, relax

if TYPE_CHECKING:
    from insml.spinwave.model import SpinModel

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

AT_REST = 1e-5
"""Torque |S x field| / S in meV below which spins count as being at rest."""

_UNSTABLE = 1e-7
_WORK = 3e8


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What keeps a structure from being a minimum.

    Attributes
    ----------
    model : the model looked at. energy : meV per spin.
    torque : (n,) |S x field| / S in meV; zero at a structure that is at least stationary.
    q, lowest : r.l.u. of the chemical cell and meV, where the quadratic form of the bosons is lowest and its eigenvalue.
    displacement : (n, 3) complex D; the most unstable motion is dS_i = Re[D_i e^{2 pi i q.l}] in the magnetic cell at l,
        seen in the turning frame where there is one. Its largest entry has length one.
    relaxation : what relaxing in the same magnetic cell, at the same k and n, gives.
    wave_vector : the best wave vector of the bilinear couplings; None where the method does not apply.
    """

    model: SpinModel
    energy: float
    torque: Array
    q: Array
    lowest: float
    displacement: Complex
    relaxation: Relaxation
    wave_vector: OptimalWaveVector | None

    @property
    def stationary(self) -> bool:
        return bool(self.torque.max() <= AT_REST)

    @property
    def stable(self) -> bool:
        """Stationary, with no direction at any wave vector looked at that lowers the energy."""
        return self.stationary and self.lowest >= -_UNSTABLE * max(1.0, abs(self.energy))

    @property
    def gain(self) -> float:
        """Energy in meV per spin that relaxing in the same cell wins."""
        return self.energy - self.relaxation.energy

    def explain(self) -> str:
        """One paragraph."""
        if self.stable:
            text = [f"The structure is a minimum: energy {self.energy:.6g} meV per spin, largest torque "
                    f"{self.torque.max():.2g} meV, lowest eigenvalue {self.lowest:.3g} meV at q = {_triple(self.q)}."]
        elif self.stationary:
            text = [f"The spins lie along their fields (largest torque {self.torque.max():.2g} meV), but the energy falls "
                    f"by moving {self._movers()} with q = {_triple(self.q)} (eigenvalue {self.lowest:.4g} meV)."]
        else:
            worst = int(np.argmax(self.torque))
            text = [f"The spins do not lie along their fields: the largest torque is {self.torque[worst]:.4g} meV, on "
                    f"{_site(self.model, worst)}. The quadratic form is lowest at q = {_triple(self.q)}, {self.lowest:.4g} "
                    f"meV, by moving {self._movers()}."]
        if self.gain > 1e-9 * max(1.0, abs(self.energy)):
            text.append(f"Relaxing in this magnetic cell wins {self.gain:.4g} meV per spin, to "
                        f"{self.relaxation.energy:.6g}.")
        elif not self.stable:
            text.append("Relaxing in this magnetic cell wins nothing: the motion needs another cell or wave vector.")
        wave = self.wave_vector
        if wave is not None and not self.model.field.any():
            more = self.relaxation.energy - wave.energy
            if more > 1e-6 * max(1.0, abs(wave.energy)):
                text.append(f"The couplings would prefer k = {_triple(wave.k)}, up to {more:.4g} meV per spin lower still.")
        return " ".join(text)

    def _movers(self) -> str:
        size = np.linalg.norm(self.displacement, axis=1)
        sites = [int(i) for i in np.argsort(-size, kind="stable") if size[i] > 0.5]
        names = ", ".join(_site(self.model, i) for i in sites[:4])
        return names + (f" and {len(sites) - 4} more" if len(sites) > 4 else "")


def is_stationary(model: SpinModel, tolerance: float = AT_REST) -> bool:
    """Every spin lies along its molecular field to within a torque of ``tolerance`` meV."""
    return bool(ClassicalEnergy.of(model).torque(model.spins).max() <= tolerance)


def diagnose(model: SpinModel, q: ArrayLike | None = None) -> Diagnosis:
    """Look for what lowers the energy: torques, the quadratic form on a grid of q, relaxation, the best wave vector.

    Parameters
    ----------
    q : (nq, 3) or (3,) r.l.u. of the chemical cell, wave vectors to look at beside the grid over the magnetic zone.
    """
    energy = ClassicalEnergy.of(model)
    points = _grid(model)
    if q is not None:
        points = np.concatenate([points, checks.wave_vectors(q)])
    chunk = max(1, (1 << 22) // (2 * len(model.spins))**2)
    lowest = np.concatenate([np.linalg.eigvalsh(model.core.hamiltonian(np.ascontiguousarray(points[a:a + chunk])))[:, 0]
                             for a in range(0, len(points), chunk)])
    worst = int(np.argmin(np.round(lowest, 9)))
    try:
        wave = optimal_k(model)
    except InsmlError:
        wave = None
    return Diagnosis(model, energy.total(model.spins) / len(model.spins), energy.torque(model.spins), points[worst],
                     float(lowest[worst]), softest_motion(model, points[worst]), relax(model, max_steps=500), wave)


def softest_motion(model: SpinModel, q: ArrayLike) -> Complex:
    """(n, 3) D of the lowest eigenvector of the quadratic form at ``q``; see :class:`Diagnosis`."""
    x = np.linalg.eigh(model.core.hamiltonian(np.ascontiguousarray(np.reshape(q, (1, 3)), float))[0])[1][:, 0]
    n = len(model.spins)
    length = np.linalg.norm(model.spins, axis=1)[:, None]
    e1, e2 = _frames(model.spins / length)
    # b_i = x_i e^{i q.l} + conj(x_{i+n}) e^{-i q.l} and dS = sqrt(2 S) (e1 Re b + e2 Im b)
    D = np.sqrt(2 * length) * (e1 * (x[:n] + x[n:])[:, None] - 1j * e2 * (x[:n] - x[n:])[:, None])
    size = np.linalg.norm(D, axis=1)
    first = D[int(np.argmax(size > size.max() * (1 - 1e-6)))]
    phase = first[int(np.argmax(np.abs(first)))]
    return np.asarray(D * (np.abs(phase) / phase) / size.max())


def explain_instability(model: SpinModel, q: ArrayLike) -> str:
    """One line for :class:`UnstableStructureError`: what is wrong with the structure at ``q`` and what to try.

    Never raises; says less where there is no time or reason to say more.
    """
    try:
        torque = ClassicalEnergy.of(model).torque(model.spins)
        worst = int(np.argmax(torque))
        if torque[worst] > AT_REST:
            return (f"the spins do not lie along their molecular fields (torque {torque[worst]:.3g} meV on "
                    f"{_site(model, worst)}): relax(model) turns them there")
        who = ""
        if len(model.spins) <= 64:
            size = np.linalg.norm(softest_motion(model, q), axis=1)
            movers = [int(i) for i in np.flatnonzero(size > 0.5)]
            who = (" of " + ", ".join(_site(model, i) for i in movers[:4])
                   + (f" and {len(movers) - 4} more" if len(movers) > 4 else ""))
        turns = np.asarray(q, float) * np.array(model.supercell)
        if np.abs(turns - np.rint(turns)).max() < 1e-4:
            return (f"the spins lie along their fields but the energy falls by a motion{who} that repeats with the "
                    "magnetic cell: relax(model) follows it")
        return (f"the spins lie along their fields but the energy falls by a motion{who} with q = {_triple(q)}, which the "
                "magnetic cell does not hold: take a larger supercell and relax(model), or the k of optimal_k(model)")
    except Exception:  # this text belongs to another error, which must reach the caller
        return ""


def _grid(model: SpinModel) -> Array:
    """Wave vectors over half the zone of the magnetic cell, along coupled directions, few where matrices are big."""
    steps = [dl for _, _, dl, _ in model.bonds] + [dl for _, _, dl, _ in model.biquadratic]
    coupled = np.abs(np.array(steps, np.int64).reshape(-1, 3)).max(axis=0, initial=0) > 0
    count = max(int(coupled.sum()), 1)
    points = int(np.clip((_WORK / (2.0 * len(model.spins))**3) ** (1 / count), 2, (0, 96, 32, 16)[count])) // 2 * 2
    axes = [np.arange(points) / points if on else np.zeros(1) for on in coupled]
    first = int(np.argmax(coupled))
    axes[first] = axes[first][: points // 2 + 1]
    return np.asarray(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3) / np.array(model.supercell))


def _frames(eta: Array) -> tuple[Array, Array]:
    """The core's e1, e2 (rust/insml-core/src/spinwave/frame.rs)."""
    e2 = np.cross(eta, (1.0, 0.0, 0.0))
    size = np.linalg.norm(e2, axis=1)[:, None]
    e2 = np.where(size > 1e-6, e2 / np.maximum(size, 1e-300), np.array([0.0, 0.0, 1.0]))
    e1 = np.cross(e2, eta)
    e1 /= np.linalg.norm(e1, axis=1)[:, None]
    return e1, np.cross(eta, e1)


def _site(model: SpinModel, i: int) -> str:
    label = model.labels[i]
    return label if label == f"site {i}" else f"site {i} ({label})"


def _triple(q: ArrayLike) -> str:
    return "(" + ", ".join(f"{x + 0.0:.4g}" for x in np.asarray(q, float)) + ")"
