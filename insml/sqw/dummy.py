"""Runs that nobody measured, to see what an instrument covers (Horace's dummy_sqw)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.io.nxspe import Run, Slab
from insml.sqw.detectors import DetectorTable

Array = NDArray[np.float64]


def dummy_runs(energies: Sequence[ArrayLike], detectors: DetectorTable, ei: Sequence[float], psi: Sequence[float]
               ) -> list[Run]:
    """One run for each psi (degrees), which is also the signal of all its pixels; their errors are 0.

    Parameters
    ----------
    energies : bin boundaries of the energy transfer of each run, meV. ei : fixed energy of each, meV.

    Raises
    ------
    GeometryError : boundaries that do not ascend.
    """
    out = []
    for n, (edges, fixed, angle) in enumerate(zip(energies, ei, psi, strict=True)):
        bins = np.asarray(edges, float)
        if bins.ndim != 1 or bins.size < 2 or not (np.isfinite(bins).all() and (np.diff(bins) > 0).all()):
            raise GeometryError(f"energies of run {n + 1}: expected two or more ascending boundaries in meV, found "
                                f"{bins.tolist()}")
        out.append(_run(n, bins, detectors, float(fixed), float(angle)))
    return out


def _run(n: int, edges: Array, table: DetectorTable, ei: float, psi: float) -> Run:
    def load(detectors: slice, bins: slice) -> Slab:
        shape = (len(range(*detectors.indices(len(table)))), len(range(*bins.indices(edges.size - 1))))
        return Slab(np.full(shape, psi), np.zeros(shape))

    return Run(path=Path(f"dummy_{n + 1}"), entry="", version="", ei=ei, psi=psi, polar=table.two_theta,
               azimuthal=table.azimuth, polar_width=None, azimuthal_width=None, distance=table.distance, energy_edges=edges,
               edges_from_centres=False, ki_over_kf_scaled=True, instrument="", program="", run_number=None, load=load,
               table=table)
