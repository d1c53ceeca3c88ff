"""What quantum fluctuations do to a classical structure, to first order in 1/S: shorter moments and a lower energy.

With the Bogoliubov transformation b = T beta of linear spin waves, T^+ h T = |E| and T^+ g T = g, and averages over the
magnetic Brillouin zone (P. W. Anderson, Phys. Rev. 86, 694 (1952); R. Kubo, Phys. Rev. 87, 568 (1952)):

    dS_i = <b_i^+ b_i> = <sum_m |T_{i+N,m}|^2>
    dE = 1/2 <sum_m E_m - tr h_11> + sum_i S_i/2 (tr A_i - eta_i^T A_i eta_i)

where the last term is what bringing S_i^T A_i S_i of an operator to normal order leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.spinwave.classical import ClassicalEnergy
from insml.spinwave.model import SpinModel

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_DEEPEST = 16
_SHARE = 0.005
"""Of the tolerance; a box of any size may be wrong by this much, so that small boxes end."""
_POINTS_AT_ONCE = 1 << 14


@dataclass(frozen=True, eq=False)
class Corrections:
    """Corrections of first order in 1/S at T = 0.

    Attributes
    ----------
    reduction : (n,) by how much each spin of the magnetic cell is shorter than S. The direction of spins in a structure
        that symmetry does not fix is not corrected.
    lengths : (n,) S - reduction.
    classical_energy, zero_point_energy : meV per spin. Their sum is the energy of the ground state.
    error : estimated error of the largest ``reduction``. energy_error : of ``zero_point_energy``, meV per spin.
    points : wave vectors solved.
    """

    reduction: Array
    lengths: Array
    classical_energy: float
    zero_point_energy: float
    error: float
    energy_error: float
    points: int


def corrections(model: SpinModel, *, tolerance: float = 1e-4, max_points: int = 500_000) -> Corrections:
    """Zero-point energy and moment reduction by adaptive integration over the magnetic Brillouin zone.

    The zone is cut into boxes, each integrated by a Gauss-Legendre rule and halved along every axis where the halves
    disagree with the whole, which follows the integrable singularities of Goldstone modes to where they cease to matter.
    Directions along which no bond leads are left out.

    Parameters
    ----------
    tolerance : of ``reduction`` in units of one spin, and of ``zero_point_energy`` relative to the mean of tr h_11 / 2N.
    max_points : gives up beyond.

    Raises
    ------
    ModelError : the integral of the fluctuations diverges (a chain or another model without order), or did not reach the
        tolerance with ``max_points`` wave vectors.
    UnstableStructureError : the structure is not an energy minimum.
    """
    if not tolerance > 0:
        raise ModelError(f"tolerance: expected a positive number, found {tolerance}")
    cells = np.array([dl for _, _, dl, _ in [*model.bonds, *model.biquadratic]], float).reshape(-1, 3)
    axes = np.flatnonzero(cells.any(axis=0))
    n, scale = len(model.spins), _energy_scale(model)
    zone = _Zone(model, axes, scale)
    value, error = _integrate(zone, len(axes), tolerance, max_points)
    length = np.linalg.norm(model.spins, axis=1)
    eta = model.spins / length[:, None]
    A = (model.anisotropy + model.anisotropy.transpose(0, 2, 1)) / 2
    along = np.einsum("ia,iab,ib->i", eta, A, eta)
    ordering = np.sum(length / 2 * (np.trace(A, axis1=1, axis2=2) - along))
    return Corrections(
        value[:-1], length - value[:-1], ClassicalEnergy.of(model).total(model.spins) / n,
        float(value[-1] * scale + ordering / n), float(error[:-1].max()), float(error[-1] * scale), zone.points)


class _Zone:
    """(nq, n + 1) dS of each site and the zero-point energy per spin over ``scale``, at points of the unit cube."""

    def __init__(self, model: SpinModel, axes: NDArray[np.int64], scale: float) -> None:
        self.core, self.axes, self.scale, self.n, self.points = model.core, axes, scale, len(model.spins), 0
        self.period = 1 / np.array(model.supercell)

    def __call__(self, x: Array) -> Array:
        out = np.empty((len(x), self.n + 1))
        self.points += len(x)
        for start in range(0, len(x), _POINTS_AT_ONCE):
            part = slice(start, start + _POINTS_AT_ONCE)
            q = np.zeros((len(x[part]), 3))
            q[:, self.axes] = x[part] * self.period[self.axes]
            energy, t = self.core.bogoliubov(q)
            out[part, :-1] = np.sum(np.abs(t[:, :, self.n:]) ** 2, axis=1)
            h = np.einsum("qii->qi", self.core.hamiltonian(q))[:, :self.n].real
            out[part, -1] = (energy.sum(axis=1) - h.sum(axis=1)) / (2 * self.n * self.scale)
        return out


def _energy_scale(model: SpinModel) -> float:
    h = model.core.hamiltonian(np.zeros((1, 3)))[0]
    n = len(model.spins)
    return float(np.abs(np.diag(h)[:n]).mean() / 2) or 1.0


def _integrate(f: _Zone, d: int, tolerance: float, max_points: int) -> tuple[Array, Array]:
    """Mean over the unit cube in d dimensions and an estimate of its error."""
    if d == 0:
        value = f(np.zeros((1, 0)))[0]
        return value, np.zeros_like(value)
    unit = np.stack(np.meshgrid(*[(_NODES + 1) / 2] * d, indexing="ij"), axis=-1).reshape(-1, d)
    weight = np.prod(np.stack(np.meshgrid(*[_WEIGHTS / 2] * d, indexing="ij"), axis=-1).reshape(-1, d), axis=1)
    shift = np.stack(np.meshgrid(*[[0.0, 0.5]] * d, indexing="ij"), axis=-1).reshape(-1, d)

    def means(corner: Array, size: float) -> Array:
        values = f((corner[:, None] + size * unit).reshape(-1, d))
        return np.asarray(np.einsum("p,bpv->bv", weight, values.reshape(len(corner), len(unit), -1)))

    # two boxes along each axis put the centre and the corners of the zone, where soft modes are, on corners of boxes
    size, corner = 0.5, shift.copy()
    whole = means(corner, size)
    total, error = np.zeros(whole.shape[1]), np.zeros(whole.shape[1])
    wrong = np.full_like(whole, np.inf)
    change: list[float] = []
    for _ in range(_DEEPEST):
        halves = (corner[:, None] + size * shift).reshape(-1, d)
        if f.points + len(halves) * len(unit) > max_points:
            left = float(wrong.sum(axis=0).max() * size**d)
            raise ModelError(f"corrections: expected the integral to {tolerance:g} within {max_points} wave vectors, found "
                             f"an error of {left:.2g}; lines or bands of zero energy make it diverge")
        parts = means(halves, size / 2).reshape(len(corner), 2**d, -1)
        better = parts.mean(axis=1)
        wrong = np.abs(better - whole)
        change.append(float(wrong.sum(axis=0).max() * size**d))
        rough = (wrong * size**d).max(axis=1) > tolerance / 4 * max(size**d, _SHARE)
        total += better[~rough].sum(axis=0) * size**d
        error += wrong[~rough].sum(axis=0) * size**d
        if not rough.any():
            return total, error
        whole = parts[rough].reshape(-1, whole.shape[1])
        corner, size = halves.reshape(len(corner), 2**d, d)[rough].reshape(-1, d), size / 2
    left = change[-1]
    if left > 0.7 * change[-3]:
        raise ModelError("corrections: expected fluctuations with a sum over the Brillouin zone, found a divergence: "
                         f"halving the distance to a zero of the energy adds {left:.3g}; no order is left at this level")
    return total + whole.sum(axis=0) * size**d, error + wrong.sum(axis=0) * (2 * size) ** d
