"""A disk-chopper spectrometer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from insml.errors import GeometryError
from insml.instruments.detector import TubeDetector
from insml.instruments.disk_chopper import ChopperTimes, double_disk
from insml.instruments.distribution import Gaussian
from insml.instruments.fermi import PulseLaw
from insml.instruments.spectrometer import DiskSpectrometer


@dataclass(frozen=True)
class DiskInstrument:
    """One version of a spectrometer, for every setting. Lengths in metres; a frequency is that of each disk of a pair.

    ``mono_slots`` : the widths of slot there are.
    """

    name: str
    moderator_to_mono: float
    shaping_to_mono: float
    mono_to_sample: float
    sample_to_detector: float
    shaping_radius: float
    shaping_slot: float
    mono_radius: float
    mono_slots: tuple[float, ...]
    moderator: PulseLaw
    detector_diameter: float
    detector_height: float

    def setting(self, ei: float, shaping_frequency: float, mono_frequency: float, mono_slot: float, *,
                divergence_sigma: tuple[float, float]) -> DiskSpectrometer:
        """The spectrometer at ``ei`` (meV), disks at these frequencies (Hz), ``mono_slot`` in metres.

        ``divergence_sigma`` : standard deviations at the sample, horizontal and vertical, in degrees.
        """
        if not any(abs(mono_slot - slot) < 1e-6 for slot in self.mono_slots):
            raise GeometryError(f"{self.name}: expected a slot of {[1e3 * s for s in self.mono_slots]} mm, found "
                                f"{1e3 * mono_slot:g} mm")
        times = ChopperTimes(
            double_disk(self.shaping_slot, self.shaping_radius, shaping_frequency),
            double_disk(mono_slot, self.mono_radius, mono_frequency),
            self.moderator.at(ei),
            self.moderator_to_mono,
            self.shaping_to_mono,
        )
        horizontal, vertical = (Gaussian(float(np.radians(s))) for s in divergence_sigma)
        return DiskSpectrometer(
            name=self.name,
            ei=float(ei),
            moderator_to_mono=self.moderator_to_mono,
            shaping_to_mono=self.shaping_to_mono,
            mono_to_sample=self.mono_to_sample,
            sample_to_detector=self.sample_to_detector,
            times=times,
            horizontal_divergence=horizontal,
            vertical_divergence=vertical,
            detector=TubeDetector(self.detector_diameter, self.detector_height),
        )
