"""Spectra for other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.errors import GeometryError
from insml.io.histogram import HistogramAxis
from insml.io.write_mdhisto import write_mdhisto
from insml.spinwave.binning import BinnedSpectrum
from insml.spinwave.paths import Grid

Array = NDArray[np.float64]


def save_mdhisto(path: str | Path, binned: BinnedSpectrum, grid: Grid, *, thickness: float = 0.1, title: str = "") -> None:
    """Write a spectrum on a grid of one to three directions as a four-dimensional MDHistoWorkspace (.nxs) for Mantid.

    Directions that the grid lacks become axes of one bin around its origin; :func:`insml.io.open_any` reads the file back.

    Parameters
    ----------
    binned : made at ``grid.q``. grid, energy_edges : with bins of equal width, the only ones Mantid has.
    thickness : width of those single bins, r.l.u.
    """
    if len(binned.q) != (count := int(np.prod(grid.shape))):
        raise GeometryError(f"grid: expected the {len(binned.q)} wave vectors of the spectrum, found {count}")
    if not thickness > 0:
        raise GeometryError(f"thickness: expected a positive width in r.l.u., found {thickness}")
    B = np.asarray(2 * np.pi * np.linalg.inv(binned.lattice_vectors), float)
    directions = _completed(grid.directions, B)
    start = np.linalg.solve(directions.T, grid.origin)
    edges = [start[d] + (grid.edges[d] if d < len(grid.edges) else np.array([-0.5, 0.5]) * thickness) for d in range(3)]
    axes = [HistogramAxis(f"D{d}", "", "r.l.u.", e, (float(v[0]), float(v[1]), float(v[2])), "momentum")
            for d, (v, e) in enumerate(zip(directions, edges, strict=True))]
    axes.append(HistogramAxis("D3", "DeltaE", "meV", binned.energy_edges, None, "energy"))
    write_mdhisto(path, binned.intensity.reshape([axis.n for axis in axes]), axes,
                  lattice=Lattice.from_vectors(binned.lattice_vectors), ub=B, title=title or binned.component)


def _completed(directions: Array, B: Array) -> Array:
    """(3, 3) the given directions, then those of a*, b*, c* that point farthest out of what there is."""
    out = list(directions)
    while len(out) < 3:
        q, _ = np.linalg.qr(B @ np.array(out).T)
        unit = B / np.linalg.norm(B, axis=0)
        outside = np.linalg.norm(unit - q @ (q.T @ unit), axis=0)
        out.append(np.eye(3)[int(np.argmax(np.round(outside, 9)))])
    return np.array(out)
