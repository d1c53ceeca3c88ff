"""One setting of a spectrometer: geometry and the distributions of what is random in it.

Distances in metres, all positive; times in seconds; angles as their names say.
"""

from __future__ import annotations

from dataclasses import dataclass

from insml.errors import GeometryError
from insml.instruments.detector import Detector
from insml.instruments.disk_chopper import ChopperTimes
from insml.instruments.distribution import Distribution, positive


@dataclass(frozen=True)
class FermiSpectrometer:
    """Moderator, aperture, Fermi chopper, sample, detectors (MAPS, MERLIN).

    ``ei`` meV, ``frequency`` Hz, ``moderator_angle`` degrees between the beam and the normal of the moderator's face.
    ``moderator`` : departure time, as the pulse has it; what is drawn is ``moderator.centred()``.
    ``chopper`` : time at the chopper about the middle of its opening. Aperture sizes are full.
    ``detector`` stands at ``sample_to_detector`` where a data file does not say otherwise.
    """

    name: str
    ei: float
    frequency: float
    package: str
    moderator_to_chopper: float
    aperture_to_chopper: float
    chopper_to_sample: float
    sample_to_detector: float
    moderator_angle: float
    aperture_width: float
    aperture_height: float
    moderator: Distribution
    chopper: Distribution
    detector: Detector

    def __post_init__(self) -> None:
        for field in ("ei", "frequency", "moderator_to_chopper", "aperture_to_chopper", "chopper_to_sample",
                      "sample_to_detector", "aperture_width", "aperture_height"):
            positive(f"{self.name} {field}", getattr(self, field))
        if self.aperture_to_chopper >= self.moderator_to_chopper:
            raise GeometryError(f"{self.name} aperture_to_chopper: expected below moderator_to_chopper = "
                                f"{self.moderator_to_chopper:g} m, found {self.aperture_to_chopper:g}")
        if not abs(self.moderator_angle) < 90:
            raise GeometryError(f"{self.name} moderator_angle: expected within 90 degrees, "
                                f"found {self.moderator_angle:g}")


@dataclass(frozen=True)
class DiskSpectrometer:
    """Moderator, shaping chopper, monochromating chopper, guide, sample, detectors (LET).

    ``times`` : joint distribution of the times at the shaping and the monochromating chopper.
    ``horizontal_divergence``, ``vertical_divergence`` : radians, at the sample.
    """

    name: str
    ei: float
    moderator_to_mono: float
    shaping_to_mono: float
    mono_to_sample: float
    sample_to_detector: float
    times: ChopperTimes
    horizontal_divergence: Distribution
    vertical_divergence: Distribution
    detector: Detector

    def __post_init__(self) -> None:
        for field in ("ei", "moderator_to_mono", "shaping_to_mono", "mono_to_sample", "sample_to_detector"):
            positive(f"{self.name} {field}", getattr(self, field))
