"""Mean intensities in the bins of up to four axes (Horace's dnd)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.lattice import Lattice
from insml.errors import GeometryError
from insml.sqw.axes import Axes
from insml.sqw.operators import Operators
from insml.sqw.projection import Projection

Array = NDArray[np.float64]
#: Signal, variance and numbers of pixels, each of the shape of the bins.
Arrays = tuple[Array, Array, NDArray[np.uint64]]


@dataclass(frozen=True, eq=False)
class Dnd(Operators):
    """An image. ``signal`` and ``variance`` are of the mean over the pixels of a bin, both 0 where ``npix`` is 0.

    Arrays have one dimension for each plotted axis and load on first use.
    """

    axes: Axes
    projection: Projection
    lattice: Lattice
    load: Callable[[], Arrays]
    title: str = ""
    filename: str = ""
    filepath: str = ""

    @classmethod
    def of(cls, axes: Axes, projection: Projection, lattice: Lattice, signal: ArrayLike, variance: ArrayLike,
           npix: ArrayLike, title: str = "") -> Dnd:
        """From arrays of the shape of the bins.

        Raises
        ------
        GeometryError : arrays of another shape.
        """
        arrays = np.asarray(signal, float), np.asarray(variance, float), np.asarray(npix, np.uint64)
        for name, value in zip(("signal", "variance", "npix"), arrays, strict=True):
            if value.shape != axes.shape:
                raise GeometryError(f"image: {name}: expected the shape of the bins {axes.shape}, found {value.shape}")
        return cls(axes, projection, lattice, lambda: arrays, title)

    @cached_property
    def _arrays(self) -> Arrays:
        return self.load()

    @property
    def image(self) -> Dnd:
        """Itself, as of data with pixels."""
        return self

    @property
    def signal(self) -> Array:
        return self._arrays[0]

    @property
    def variance(self) -> Array:
        return self._arrays[1]

    @property
    def npix(self) -> NDArray[np.uint64]:
        return self._arrays[2]

    @property
    def edges(self) -> tuple[Array, ...]:
        """Bin edges of the plotted axes."""
        return self.axes.edges

    @property
    def centres(self) -> tuple[Array, ...]:
        """Of the bins of the plotted axes."""
        return tuple(0.5 * (e[1:] + e[:-1]) for e in self.axes.edges)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.axes.shape

    @property
    def ndim(self) -> int:
        return len(self.axes.plotted)
