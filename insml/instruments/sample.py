"""Size, orientation and mosaic of a single crystal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError

SHAPES = ("cuboid", "point")


@dataclass(frozen=True)
class Sample:
    """A crystal of ``size`` (a, b, c), full lengths in metres along its own axes.

    Parameters
    ----------
    size : full lengths in metres; ignored, and may be left out, for ``shape="point"``.
    x_axis, y_axis : (h, k, l). The first axis lies along x_axis, the second in the plane of both; not parallel.
    mosaic_fwhm : degrees, one number for an isotropic mosaic or three for rotations about the sample's axes; None: perfect.
    """

    size: tuple[float, float, float] = (0.0, 0.0, 0.0)
    x_axis: tuple[float, float, float] = (1.0, 0.0, 0.0)
    y_axis: tuple[float, float, float] = (0.0, 1.0, 0.0)
    shape: str = "cuboid"
    mosaic_fwhm: float | tuple[float, float, float] | None = None

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise GeometryError(f"sample shape: expected one of {list(SHAPES)}, found {self.shape!r}")
        for field in ("size", "x_axis", "y_axis"):
            object.__setattr__(self, field, triple(f"sample {field}", getattr(self, field)))
        if self.shape == "cuboid" and min(self.size) <= 0:
            raise GeometryError(f"sample size: expected three positive lengths in metres, found {self.size}")
        cross = np.cross(self.x_axis, self.y_axis)
        if np.linalg.norm(cross) <= 1e-9 * np.linalg.norm(self.x_axis) * np.linalg.norm(self.y_axis):
            raise GeometryError(f"sample y_axis: expected not parallel to x_axis {self.x_axis}, found {self.y_axis}")
        if self.mosaic_fwhm is not None:
            mosaic = np.ravel(self.mosaic_fwhm).astype(float)
            if mosaic.size not in (1, 3) or not np.all(np.isfinite(mosaic) & (mosaic >= 0)):
                raise GeometryError(f"sample mosaic_fwhm: expected one or three angles >= 0 in degrees, "
                                    f"found {self.mosaic_fwhm}")

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(3, 3) of the scattering point in the sample's axes, square metres."""
        return np.diag(np.square(self.size) / 12) if self.shape == "cuboid" else np.zeros((3, 3))

    @property
    def mosaic_sigma(self) -> NDArray[np.float64]:
        """(3,) standard deviations of the rotation about the sample's axes, radians; zero for a perfect crystal."""
        fwhm = np.broadcast_to(np.asarray(0.0 if self.mosaic_fwhm is None else self.mosaic_fwhm, float), 3)
        return np.asarray(np.radians(fwhm) / np.sqrt(8 * np.log(2)))


def triple(field: str, value: object) -> tuple[float, float, float]:
    try:
        numbers = np.asarray(value, float)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (3,) or not np.all(np.isfinite(numbers)):
        raise GeometryError(f"{field}: expected three finite numbers, found {value}")
    return float(numbers[0]), float(numbers[1]), float(numbers[2])
