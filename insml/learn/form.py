"""The form in which networks see a stack: folded by the mirrors the candidates have, then standardised.

Where every candidate is even in a momentum, the two halves of a tile are two measurements of the same thing. Their mean has
less noise and fewer holes, is the same whichever way an image was mirrored, and is half the work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.datasets.corrupt import as_floats, standardise
from insml.datasets.parts import parts_of
from insml.mosaic import Axis, MosaicLayout

Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Form:
    """measured : slices and bins of the stacks that come. mirrors : which of the two axes are folded about 0."""

    measured: MosaicLayout
    mirrors: tuple[bool, bool] = (False, False)

    @classmethod
    def of(cls, layout: MosaicLayout, mirrors: tuple[bool, bool]) -> Form:
        """Folded along the axes that have a mirror, and bins that lie evenly about 0."""
        even = [bool(np.allclose(a.edges, -a.edges[::-1], atol=1e-9)) for a in layout.axes]
        return cls(layout, (mirrors[0] and even[0], mirrors[1] and even[1]))

    @cached_property
    def layout(self) -> MosaicLayout:
        """What networks see."""
        first, second = (_half(axis) if mirrored else axis
                         for axis, mirrored in zip(self.measured.axes, self.mirrors, strict=True))
        return replace(self.measured, axes=(first, second))

    @cached_property
    def parts(self) -> NDArray[np.int64]:
        """(n_slices,) :func:`insml.datasets.parts.parts_of` of the slices."""
        return parts_of(self.measured)

    def __call__(self, signal: NDArray[Any], mask: BoolArray) -> Float32:
        """(n_slices, m0, m1) of signal and mask (n_slices, n0, n1): the mean over the mirror images that have a detector,
        standardised."""
        return standardise(*self.fold(signal, mask))

    def fold(self, signal: NDArray[Any], mask: BoolArray) -> tuple[NDArray[Any], BoolArray]:
        """Folded, not standardised; masked where no mirror image has a detector."""
        if not any(self.mirrors):
            return signal, mask
        return _core.fold(as_floats(signal), np.ascontiguousarray(mask), mirrors=self.mirrors)

    def unfold(self, maps: NDArray[Any]) -> NDArray[Any]:
        """(..., n0, n1) of (..., m0, m1): every mirror image gets the same."""
        for axis, mirrored in zip((-2, -1), self.mirrors, strict=True):
            if mirrored:
                odd = self.measured.stack_shape[axis] % 2
                lower = np.flip(maps, axis)
                maps = np.concatenate([lower[(..., slice(None, -odd or None), *[slice(None)] * (-1 - axis))], maps], axis)
        return maps


def _half(axis: Axis) -> Axis:
    return replace(axis, edges=axis.edges[axis.n // 2:])

