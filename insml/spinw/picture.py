"""A picture of the crystal: cell, magnetic atoms, bonds, spins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.spinw.options import matlab_style
from insml.spinw.spectra import Spectra
from insml.spinwave.structure import rotation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
_STYLES = (
    "zoom", "nMesh", "nPatch", "unit", "figure", "legend", "label", "tooltip", "copy", "atomMode", "atomLegend",
    "atomColor", "atomLabel", "atomSize", "bondMode", "bondColor", "bondRadius0", "bondLinewidth", "magMode", "magColor",
    "magScale", "magNorm", "magCentered", "magHead", "ionMode", "ionScale", "ionColor", "baseMode", "baseShift",
    "baseColor", "cellMode", "cellColor", "chemMode",
)
"""Options of SpinW's plot that only change its looks."""


class Pictures(Spectra):
    """plot."""

    @matlab_style(1, ignored=_STYLES)
    def plot(self, range: Any = (1, 1, 1), axes: Axes | None = None, magLength: float = 1.0) -> tuple[Figure, Axes]:
        """Cells from the origin to ``range`` (3,), or between the limits (3, 2), in lattice units.

        Magnetic atoms are dots, bonds with a matrix lines of that matrix's colour, spins arrows of ``magLength`` Angstrom
        for each unit of spin.
        """
        limits = np.asarray(range, float)
        limits = np.column_stack([np.zeros(3), limits]) if limits.shape == (3,) else limits
        if limits.shape != (3, 2) or (limits[:, 0] > limits[:, 1]).any():
            raise ModelError(f"range: expected three numbers of cells or three pairs of limits, found {range!r}")
        from matplotlib import pyplot

        ax: Any = axes if axes is not None else pyplot.figure().add_subplot(projection="3d")
        basis = self.basisvector()
        for start, end in _edges():
            ax.plot(*(basis @ np.column_stack([start, end])), color="gray", linewidth=0.7)
        cells, positions, atom = self._inside(limits)
        for kind in np.unique(atom):
            index = int(self.matom.idx[kind]) - 1
            ax.scatter(*(basis @ positions[:, atom == kind]), color=_color(self.unit_cell.color[index], index), s=40,
                       label=self.unit_cell.label[index])
        self._draw_bonds(ax, basis, limits, cells, atom)
        if self.nmagext and len(atom):
            spins = self._spins_at(cells, atom)
            ax.quiver(*(basis @ positions - spins.T * magLength / 2), *(spins.T * magLength), color="firebrick")
        ax.set_box_aspect(np.ptp([ax.get_xlim(), ax.get_ylim(), ax.get_zlim()], axis=1))
        ax.set(xlabel="x (Å)", ylabel="y (Å)", zlabel="z (Å)")
        return ax.figure, ax

    def _inside(self, limits: Array) -> tuple[NDArray[np.int64], Array, NDArray[np.int64]]:
        """Cells (3, n), positions (3, n) in lattice units and atoms (n,), from 0, of what lies between the limits."""
        low, high = np.floor(limits[:, 0]).astype(int) - 1, np.ceil(limits[:, 1]).astype(int) + 1
        grid = np.indices(tuple(high - low)).reshape(3, -1) + low[:, None]
        r = np.asarray(self.matom.r)
        cells = np.repeat(grid, r.shape[1], axis=1)
        atom = np.tile(np.arange(r.shape[1]), grid.shape[1])
        positions = cells + r[:, atom]
        inside = ((positions >= limits[:, :1] - 1e-6) & (positions <= limits[:, 1:] + 1e-6)).all(axis=0)
        return cells[:, inside], positions[:, inside], atom[inside]

    def _draw_bonds(self, ax: Any, basis: Array, limits: Array, cells: NDArray[np.int64], atom: NDArray[np.int64]) -> None:
        c, r = self.coupling, np.asarray(self.matom.r)
        for b in np.flatnonzero(c.mat_idx.any(axis=0)):
            color = _color(self.matrix.color[int(c.mat_idx[0, b]) - 1], int(c.mat_idx[0, b]))
            first = cells[:, atom == c.atom1[b] - 1]
            start = first + r[:, c.atom1[b] - 1, None]
            end = first + (c.dl[:, b] + r[:, c.atom2[b] - 1])[:, None]
            seen = ((end >= limits[:, :1] - 1e-6) & (end <= limits[:, 1:] + 1e-6)).all(axis=0)
            for one, other in zip(start[:, seen].T, end[:, seen].T, strict=True):
                ax.plot(*(basis @ np.column_stack([one, other])), color=color, linewidth=2)

    def _spins_at(self, cells: NDArray[np.int64], atom: NDArray[np.int64]) -> Array:
        """(n, 3) spins of atoms in any cell."""
        found = self.structure
        span = cells.max(axis=1) - cells.min(axis=1) + 1
        factors = np.ceil(span / np.array(found.supercell)).astype(int) + 1
        # cells before the origin are those of a later repetition when k fits, else turned back by hand
        origin = np.floor_divide(cells.min(axis=1), found.supercell) * np.array(found.supercell)
        tiled = found.tiled([int(f) for f in factors])
        at = cells - origin[:, None]
        size = tiled.supercell
        index = atom + found.n_atoms * (at[0] + size[0] * (at[1] + size[1] * at[2]))
        spins = tiled.spins[index]
        if found.k is None or found.n is None:
            return np.asarray(spins)
        return np.asarray(spins @ rotation(found.n, 360 * float(found.k @ origin)).T)


def _edges() -> list[tuple[Array, Array]]:
    corners = np.indices((2, 2, 2)).reshape(3, -1).T.astype(float)
    return [(a, b) for i, a in enumerate(corners) for b in corners[i + 1 :] if np.abs(a - b).sum() == 1]


def _color(value: Any, index: int) -> Any:
    if value is None or (not isinstance(value, str) and np.size(value) != 3):
        return f"C{index % 10}"
    return value.lower() if isinstance(value, str) else np.asarray(value, float) / 255
