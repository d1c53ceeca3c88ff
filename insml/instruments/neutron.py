"""Speed and wave vector of a neutron of given energy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

METRES_PER_SECOND = 1e6 / 2286.271439537201  # neutron speed at 1 meV, Horace's constants
ANGSTROM2_MEV = 81.80421  # wavelength^2 times energy


def speed(energy: Array | float) -> Array:
    """Neutron speed in m/s at ``energy`` in meV."""
    return np.asarray(METRES_PER_SECOND * np.sqrt(np.asarray(energy, float)))


def wavevector(energy: Array | float) -> Array:
    """Neutron wave vector in 1/Angstrom at ``energy`` in meV: k = sqrt(2 m E) / hbar."""
    return np.asarray(np.sqrt(np.asarray(energy, float) / 2.0721248))
