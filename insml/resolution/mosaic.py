"""The instrument behind a mosaic: what the simulation of an image needs of each slice, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.instruments import FermiSpectrometer, Sample
from insml.mosaic import MosaicLayout
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import ENERGY_PER_K2, linear_map
from insml.resolution.timing import Characteristic, TimingKernel, timing_kernel

Array = NDArray[np.float64]

#: Columns of the linear map: those that move Q and are drawn, and times, which move energies alone.
DRAWN, TIMES = [1, 2, 4, 5, 6, 8, 9], [0, 3, 7]
_QUANTILES = (np.arange(1024) + 0.5) / 1024


@dataclass(frozen=True, eq=False)
class SliceResolution:
    """One slice of a mosaic with n bins, axis 1 fastest.

    thirds : (n, 3) third coordinate at the window's lower end, middle and upper end; NaN out of reach.
    deviations : (n, 3, 7) in axis 0, axis 1 and energy (meV), for the full width of each drawn variable.
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
    """A spectrometer setting for each incident energy (meV), the sample, and how the crystal stands (u along ki)."""

    settings: Mapping[float, FermiSpectrometer]
    sample: Sample
    orientation: Orientation

    def slices(self, layout: MosaicLayout) -> list[SliceResolution]:
        """What each slice of ``layout`` needs.

        Raises
        ------
        GeometryError : an incident energy without a setting; a sample with mosaic, which images do not have yet.
        """
        if np.any(self.sample.mosaic_sigma):
            raise GeometryError("sample: expected a crystal without mosaic for images, found mosaic_fwhm "
                                f"{self.sample.mosaic_fwhm}")
        components: dict[float, list[Characteristic]] = {}
        out = []
        for spec in layout.slices:
            if spec.ei is None or spec.ei not in self.settings:
                raise GeometryError(f"resolution: expected a setting for {spec.label}, found Ei = {sorted(self.settings)}")
            if spec.ei not in components:
                components[spec.ei] = self._components(self.settings[spec.ei])
            out.append(self._slice(layout, spec.energy, self.settings[spec.ei], components[spec.ei]))
        return out

    def _widths(self, setting: FermiSpectrometer) -> Array:
        """(11,) full widths of the boxes; a box of the same variance stands for a tube."""
        sample = np.sqrt(12 * np.diag(self.sample.covariance))
        kf = float(np.sqrt(setting.ei / ENERGY_PER_K2))
        detector = np.sqrt(12 * np.diag(setting.detector.covariance(kf, 90.0)))
        return np.array([0, setting.aperture_width, setting.aperture_height, 0, *sample, *detector, 0])

    def _components(self, setting: FermiSpectrometer) -> list[Characteristic]:
        depth = self._widths(setting)[7] * (_QUANTILES - 0.5)
        times = (setting.moderator, setting.chopper)
        return [*(Characteristic(t.quantile(_QUANTILES)) for t in times), Characteristic(depth)]

    def _slice(self, layout: MosaicLayout, window: tuple[float, float], setting: FermiSpectrometer,
               components: list[Characteristic]) -> SliceResolution:
        u, v, w = (np.asarray(x, float) for x in (layout.axes[0].vector, layout.axes[1].vector, layout.third))
        grid = np.stack(np.meshgrid(layout.axes[0].centres, layout.axes[1].centres, indexing="ij"), axis=-1).reshape(-1, 2)
        plane = grid[:, :1] * u + grid[:, 1:] * v
        middle = 0.5 * sum(window)
        lattice, to_rlu = self.orientation.lattice, self.orientation.spec_to_rlu
        thirds = _core.kinematic_third(
            lattice=np.ascontiguousarray(lattice.vectors), beam=tuple(to_rlu[:, 0].tolist()), third=tuple(w.tolist()),
            hkl=np.ascontiguousarray(plane), ei=setting.ei, energy=[window[0], middle, window[1]]).reshape(-1, 3)
        ki = np.sqrt(setting.ei / ENERGY_PER_K2)
        q = (plane + thirds[:, 1:2] * w) @ np.linalg.inv(to_rlu).T
        kf = np.array([ki, 0, 0]) - q
        reachable = np.isfinite(kf).all(axis=1)
        kf[~reachable] = [1, 0, 0]
        direction = kf / np.linalg.norm(kf, axis=1, keepdims=True)
        widths = self._widths(setting)
        element = DetectorElement.along(direction, setting.sample_to_detector, widths[8], widths[9])
        to_axes = np.array([u, v, w])
        moved = linear_map(setting, self.sample, element, middle, self.orientation, frame=to_axes) * widths
        stretch = linear_map(setting, self.sample, DetectorElement.along([1.0, 0, 0], setting.sample_to_detector, 1.0, 1.0),
                             middle, self.orientation, frame="wavevectors")[0]
        kernel = timing_kernel([(c, float(stretch[0, t]), float(stretch[3, t]))
                                for c, t in zip(components, TIMES, strict=True)])
        return SliceResolution(window, setting.ei, thirds, np.ascontiguousarray(moved[:, [0, 1, 3]][:, :, DRAWN]),
                               np.ascontiguousarray(direction @ to_rlu.T), to_rlu[:, 0], kernel)
