"""A Fermi-chopper spectrometer, and its energy resolution from the time spreads of its components.

The formulas of the widths are those of the CHOP program (T. G. Perring), as PyChop computes them: all spreads are
propagated to a time width at the detector and added in squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.instruments.detector import BlockDetector
from insml.instruments.distribution import SQRT12, positive
from insml.instruments.fermi_chopper import FermiPackage, FermiPulse
from insml.instruments.moderator import Ikcarp
from insml.instruments.neutron import ANGSTROM2_MEV, METRES_PER_SECOND, speed, wavevector
from insml.instruments.spectrometer import FermiSpectrometer

__all__ = ["METRES_PER_SECOND", "FermiInstrument", "FermiPackage", "GuideGain", "PulseLaw", "wavevector"]

Array = NDArray[np.float64]

FWHM2 = 8 * np.log(2)  # (FWHM / sigma)^2


@dataclass(frozen=True)
class PulseLaw:
    """Moderator pulse of every energy: tau_f = constant + per_root_energy / sqrt(Ei) in microseconds, as Ei in meV."""

    constant: float
    per_root_energy: float
    tau_s: float = 0.0
    r: float = 0.0

    def at(self, ei: float) -> Ikcarp:
        positive("ei", ei)
        return Ikcarp(self.constant + self.per_root_energy / float(np.sqrt(ei)), self.tau_s, self.r)


@dataclass(frozen=True)
class GuideGain:
    """Gain of a guide as if the aperture's area grew: constant + exp(-decay / lambda) polynomial(lambda), in Angstrom.

    Straight beyond ``limit`` Angstrom, with the slope there over 0.02 Angstrom.
    """

    polynomial: tuple[float, ...]
    limit: float
    decay: float = 0.0
    constant: float = 0.0

    def at(self, ei: float) -> float:
        positive("ei", ei)
        wavelength = float(np.sqrt(ANGSTROM2_MEV / ei))
        if wavelength <= self.limit:
            return self._inside(wavelength)
        slope = (self._inside(self.limit + 0.01) - self._inside(self.limit - 0.01)) / 0.02
        return self._inside(self.limit) + slope * (wavelength - self.limit)

    def _inside(self, wavelength: float) -> float:
        value = np.polynomial.polynomial.polyval(wavelength, np.array(self.polynomial))
        return float(self.constant + np.exp(-self.decay / wavelength) * value)


@dataclass(frozen=True)
class FermiInstrument:
    """One version of a spectrometer, for every setting. Distances in metres, angle in degrees, widths full."""

    name: str
    moderator_to_chopper: float
    aperture_to_chopper: float
    chopper_to_sample: float
    sample_to_detector: float
    aperture_width: float
    aperture_height: float
    moderator_angle: float
    moderator: PulseLaw
    detector_diameter: float
    detector_height: float
    packages: dict[str, FermiPackage]
    guide_gain: GuideGain | None = None

    def setting(self, ei: float, frequency: float, package: str, *, moderator_ei: float | None = None
                ) -> FermiSpectrometer:
        """The spectrometer at ``ei`` (meV), chopper ``package`` at ``frequency`` (Hz).

        ``moderator_ei`` : energy for which moderator and guide are taken, if not ``ei``.
        Raises GeometryError: unknown package, or the chopper transmits nothing.
        """
        source = ei if moderator_ei is None else moderator_ei
        opening = self.aperture_scale(source)
        return FermiSpectrometer(
            name=self.name,
            ei=float(ei),
            frequency=float(frequency),
            package=package,
            moderator_to_chopper=self.moderator_to_chopper,
            aperture_to_chopper=self.aperture_to_chopper,
            chopper_to_sample=self.chopper_to_sample,
            sample_to_detector=self.sample_to_detector,
            moderator_angle=self.moderator_angle,
            aperture_width=self.aperture_width * opening,
            aperture_height=self.aperture_height * opening,
            moderator=self.moderator.at(source),
            chopper=self.chopper_pulse(ei, package, frequency),
            detector=BlockDetector(self.detector_diameter, self.detector_height),
        )

    def aperture_scale(self, ei: float) -> float:
        """How much wider and higher the guide makes the aperture look."""
        return 1.0 if self.guide_gain is None else float(np.sqrt(self.guide_gain.at(ei)))

    def chopper_pulse(self, ei: float, package: str, frequency: float) -> FermiPulse:
        """Time at the chopper.

        Raises
        ------
        GeometryError : unknown package, or the chopper transmits no neutrons of this energy at this frequency (Hz).
        """
        if package not in self.packages:
            raise GeometryError(f"{self.name}: expected a chopper package of {sorted(self.packages)}, found {package!r}")
        chosen = self.packages[package]
        opening, gamma = chosen.opening(frequency), chosen.gamma(ei, frequency)
        if gamma >= 4:
            raise GeometryError(f"{self.name}: expected a chopper setting that transmits {ei:g} meV, found package "
                                f"{package} at {frequency:g} Hz (gamma = {gamma:.2f}, must be below 4)")
        return FermiPulse(opening, gamma)

    def chopper_sigma(self, ei: float, package: str, frequency: float) -> float:
        """Standard deviation of the chopper's opening in seconds; raises as :meth:`chopper_pulse`."""
        return self.chopper_pulse(ei, package, frequency).sigma

    def moderator_fwhm(self, ei: float) -> float:
        """FWHM-equivalent (2.355 sigma) of the moderator pulse in seconds."""
        return float(np.sqrt(FWHM2 * self.moderator.at(ei).variance))

    def detector_sigma(self) -> float:
        """Standard deviation of the detection depth in metres: a uniformly absorbing tube."""
        return self.detector_diameter / 4

    def energy_fwhm(
        self,
        energy: Array | float,
        ei: float,
        package: str,
        frequency: float,
        *,
        sample_width: float,
        moderator_fwhm: float | None = None,
        detector_sigma: float | None = None,
    ) -> Array:
        """FWHM of the energy resolution in meV at energy transfers ``energy`` < ``ei`` (meV).

        ``sample_width`` in metres; ``moderator_fwhm`` (seconds) and ``detector_sigma`` (metres) replace the
        instrument's own.
        """
        ef = ei - np.asarray(energy, float)
        if np.any(ef <= 0):
            raise GeometryError(f"energy transfer: expected below Ei = {ei:g} meV, found {float(np.max(energy)):g}")
        vi, vf = speed(ei), speed(ef)
        x0, xa, x1, x2 = (self.moderator_to_chopper, self.aperture_to_chopper, self.chopper_to_sample,
                          self.sample_to_detector)
        omega = 2 * np.pi * frequency
        ratio = (vi / vf) ** 3
        moderator = (x1 + ratio * x2) / x0
        tilt = omega * np.tan(np.radians(self.moderator_angle)) / vi
        g1, g2 = 1 - tilt * (xa + x1), 1 - tilt * (x0 - xa)
        f1, f2 = 1 + x1 / x0 * g1, 1 + x1 / x0 * g2
        g1, g2, f1, f2 = (x / (omega * (xa + x1)) for x in (g1, g2, f1, f2))
        aperture = f1 + ratio * x2 / x0 * g1
        sample = -f2 - ratio * x2 / x0 * g2
        width = self.aperture_width * self.aperture_scale(ei)
        tm = self.moderator_fwhm(ei) if moderator_fwhm is None else moderator_fwhm
        depth = self.detector_sigma() if detector_sigma is None else detector_sigma
        time2 = (
            (tm * moderator) ** 2
            + FWHM2 * (self.chopper_sigma(ei, package, frequency) * (1 + moderator)) ** 2
            + FWHM2 * width**2 / 12 * aperture**2
            + FWHM2 * (depth / vf) ** 2
            + FWHM2 * sample_width**2 / 12 * sample**2
        )
        return np.asarray(2 * METRES_PER_SECOND * np.sqrt(ef**3 * time2) / x2)

    def q_sigma(self, energy: Array | float, ei: float, *, sample_width: float) -> Array:
        """Standard deviation of Q across the beam in 1/Angstrom, from the divergences before and after the sample.

        The aperture and the sample set the incident divergence, sample and detector width the final one; all are
        boxes. Timing does not enter across the beam.
        """
        ki, kf = wavevector(ei), wavevector(ei - np.asarray(energy, float))
        aperture_to_sample = self.aperture_to_chopper + self.chopper_to_sample
        from_aperture = self.aperture_width * self.aperture_scale(ei) / SQRT12 / aperture_to_sample * ki
        from_detector = self.detector_diameter / SQRT12 / self.sample_to_detector * kf
        from_sample = sample_width / SQRT12 * (ki / aperture_to_sample + kf / self.sample_to_detector)
        return np.asarray(np.sqrt(from_aperture**2 + from_detector**2 + from_sample**2))
