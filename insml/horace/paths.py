"""Modes, intensities and data along lines through reciprocal space, with Horace's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.lattice import Lattice
from insml.errors import GeometryError
from insml.horace.plots import fresh_figure
from insml.operations import paths
from insml.operations.paths import Bands, cuts_along
from insml.spinwave import SpinModel
from insml.sqw import Dnd, Sqw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


def dispersion(w: Sqw | Dnd, dispreln: Any, p: Any = None) -> tuple[Any, Any]:
    """``wdisp, weight``: images of energies and of weights on the axes of Q; lists of them of several modes."""
    energies, weights = paths.dispersion(w, dispreln, p)
    return (energies[0], weights[0]) if len(energies) == 1 else (energies, weights)


def dispersion_plot(*given: Any, dispersion: bool = False, weight: bool = False, labels: Sequence[str] | None = None,
                    ndiv: int = paths.DIVISIONS, noplot: bool = False) -> Bands:
    """``dispersion_plot([lattice,] rlp, dispreln, pars)`` draws energies and weights along the lines between ``rlp``.

    Parameters
    ----------
    lattice : [a, b, c, alpha, beta, gamma], or a Lattice; the model's, or 2 pi and right angles, where absent.
    rlp : (m, 3) r.l.u.
    dispreln : function (h, k, l, p) of energies, or (energies, weights); or a spin model. pars : p.
    dispersion, weight : draw only these.
    """
    lattice, rlp, dispreln, pars = _arguments("dispersion_plot", given, 3)
    found = paths.bands(lattice, rlp, dispreln, pars, ndiv)
    if noplot:
        return found
    shown = [name for name, wanted in (("dispersion", dispersion or not weight), ("weight", weight or not dispersion))
             if wanted]
    for name in shown:
        _, ax = fresh_figure(f"Horace {name} plot")
        ax.plot(found.route.distance, found.energies if name == "dispersion" else found.weights, "-", linewidth=1.2)
        ax.set_ylabel("Energy (meV)" if name == "dispersion" else "Weight")
        _nodes(ax, found.route.nodes, rlp, labels)
    return found


def disp2sqw_plot(*given: Any, labels: Sequence[str] | None = None, ndiv: int = paths.DIVISIONS, noplot: bool = False
                  ) -> tuple[Array, Array, Array]:
    """``disp2sqw_plot([lattice,] rlp, dispreln, pars, ebins, fwhh)`` draws the intensity of broadened modes.

    ``ebins``: [first centre, step, last centre], meV; ``fwhh``: of a Gaussian, meV. Gives distances (1/Angstrom), energies
    of the centres and intensity (points, energies).
    """
    lattice, rlp, dispreln, pars, ebins, fwhh = _arguments("disp2sqw_plot", given, 5)
    bins = np.asarray(ebins, float)
    if bins.shape != (3,) or not (bins[1] > 0 and bins[2] > bins[0]):
        raise GeometryError(f"disp2sqw_plot: ebins: expected [first centre, step, last centre], found {ebins}")
    centres = bins[0] + bins[1] * np.arange(int((bins[2] - bins[0]) / bins[1] + 1e-9) + 1)
    edges = np.append(centres - bins[1] / 2, centres[-1] + bins[1] / 2)
    found = paths.bands(lattice, rlp, dispreln, pars, ndiv)
    image = found.image(edges, fwhh)
    if not noplot:
        figure, ax = fresh_figure("Horace area plot")
        mesh = ax.pcolormesh(found.route.distance, centres, image.T, cmap="viridis", shading="nearest", rasterized=True)
        figure.colorbar(mesh, ax=ax, label="Intensity")
        ax.set_ylabel("Energy (meV)")
        _nodes(ax, found.route.nodes, rlp, labels)
    return found.route.distance, centres, image


def spaghetti_plot(rlp: ArrayLike, source: Any, *, qbin: float = paths.STEP, qwidth: ArrayLike = paths.WIDTH,
                   ebin: Any = None, labels: Sequence[str] | None = None, clim: tuple[float, float] | None = None,
                   cmap: str = "viridis", logscale: bool = False, noplot: bool = False) -> list[Dnd]:
    """Data along the lines between ``rlp`` (m, 3), r.l.u.: an image for each, drawn side by side.

    ``qbin``, ``qwidth``: step along and full width across, 1/Angstrom; ``ebin``: [first centre, step, last centre], meV.
    ``source``: a file or data with pixels, or what this gave before.
    """
    if isinstance(source, list) and all(isinstance(x, Dnd) for x in source):
        found = source
    else:
        found = cuts_along(source, rlp, step=qbin, width=qwidth, energies=ebin)
    if noplot:
        return found
    from matplotlib.colors import LogNorm, Normalize

    values = np.concatenate([x.signal[(x.npix > 0) & np.isfinite(x.signal)] for x in found])
    values = values[values > 0] if logscale else values
    low, high = clim if clim is not None else (values.min(), values.max()) if values.size else (None, None)
    norm = LogNorm(low, high) if logscale else Normalize(low, high)
    figure, ax = fresh_figure("Horace spaghetti plot")
    mesh = None
    for x in found:
        shown = np.ma.masked_where((x.npix == 0) | ~np.isfinite(x.signal), x.signal)
        mesh = ax.pcolormesh(*x.edges, shown.T, cmap=cmap, norm=norm, rasterized=True)
    if mesh is not None:
        figure.colorbar(mesh, ax=ax, label="Intensity")
    ax.set_ylabel("Energy transfer (meV)")
    _nodes(ax, np.array([found[0].edges[0][0], *(x.edges[0][-1] for x in found)]), rlp, labels)
    return found


def _arguments(name: str, given: tuple[Any, ...], needed: int) -> list[Any]:
    """A lattice, and what follows it."""
    if len(given) == needed:
        if isinstance(given[1], SpinModel):
            return [Lattice.from_vectors(given[1].lattice_vectors), *given]
        return [Lattice(2 * np.pi, 2 * np.pi, 2 * np.pi, 90.0, 90.0, 90.0), *given]
    if len(given) != needed + 1:
        raise GeometryError(f"{name}: expected {needed} arguments, or a lattice and these, found {len(given)}")
    first = given[0]
    cell = None if isinstance(first, Lattice) else np.ravel(np.asarray(first, float))
    if cell is not None and cell.size != 6:
        raise GeometryError(f"{name}: lattice: expected six numbers, found {cell.size}")
    return [first if cell is None else Lattice(*cell.tolist()), *given[1:]]


def _nodes(ax: Axes, nodes: Array, rlp: ArrayLike, labels: Sequence[str] | None) -> None:
    names = [", ".join(f"{x:g}" for x in point) for point in np.asarray(rlp, float).tolist()] if labels is None else labels
    if len(names) != len(nodes):
        raise GeometryError(f"labels: expected one for each of {len(nodes)} points, found {len(names)}")
    ax.set_xticks(nodes, names)
    for x in nodes[1:-1]:
        ax.axvline(x, color="grey", linewidth=0.6)
    ax.set_xlim(nodes[0], nodes[-1])


__all__: list[str] = ["disp2sqw_plot", "dispersion", "dispersion_plot", "spaghetti_plot"]
