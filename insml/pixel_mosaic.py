"""Pixels into the slices of a mosaic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.mosaic import Axis, Mosaic, MosaicLayout
from insml.sqw import LineProj, Sqw
from insml.sqw.cut import cut

Array = NDArray[np.float64]

#: Runs are of the incident energy of a slice where theirs is within this share of it.
EI_TOLERANCE = 0.05


def mosaic_of_pixels(data: Sequence[Sqw], layout: MosaicLayout, *, third_range: tuple[float, float] | None = None,
                     title: str = "", source: str = "") -> Mosaic:
    """The means of pixels in the bins of a layout, with their variance; bins without a pixel are masked.

    Parameters
    ----------
    data : of one incident energy each. A slice that states one is cut from the data of it and is masked where there are
        none; other slices take the first.
    third_range : along ``layout.third``, in its units; everything where None.

    Raises
    ------
    GeometryError : bins of several widths along an axis, no slice that the data reach.
    """
    values, variance, hidden = (np.zeros(layout.stack_shape) for _ in range(3))
    hidden[:] = 1
    projection = LineProj(layout.axes[0].vector, layout.axes[1].vector, layout.third, "ppp", True)
    # a right-handed frame may turn the third axis round
    third = [-np.inf, np.inf] if third_range is None else _turned(third_range, projection)
    for s, spec in enumerate(layout.slices):
        chosen = [w for w in data if spec.ei is None or abs(_ei(w) - spec.ei) <= EI_TOLERANCE * spec.ei]
        if not chosen:
            continue
        image = cut(chosen[0], projection, _bins(layout.axes[0]), _bins(layout.axes[1]), third, list(spec.energy),
                    keep_pixels=False)
        values[s], variance[s], hidden[s] = image.signal, image.variance, image.npix == 0
    if hidden.all():
        found = ", ".join(f"{_ei(w):g}" for w in data)
        raise GeometryError(f"{source or 'pixels'}: expected some in the slices of the layout, found none; their Ei is "
                            f"{found} meV")
    return Mosaic.from_stack(values, hidden.astype(bool), layout, variance=variance, title=title, source=source)


def _ei(data: Sqw) -> float:
    return float(np.mean([run.efix for run in data.runs]))


def _bins(axis: Axis) -> list[float]:
    """First centre, step, last centre."""
    centres = axis.centres
    step = (axis.edges[-1] - axis.edges[0]) / axis.n
    if axis.n < 2 or np.abs(np.diff(axis.edges) - step).max() > 1e-6 * step:
        raise GeometryError(f"axis {axis.label}: expected several bins of one width, found {axis.n} from "
                            f"{np.diff(axis.edges).min():g} to {np.diff(axis.edges).max():g}")
    return [float(centres[0]), float(step), float(centres[-1])]


def _turned(limits: tuple[float, float], projection: LineProj) -> list[float]:
    turned = np.linalg.det([projection.u, projection.v, projection.w]) < 0
    return [-limits[1], -limits[0]] if turned else list(limits)
