"""The covariance images of the published study, with what made them sharper than data.

K. T. Butler et al., J. Phys.: Condens. Matter 33, 194006 (2021), arXiv 2011.04584: modes at the bin centres alone, at third
coordinate 0, each a Gaussian of (axis 0, axis 1, E) added to the bin centres around and to two energies of each slice. The
bins are 2 to 7 standard deviations wide, so that neighbours see next to nothing of it. Kept to measure what that does; for
images of an instrument there is ``evaluation="covariance"`` of :mod:`insml.instrument_simulation`.

Two faults of the original are not repeated: its second twin was a singular matrix, and axes were swapped in part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from insml.instrument_simulation import instrument_of
from insml.mosaic import Mosaic, SliceSpec
from insml.simulation import reachable
from insml.spinwave import SpinModel
from insml.study import Study

Array = NDArray[np.float64]

#: Spacing of the grid on which covariances are tabulated, along the axes (r.l.u.) and in E / Ei.
_STEP, _ENERGY_STEP = 0.1, 0.05
#: Bins to each side, and standard deviations in energy, that a mode is added to.
_SIDE, _FAR = 2, 6.0
_TERMS = ((0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2))


def simulate(study: Study, candidate: str, values: Mapping[str, float] | None = None) -> Mosaic:
    """The mosaic; bins that the kinematics cannot reach are masked.

    The scale is the published one, exp(-d C^-1 d / 2) / 2 pi summed over two energies: not that of other simulations.
    """
    return Mosaic.from_stack(stack(study, candidate, values), ~reachable(study), study.layout,
                             title=f"{study.name}: {candidate}", source="simulated")


def stack(study: Study, candidate: str, values: Mapping[str, float] | None = None) -> Array:
    """(n_slices, n0, n1). Raises as :class:`insml.instrument_simulation.InstrumentSimulator`."""
    layout, chosen = study.layout, study.candidates[candidate]
    model = SpinModel.from_dict(chosen.model(chosen.reference if values is None else values))
    centres = [a.centres for a in layout.axes]
    grid = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1)
    spectrum = model.spectrum(grid.reshape(-1, 2) @ np.array([a.vector for a in layout.axes]),
                              form_factor=study.form_factor, tensor=False)
    domains = [(s.energy, s.weight * s.intensity) for s in spectrum.domains] or [(spectrum.energy, spectrum.intensity)]
    energy, strength = (np.concatenate(x, axis=1) for x in zip(*domains, strict=True))
    at = np.repeat(np.arange(len(energy)), energy.shape[1])
    energy, strength = energy.ravel(), strength.ravel()
    out = np.zeros(layout.stack_shape)
    steps = [float(np.diff(c).mean()) for c in centres]
    for ei, members in groupby(range(len(layout.slices)), key=lambda s: layout.slices[s].ei):
        slices = list(members)
        outputs = np.array([_energies(layout.slices[s]) for s in slices])
        seen = (energy > outputs.min()) & (energy < 0.95 * float(ei or 0.0))
        place = grid.reshape(-1, 2)[at[seen]]
        gaussians = _Gaussians.of(_covariances(study, float(ei or 0.0))(np.column_stack([energy[seen], place])), steps)
        for s, pair in zip(slices, outputs, strict=True):
            for output in pair:
                _add(out[s], output - energy[seen], strength[seen], at[seen], gaussians)
    return out


def _energies(spec: SliceSpec) -> tuple[float, float]:
    lo, hi = spec.energy
    return lo + (hi - lo) / 3, lo + 2 * (hi - lo) / 3


@dataclass(frozen=True)
class _Gaussians:
    """Of modes.

    form : (6, n), d C^-1 d of d = (i steps[0], j steps[1], E): coefficients of i i, i j, j j, i E, j E and E E.
    sigma : (n,) of energy, meV.
    """

    form: Array
    sigma: Array

    @classmethod
    def of(cls, covariance: Array, steps: Sequence[float]) -> _Gaussians:
        scale = np.array([*steps, 1.0])
        inverse = np.linalg.inv(covariance) * np.outer(scale, scale)
        return cls(np.stack([(1 if a == b else 2) * inverse[:, a, b] for a, b in _TERMS]), np.sqrt(covariance[:, 2, 2]))


def _add(tile: Array, energy: Array, strength: Array, at: NDArray[np.intp], gaussians: _Gaussians) -> None:
    """Gaussians of modes at bins ``at``, ``energy`` below the output, to the bins around."""
    near = np.flatnonzero(np.abs(energy) < _FAR * gaussians.sigma)
    energy, strength = energy[near], strength[near] / (2 * np.pi)
    row, column = np.divmod(at[near], tile.shape[1])
    ii, ij, jj, ie, je, ee = -0.5 * gaussians.form[:, near]
    ie, je, ee = ie * energy, je * energy, ee * energy**2
    wide = np.zeros(tuple(n + 2 * _SIDE for n in tile.shape))  # so that no bin around is outside
    for i in range(-_SIDE, _SIDE + 1):
        constant, linear = i * i * ii + i * ie + ee, i * ij + je
        for j in range(-_SIDE, _SIDE + 1):
            value = strength * np.exp(constant + j * (linear + j * jj))
            wide += np.bincount((row + (i + _SIDE)) * wide.shape[1] + column + (j + _SIDE), value, wide.size
                                ).reshape(wide.shape)
    tile += wide[_SIDE:-_SIDE, _SIDE:-_SIDE]


@lru_cache(maxsize=16)
def _covariances(study: Study, ei: float) -> RegularGridInterpolator:
    """(E, axis 0, axis 1) -> (3, 3) covariance of (axis 0, axis 1, E); linear between the nodes of a grid."""
    layout, instrument = study.layout, instrument_of(study)
    axes = [np.arange(np.floor(a.edges[0] / _STEP), np.ceil(a.edges[-1] / _STEP) + 1) * _STEP for a in layout.axes]
    energies = np.arange(1, round(0.95 / _ENERGY_STEP) + 1) * _ENERGY_STEP * ei
    plane = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    nodes = np.stack([instrument.covariance(layout, ei, plane, float(e)) for e in energies])
    # what cannot be reached is not seen: no width would do, any finite one keeps neighbours alive
    nodes = np.where(np.isfinite(nodes), nodes, 1e-12 * np.eye(3))
    return RegularGridInterpolator((np.concatenate([[0.0], energies]), *axes),
                                   np.concatenate([nodes[:1], nodes]).reshape(-1, *map(len, axes), 3, 3))
