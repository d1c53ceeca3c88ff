"""Mosaics through a whole instrument: pulses, beam, sample and detectors as they are, or Gaussians of their covariances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from insml import _core
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError, InsmlError, ModelError
from insml.mosaic import Mosaic
from insml.resolution import DirectGeometry
from insml.resolution.draws import sobol
from insml.resolution.forward import core_slice, forward_image
from insml.resolution.mosaic import MosaicInstrument
from insml.simulation import distinct_twins, reachable
from insml.spinwave import SpinModel
from insml.study import Kinematic, Study

Array = NDArray[np.float64]

EVALUATIONS = ("table", "exact", "covariance")
#: Step of the table between whose nodes samples lie, r.l.u. of the magnetic cell; scripts/bench_image.py shows the error.
TABLE_STEP = 0.00625


class InstrumentSimulator:
    """Stacks of one candidate, again and again, through the instrument of a study.

    Parameters
    ----------
    evaluation : "table", modes are solved on a grid that divides the bins, and each cell scatters into the bins that see
        it; "covariance", the same with Gaussians of the instrument's covariance; "exact", modes are solved at every one
        of 64 samples of each bin.
    samples : points drawn in each bin, a power of two, for "exact" and "table", the latter then between the nodes of a
        table; None for 64 and for the grid.
    cells : into which the grid divides each side of a bin: 2 is good to 1 %, 3 to 0.5 % (scripts/bench_image.py).
    seed : of the draws; the grid has none. threads : 0 for one per core; bits do not depend on it.
    prepared : the grid of another instrument than the study's (:func:`insml.resolution.forward.forward_image`).
    turn : degrees by which the crystal is turned in the plane of the image against where it is thought to be.
    tilt : of the shares of twins (:func:`insml.simulation.distinct_twins`).

    Raises
    ------
    InsmlError : an unknown candidate or evaluation. GeometryError : a study without an instrument or kinematics; bins of
    several widths along an axis, on the grid.
    """

    def __init__(self, study: Study, candidate: str, *, evaluation: str = "table", samples: int | None = None,
                 cells: int = 2, seed: int = 0, threads: int = 0, prepared: _core.ForwardImage | None = None,
                 turn: float = 0.0, tilt: float = 0.0) -> None:
        if candidate not in study.candidates:
            raise InsmlError(f"candidate: expected one of {', '.join(study.candidates)}, found {candidate!r}")
        if evaluation not in EVALUATIONS:
            raise InsmlError(f"evaluation: expected one of {', '.join(EVALUATIONS)}, found {evaluation!r}")
        for name, value in (("samples", samples), ("cells", cells)):
            if value is not None and value < 1:
                raise InsmlError(f"{name}: expected at least one, found {value}")
        if evaluation == "covariance" and samples is not None:
            raise InsmlError(f"samples: expected none beside evaluation = 'covariance', found {samples}")
        self._run: Callable[..., NDArray[np.float64] | None]
        self._study, self._candidate, self._threads = study, study.candidates[candidate], threads
        # symmetry blocks found once, at values that do not make the search difficult
        self._model = _reference(study, candidate)
        self._turn, self._tilt = in_plane(study, turn), tilt
        if prepared is not None:
            self._run = prepared.intensities
        elif samples is None and evaluation != "exact":
            self._run = _grid(study, cells, evaluation == "covariance").intensities
        else:
            step = None if evaluation == "exact" else TABLE_STEP
            self._run = partial(_core.instrument_image, **_points(study, samples or 64), grid_step=step, seed=seed)

    def stack(self, values: Mapping[str, float] | None = None) -> Array:
        """Mean intensity per meV in every bin, (n_slices, n0, n1); zero where kinematics cannot reach.

        Raises
        ------
        ModelError : wrong parameter names, or modes that do not come in blocks that depend on two components of Q alone.
        UnstableStructureError : the study's magnetic structure is not an energy minimum for these values.
        """
        study, chosen = self._study, self._candidate
        values = chosen.reference if values is None else values
        chosen.check(values)
        model = self._model.with_parameters(values)
        v = model.lattice_vectors.T
        domains = [(model.domain_core(t), np.ascontiguousarray((np.linalg.inv(v) @ self._turn @ t.rotation @ v).T),
                    float(t.weight)) for t in distinct_twins(model, self._tilt)]
        flat = self._run(domains=domains, form_factor=study.form_factor, threads=self._threads)
        if flat is None:
            raise ModelError(f"{study.name}: expected modes in blocks that depend on two components of Q alone, "
                             "found others; a Gaussian resolution has no such limit")
        return flat.reshape(study.layout.stack_shape)


def simulate(study: Study, candidate: str, values: Mapping[str, float] | None = None, *, evaluation: str = "table",
             samples: int | None = None, cells: int = 2, seed: int = 0, threads: int = 0,
             mask: NDArray[np.bool_] | None = None) -> Mosaic:
    """The mosaic of :class:`InstrumentSimulator`; bins that the kinematics or the detectors cannot reach are masked.

    ``mask`` : (rows, columns) of the image, True where there was no detector; added to those.

    Raises
    ------
    GeometryError : a mask of another shape than the image. Others as InstrumentSimulator.
    """
    simulator = InstrumentSimulator(study, candidate, evaluation=evaluation, samples=samples, cells=cells, seed=seed,
                                    threads=threads)
    hidden = ~reachable(study)
    if mask is not None:
        hidden |= study.layout.split(np.asarray(mask, bool))
    return Mosaic.from_stack(simulator.stack(values), hidden, study.layout, title=f"{study.name}: {candidate}",
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
    return MosaicInstrument(settings, resolution.sample(study.third.ki, horizontal), orientation, resolution.energy_bin)


def in_plane(study: Study, degrees: float) -> Array:
    """(3, 3) turn by so much about the normal of the plane of the image, Cartesian."""
    reciprocal = study.lattice.reciprocal
    first, second = (reciprocal @ np.asarray(a.vector, float) for a in study.layout.axes)
    normal = np.cross(first, second)
    return np.asarray(Rotation.from_rotvec(degrees * normal / np.linalg.norm(normal), degrees=True).as_matrix())


@lru_cache(maxsize=8)
def _reference(study: Study, candidate: str) -> SpinModel:
    return study.candidates[candidate].spin_model()


@lru_cache(maxsize=4)
def _grid(study: Study, cells: int, gaussian: bool) -> _core.ForwardImage:
    return forward_image(instrument_of(study), study.layout, cells=cells, gaussian=gaussian)


@lru_cache(maxsize=4)
def _points(study: Study, samples: int) -> dict[str, Any]:
    """What is drawn in each bin: points in the middle of cells that tile the bin, and a share of the variance of all other
    variables that falls as 1 / samples; over cells and the rest of the variance the dispersion is straight."""
    layout, instrument = study.layout, instrument_of(study)
    slices = instrument.slices(layout)
    variables = slices[0].deviations.shape[2]
    side = 2 ** int(np.log2(samples) / 2)
    count = side**2 * (samples // side**2)
    points = sobol(count, 2 + variables)
    middle = ((np.arange(side) + 0.5) / side * 2.0**32).astype(np.uint32)
    cells = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
    points[:, :2] = np.tile(cells, (count // side**2, 1))
    return {
        "centres": [a.centres for a in layout.axes], "widths": [np.diff(a.edges) for a in layout.axes],
        "vectors": [*(tuple(a.vector) for a in layout.axes), tuple(layout.third)],
        "slices": [(core_slice(s, s.thirds, s.along_kf), s.deviations.reshape(-1, variables)) for s in slices],
        "points": points, "cells": side, "smooth": min(1.0, 6.4 / count), "gaussians": instrument.gaussians}
