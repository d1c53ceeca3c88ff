"""Modes from a table over one period of the wave vector, instead of an eigenproblem at each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml import _core
from insml.errors import ModelError
from insml.spinwave import checks
from insml.spinwave.model import SpinModel, Twin
from insml.spinwave.spectrum import Spectrum

Array = NDArray[np.float64]

#: Wave vectors at which tables are compared with exact spectra, and how near energies are taken for one (meV).
_POINTS, _NEAR = 4096, 0.1


@dataclass(frozen=True)
class TableError:
    """How far a table is from exact spectra at random wave vectors.

    energy_rms, energy_largest : meV, over all modes. intensity_rms, intensity_largest : intensity that is missing or too
    much at a wave vector, over groups of modes within 0.1 meV of each other, relative to all intensity there.
    """

    energy_rms: float
    energy_largest: float
    intensity_rms: float
    intensity_largest: float


class ModeTable:
    """Energies and S_perp of a model, bilinear between nodes, for each symmetry block by itself.

    Parameters
    ----------
    step : largest distance of nodes, r.l.u. of the magnetic cell; a whole even number of them make a period, so that they
        lie on the zone's special points.
    energy_tolerance : meV; the step is halved until the rms of energies at random wave vectors is within it.
    form_factor : as for :meth:`SpinModel.spectrum`. memory : bytes that the table may take at most.
    threads : 0 for one per core. The numbers do not depend on it.

    Raises
    ------
    ModelError : modes that do not come in blocks that depend on two components of the wave vector alone, or do not repeat;
        a tolerance out of reach of the memory.
    UnstableStructureError : as SpinModel.spectrum.
    """

    def __init__(self, model: SpinModel, *, step: float = 0.025, energy_tolerance: float | None = None,
                 form_factor: bool = False, memory: int = 1 << 30, threads: int = 0) -> None:
        if not (np.isfinite(step) and step > 0):
            raise ModelError(f"step: expected a positive distance, found {step:g}")
        if energy_tolerance is not None and not energy_tolerance > 0:
            raise ModelError(f"energy_tolerance: expected a positive energy, found {energy_tolerance:g}")
        self._form_factor, self._memory, self._threads = form_factor, memory, threads
        self._set(model, step)
        while energy_tolerance is not None and self.error().energy_rms > energy_tolerance:
            self._set(model, 0.5 * self.step)

    def _set(self, model: SpinModel, step: float) -> None:
        self.model, self.step = model, step
        twins = model.twins or (Twin(np.eye(3), 1.0),)
        # without a field all twins are one model
        cores = [model.domain_core(t) for t in twins]
        known = {id(c): c for c in cores}
        tables = {name: self._build(core) for name, core in known.items()}
        self._domains = [(t, tables[id(c)]) for t, c in zip(twins, cores, strict=True)]
        self._tables = list(tables.values())

    def _build(self, core: _core.Model) -> _core.ModeTable:
        table = _core.ModeTable.build(core, step=self.step, limit=self._memory, form_factor=self._form_factor,
                                      threads=self._threads)
        if table is None:
            raise ModelError("table: expected modes in blocks that depend on two components of the wave vector alone, "
                             "found others; SpinModel.spectrum has no such limit")
        return table

    @property
    def nodes(self) -> tuple[int, int]:
        """Along both components of the wave vector, over a period."""
        first, second = self._tables[0].nodes[0]
        return first, second

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for t in self._tables)

    def refilled(self, model: SpinModel) -> ModeTable:
        """The same nodes for other parameters of the same structure."""
        return ModeTable(model, step=self.step, form_factor=self._form_factor, memory=self._memory, threads=self._threads)

    def spectrum(self, q: ArrayLike) -> Spectrum:
        """As :meth:`SpinModel.spectrum` at q (nq, 3), r.l.u. of the chemical cell, without S^ab."""
        points = checks.wave_vectors(q)
        v = self.model.lattice_vectors.T
        domains = []
        for twin, table in self._domains:
            inside = points if not self.model.twins else np.ascontiguousarray(points @ np.linalg.inv(v) @ twin.rotation @ v)
            energy, intensity = (x.reshape(len(points), -1) for x in table.spectrum(inside, threads=self._threads))
            domains.append(Spectrum(points, energy, intensity, weight=twin.weight,
                                    lattice_vectors=self.model.lattice_vectors))
        if not self.model.twins:
            return domains[0]
        return Spectrum(points, np.concatenate([d.energy for d in domains], axis=1),
                        np.concatenate([d.weight * d.intensity for d in domains], axis=1), domains=tuple(domains),
                        lattice_vectors=self.model.lattice_vectors)

    def error(self, points: int = _POINTS, seed: int = 0) -> TableError:
        """From exact evaluation at random wave vectors."""
        q = np.random.default_rng(seed).uniform(-3.0, 3.0, (points, 3))
        mine, exact = self.spectrum(q), self.model.spectrum(q, form_factor=self._form_factor, threads=self._threads)
        pairs = list(zip(mine.domains or (mine,), exact.domains or (exact,), strict=True))
        energy = np.concatenate([a.energy - b.energy for a, b in pairs], axis=1)
        # modes that come near each other share their intensity in ways that do not matter
        group = [np.concatenate([np.zeros((points, 1), int), np.cumsum(np.diff(b.energy, axis=1) > _NEAR, axis=1)], axis=1)
                 for _, b in pairs]
        missing = np.zeros(points)
        for (a, b), g in zip(pairs, group, strict=True):
            difference = np.zeros_like(a.intensity)
            np.add.at(difference, (np.arange(points)[:, None], g), b.weight * (a.intensity - b.intensity))
            missing += np.abs(difference).sum(axis=1)
        missing /= exact.intensity.sum(axis=1)
        return TableError(float(np.sqrt((energy**2).mean())), float(np.abs(energy).max()),
                          float(np.sqrt((missing**2).mean())), float(missing.max()))
