"""The units of a standardised stack, slice by slice, and the way back to intensity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import standardise

Array = NDArray[np.float64]
Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

BOUND = 8.0  # of standardised values


@dataclass(frozen=True, eq=False)
class SliceUnits:
    """y = 2 sign(z) (sqrt(1 + |z|) - 1) with z = (intensity - centre) / scale, as
    :func:`insml.datasets.standardise` has it.

    Well above the median y goes as the square root of the intensity, so counting noise has about the same size at
    bright and at dim pixels: squared errors in y are errors in units of the noise, up to one factor for a slice.

    Attributes
    ----------
    centre, scale : (n_slices,) in units of intensity; scale 0 where a slice has too few detectors or no spread.
    """

    centre: Array
    scale: Array

    @classmethod
    def of(cls, signal: NDArray[Any], mask: BoolArray) -> tuple[SliceUnits, Float32]:
        """Units of a stack (n_slices, n0, n1), and the stack standardised.

        They are read off the standardised stack itself: z is linear in the intensity, so two pixels of a slice
        give both.
        """
        y = standardise(signal, mask)
        rows = np.arange(len(y))
        usable = (~mask & (np.abs(y) < BOUND)).reshape(len(y), -1)
        flat = y.reshape(len(y), -1)
        low = np.where(usable, flat, np.inf).argmin(1)
        high = np.where(usable, flat, -np.inf).argmax(1)
        values = np.where(mask, 0, signal).reshape(len(y), -1).astype(float)
        z = _linear(flat.astype(float))
        step = z[rows, high] - z[rows, low]
        rise = values[rows, high] - values[rows, low]
        scale = np.divide(rise, step, out=np.zeros(len(y)), where=step > 0)
        centre = np.where(scale > 0, values[rows, low] - scale * z[rows, low], 0.0)
        return cls(centre, scale), y

    @property
    def usable(self) -> BoolArray:
        """(n_slices,) whether a slice has units at all."""
        return np.asarray(self.scale > 0)

    def standardised(self, intensity: NDArray[Any]) -> Float32:
        """Another stack (n_slices, n0, n1) in these units, bounded as they are; 0 in slices without units."""
        scale = np.where(self.usable, self.scale, np.inf)[:, None, None]
        z = np.where(self.usable[:, None, None], intensity - self.centre[:, None, None], 0.0) / scale
        y = 2 * np.sign(z) * (np.sqrt(1 + np.abs(z)) - 1)
        return np.asarray(np.clip(y, -BOUND, BOUND), np.float32)

    def intensity(self, y: NDArray[Any]) -> Array:
        """Inverse of :meth:`standardised`."""
        return np.asarray(self.centre[:, None, None] + self.scale[:, None, None] * _linear(np.asarray(y, float)))

    def deviation(self, y: NDArray[Any], deviation: NDArray[Any]) -> Array:
        """Standard deviations of y as those of the intensity, to first order."""
        return np.asarray(self.scale[:, None, None] * (1 + 0.5 * np.abs(np.asarray(y, float))) * deviation)


def _linear(y: Array) -> Array:
    """z of y."""
    return np.asarray(np.sign(y) * ((1 + 0.5 * np.abs(y)) ** 2 - 1))
