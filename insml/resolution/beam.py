"""What the linear map and the covariance need of the way from the moderator to the sample."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.instruments import DiskSpectrometer, FermiSpectrometer

Array = NDArray[np.float64]
Spectrometer = FermiSpectrometer | DiskSpectrometer

_AFTER = {"sample": (4, 5, 6), "detector_depth": (7,), "detector_area": (8, 9), "energy_bin": (10,)}
FERMI_CONTRIBUTIONS = {"moderator": (0,), "aperture": (1, 2), "chopper": (3,), **_AFTER}
# the moderator of a disk spectrometer has no time of its own in y: it narrows and ties the times of the two choppers
DISK_CONTRIBUTIONS = {
    "shape_chopper": (0,), "mono_chopper": (3,), "moderator": (), "horiz_divergence": (1,), "vert_divergence": (2,),
    **_AFTER}


def contribution_columns(instrument: Spectrometer) -> dict[str, tuple[int, ...]]:
    """Horace's names of what broadens, with the columns of the linear map that each one switches."""
    return FERMI_CONTRIBUTIONS if isinstance(instrument, FermiSpectrometer) else DISK_CONTRIBUTIONS


def core_beam(instrument: Spectrometer) -> tuple[float, ...]:
    """What the core's map needs of the beam: (x0, x1, xa, omega, theta_m) or (xa, x1); m, rad/s, rad."""
    if isinstance(instrument, FermiSpectrometer):
        return (instrument.moderator_to_chopper, instrument.chopper_to_sample, instrument.aperture_to_chopper,
                2 * np.pi * instrument.frequency, float(np.radians(instrument.moderator_angle)))
    return (instrument.shaping_to_mono, instrument.mono_to_sample)


def before_sample(instrument: Spectrometer, *, moderator: bool = True) -> Array:
    """(4, 4) covariance of the first four deviations. Without ``moderator`` the times of two disks are independent."""
    if isinstance(instrument, FermiSpectrometer):
        width, height, start = instrument.aperture_width, instrument.aperture_height, instrument.moderator.variance
        return np.diag([start * moderator, width**2 / 12, height**2 / 12, instrument.chopper.variance])
    out = np.diag([0.0, instrument.horizontal_divergence.variance, instrument.vertical_divergence.variance, 0.0])
    times = instrument.times
    out[np.ix_((0, 3), (0, 3))] = (times.covariance if moderator
                                   else np.diag([times.shaping.variance, times.mono.variance]))
    return out
