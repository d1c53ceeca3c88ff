"""Cutting a measured histogram into the slices of a mosaic, and a mosaic back into slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec

if TYPE_CHECKING:
    from insml.io.histogram import Histogram, HistogramAxis

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Vector = tuple[float, float, float]

#: Two bin edges are the same when they differ by less than this share of a bin; files store edges as float32.
EDGE_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Slice:
    """One tile of a mosaic: arrays (n0, n1) over two ascending momentum axes; ``values`` is 0 where masked."""

    spec: SliceSpec
    axes: tuple[Axis, Axis]
    values: Array
    mask: BoolArray
    variance: Array | None


def mosaic_to_slices(mosaic: Mosaic) -> list[Slice]:
    """The slices of a mosaic in tile order, whatever way its image runs."""
    values, mask, variance = mosaic.stack, mosaic.stack_mask, mosaic.stack_variance
    return [Slice(spec, mosaic.layout.axes, values[s], mask[s], None if variance is None else variance[s])
            for s, spec in enumerate(mosaic.layout.slices)]


def mosaic_from_histogram(histogram: Histogram, layout: MosaicLayout, *,
                          third_range: tuple[float, float] | None = None) -> Mosaic:
    """Slices of a histogram by a layout whose bins are unions of the histogram's.

    A merged bin holds the plain mean over its covered histogram bins, with the variance of that mean; a bin without a
    covered histogram bin is masked. Axes are recognised by direction: order, sign and length may differ.

    Parameters
    ----------
    third_range : along ``layout.third``, in its units: which of the histogram's bins to average; None for all of them.

    Raises
    ------
    GeometryError : a direction of the layout is not among the histogram's axes, or an edge is not an edge of its bins.
    """
    momenta = [_matching(histogram, vector) for vector in (layout.axes[0].vector, layout.axes[1].vector)]
    energy = _energy_axis(histogram)
    third = _third_axis(histogram, layout.third, {momenta[0][0], momenta[1][0], energy})
    if third is None and third_range is not None:
        raise GeometryError(f"{histogram.path}: expected an axis to select {third_range} on, found only three axes")
    order = [momenta[0][0], momenta[1][0], energy]
    scales = [momenta[0][1], momenta[1][1], 1.0]
    if third is not None:
        order.append(third[0])
        scales.append(third[1])
    covered = _rearranged(~histogram.mask, histogram, order, scales)
    signal = np.where(covered, _rearranged(histogram.signal, histogram, order, scales), 0.0)
    variance = np.where(covered, _rearranged(histogram.variance, histogram, order, scales), 0.0)
    edges = [_scaled_edges(histogram.axes[i], scale) for i, scale in zip(order, scales, strict=True)]

    inside = _bins_inside(edges[3], third_range) if third is not None else slice(None)
    starts = [_positions(edges[i], axis.edges, f"axis {axis.label}") for i, axis in enumerate(layout.axes)]
    windows = [_positions(edges[2], spec.energy, f"slice {spec.label}") for spec in layout.slices]

    def merged(array: Array) -> Array:
        """Sum over the histogram bins of each layout bin, (n_slices, n0, n1)."""
        plane = array[..., inside].sum(axis=3)
        tiles = []
        for low, high in windows:
            tile = plane[:, :, low:high].sum(axis=2)
            for dimension, at in enumerate(starts):
                tile = np.add.reduceat(np.take(tile, range(at[-1]), axis=dimension), at[:-1], axis=dimension)
            tiles.append(tile)
        return np.stack(tiles)

    n = merged(covered.astype(float))
    at_least_one = np.maximum(n, 1.0)
    return Mosaic.from_stack(merged(signal) / at_least_one, n == 0, layout, variance=merged(variance) / at_least_one**2,
                             title=histogram.title or histogram.path.stem, source=str(histogram.path))


def suggest_layout(histogram: Histogram, energies: Sequence[tuple[float, float]] | None = None) -> MosaicLayout:
    """A layout in the histogram's own bins: its two finest momentum axes, and every energy bin as a slice.

    Parameters
    ----------
    energies : windows in meV to use instead of every energy bin.

    Raises
    ------
    GeometryError : the histogram has no energy axis or fewer than two axes along known directions.
    """
    directed = [i for i, axis in enumerate(histogram.axes) if axis.direction is not None]
    if len(directed) < 2:
        raise GeometryError(f"{histogram.path}: expected two axes along directions in r.l.u., found "
                            f"{', '.join(a.long_name for a in histogram.axes)}")
    shown = sorted(sorted(directed, key=lambda i: -histogram.axes[i].n)[:2])
    first, second = (_as_axis(histogram.axes[i]) for i in shown)
    if first.label == second.label:
        first, second = Axis(f"{first.label}1", first.vector, first.edges), \
            Axis(f"{second.label}2", second.vector, second.edges)
    rest = [histogram.axes[i].direction for i in directed if i not in shown]
    third = rest[0] if rest and rest[0] is not None else _cross(first.vector, second.vector)
    edges = histogram.axes[_energy_axis(histogram)].edges.tolist()
    slices = tuple(SliceSpec((float(low), float(high))) for low, high in (energies or pairwise(edges)))
    across = ceil(sqrt(len(slices)))
    return MosaicLayout((first, second), third, slices, (ceil(len(slices) / across), across),
                        (f"+{first.label}", f"+{second.label}"))


def _as_axis(axis: HistogramAxis) -> Axis:
    assert axis.direction is not None
    letters = [c for c in axis.long_name.lower() if c.isalpha()]
    return Axis(letters[0] if letters else axis.name, axis.direction, axis.edges)


def _cross(u: Vector, v: Vector) -> Vector:
    x, y, z = np.cross(u, v)
    return float(x), float(y), float(z)


def _ratio(direction: Vector, vector: Vector) -> float | None:
    """s with direction = s * vector, or None when they are not parallel."""
    d, v = np.array(direction), np.array(vector)
    s = float(d @ v / (v @ v))
    return s if s != 0 and np.allclose(d, s * v, rtol=0, atol=1e-4 * np.abs(d).max()) else None


def _matching(histogram: Histogram, vector: Vector) -> tuple[int, float]:
    for i, axis in enumerate(histogram.axes):
        if axis.direction is not None and (scale := _ratio(axis.direction, vector)) is not None:
            return i, scale
    raise GeometryError(f"{histogram.path}: expected an axis along [{', '.join(f'{x:g}' for x in vector)}], "
                        f"found {', '.join(a.long_name for a in histogram.axes)}")


def _energy_axis(histogram: Histogram) -> int:
    for i, axis in enumerate(histogram.axes):
        if axis.kind == "energy":
            return i
    raise GeometryError(f"{histogram.path}: expected an axis of energy transfer, "
                        f"found {', '.join(a.long_name for a in histogram.axes)}")


def _third_axis(histogram: Histogram, vector: Vector, used: set[int]) -> tuple[int, float] | None:
    """The one axis that is neither shown nor energy; None when the histogram has only three."""
    rest = [i for i in range(len(histogram.axes)) if i not in used]
    if not rest:
        return None
    if len(rest) > 1 or histogram.axes[rest[0]].direction is None:
        raise GeometryError(f"{histogram.path}: expected one further axis, a momentum, found "
                            f"{', '.join(histogram.axes[i].long_name for i in rest)}")
    index, scale = _matching(histogram, vector)
    if index != rest[0]:
        raise GeometryError(f"{histogram.path}: expected three different directions in the layout, found the third "
                            f"along {histogram.axes[index].long_name} again")
    return index, scale


def _rearranged(array: NDArray[Any], histogram: Histogram, order: list[int], scales: list[float]) -> Array:
    """``array`` with dimensions (first, second, energy, third), each ascending in the layout's coordinate."""
    flips = tuple(i for i, scale in zip(order, scales, strict=True) if scale < 0)
    turned = np.flip(array, flips).transpose(order)
    return np.asarray(turned if turned.ndim == 4 else turned[..., None])


def _scaled_edges(axis: HistogramAxis, scale: float) -> Array:
    return scale * axis.edges if scale > 0 else scale * axis.edges[::-1]


def _positions(edges: Array, wanted: ArrayLike, what: str) -> NDArray[np.intp]:
    """Index of each wanted edge among the histogram's edges."""
    found = np.asarray(wanted, float)
    after = np.clip(np.searchsorted(edges, found), 1, edges.size - 1)
    nearest = np.where(found - edges[after - 1] < edges[after] - found, after - 1, after)
    off = np.abs(edges[nearest] - found) > EDGE_TOLERANCE * np.diff(edges).min()
    if off.any():
        i = int(np.argmax(off))
        low, high = edges[after[i] - 1], edges[after[i]]
        raise GeometryError(f"{what}: expected edges of the histogram's bins, which run from {edges[0]:g} to "
                            f"{edges[-1]:g}, found {found[i]:g}; the nearest are {low:g} and {high:g}")
    return nearest


def _bins_inside(edges: Array, wanted: tuple[float, float] | None) -> slice:
    """The bins inside a range; a bin that lies partly inside is an error."""
    if wanted is None:
        return slice(None)
    slack = EDGE_TOLERANCE * np.diff(edges).min()
    low, high = wanted
    touches = (edges[:-1] < high - slack) & (edges[1:] > low + slack)
    inside = (edges[:-1] >= low - slack) & (edges[1:] <= high + slack)
    if not inside.any() or (touches & ~inside).any():
        i = int(np.argmax(touches & ~inside)) if touches.any() else int(np.argmin(np.abs(edges[:-1] - low)))
        raise GeometryError(f"third axis: expected a range of whole bins of the histogram, found {low:g} to {high:g}; "
                            f"the nearest bin is {edges[i]:g} to {edges[i + 1]:g}")
    at = np.flatnonzero(inside)
    return slice(int(at[0]), int(at[-1]) + 1)
