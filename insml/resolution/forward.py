"""Images of an instrument on a layout, prepared for any model (rust/insml-core/src/convolution/forward.rs)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from insml._core import ForwardImage
from insml.errors import GeometryError
from insml.mosaic import Axis, MosaicLayout
from insml.resolution.draws import FARTHEST, deviates
from insml.resolution.mosaic import DRAWN, MosaicInstrument, SliceResolution

Array = NDArray[np.float64]
Kernel = tuple[tuple[float, float], tuple[float, float], NDArray[np.float32], tuple[float, float, float]]
CoreSlice = tuple[tuple[float, float], float, Array, Array, tuple[float, ...], Kernel]

#: Draws from which the footprint of a bin is made.
_DRAWS = 2048


def forward_image(instrument: MosaicInstrument, layout: MosaicLayout, *, cells: int, gaussian: bool = False
                  ) -> ForwardImage:
    """``cells`` : into which each side of a bin is divided. ``gaussian`` : a resolution of the same covariances.

    Raises
    ------
    GeometryError : bins of several widths along an axis; as MosaicInstrument.slices.
    """
    own = instrument.slices(layout, gaussian=gaussian)
    widths = [_width(a) for a in layout.axes]
    uniform = 0 if gaussian else len(DRAWN)
    points = deviates(_DRAWS, uniform, own[0].deviations.shape[2] - uniform)
    margin = [_margin(own, i, widths[i], uniform, cells) for i in (0, 1)]
    x, y = (replace(a, edges=a.edges[0] + w * (np.arange(a.n + 2 * m + 1) - m))
            for a, w, m in zip(layout.axes, widths, margin, strict=True))
    # beyond the edge only the way of the neutrons is needed
    wide = instrument.flights(replace(layout, axes=(x, y)))
    return ForwardImage(
        bins=[a.n for a in layout.axes], margin=margin, first=[float(a.centres[0]) for a in (x, y)], widths=widths,
        cells=cells, vectors=[*(tuple(a.vector) for a in layout.axes), tuple(layout.third)],
        slices=[(core_slice(o, *flight), o.deviations.reshape(-1, points.shape[1]))
                for o, flight in zip(own, wide, strict=True)],
        points=points)


def core_slice(s: SliceResolution, thirds: Array, along_kf: Array) -> CoreSlice:
    """As the core takes it; ``thirds`` and ``along_kf`` at the bins that it computes, with a margin where there is one."""
    kernel = (*s.kernel.grids, s.kernel.cumulative, s.kernel.variance)
    return s.window, s.ei, thirds, along_kf, tuple(s.along_ki.tolist()), kernel


def _width(axis: Axis) -> float:
    widths = np.diff(axis.edges)
    if np.ptp(widths) > 1e-6 * widths.mean():
        raise GeometryError(f"axis {axis.label}: expected bins of one width, found {widths.min():g} to {widths.max():g}; "
                            "samples= has no such limit")
    return float(widths.mean())


def _margin(slices: list[SliceResolution], axis: int, width: float, uniform: int, cells: int) -> int:
    """Bins that are seen beyond the edge: all of boxes, most of Gaussians."""
    deviations = [np.abs(s.deviations[:, axis]) for s in slices]
    boxes = max(float(d[:, :uniform].sum(axis=1).max()) for d in deviations) / 2
    sigma = max(float(np.sqrt((d[:, uniform:] ** 2).sum(axis=1).max() / 12)) for d in deviations)
    return int(np.ceil((boxes + FARTHEST * sigma) / width + 1 / cells))
