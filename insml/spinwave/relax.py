"""Relaxation of classical spins to a local minimum of the energy in a given magnetic cell.

Sweeps turn one group of mutually uncoupled spins after the other onto their molecular fields (SpinW's optmagsteep).
What depends on the square of the spin itself (anisotropy, images of the spin, biquadratic exchange) is first moved by a
multiple of the constant S.S until it is concave, so that no sweep can raise the energy. Newton steps with a trust radius
(T. Steihaug, SIAM J. Numer. Anal. 20, 626 (1983)) on the product of the spheres finish, and a structure that is stationary
but not a minimum is left along its softest mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.spinwave.classical import ClassicalEnergy
from insml.spinwave.structure import MagneticStructure

if TYPE_CHECKING:
    from scipy import sparse

    from insml.spinwave.model import SpinModel

Array = NDArray[np.float64]

_DENSE = 400
_SWEEPS = 30
_DROWNED = 60
"""Newton steps whose gain is below the rounding of the energy: many are only seen in valleys that are all but flat."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Where spins came to rest.

    Attributes
    ----------
    model : the model with its new spins. energy : meV per spin.
    history : energy (meV per spin) at the start and after each step, never rising by more than rounding.
    torque : largest |S x field| / S left, meV. converged : it is below the tolerance, and no mode lowers the energy.
    """

    model: SpinModel
    energy: float
    history: Array
    torque: float
    converged: bool


def relax(model: SpinModel, *, max_steps: int = 2000, tolerance: float = 1e-10, seed: int | None = None,
          fixed: Sequence[int] | None = None) -> Relaxation:
    """Move the spins of ``model`` to a local minimum of the energy at its own supercell, k and n.

    Parameters
    ----------
    max_steps : sweeps and Newton steps together.
    tolerance : largest torque |S x field| / S in meV at which spins are at rest.
    seed : start from random directions; from the spins of the model where None.
    fixed : indices of sites that keep their spin.

    Raises
    ------
    ModelError : ``fixed`` names a site that does not exist.
    """
    free = np.ones(len(model.spins), bool)
    if fixed is not None:
        index = np.asarray(fixed, np.int64).ravel()
        if ((index < 0) | (index >= len(free))).any():
            raise ModelError(f"fixed: expected site indices from 0 to {len(free) - 1}, found {list(fixed)}")
        free[index] = False
    spins = model.spins.copy()
    if seed is not None:
        spins[free] = MagneticStructure.random(np.linalg.norm(spins[free], axis=1), seed=seed).spins
    energy = ClassicalEnergy.of(model)
    history = [energy.total(spins)]
    converged = not free.any()
    while not converged and len(history) <= max_steps:
        spins = _sweep(energy, spins, free, history, min(_SWEEPS, max_steps + 1 - len(history)), tolerance)
        spins = _newton(energy, spins, free, history, max_steps, tolerance)
        if not _torque(energy, spins, free) <= tolerance:
            break
        left = _leave(energy, spins, free)
        converged = left is None
        if left is not None:
            spins = left
            history.append(energy.total(spins))
    moved = model.replace(spins=spins)
    n = len(spins)
    return Relaxation(moved, energy.total(spins) / n, np.array(history) / n, _torque(energy, spins, free), converged)


def softest(energy: ClassicalEnergy, spins: Array, free: NDArray[np.bool_] | None = None) -> tuple[float, Array]:
    """Lowest curvature of the energy on the spheres, meV per unit of spin squared, and its direction (n, 3), norm one."""
    basis = _tangents(spins, np.ones(len(spins), bool) if free is None else free)
    hessian = _hessian(energy, spins, basis)
    size = hessian.shape[0]
    if size <= _DENSE:
        values, vectors = np.linalg.eigh(hessian.toarray())
        lowest, x = float(values[0]), vectors[:, 0]
    else:
        from scipy import sparse
        from scipy.sparse.linalg import ArpackNoConvergence, eigsh

        # the tolerance is relative to the eigenvalue, which may be zero, so ask for the top of c - H
        c = float(abs(hessian).sum(axis=0).max())
        try:
            mirrored = sparse.diags_array(np.full(size, c), format="csr") - hessian
            values, vectors = eigsh(mirrored, k=1, which="LA", tol=1e-7, ncv=40,
                                    v0=np.random.default_rng(0).standard_normal(size), maxiter=50)
            lowest, x = c - float(values[0]), vectors[:, 0]
        except ArpackNoConvergence:  # a dense lower edge: nothing stands out below it
            lowest, x = 0.0, np.zeros(size)
    return lowest, np.asarray(basis @ x).reshape(-1, 3)


def _torque(energy: ClassicalEnergy, spins: Array, free: NDArray[np.bool_]) -> float:
    return float(energy.torque(spins)[free].max(initial=0.0))


def _sweep(energy: ClassicalEnergy, spins: Array, free: NDArray[np.bool_], history: list[float], count: int,
           tolerance: float) -> Array:
    """Up to ``count`` sweeps, fewer where spins come to rest or a Newton step is likely to do better."""
    length = np.linalg.norm(spins, axis=1)[:, None]
    lift = 2 * _lift(energy, spins)[:, None]
    groups = [(g, energy.matrix[(3 * g[:, None] + np.arange(3)).ravel()]) for g in (g[free[g]] for g in energy.groups)]
    spins, scale = spins.copy(), max(float(np.abs(energy.field(spins) * length).max()), 1e-300)
    for _ in range(count):
        for group, rows in groups:
            if len(energy.four):
                f = energy.field(spins)[group]
            else:
                f = energy.zeeman[group] - (rows @ spins.ravel()).reshape(-1, 3)
            f = f + lift[group] * spins[group]
            size = np.linalg.norm(f, axis=1)[:, None]
            spins[group] = np.where(size > 1e-14 * scale, length[group] * f / np.maximum(size, 1e-300), spins[group])
        history.append(energy.total(spins))
        if _torque(energy, spins, free) <= max(tolerance, 1e-3 * scale):
            break
    return spins


def _lift(energy: ClassicalEnergy, spins: Array) -> Array:
    """(n,) numbers c for which E - c S.S is concave in each spin alone."""
    out = np.linalg.eigvalsh(energy.onsite)[:, -1]
    square = np.sum(spins**2, axis=1)
    i, j = energy.four_pairs.T
    B, own = energy.four, energy.four_pairs[:, 0] == energy.four_pairs[:, 1]
    # a spin with its own turned image: |d2/dS2 of (B/2)(S.R S)^2| <= 6 |B| S^2
    np.add.at(out, i[own], 3 * np.abs(B[own]) * square[i[own]])
    np.add.at(out, i[~own], np.maximum(B[~own], 0) / 2 * square[j[~own]])
    np.add.at(out, j[~own], np.maximum(B[~own], 0) / 2 * square[i[~own]])
    return np.asarray(out)


def _tangents(spins: Array, free: NDArray[np.bool_]) -> sparse.csr_array:
    """(3n, 2 free) orthonormal directions in which the free spins can turn."""
    from scipy import sparse

    eta = spins / np.linalg.norm(spins, axis=1)[:, None]
    first = np.cross(eta, np.eye(3)[np.argmin(np.abs(eta), axis=1)])
    first /= np.linalg.norm(first, axis=1)[:, None]
    frames = np.stack([first, np.cross(eta, first)], axis=2)[free]
    sites = np.flatnonzero(free)
    rows = np.broadcast_to(3 * sites[:, None, None] + np.arange(3)[:, None], frames.shape)
    columns = np.broadcast_to(2 * np.arange(len(sites))[:, None, None] + np.arange(2), frames.shape)
    return sparse.csr_array(sparse.coo_array((frames.ravel(), (rows.ravel(), columns.ravel())),
                                             shape=(spins.size, 2 * len(sites))))


def _hessian(energy: ClassicalEnergy, spins: Array, basis: sparse.csr_array) -> sparse.csr_array:
    """Second derivatives along ``basis``; what the curvature of the sphere adds is field.S / S^2."""
    from scipy import sparse

    along = np.sum(energy.field(spins) * spins, axis=1) / np.sum(spins**2, axis=1)
    return sparse.csr_array(basis.T @ (energy.curvature(spins) + sparse.diags_array(np.repeat(along, 3))) @ basis)


def _turned(spins: Array, step: Array) -> Array:
    moved = spins + step.reshape(-1, 3)
    return np.asarray(moved * (np.linalg.norm(spins, axis=1) / np.linalg.norm(moved, axis=1))[:, None])


def _newton(energy: ClassicalEnergy, spins: Array, free: NDArray[np.bool_], history: list[float], max_steps: int,
            tolerance: float) -> Array:
    value, torque = energy.total(spins), energy.torque(spins)[free]
    largest = float(np.sqrt(np.sum(spins**2)))
    radius, drowned = 0.3 * largest, 0
    while torque.max() > tolerance and len(history) <= max_steps and radius > 1e-14 * largest and drowned < _DROWNED:
        basis = _tangents(spins, free)
        slope = -(basis.T @ energy.field(spins).ravel())
        step, gain = _steihaug(_hessian(energy, spins, basis), slope, radius)
        trial = _turned(spins, basis @ step)
        new, left = energy.total(trial), energy.torque(trial)[free]
        noise = 1e-13 * max(abs(value), gain)
        if gain > 10 * noise:
            ratio = (value - new) / gain
        else:  # the gain drowns in the rounding of the energy and the torque decides
            drowned += 1
            ratio = float(new <= value + noise and np.linalg.norm(left) < np.linalg.norm(torque))
        if ratio > 0.75:
            radius = min(2 * radius, largest)
        elif ratio < 0.25:
            radius = min(radius, float(np.linalg.norm(step))) / 4
        if ratio > 1e-4:
            spins, value, torque = trial, new, left
            history.append(value)
    return spins


def _steihaug(H: sparse.csr_array, slope: Array, radius: float) -> tuple[Array, float]:
    """Conjugate gradients for min slope.x + x^T H x / 2 within |x| <= radius; the step and what the model gains by it."""
    x, r, p = np.zeros_like(slope), -slope, -slope
    size = float(np.abs(H.data).max(initial=0.0))
    norm = float(np.linalg.norm(slope))
    goal = norm * min(0.1, norm / max(size, 1e-300))
    for _ in range(min(2 * len(slope) + 10, 400)):
        Hp = H @ p
        curvature, pp, rr = float(p @ Hp), float(p @ p), float(r @ r)
        if abs(curvature) <= 1e-13 * size * pp and x.any():
            break
        step = rr / curvature if curvature > 1e-13 * size * pp else 0.0
        if step == 0 or np.linalg.norm(x + step * p) >= radius:
            xp, xx = float(x @ p), float(x @ x)
            x = x + (-xp + np.sqrt(xp * xp + pp * (radius * radius - xx))) / pp * p
            break
        x = x + step * p
        r = r - step * Hp
        if np.linalg.norm(r) <= goal:
            break
        p = r + float(r @ r) / rr * p
    return x, -float(slope @ x + x @ (H @ x) / 2)


def _leave(energy: ClassicalEnergy, spins: Array, free: NDArray[np.bool_]) -> Array | None:
    """Spins of lower energy along the softest mode of a stationary structure, None where it is a minimum."""
    curvature, mode = softest(energy, spins, free)
    here = energy.total(spins)
    if curvature > -1e-9 * float(np.abs(energy.matrix.data).max(initial=0.0) + np.abs(energy.zeeman).max(initial=0.0)):
        return None
    lengths = float(np.sqrt(np.sum(spins**2)))
    trials = [_turned(spins, size * lengths * mode) for size in (0.5, -0.5, 0.1, -0.1, 0.02, -0.02)]
    values = [energy.total(trial) for trial in trials]
    best = int(np.argmin(values))
    return trials[best] if values[best] < here - 1e-12 * abs(here) else None
