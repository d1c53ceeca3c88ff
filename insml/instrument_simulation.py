"""Mosaics through a whole instrument: pulses, beam, sample and detectors as they are, no Gaussian widths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from insml import _core
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError, InsmlError, ModelError
from insml.mosaic import Mosaic
from insml.resolution import DirectGeometry
from insml.resolution.mosaic import DRAWN, MosaicInstrument
from insml.simulation import distinct_twins, reachable
from insml.spinwave import SpinModel
from insml.study import Kinematic, Study

Array = NDArray[np.float64]

#: Step of the table, r.l.u. of the magnetic cell; scripts/bench_image.py prints the error it leaves.
TABLE_STEP = 0.025


class InstrumentSimulator:
    """Stacks of one candidate, again and again, through the instrument of a study.

    Parameters
    ----------
    evaluation : "table" finds modes between the nodes of a table, "exact" solves every sample.
    samples : for each bin, rounded down to what tiles it, see :func:`clouds`. Up to 63 the dispersion is straight over the
        resolution and the cells between samples, good to some per cent; from 64 on the instrument is drawn.
    seed : of the draws. threads : 0 for one per core; bits do not depend on it.

    Raises
    ------
    InsmlError : an unknown candidate or evaluation. GeometryError : a study without an instrument or kinematics.
    """

    def __init__(self, study: Study, candidate: str, *, evaluation: str = "table", samples: int = 9, seed: int = 0,
                 threads: int = 0) -> None:
        if candidate not in study.candidates:
            raise InsmlError(f"candidate: expected one of {', '.join(study.candidates)}, found {candidate!r}")
        if evaluation not in ("table", "exact"):
            raise InsmlError(f"evaluation: expected 'table' or 'exact', found {evaluation!r}")
        if samples < 1:
            raise InsmlError(f"samples: expected at least one, found {samples}")
        self._study, self._candidate = study, study.candidates[candidate]
        self._evaluation, self._seed, self._threads = evaluation, seed, threads
        self._points, self._cells, self._smooth = clouds(samples)
        self._slices = [
            ((s.window, s.ei, s.thirds, s.along_kf, tuple(s.along_ki.tolist()),
              (*s.kernel.grids, s.kernel.cumulative, s.kernel.variance)), s.deviations.reshape(-1, len(DRAWN)))
            for s in instrument_of(study).slices(study.layout)]

    def stack(self, values: Mapping[str, float] | None = None) -> Array:
        """Mean intensity per meV in every bin, (n_slices, n0, n1); zero where kinematics cannot reach.

        Raises
        ------
        ModelError : wrong parameter names, or modes that do not come in blocks that depend on two components of Q alone.
        UnstableStructureError : the study's magnetic structure is not an energy minimum for these values.
        """
        layout, chosen = self._study.layout, self._candidate
        model = SpinModel.from_dict(chosen.model(chosen.reference if values is None else values))
        v = model.lattice_vectors.T
        domains = [(model.domain_core(t), np.ascontiguousarray((np.linalg.inv(v) @ t.rotation @ v).T), float(t.weight))
                   for t in distinct_twins(model)]
        flat = _core.instrument_image(
            domains=domains, centres=[a.centres for a in layout.axes], widths=[np.diff(a.edges) for a in layout.axes],
            vectors=[tuple(a.vector) for a in layout.axes] + [tuple(layout.third)], slices=self._slices,
            points=self._points, smooth=[self._smooth] * len(DRAWN), cells=self._cells, seed=self._seed,
            grid_step=TABLE_STEP if self._evaluation == "table" else None, form_factor=self._study.form_factor,
            threads=self._threads)
        if flat is None:
            raise ModelError(f"{self._study.name}: expected modes in blocks that depend on two components of Q alone, "
                             "found others; a Gaussian resolution has no such limit")
        return flat.reshape(layout.stack_shape)


def simulate(study: Study, candidate: str, values: Mapping[str, float] | None = None, *, evaluation: str = "table",
             samples: int = 9, seed: int = 0, threads: int = 0) -> Mosaic:
    """The mosaic of :class:`InstrumentSimulator`; bins that the kinematics cannot reach are masked."""
    simulator = InstrumentSimulator(study, candidate, evaluation=evaluation, samples=samples, seed=seed, threads=threads)
    return Mosaic.from_stack(simulator.stack(values), ~reachable(study), study.layout, title=f"{study.name}: {candidate}",
                             source="simulated")


def instrument_of(study: Study) -> MosaicInstrument:
    """Settings, sample and orientation that a study states."""
    if not isinstance(study.broadening, DirectGeometry) or not isinstance(study.third, Kinematic):
        raise GeometryError(f"{study.name}: expected resolution.kind = 'direct-geometry' and a kinematic third axis for a "
                            "whole instrument, found others")
    resolution = study.broadening
    horizontal = resolution.horizontal or study.layout.axes[0].vector
    settings = {ei: resolution.machine.setting(ei, frequency, resolution.package)
                for ei, frequency in resolution.frequency.items()}
    orientation = Orientation(study.lattice, study.third.ki, horizontal)
    return MosaicInstrument(settings, resolution.sample(study.third.ki, horizontal), orientation)


def clouds(samples: int) -> tuple[NDArray[np.uint32], int, float]:
    """Points (n, 2 + variables) of 32 bits, cells along each side of a bin, and the share of the variance of all drawn
    variables that is integrated with a straight dispersion.

    A bin is tiled by cells, over each of which the dispersion is straight. Few samples leave all of the resolution to the
    integral; from 64 on it is drawn but for a share that falls as 1 / samples.
    """
    side = int(np.sqrt(samples)) if samples < 64 else 2 ** int(np.log2(samples) / 2)
    count = side**2 * (samples // side**2)
    points = sobol(count, 2 + len(DRAWN))
    middle = ((np.arange(side) + 0.5) / side * 2.0**32).astype(np.uint32)
    cells = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    points[:, :2] = np.tile(cells, (count // side**2, 1))
    return points, side, 1.0 if samples < 64 else 6.4 / count


def sobol(count: int, dimensions: int) -> NDArray[np.uint32]:
    """The first ``count`` points of Sobol's sequence, 32 bits each."""
    points = qmc.Sobol(dimensions, scramble=False, bits=32).random_base2(int(np.ceil(np.log2(max(count, 2)))))
    return np.ascontiguousarray((points[:count] * 2.0**32).astype(np.uint32))
