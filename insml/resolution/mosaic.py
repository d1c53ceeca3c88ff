"""The instrument behind a mosaic: what the simulation of an image needs of each slice, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.instruments import FermiSpectrometer, Sample
from insml.mosaic import MosaicLayout, SliceSpec
from insml.resolution.covariance import resolution_covariance
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import ENERGY_PER_K2, linear_map, sample_frame, time_bin
from insml.resolution.timing import Characteristic, TimingKernel, gaussian_kernel, timing_kernel

Array = NDArray[np.float64]

#: Columns of the linear map: those that move Q and are drawn, and times, which move energies alone.
DRAWN, TIMES = [1, 2, 4, 5, 6, 8, 9], [0, 3, 7, 10]
_QUANTILES = (np.arange(1024) + 0.5) / 1024
_SQRT12 = float(np.sqrt(12.0))


@dataclass(frozen=True, eq=False)
class SliceResolution:
    """One slice of a mosaic with n bins, axis 1 fastest.

    thirds : (n, 3) third coordinate at the window's lower end, middle and upper end; NaN out of reach.
    deviations : (n, 3, 7 or 10) in axis 0, axis 1 and energy (meV) for each drawn variable: for the full width of a box,
        then for the three rotations of a crystal with mosaic (Gaussian) sqrt(12) standard deviations.
    along_kf : (n, 3) hkl of a step of 1/Angstrom along kf; along_ki : (3,).
    """

    window: tuple[float, float]
    ei: float
    thirds: Array
    deviations: Array
    along_kf: Array
    along_ki: Array
    kernel: TimingKernel


@dataclass(frozen=True, eq=False)
class MosaicInstrument:
    """A spectrometer setting for each incident energy (meV), the sample, and how the crystal stands (u along ki).

    energy_bin : full width of the energy bins that detectors counted in, as a share of Ei.
    """

    settings: Mapping[float, FermiSpectrometer]
    sample: Sample
    orientation: Orientation
    energy_bin: float = 0.0

    @property
    def gaussians(self) -> int:
        """How many of the drawn variables, the last ones, are Gaussian."""
        return 3 if np.any(self.sample.mosaic_sigma) else 0

    def slices(self, layout: MosaicLayout, *, gaussian: bool = False) -> list[SliceResolution]:
        """What each slice of ``layout`` needs. ``gaussian``: times of the same variances that are Gaussian.

        Raises
        ------
        GeometryError : an incident energy without a setting.
        """
        return [self._slice(layout, spec.energy, self._setting(spec), gaussian) for spec in layout.slices]

    def flights(self, layout: MosaicLayout) -> list[tuple[Array, Array]]:
        """``thirds`` and ``along_kf`` of each slice of ``layout``, as :class:`SliceResolution` has them, and nothing else.

        Raises
        ------
        GeometryError : an incident energy without a setting.
        """
        out = []
        for spec in layout.slices:
            thirds, kf, _ = self._flight(layout, self._setting(spec), _places(layout), _energies(spec.energy))
            out.append((thirds, self._along(kf)))
        return out

    def _setting(self, spec: SliceSpec) -> FermiSpectrometer:
        if spec.ei is None or spec.ei not in self.settings:
            raise GeometryError(f"resolution: expected a setting for {spec.label}, found Ei = {sorted(self.settings)}")
        return self.settings[spec.ei]

    def _along(self, kf: Array) -> Array:
        """(n, 3) hkl of a step of 1/Angstrom along kf."""
        direction = kf / np.linalg.norm(kf, axis=1, keepdims=True)
        return np.ascontiguousarray(direction @ self.orientation.spec_to_rlu.T)

    def covariance(self, layout: MosaicLayout, ei: float, places: Array, energy: float) -> Array:
        """(n, 3, 3) of (axis 0, axis 1, E) at ``places`` (n, 2) on the axes of ``layout``; NaN out of reach."""
        setting, to_axes = self.settings[ei], np.array([*(a.vector for a in layout.axes), layout.third], float)
        _, kf, reachable = self._flight(layout, setting, places, [energy])
        widths = self._widths(setting)
        element = DetectorElement.along(kf, setting.sample_to_detector, widths[8], widths[9])
        width = max(self.energy_bin * ei, 1e-9)
        bounds = (energy - 0.5 * width, energy + 0.5 * width)
        found = resolution_covariance(setting, self.sample, element, energy_bin=bounds, orientation=self.orientation,
                                      frame=to_axes)
        return np.where(reachable[:, None, None], found[:, [0, 1, 3]][:, :, [0, 1, 3]], np.nan)

    def _flight(self, layout: MosaicLayout, setting: FermiSpectrometer, places: Array, energies: list[float]
                ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Third coordinates (n, energies), NaN out of reach; kf (n, 3) in the spectrometer frame at the middle one, along
        ki where out of reach; which can be reached."""
        u, v, w = (np.asarray(x, float) for x in (layout.axes[0].vector, layout.axes[1].vector, layout.third))
        plane = places[:, :1] * u + places[:, 1:] * v
        to_rlu = self.orientation.spec_to_rlu
        thirds = _core.kinematic_third(
            lattice=np.ascontiguousarray(self.orientation.lattice.vectors), beam=tuple(to_rlu[:, 0].tolist()),
            third=tuple(w.tolist()), hkl=np.ascontiguousarray(plane), ei=setting.ei, energy=energies,
        ).reshape(-1, len(energies))
        middle = thirds[:, len(energies) // 2, None]
        kf = np.array([np.sqrt(setting.ei / ENERGY_PER_K2), 0, 0]) - (plane + middle * w) @ np.linalg.inv(to_rlu).T
        reachable = np.isfinite(kf).all(axis=1)
        kf[~reachable] = [1, 0, 0]
        return thirds, kf, reachable

    def _widths(self, setting: FermiSpectrometer) -> Array:
        """(11,) full widths of the boxes; a box of the same variance stands for a tube."""
        sample = np.sqrt(12 * np.diag(self.sample.covariance))
        kf = float(np.sqrt(setting.ei / ENERGY_PER_K2))
        detector = np.sqrt(12 * np.diag(setting.detector.covariance(kf, 90.0)))
        return np.array([0, setting.aperture_width, setting.aperture_height, 0, *sample, *detector, 0])

    def _slice(self, layout: MosaicLayout, window: tuple[float, float], setting: FermiSpectrometer,
               gaussian: bool) -> SliceResolution:
        middle, to_rlu = 0.5 * sum(window), self.orientation.spec_to_rlu
        to_axes = np.array([*(a.vector for a in layout.axes), layout.third], float)
        thirds, kf, reachable = self._flight(layout, setting, _places(layout), _energies(window))
        direction = kf / np.linalg.norm(kf, axis=1, keepdims=True)
        widths = self._widths(setting)
        element = DetectorElement.along(direction, setting.sample_to_detector, widths[8], widths[9])
        moved = linear_map(setting, self.sample, element, middle, self.orientation, frame=to_axes) * widths
        deviations = moved[:, [0, 1, 3]][:, :, DRAWN]
        if self.gaussians:
            # crystallites turned by X see Q moved by X cross Q
            q = np.array([np.sqrt(setting.ei / ENERGY_PER_K2), 0, 0]) - kf
            turns = np.cross((sample_frame(self.sample, self.orientation) * self.sample.mosaic_sigma).T, q[:, None, :])
            turned = np.linalg.solve(to_axes.T, to_rlu) @ turns.transpose(0, 2, 1)
            turned[:, 2] = 0.0
            deviations = np.concatenate([deviations, _SQRT12 * np.where(reachable[:, None, None], turned, 0.0)], axis=2)
        stretch = linear_map(setting, self.sample, DetectorElement.along([1.0, 0, 0], setting.sample_to_detector, 1.0, 1.0),
                             middle, self.orientation, frame="wavevectors")[0]
        bin_time = float(time_bin(np.sqrt((setting.ei - middle) / ENERGY_PER_K2), setting.sample_to_detector,
                                  self.energy_bin * setting.ei))
        unit = (1.0, 1.0, 1.0, bin_time)
        kernel = (gaussian_kernel if gaussian else timing_kernel)(
            [(c, float(stretch[0, t]) * x, float(stretch[3, t]) * x)
             for c, t, x in zip(_times(setting, float(widths[7])), TIMES, unit, strict=True)])
        return SliceResolution(window, setting.ei, thirds, np.ascontiguousarray(deviations),
                               self._along(kf), to_rlu[:, 0], kernel)


def _places(layout: MosaicLayout) -> Array:
    """(n, 2) bin centres."""
    return np.stack(np.meshgrid(*(a.centres for a in layout.axes), indexing="ij"), axis=-1).reshape(-1, 2)


def _energies(window: tuple[float, float]) -> list[float]:
    return [window[0], 0.5 * sum(window), window[1]]


@lru_cache(maxsize=64)
def _times(setting: FermiSpectrometer, depth: float) -> tuple[Characteristic, ...]:
    """Of TIMES; the last has a full width of one."""
    pulses = (setting.moderator.quantile(_QUANTILES), setting.chopper.quantile(_QUANTILES))
    return tuple(Characteristic(x) for x in (*pulses, depth * (_QUANTILES - 0.5), _QUANTILES))
