"""The four axes of an image: some are plotted, the others integrated over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Axes:
    """Bin edges of the four axes of a projection.

    Parameters
    ----------
    all_edges : four ascending arrays; an axis that is integrated over has the two limits.
    plotted : which of the four (0 to 3) are plotted, ascending. order : of these as they are drawn, Horace's dax from 0;
        their own where absent.

    Raises
    ------
    GeometryError : edges that do not ascend, axes with several bins that are not plotted.
    """

    all_edges: tuple[Array, ...]
    plotted: tuple[int, ...]
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        edges = tuple(np.asarray(e, float) for e in self.all_edges)
        object.__setattr__(self, "all_edges", edges)
        if len(edges) != 4:
            raise GeometryError(f"axes: expected four, found {len(edges)}")
        for n, e in enumerate(edges):
            if e.ndim != 1 or e.size < 2 or np.isnan(e).any() or not (e[1:] >= e[:-1]).all():
                raise GeometryError(f"axis {n + 1}: expected ascending bin edges, found others")
            if e.size > 2 and n not in self.plotted:
                raise GeometryError(f"axis {n + 1}: expected one bin where it is not plotted, found {e.size - 1}")
        if not self.order:
            object.__setattr__(self, "order", tuple(range(len(self.plotted))))

    @property
    def edges(self) -> tuple[Array, ...]:
        """Of the plotted axes."""
        return tuple(self.all_edges[n] for n in self.plotted)

    @property
    def shape(self) -> tuple[int, ...]:
        """Bins along the plotted axes."""
        return tuple(e.size - 1 for e in self.edges)

    @property
    def bins(self) -> int:
        return int(np.prod([e.size - 1 for e in self.all_edges]))

    @property
    def uniform(self) -> Sequence[tuple[float, float, int]]:
        """First and last edge and number of bins of all four."""
        return [(float(e[0]), float(e[-1]), e.size - 1) for e in self.all_edges]
