"""Along straight lines from one point of reciprocal space to the next: modes, their intensity, and what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.operations.evaluate import broadened, dispersion_of, modes
from insml.sqw.axes import Axes
from insml.sqw.coordinates import bin_centres
from insml.sqw.cut import cut
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.projection import LineProj

Array = NDArray[np.float64]

#: Points between two that are given; width of bins along, and full width of what is integrated across, 1/Angstrom.
DIVISIONS, STEP, WIDTH = 100, 0.05, 0.1


@dataclass(frozen=True, eq=False)
class Route:
    """``hkl`` (n, 3) r.l.u., ``distance`` (n,) from the first, 1/Angstrom, and that of the m points given, ``nodes``."""

    hkl: Array
    distance: Array
    nodes: Array


@dataclass(frozen=True, eq=False)
class Bands:
    """``energies`` and ``weights`` (n, modes) at the n points of a route; meV."""

    route: Route
    energies: Array
    weights: Array

    def image(self, edges: ArrayLike, fwhm: float | Callable[..., Any]) -> Array:
        """(n, bins) intensity at the middle of bins of energy with ``edges``, as
        :func:`insml.operations.evaluate.disp2sqw_eval` has it."""
        borders = np.asarray(edges, float)
        middles = 0.5 * (borders[1:] + borders[:-1])
        each = [broadened((self.energies, self.weights), np.full(len(self.energies), e), fwhm) for e in middles]
        return np.stack(each, axis=1)


def route(lattice: Lattice, points: ArrayLike, divisions: int = DIVISIONS) -> Route:
    """``divisions`` pieces between each two of ``points`` (m, 3), r.l.u.

    Raises
    ------
    GeometryError : fewer than two points, two alike in a row, no division.
    """
    given, lengths = _legs(lattice, points)
    if divisions < 1:
        raise GeometryError(f"divisions: expected at least one, found {divisions}")
    share = np.linspace(0, 1, divisions + 1)
    pieces = [a + (b - a) * share[: None if last else -1, None]
              for a, b, last in zip(given[:-1], given[1:], [False] * (len(lengths) - 1) + [True], strict=True)]
    hkl, nodes = np.concatenate(pieces), np.concatenate([[0.0], np.cumsum(lengths)])
    return Route(hkl, np.interp(np.arange(len(hkl)), np.arange(len(nodes)) * divisions, nodes), nodes)


def bands(lattice: Lattice, points: ArrayLike, dispersion: Callable[..., Any], p: Any, divisions: int = DIVISIONS) -> Bands:
    """Modes ``dispersion(h, k, l, p)`` along a route, energies alone or (energies, weights).

    Raises
    ------
    GeometryError : as :func:`route`. ModelError : as :func:`insml.operations.evaluate.modes`.
    """
    along = route(lattice, points, divisions)
    energies, weights = modes(dispersion_of(dispersion, p), along.hkl.T)
    return Bands(along, energies, weights)


def dispersion(data: Sqw | Dnd, modes_of: Callable[..., Any], p: Any) -> tuple[list[Dnd], list[Dnd]]:
    """Energies of modes at the bin centres of the axes of Q, and their weights: an image for each mode.

    The variance of the energies is the square of the weight, that of the weights the square of the energy.

    Raises
    ------
    GeometryError : no axis of Q. ModelError : as :func:`insml.operations.evaluate.modes`.
    """
    image = data.image
    plotted = tuple(n for n in image.axes.plotted if n != 3)
    if not plotted:
        raise GeometryError("dispersion: expected at least one axis of Q, found none")
    limits = image.axes.all_edges[3]
    axes = Axes((*image.axes.all_edges[:3], np.array([limits[0], limits[-1]])), plotted)
    # at any energy
    flat = Axes((*axes.all_edges[:3], np.array([0.0, 1.0])), plotted)
    empty = np.zeros(axes.shape)
    h, k, l, _ = bin_centres(Dnd.of(flat, image.projection, image.lattice, empty, empty, empty)).T  # noqa: E741
    energies, weights = modes(dispersion_of(modes_of, p), [h, k, l])

    def images(values: Array, others: Array) -> list[Dnd]:
        return [Dnd.of(axes, image.projection, image.lattice, v.reshape(axes.shape), o.reshape(axes.shape) ** 2,
                       np.isfinite(v).reshape(axes.shape), image.title) for v, o in zip(values.T, others.T, strict=True)]

    return images(energies, weights), images(weights, energies)


def cuts_along(data: Sqw | str | Path, points: ArrayLike, *, step: float = STEP, width: ArrayLike = WIDTH,
               energies: Any = None) -> list[Dnd]:
    """What was measured along a route: an image of distance (1/Angstrom, from the first point) and energy for each leg.

    Parameters
    ----------
    step : of bins along, 1/Angstrom; a whole number of the nearest such fills each leg. width : full, of what is integrated
        across, 1/Angstrom: one; two, in the plane of the legs and out of it; or two for each leg. energies : bins of energy
        as :func:`insml.cut` takes them; those of the data where None.

    Raises
    ------
    GeometryError : as :func:`route`; a step or widths that are none.
    """
    from insml.io.sqw import read_sqw

    source = read_sqw(data) if isinstance(data, (str, Path)) else data
    if not isinstance(source, Sqw):
        raise GeometryError(f"cuts_along: expected data with pixels, found {type(source).__name__}")
    lattice = source.image.lattice
    given, lengths = _legs(lattice, points)
    wide = np.asarray(width, float)
    if wide.ndim > 2 or wide.size not in (1, 2, 2 * len(lengths)) or not (wide > 0).all() or not step > 0:
        raise GeometryError(f"step, width: expected positive 1/Angstrom, one width, two, or two for each of "
                            f"{len(lengths)} legs, found {step} and {wide.tolist()}")
    wide = np.broadcast_to(wide, (len(lengths), 2))
    begin, out = np.concatenate([[0.0], np.cumsum(lengths)]), []
    for n, (length, (across, up)) in enumerate(zip(lengths, wide, strict=True)):
        projection = LineProj(given[n + 1] - given[n], _beside(lattice, given, n), type="aaa", offset=given[n])
        bin = length / max(1, round(length / step))
        found = cut(source, projection, [bin / 2, bin, length - bin / 2], [-across / 2, across / 2], [-up / 2, up / 2],
                    [] if energies is None else energies, keep_pixels=False)
        # counted from the first point of all
        edges = found.axes.all_edges
        axes = replace(found.axes, all_edges=(edges[0] + begin[n], *edges[1:]))
        shifted = replace(projection, offset=given[n] - (given[n + 1] - given[n]) * begin[n] / length)
        out.append(replace(found, axes=axes, projection=shifted))
    return out


def _legs(lattice: Lattice, points: ArrayLike) -> tuple[Array, Array]:
    given = np.asarray(points, float)
    if given.ndim != 2 or given.shape[1] != 3 or len(given) < 2 or not np.isfinite(given).all():
        raise GeometryError(f"points: expected two or more, (m, 3) in r.l.u., found shape {given.shape}")
    lengths = np.linalg.norm(np.diff(given, axis=0) @ Orientation(lattice, (1, 0, 0), (0, 1, 0)).b.T, axis=1)
    if not (lengths > 0).all():
        raise GeometryError(f"points: expected others next to each other, found {given[np.argmin(lengths)].tolist()} twice")
    return given, lengths


def _beside(lattice: Lattice, given: Array, leg: int) -> Array:
    """A direction that is not along a leg: that of the next that turns, or one of the axes."""
    b = Orientation(lattice, (1, 0, 0), (0, 1, 0)).b
    own = b @ (given[leg + 1] - given[leg])
    others: Sequence[Array] = [*np.diff(given, axis=0)[leg + 1:], *np.diff(given, axis=0)[:leg][::-1], *np.eye(3)]
    turns = [np.linalg.norm(np.cross(own, b @ o)) / np.linalg.norm(own) / np.linalg.norm(b @ o) for o in others]
    return others[next(n for n, t in enumerate(turns) if t > 1e-3)]
