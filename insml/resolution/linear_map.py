"""From the eleven deviations of a neutron's flight to those of (Q, E): the first-order map of Tobyfit.

Columns: 0 start (moderator, or shaping chopper of disks; s); 1, 2 aperture y, z (m; divergence angles of disks, rad); 3
chopper (s); 4, 5, 6 scattering point in the sample's frame (m); 7, 8, 9 point of detection in the detector's frame (m); 10
time of detection within its bin (s). Source: T. G. Perring's Tobyfit, by Horace's dq_matrix_DGfermi and dq_matrix_DGdisk.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml._core import linear_map as core_linear_map
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.instruments import Sample
from insml.resolution.beam import Spectrometer, core_beam
from insml.resolution.element import DetectorElement

Array = NDArray[np.float64]
Frame = Literal["wavevectors", "spectrometer", "hkl"] | ArrayLike

ENERGY_PER_K2 = 2.072124624737861  # meV Angstrom^2
TIME_PER_LENGTH = 1e3 * 1.67492716 / 1.054571596  # microseconds per metre at 1 / Angstrom


def wavevectors(ei: float, energy: ArrayLike) -> tuple[float, Array]:
    """ki and kf (1/Angstrom) at energy transfers ``energy`` (meV, neutron loss positive)."""
    ef = ei - np.asarray(energy, float)
    if not (np.isfinite(ei) and ei > 0):
        raise GeometryError(f"ei: expected a positive energy, found {ei}")
    if not (ef > 0).all():
        raise GeometryError(f"energy: expected finite transfers below Ei = {ei:g} meV, found {float(np.max(energy)):g}")
    return float(np.sqrt(ei / ENERGY_PER_K2)), np.asarray(np.sqrt(ef / ENERGY_PER_K2))


def time_bin(kf: ArrayLike, distance: ArrayLike, energy_width: ArrayLike) -> Array:
    """Full width in time (s) at the detector of a bin ``energy_width`` meV wide: kf in 1/Angstrom, distance in m."""
    kf, distance, energy_width = (np.asarray(x, float) for x in (kf, distance, energy_width))
    return np.asarray(0.5e-6 * TIME_PER_LENGTH / ENERGY_PER_K2 * distance * energy_width / kf**3)


def sample_frame(sample: Sample, orientation: Orientation | None) -> Array:
    """(3, 3) S, sample frame -> spectrometer frame. Without orientation the two frames are one."""
    if orientation is None:
        return np.eye(3)
    axes = orientation.axes(sample.x_axis, sample.y_axis)
    return np.ascontiguousarray(orientation.spec_to_cc.T @ axes.T)


def linear_map(
    instrument: Spectrometer,
    sample: Sample,
    detector: DetectorElement,
    energy: ArrayLike,
    orientation: Orientation | None = None,
    *,
    frame: Frame = "hkl",
    ei: float | None = None,
) -> Array:
    """(n, 4, 11) derivatives of (h, k, l, E) with respect to the eleven deviations, at n pixels.

    Parameters
    ----------
    detector : one element or n. energy : transfers at the middle of the bins, one or (n,), meV.
    orientation : needed for "hkl" and for a projection. Without it the sample's axes are those of the spectrometer.
    frame : "hkl" (r.l.u.); "spectrometer" (Q in 1/Angstrom, x along ki, z up); (3, 3) rows u, v, w in r.l.u., coordinates
        along them; "wavevectors": (n, 6, 11), ki in the spectrometer frame, then kf in the secondary frame
        (x along kf, y towards larger two-theta).
    ei : meV; the instrument's own where absent.

    Raises
    ------
    GeometryError : energies at or above Ei, shapes that do not fit, no orientation where one is needed, a flat projection.
    """
    ki, _ = wavevectors(instrument.ei if ei is None else ei, 0.0)
    distance, two_theta, azimuth, _, _, transfers = detector.columns(energy)
    _, kf = wavevectors(instrument.ei if ei is None else ei, transfers)
    to_frame = None
    if isinstance(frame, str) and frame in ("wavevectors", "spectrometer"):
        to = frame
    else:
        to, to_frame = "hkl", frame_matrix(frame, orientation)
    return core_linear_map(
        beam=core_beam(instrument), ki=ki, kf=kf, distance=distance, two_theta=two_theta, azimuth=azimuth,
        sample=sample_frame(sample, orientation), detector=detector.rotation, to=to, spec_to_rlu=to_frame)


def frame_matrix(frame: Frame, orientation: Orientation | None) -> Array:
    """(3, 3): coordinates of ``frame`` of a Q in the spectrometer frame."""
    if isinstance(frame, str):
        if frame == "spectrometer":
            return np.eye(3)
        if frame != "hkl":
            raise GeometryError(f"frame: expected wavevectors, spectrometer, hkl or (3, 3) vectors, found {frame!r}")
        vectors = np.eye(3)
    else:
        vectors = np.asarray(frame, float)
        if vectors.shape != (3, 3) or not np.isfinite(vectors).all():
            raise GeometryError(f"frame: expected three finite vectors (3, 3), found shape {vectors.shape}")
        if not abs(np.linalg.det(vectors)) > 1e-9 * np.linalg.norm(vectors, axis=1).prod():
            raise GeometryError("frame: expected three vectors that span space, found a plane or less")
    if orientation is None:
        raise GeometryError("orientation: expected one for coordinates in r.l.u., found none")
    return np.ascontiguousarray(np.linalg.solve(vectors.T, orientation.spec_to_rlu))
