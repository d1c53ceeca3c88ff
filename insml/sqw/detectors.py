"""Where detectors stand and how large they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DetectorTable:
    """All (n,): ``number`` as pixels call the detector; ``distance`` from the sample, ``width`` and ``height``, m;
    ``two_theta`` and ``azimuth``, degrees. With x along ki and z up the direction of a detector is
    (cos two_theta, sin two_theta cos azimuth, sin two_theta sin azimuth).

    Raises
    ------
    GeometryError : columns of different lengths.
    """

    number: Array
    distance: Array
    two_theta: Array
    azimuth: Array
    width: Array
    height: Array

    def __post_init__(self) -> None:
        for name in ("number", "distance", "two_theta", "azimuth", "width", "height"):
            value = np.ascontiguousarray(getattr(self, name), float)
            object.__setattr__(self, name, value)
            if value.shape != self.number.shape or value.ndim != 1:
                raise GeometryError(f"detectors: {name}: expected {self.number.size} values, found {value.size}")

    def __len__(self) -> int:
        return self.number.size

    @property
    def directions(self) -> Array:
        """(n, 3) unit vectors from the sample, spectrometer frame."""
        polar, azimuth = np.radians(self.two_theta), np.radians(self.azimuth)
        return np.stack([np.cos(polar), np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)], axis=1)
