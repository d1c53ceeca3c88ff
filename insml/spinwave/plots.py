"""Pictures of spectra, drawn with matplotlib on axes that are given or made with pyplot, and returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.spinwave.binning import BinnedSpectrum
from insml.spinwave.paths import Grid, Path
from insml.spinwave.powder import PowderSpectrum
from insml.spinwave.spectrum import Spectrum
from insml.spinwave.temperature import Lines, loss_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

Array = NDArray[np.float64]

_UNREACHABLE = "#dddddd"
_ENERGY = "Energy transfer (meV)"
_WAVE_VECTOR = "Wave vector (r.l.u.)"
_BRIGHTEST = 97.0
"""Percentile, of what can be seen at all, at which colours end: Goldstone modes have no largest intensity."""
_LINES = ("#ccd2d8", "#7fb2dd", "#2f6db5", "#1c2f6b", "#12082e")


def plot_dispersion(lines: Lines | Spectrum, path: Path, *, ax: Axes | None = None, brightest: float | None = None) -> Axes:
    """Every mode along a path; width and colour tell its intensity, the weak ones stretched (by a square root).

    Parameters
    ----------
    lines : made at ``path.q``; a spectrum stands for its S_perp. brightest : intensity at the end of the colours.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    given = loss_lines(lines) if isinstance(lines, Spectrum) else lines
    _check(len(given.q), len(path.q), "path")
    ax = _axes(ax)
    x = np.broadcast_to(path.distance[:, None], given.energy.shape)
    points = np.stack([x, given.energy], axis=-1)
    segments = np.stack([points[:-1], points[1:]], axis=2).reshape(-1, 2, 2)
    weight = ((given.intensity[:-1] + given.intensity[1:]) / 2).ravel()
    known = np.isfinite(segments).all(axis=(1, 2))
    order = np.flatnonzero(known)[np.argsort(weight[known])]  # bright modes on top
    top = brightest or _brightest(weight[known])
    drawn = LineCollection(list(segments[order]), array=weight[order], norm=PowerNorm(0.5, 0.0, top),
                           cmap=LinearSegmentedColormap.from_list("lines", _LINES), capstyle="round",
                           linewidths=0.9 + 2.1 * np.sqrt(np.clip(weight[order] / top, 0, 1)))
    ax.add_collection(drawn)
    energy = given.energy[np.isfinite(given.energy)]
    low, high = min(0.0, energy.min(initial=0.0)), energy.max(initial=0.0) or 1.0
    ax.set(ylim=(1.05 * low, 1.05 * high), ylabel=_ENERGY)
    _corners(ax, path, "#bbbbbb")
    _bar(ax, drawn, given.component, "1/cell", bool((weight > top).any()))
    return ax


def plot_map(binned: BinnedSpectrum, path: Path, *, ax: Axes | None = None, brightest: float | None = None,
             cmap: str = "viridis") -> Axes:
    """Colours on path x energy; grey where nothing can be measured."""
    _check(len(binned.q), len(path.q), "path")
    ax = _axes(ax)
    _mesh(ax, _edges(path.distance), binned.energy_edges, binned.intensity.T, binned, brightest, cmap)
    ax.set(ylabel=_ENERGY, ylim=binned.energy_edges[[0, -1]])
    _corners(ax, path, "#ffffff55")
    return ax


def plot_powder(powder: PowderSpectrum, *, ax: Axes | None = None, brightest: float | None = None,
                cmap: str = "viridis") -> Axes:
    """Colours on |Q| x energy; grey where nothing can be measured."""
    ax = _axes(ax)
    _mesh(ax, _edges(powder.q_abs), powder.energy_edges, powder.intensity.T, powder, brightest, cmap)
    ax.set(xlabel=r"$|Q|$ ($\mathrm{\AA}^{-1}$)", ylabel=_ENERGY, ylim=powder.energy_edges[[0, -1]])
    return ax


def plot_slice(binned: BinnedSpectrum, grid: Grid, energy: tuple[float, float], *, ax: Axes | None = None,
               brightest: float | None = None, cmap: str = "viridis") -> Axes:
    """Constant-energy map on a grid of two directions: mean over the bins whose centres lie in ``energy`` (meV).

    Directions at right angles are drawn to scale in r.l.u.; others as they lie in space, in 1/Angstrom.
    """
    if len(grid.edges) != 2:
        raise GeometryError(f"grid: expected two directions, found {len(grid.edges)}")
    _check(len(binned.q), int(np.prod(grid.shape)), "grid")
    chosen = (binned.energy >= energy[0]) & (binned.energy <= energy[1])
    if not chosen.any():
        raise GeometryError(f"energy: expected a window with bins of the spectrum, {binned.energy_edges[0]:g} to "
                            f"{binned.energy_edges[-1]:g} meV, found {energy[0]:g} to {energy[1]:g}")
    width = np.diff(binned.energy_edges)[chosen]
    mean = (binned.intensity[:, chosen] @ width / width.sum()).reshape(grid.shape)
    ax = _axes(ax)
    u, v = grid.directions @ (2 * np.pi * np.linalg.inv(binned.lattice_vectors)).T
    lengths = np.linalg.norm(u), np.linalg.norm(v)
    if abs(u @ v) < 1e-6 * lengths[0] * lengths[1]:
        _mesh(ax, grid.edges[0], grid.edges[1], mean.T, binned, brightest, cmap)
        ax.set(xlabel=_direction(grid, 0), ylabel=_direction(grid, 1), aspect=lengths[1] / lengths[0])
    else:
        along = u / lengths[0]
        x, y = np.meshgrid(*grid.edges, indexing="ij")
        height = np.sqrt(lengths[1] ** 2 - (v @ along) ** 2)
        _mesh(ax, x * lengths[0] + y * (v @ along), y * height, mean, binned, brightest, cmap)
        ax.set(xlabel=rf"$Q$ along {_vector(grid.directions[0])} ($\mathrm{{\AA}}^{{-1}}$)",
               ylabel=r"$Q$ across ($\mathrm{\AA}^{-1}$)", aspect="equal")
    start = f", from {_vector(grid.origin)}" if grid.origin.any() else ""
    ax.set_title(f"{energy[0]:g} to {energy[1]:g} meV{start}")
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _check(found: int, expected: int, name: str) -> None:
    if found != expected:
        raise GeometryError(f"{name}: expected the wave vectors of the spectrum, {found}, found {expected}")


def _mesh(ax: Axes, x: Array, y: Array, values: Array, labels: BinnedSpectrum | PowderSpectrum, brightest: float | None,
          cmap: str) -> None:
    from matplotlib import colormaps

    seen = values[np.isfinite(values)]
    top = brightest or _brightest(seen)
    low = min(0.0, float(seen.min(initial=0.0)))
    mesh = ax.pcolormesh(x, y, np.ma.masked_invalid(values), cmap=colormaps[cmap].with_extremes(bad=_UNREACHABLE), vmin=low,
                         vmax=top, rasterized=True)
    _bar(ax, mesh, labels.component, labels.unit, bool((seen > top).any()))


def _bar(ax: Axes, drawn: ScalarMappable, component: str, unit: str, clipped: bool) -> None:
    # an inset keeps the height of axes whose aspect is fixed
    ax.figure.colorbar(drawn, cax=ax.inset_axes((1.025, 0.0, 0.035, 1.0)), label=f"{_component(component)} ({_unit(unit)})",
                       extend="max" if clipped else "neither")


def _brightest(values: Array) -> float:
    lit = values[values > 1e-3 * values.max(initial=0.0)]
    return float(np.percentile(lit, _BRIGHTEST)) if lit.size else 1.0


def _corners(ax: Axes, path: Path, colour: str) -> None:
    at = path.distance[list(path.corners)]
    for x in at[1:-1]:
        ax.axvline(x, color=colour, linewidth=0.8, zorder=1.5)
    ax.set_xticks(at, path.labels)
    ax.set(xlim=(at[0], at[-1]), xlabel=_WAVE_VECTOR)


def _edges(centres: ArrayLike) -> Array:
    x = np.asarray(centres, float)
    if len(x) == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middle = (x[1:] + x[:-1]) / 2
    return np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])


def _direction(grid: Grid, axis: int) -> str:
    return f"{_vector(grid.directions[axis])} (r.l.u.)"


def _vector(v: Array) -> str:
    return "[" + ", ".join(f"{x:g}".replace("-", "\N{MINUS SIGN}") for x in v) + "]"


def _component(name: str) -> str:
    return r"$S_\perp$" if name == "Sperp" else name


def _unit(unit: str) -> str:
    first, *rest = unit.split("/")
    return " ".join([*([first] if first != "1" else []), *(f"{part}$^{{-1}}$" for part in rest)])
