"""A Fermi and a disk instrument, and a cube."""

from dataclasses import replace

import numpy as np

from insml.instruments import DiskSpectrometer, FermiPulse, FermiSpectrometer, Sample, let, maps

# Horace's speed of a neutron of 1 meV, m/s
SPEED = 1e6 / 2286.271439537201


def fermi(ei: float = 100.0, moderator_ei: float | None = None) -> FermiSpectrometer:
    """MAPS, sloppy chopper at 250 Hz, with Horace's last digits of the neutron's mass in the pulse."""
    instrument = maps(ei, 250, moderator_ei=moderator_ei)
    omega = 2 * np.pi * 250
    gamma = 2 * 0.049**2 / 0.002899 * abs(1 / 1.3 - 2 * omega / (SPEED * np.sqrt(ei)))
    return replace(instrument, chopper=FermiPulse(0.002899 / (2 * 0.049 * omega), gamma))


def disk(ei: float = 100.0) -> DiskSpectrometer:
    return let(ei, 240, 120, slot5_mm=20, divergence_sigma=(0.6, 0.78))


def cube(size: tuple[float, float, float] = (0.02, 0.02, 0.02), **more: object) -> Sample:
    return Sample(size, **more)
