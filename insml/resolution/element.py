"""Where neutrons are counted: detector elements, one or many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DetectorElement:
    """One detector element, or n of them where a field has shape (n,).

    ``distance``: sample to detector, m. ``two_theta``, ``azimuth``: degrees; azimuth 0 lies along +y of the spectrometer
    frame (x along ki, z up), 90 up. ``width``, ``height``: full, m; the width of a tube is its outer diameter. ``kind``:
    how neutrons are absorbed in it, "block" or "tube". ``rotation``: (3, 3) detector frame -> secondary frame (x along kf,
    y towards larger two-theta); a tube's axis is its z.

    Raises
    ------
    GeometryError : a length that is not positive, fields of different lengths, an unknown kind, not a rotation.
    """

    distance: ArrayLike
    two_theta: ArrayLike
    azimuth: ArrayLike
    width: ArrayLike
    height: ArrayLike
    kind: Literal["block", "tube"] = "block"
    rotation: Array = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        fields = {name: np.asarray(getattr(self, name), float)
                  for name in ("distance", "two_theta", "azimuth", "width", "height")}
        for name, value in fields.items():
            if value.ndim > 1 or not np.isfinite(value).all():
                raise GeometryError(f"detector: {name}: expected finite numbers, one or (n,), found shape {value.shape}")
            if name in ("distance", "width", "height") and not (value > 0).all():
                raise GeometryError(f"detector: {name}: expected positive metres, found {float(value.min())}")
            object.__setattr__(self, name, value)
        if len({len(x) for x in fields.values() if x.ndim and len(x) != 1}) > 1:
            raise GeometryError("detector: expected fields of one length, found "
                                + ", ".join(f"{name} {x.shape}" for name, x in fields.items()))
        if self.kind not in ("block", "tube"):
            raise GeometryError(f"detector: kind: expected block or tube, found {self.kind!r}")
        rotation = np.asarray(self.rotation, float)
        if (rotation.shape != (3, 3) or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-8)
                or np.linalg.det(rotation) < 0):
            raise GeometryError("detector: rotation: expected a proper rotation (3, 3), found another matrix")
        object.__setattr__(self, "rotation", rotation)

    @classmethod
    def along(cls, direction: ArrayLike, distance: ArrayLike, width: ArrayLike, height: ArrayLike, *,
              kind: Literal["block", "tube"] = "block") -> DetectorElement:
        """Elements that see kf along ``direction`` (3,) or (n, 3), spectrometer frame, of any length."""
        d = np.asarray(direction, float)
        if d.shape[-1:] != (3,) or not (np.linalg.norm(d, axis=-1) > 0).all():
            raise GeometryError(f"detector: direction: expected vectors (n, 3) other than 0, found shape {d.shape}")
        across = np.hypot(d[..., 1], d[..., 2])
        return cls(distance, np.degrees(np.arctan2(across, d[..., 0])), np.degrees(np.arctan2(d[..., 2], d[..., 1])),
                   width, height, kind)

    @property
    def tube_angle(self) -> float:
        """Angle between kf and the axis of a tube, degrees."""
        return float(np.degrees(np.arccos(np.clip(abs(self.rotation[0, 2]), 0, 1))))

    def columns(self, *others: ArrayLike) -> tuple[Array, ...]:
        """distance, two_theta and azimuth (rad), width, height, then ``others``, each (n,)."""
        own = (self.distance, np.radians(self.two_theta), np.radians(self.azimuth), self.width, self.height)
        try:
            found = np.broadcast_arrays(np.zeros(1), *(np.asarray(x, float) for x in (*own, *others)))[1:]
        except ValueError:
            shapes = ", ".join(str(np.shape(x)) for x in (*own, *others))
            raise GeometryError(f"detector and energies: expected one or n each, found shapes {shapes}") from None
        return tuple(np.ascontiguousarray(x) for x in found)
