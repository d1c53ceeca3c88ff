"""Where the slices of a stack lie: which were measured together, at which energy transfer, and |Q| over a tile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.datasets.parts import in_order, runs_of
from insml.errors import InsmlError
from insml.mosaic import MosaicLayout

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Placement:
    """What the slices of one run have in common, for corruptions that are the same in all of them.

    Attributes
    ----------
    groups : number of the run (the incident energy) of each slice, from 0.
    energy : (n_slices,) energy transfer in the middle of each slice as a share of Ei; of the largest one without
        Ei.
    q : (n0, n1) momentum transfer in the plane of a tile, 1/Angstrom.
    """

    groups: tuple[int, ...]
    energy: Float32
    q: Float32

    def __post_init__(self) -> None:
        if np.shape(self.energy) != (len(self.groups),):
            raise InsmlError(f"placement: energy: expected one of each of {len(self.groups)} slices, "
                             f"found shape {np.shape(self.energy)}")
        if np.ndim(self.q) != 2:
            raise InsmlError(f"placement: q: expected shape (n0, n1), found {np.shape(self.q)}")

    @classmethod
    def of(cls, lattice: Lattice, layout: MosaicLayout) -> Placement:
        """Of the bins of a layout; slices without Ei are of one run."""
        middle = np.array([0.5 * sum(s.energy) for s in layout.slices])
        whole = np.array([float(np.abs(middle).max()) if s.ei is None else s.ei for s in layout.slices])
        u, v = (lattice.reciprocal @ np.asarray(a.vector, float) for a in layout.axes)
        q = layout.axes[0].centres[:, None, None] * u + layout.axes[1].centres[:, None] * v
        return cls(tuple(runs_of(layout).tolist()), (middle / whole).astype(np.float32),
                   np.linalg.norm(q, axis=-1).astype(np.float32))

    @property
    def shape(self) -> tuple[int, ...]:
        """(n_slices, n0, n1)"""
        return (len(self.groups), *self.q.shape)

    @cached_property
    def index(self) -> NDArray[np.int64]:
        """(n_slices,) ``groups`` as an array."""
        return np.array(self.groups)

    @property
    def runs(self) -> int:
        """How many there are."""
        return max(self.groups) + 1

    @cached_property
    def members(self) -> list[NDArray[np.int64]]:
        """Slices of each run, ascending in energy."""
        return in_order(self.index, self.energy)

    @cached_property
    def neighbours(self) -> NDArray[np.int64]:
        """(2, n_slices) slice of the same run next below and next above in energy; itself at the ends."""
        out = np.tile(np.arange(len(self.groups)), (2, 1))
        for members in self.members:
            out[0, members[1:]], out[1, members[:-1]] = members[:-1], members[1:]
        return out

    @cached_property
    def depth(self) -> Float32:
        """(n_slices,) ``energy`` above the lowest slice of the same run."""
        lowest = np.full(self.runs, np.inf, np.float32)
        np.minimum.at(lowest, self.index, self.energy)
        return np.asarray(self.energy - lowest[self.index])

    @cached_property
    def share(self) -> NDArray[np.float64]:
        """(n_slices,) ``energy`` as a share of the largest of the same run."""
        largest = np.full(self.runs, -np.inf)
        np.maximum.at(largest, self.index, self.energy)
        return np.asarray(self.energy / np.where(largest == 0, 1, largest)[self.index])

    @cached_property
    def pixel(self) -> float:
        """Largest step of |Q| from a pixel to the next, 1/Angstrom: an arc this wide has no gaps."""
        return float(max((np.abs(np.diff(self.q, axis=a)).max(initial=0.0) for a in (0, 1)), default=0.0))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the contents."""
        content = hashlib.sha256(repr((self.groups, self.q.shape)).encode())
        for values in (self.energy, self.q):
            content.update(np.ascontiguousarray(values, np.float32).data)
        return content.hexdigest()
