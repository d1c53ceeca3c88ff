"""Energy resolution of a Fermi-chopper spectrometer from the time spreads of its components.

The formulas are those of the CHOP program (T. G. Perring), as PyChop computes them: all spreads are propagated to a time
width at the detector and added in squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError

Array = NDArray[np.float64]

METRES_PER_SECOND = 437.39336  # neutron speed at 1 meV
FWHM2 = 8 * np.log(2)  # (FWHM / sigma)^2


@dataclass(frozen=True)
class FermiPackage:
    """Slit package: slit width, radius of the rotor and radius of curvature of the blades, all in metres."""

    slit: float
    radius: float
    curvature: float


@dataclass(frozen=True)
class FermiInstrument:
    """Geometry in metres, angle in degrees, widths full.

    ``moderator_tau`` is tau0 of a t^2 exp(-t/tau) pulse with tau = tau0 / sqrt(Ei) in microseconds (variance 3 tau^2).
    """

    name: str
    moderator_to_chopper: float
    aperture_to_chopper: float
    chopper_to_sample: float
    sample_to_detector: float
    aperture_width: float
    moderator_angle: float
    moderator_tau: float
    detector_diameter: float
    packages: dict[str, FermiPackage]

    def moderator_fwhm(self, ei: float) -> float:
        """FWHM-equivalent (2.355 sigma) of the moderator pulse in seconds."""
        return float(np.sqrt(3 * FWHM2) * self.moderator_tau / np.sqrt(ei) * 1e-6)

    def detector_sigma(self) -> float:
        """Standard deviation of the detection depth in metres: a uniformly absorbing tube."""
        return self.detector_diameter / 4

    def chopper_sigma(self, ei: float, package: str, frequency: float) -> float:
        """Standard deviation of the chopper opening in seconds.

        Raises
        ------
        GeometryError : unknown package, or the chopper transmits no neutrons of this energy at this frequency (Hz).
        """
        if package not in self.packages:
            raise GeometryError(f"{self.name}: expected a chopper package of {sorted(self.packages)}, found {package!r}")
        p = self.packages[package]
        omega, v = 2 * np.pi * frequency, METRES_PER_SECOND * np.sqrt(ei)
        gamma = 2 * p.radius**2 / p.slit * abs(1 / p.curvature - 2 * omega / v)
        if gamma >= 4:
            raise GeometryError(f"{self.name}: expected a chopper setting that transmits {ei:g} meV, found package "
                                f"{package} at {frequency:g} Hz (gamma = {gamma:.2f}, must be below 4)")
        if gamma <= 1:
            shape = (1 - gamma**4 / 10) / (1 - gamma**2 / 6)
        else:
            shape = 0.6 * gamma * (np.sqrt(gamma) - 2) ** 2 * (np.sqrt(gamma) + 8) / (np.sqrt(gamma) + 4)
        return float(np.sqrt((p.slit / (2 * p.radius * omega)) ** 2 / 6 * shape))

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
        vi, vf = METRES_PER_SECOND * np.sqrt(ei), METRES_PER_SECOND * np.sqrt(ef)
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
        tm = self.moderator_fwhm(ei) if moderator_fwhm is None else moderator_fwhm
        depth = self.detector_sigma() if detector_sigma is None else detector_sigma
        time2 = (
            (tm * moderator) ** 2
            + FWHM2 * (self.chopper_sigma(ei, package, frequency) * (1 + moderator)) ** 2
            + FWHM2 * self.aperture_width**2 / 12 * aperture**2
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
        box = 1 / np.sqrt(12)
        aperture_to_sample = self.aperture_to_chopper + self.chopper_to_sample
        from_aperture = self.aperture_width * box / aperture_to_sample * ki
        from_detector = self.detector_diameter * box / self.sample_to_detector * kf
        from_sample = sample_width * box * (ki / aperture_to_sample + kf / self.sample_to_detector)
        return np.asarray(np.sqrt(from_aperture**2 + from_detector**2 + from_sample**2))


def wavevector(energy: Array | float) -> Array:
    """Neutron wave vector in 1/Angstrom at ``energy`` in meV: k = sqrt(2 m E) / hbar."""
    return np.asarray(np.sqrt(np.asarray(energy, float) / 2.0721248))
