"""The resolution drawn on a cut, as Horace's resolution_plot."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.horace.pixel_cut import PixelCut
from insml.horace.plots import current_figure, plot
from insml.resolution import resolution_covariance
from insml.resolution.ellipse import draw_ellipses
from insml.sqw import LineProj, Sqw

Array = NDArray[np.float64]


class CutResolution(NamedTuple):
    """Covariances (n, 4, 4) along the axes of the projection, in the spectrometer (1/Angstrom) and in h, k, l; E in meV.
    ``kept`` (m,): the points asked for that are in bins with pixels."""

    projection: Array
    spectrometer: Array
    hkle: Array
    kept: NDArray[np.bool_]


def resolution_plot(w: Sqw, xres: ArrayLike | None = None, *, current: bool = False, noplot: bool = False,
                    colour: str = "red") -> CutResolution:
    """Ellipses at half maximum of the pixels nearest to points of a cut on two axes: dashed, what is summed over the other
    axes; solid, the section at their middle.

    Parameters
    ----------
    w : with instrument and sample, set or of its file. xres : (n, 2) along the axes as drawn; the middle where None.
    current : into the current figure rather than over a plot of ``w``. noplot : the covariances alone.

    Raises
    ------
    GeometryError : data on other than two straight axes, no pixels at any of the points. ModelError : no instrument.
    """
    if not isinstance(w, Sqw) or w.ndim != 2 or not isinstance(w.projection, LineProj):
        raise GeometryError("resolution_plot: expected data with pixels on two straight axes, found "
                            f"{type(w).__name__} on {getattr(w, 'ndim', 'no')} axes of {type(w.projection).__name__}")
    order = list(w.axes.order)
    edges = [w.edges[n] for n in order]
    points = np.array([[(e[0] + e[-1]) / 2 for e in edges]]) if xres is None else np.atleast_2d(np.asarray(xres, float))
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise GeometryError(f"xres: expected finite points (n, 2), found shape {points.shape}")
    cut = PixelCut.of(w)
    frame = w.projection.frame(w.image.lattice)
    back = np.linalg.inv(frame.u_to_rlu)
    where = (np.column_stack([cut.pixels.hkl, cut.pixels.energy]) - frame.offset) @ back.T
    plotted = [w.axes.plotted[n] for n in order]
    nearest, kept = [], np.zeros(len(points), bool)
    for n, point in enumerate(points):
        inside = [int(np.searchsorted(e, x, side="right")) - 1 for e, x in zip(edges, point, strict=True)]
        if not all(0 <= i < len(e) - 1 for i, e in zip(inside, edges, strict=True)):
            continue
        index = np.ravel_multi_index(tuple(inside[order.index(a)] for a in range(2)), w.shape)
        own = np.flatnonzero(cut.bin == index)
        if own.size:
            step = np.array([e[i + 1] - e[i] for i, e in zip(inside, edges, strict=True)])
            nearest.append(int(own[np.argmin((((where[own][:, plotted] - point) / step) ** 2).sum(axis=1))]))
            kept[n] = True
    if not nearest and not noplot:
        raise GeometryError(f"resolution_plot: expected points in bins with pixels, found none of {len(points)}")
    each = [_covariances(cut, pixel) for pixel in nearest]
    spectrometer, hkle = (np.array([c[n] for c in each]).reshape(-1, 4, 4) for n in range(2))
    found = CutResolution(back @ hkle @ back.T, spectrometer, hkle, kept)
    if not noplot:
        ax = current_figure()[1] if current else plot(w)[1]
        draw_ellipses(ax, found.projection, (plotted[0], plotted[1]), centre=points[kept], colour=colour)
    return found


def _covariances(cut: PixelCut, pixel: int) -> tuple[Array, Array]:
    one = cut.pixels[np.array([pixel])]
    run = one.runs[int(one.run[0])]
    energy, half = float(one.energy[0]), float(one.energy_width[0]) / 2

    def covariance(frame: Literal["hkl", "spectrometer"]) -> Array:
        each = resolution_covariance(run.instrument, run.sample, one.element, energy_bin=[(energy - half, energy + half)],
                                     orientation=run.orientation, ei=run.ei, frame=frame)
        return np.asarray(each[0])

    return covariance("spectrometer"), covariance("hkl")
