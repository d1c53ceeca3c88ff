"""A regular histogram over momentum and energy, as read from an MD histogram file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HistogramAxis:
    """One axis: ascending bin ``edges``, (n + 1,).

    ``direction`` is in r.l.u.: the coordinate x on the axis stands for the wave vector x * direction. None when the
    axis is no momentum, or a momentum that the file does not relate to the crystal. Energy is in meV.
    """

    name: str
    long_name: str
    units: str
    edges: Array
    direction: tuple[float, float, float] | None
    kind: Literal["momentum", "energy", "other"]

    @property
    def n(self) -> int:
        return self.edges.size - 1


@dataclass(frozen=True, eq=False)
class Histogram:
    """Intensity on a grid. Arrays have one dimension for each of ``axes``, in that order, and load on first use.

    Q is always ki - kf here: a file stored as kf - ki has its momentum axes reversed on reading, and
    ``stored_q_convention`` tells.

    Attributes
    ----------
    path, title : where it comes from.
    version : of the file format, 1 or 2.
    axes : in the order D0, D1, ... of the file, which is the order of the array dimensions.
    lattice : of the (first) crystal the file describes, or None.
    ub : (3, 3) orientation, Q in 1/Angstrom in the goniometer-free sample frame = ub @ hkl, the 2 pi included; or None.
    stored_q_convention : "Inelastic" (ki - kf) or "Crystallography" (kf - ki) as stored; None when not said, which
        means ki - kf.
    load : gives the stored array "signal", "variance", "num_events" or "mask" in axis order (used by the properties).
    """

    path: Path
    title: str
    version: int
    axes: tuple[HistogramAxis, ...]
    lattice: Lattice | None
    ub: Array | None
    stored_q_convention: str | None
    load: Callable[[str], NDArray[np.generic]]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.n for axis in self.axes)

    @cached_property
    def signal(self) -> Array:
        """Intensity; NaN where the file has no data."""
        return np.asarray(self.load("signal"), float)

    @cached_property
    def variance(self) -> Array:
        """Variance of ``signal``. 0 in bins that were covered and caught no neutron."""
        return np.asarray(self.load("variance"), float)

    @cached_property
    def num_events(self) -> Array:
        """How many events fell into each bin. 0 does not mean that the bin was not covered."""
        return np.asarray(self.load("num_events"), float)

    @cached_property
    def mask(self) -> BoolArray:
        """True where there are no data: masked in the file, or signal or variance not finite."""
        return np.asarray(self.load("mask"), bool) | ~np.isfinite(self.signal) | ~np.isfinite(self.variance)
