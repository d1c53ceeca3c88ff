"""Measured pixels as the resolution sees them: run, detector element, energy bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.instruments import Sample
from insml.resolution.beam import Spectrometer
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import wavevectors

Array = NDArray[np.float64]

_PER_ELEMENT = ("distance", "two_theta", "azimuth", "width", "height")


@dataclass(frozen=True)
class ResolutionRun:
    """A crystal in a spectrometer. ``ei``: meV, where it is not the instrument's own; pulses stay the instrument's."""

    instrument: Spectrometer
    sample: Sample
    orientation: Orientation
    ei: float | None = None

    @property
    def incident(self) -> float:
        """meV"""
        return self.instrument.ei if self.ei is None else self.ei


@dataclass(frozen=True, eq=False)
class MeasuredPixels:
    """n pixels of some runs.

    Parameters
    ----------
    runs : what they were measured with. run : (n,) index into ``runs``.
    element : detector elements, one or n.
    energy, energy_width : middle and full width of the bins of energy transfer, meV, one or n.
    number : (n,) addresses of the draws; 0 to n - 1 where absent. Parts of a set keep theirs, so that their points stay.

    Raises
    ------
    GeometryError : lengths that differ, a run that does not exist, a transfer beyond its run's Ei.
    """

    runs: Sequence[ResolutionRun]
    run: NDArray[np.intp]
    element: DetectorElement
    energy: Array
    energy_width: Array
    number: NDArray[np.uint64] | None = None

    def __post_init__(self) -> None:
        run = np.atleast_1d(np.asarray(self.run))
        if run.ndim != 1 or run.dtype.kind not in "iu" or (run.size and not 0 <= run.min() <= run.max() < len(self.runs)):
            raise GeometryError(f"pixels: run: expected indices (n,) from 0 to {len(self.runs) - 1}, found others")
        object.__setattr__(self, "run", run.astype(np.intp))
        for name in ("energy", "energy_width"):
            value = np.asarray(getattr(self, name), float)
            if value.ndim > 1 or value.size not in (1, run.size) or not np.isfinite(value).all():
                raise GeometryError(f"pixels: {name}: expected finite meV, one or {run.size}, found shape {value.shape}")
            object.__setattr__(self, name, np.broadcast_to(value, run.shape).copy())
        if (self.energy_width < 0).any():
            raise GeometryError("pixels: energy_width: expected full widths >= 0, found negative ones")
        # every field of the element to (n,)
        distance, two_theta, azimuth, width, height = self.element.columns()
        one = {name: np.broadcast_to(x, run.shape) if len(x) == 1 else x for name, x in zip(
            _PER_ELEMENT,
            (distance, np.degrees(two_theta), np.degrees(azimuth), width, height), strict=True)}
        if any(len(x) != run.size for x in one.values()):
            raise GeometryError(f"pixels: element: expected one or {run.size}, found {max(map(len, one.values()))}")
        object.__setattr__(self, "element", DetectorElement(kind=self.element.kind, rotation=self.element.rotation, **one))
        number = np.arange(run.size) if self.number is None else np.asarray(self.number)
        if number.shape != run.shape:
            raise GeometryError(f"pixels: number: expected {run.size} addresses, found shape {number.shape}")
        object.__setattr__(self, "number", number.astype(np.uint64))
        for r in self.used:
            wavevectors(self.runs[r].incident, self.energy[self.run == r])

    def __len__(self) -> int:
        return int(self.run.size)

    @property
    def used(self) -> list[int]:
        """Runs that have pixels."""
        return [int(r) for r in np.unique(self.run)]

    def __getitem__(self, part: slice | NDArray[np.intp] | NDArray[np.bool_]) -> MeasuredPixels:
        arrays = {name: np.asarray(getattr(self.element, name))[part] for name in _PER_ELEMENT}
        assert self.number is not None
        element = DetectorElement(kind=self.element.kind, rotation=self.element.rotation, **arrays)
        return replace(self, run=self.run[part], element=element, energy=self.energy[part],
                       energy_width=self.energy_width[part], number=self.number[part])

    @cached_property
    def hkl(self) -> Array:
        """(n, 3) nominal, r.l.u."""
        out = np.empty((len(self), 3))
        for r in self.used:
            of = self.run == r
            x, y, z = self.q_spectrometer(of).T
            # not a matrix product, whose last bits depend on how many pixels there are
            out[of] = np.stack([a * x + b * y + c * z for a, b, c in self.runs[r].orientation.spec_to_rlu], axis=-1)
        return out

    def q_spectrometer(self, of: NDArray[np.bool_] | NDArray[np.intp]) -> Array:
        """(m, 3) nominal Q of pixels of one run, 1/Angstrom, spectrometer frame."""
        ki, kf = wavevectors(self.runs[int(self.run[of][0])].incident, self.energy[of])
        two_theta, azimuth = (np.radians(np.asarray(x)[of]) for x in (self.element.two_theta, self.element.azimuth))
        across = np.sin(two_theta)
        direction = np.stack([np.cos(two_theta), across * np.cos(azimuth), across * np.sin(azimuth)], axis=-1)
        return np.asarray(ki * np.array([1.0, 0.0, 0.0]) - kf[:, None] * direction)

    @classmethod
    def one_run(cls, run: ResolutionRun, element: DetectorElement, energy: ArrayLike, energy_width: ArrayLike
                ) -> MeasuredPixels:
        """All pixels of one run; ``element`` and ``energy`` one or n each."""
        *_, transfers = element.columns(energy)
        return cls([run], np.zeros(len(transfers), np.intp), element, transfers, np.asarray(energy_width, float))
