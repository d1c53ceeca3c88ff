"""Gaussian resolution: covariance of (Q, E) from the variances of the flight's deviations."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.instruments import Sample, TubeDetector
from insml.instruments.detector import TOBYFIT_DEPTH
from insml.resolution.beam import Spectrometer, before_sample, contribution_columns
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import Frame, frame_matrix, linear_map, sample_frame, time_bin, wavevectors

Array = NDArray[np.float64]


def resolution_covariance(
    instrument: Spectrometer,
    sample: Sample,
    detector: DetectorElement,
    *,
    energy_bin: ArrayLike,
    orientation: Orientation | None = None,
    ei: float | None = None,
    frame: Frame = "hkl",
    contributions: Iterable[str] | None = None,
) -> Array:
    """Covariance (4, 4) of (Q, E) at one pixel, (n, 4, 4) at n.

    Parameters
    ----------
    detector : one element, or n. energy_bin : (lo, hi) of the transfer or (n, 2), meV.
    frame : "hkl" in r.l.u., "spectrometer" in 1/Angstrom (x along ki, z up), or (3, 3) rows u, v, w in r.l.u.; E in meV.
    orientation : as for :func:`linear_map`.
    ei : meV, where it is not the instrument's own. Pulses stay those of the instrument.
    contributions : names of those to count, all where absent: moderator, aperture, chopper (disks: shape_chopper,
        mono_chopper, moderator, horiz_divergence, vert_divergence), sample, detector_depth, detector_area, energy_bin,
        mosaic.

    Raises
    ------
    GeometryError : as linear_map; an unknown contribution; a bin that is empty or upside down.
    """
    bins = np.asarray(energy_bin, float)
    if bins.shape[-1:] != (2,) or bins.ndim > 2 or not (bins[..., 1] > bins[..., 0]).all():
        raise GeometryError(f"energy_bin: expected (lo, hi) or (n, 2) with lo < hi, found {bins.tolist()}")
    columns = contribution_columns(instrument)
    wanted = set(columns) | {"mosaic"} if contributions is None else set(contributions)
    if unknown := wanted - set(columns) - {"mosaic"}:
        raise GeometryError(f"contributions: expected names of {sorted([*columns, 'mosaic'])}, found {sorted(unknown)}")
    middle, width = bins.mean(axis=-1), bins[..., 1] - bins[..., 0]
    rows = linear_map(instrument, sample, detector, middle, orientation, frame=frame, ei=ei)
    spread = deviation_covariance(instrument, sample, detector, middle, width, ei=ei, moderator="moderator" in wanted)
    kept = np.zeros(11)
    for name in wanted - {"mosaic"}:
        kept[list(columns[name])] = 1.0
    out = rows @ (spread * np.outer(kept, kept)) @ rows.transpose(0, 2, 1)
    if "mosaic" in wanted:
        out += mosaic_covariance(instrument, sample, detector, middle, orientation, frame=frame, ei=ei)
    one = bins.ndim == 1 and all(np.ndim(x) == 0 for x in (detector.distance, detector.two_theta, detector.azimuth,
                                                           detector.width, detector.height))
    return np.asarray(out[0] if one else out)


def deviation_covariance(
    instrument: Spectrometer,
    sample: Sample,
    detector: DetectorElement,
    energy: ArrayLike,
    energy_width: ArrayLike,
    *,
    ei: float | None = None,
    moderator: bool = True,
) -> Array:
    """(n, 11, 11) covariance of the deviations at n pixels: middle and full width of their energy bins, meV."""
    distance, _, _, width, height, transfers, bins = detector.columns(energy, energy_width)
    _, kf = wavevectors(instrument.ei if ei is None else ei, transfers)
    out = np.zeros((len(kf), 11, 11))
    out[:, :4, :4] = before_sample(instrument, moderator=moderator)
    out[:, 4:7, 4:7] = sample.covariance
    out[:, 7:10, 7:10] = absorption_covariance(detector, kf, width, height)
    out[:, 10, 10] = time_bin(kf, distance, bins) ** 2 / 12
    return out


def absorption_covariance(detector: DetectorElement, kf: Array, width: Array, height: Array) -> Array:
    """(n, 3, 3) of the point of detection in the detector's frame, m^2."""
    if detector.kind == "block":
        sizes = np.stack([TOBYFIT_DEPTH * width, width, height], axis=-1)
        return np.asarray(sizes[:, None, :] ** 2 / 12 * np.eye(3))
    out = np.empty((len(kf), 3, 3))
    kinds, which = np.unique(np.stack([width, height], axis=-1), axis=0, return_inverse=True)
    for n, (diameter, length) in enumerate(kinds):
        of = which.ravel() == n
        out[of] = TubeDetector(float(diameter), float(length)).covariance(kf[of], detector.tube_angle)
    return out


def mosaic_covariance(
    instrument: Spectrometer,
    sample: Sample,
    detector: DetectorElement,
    energy: ArrayLike,
    orientation: Orientation | None,
    *,
    frame: Frame = "hkl",
    ei: float | None = None,
) -> Array:
    """(n, 4, 4) of crystallites turned by small Gaussian angles X about the sample's axes: Q moves by X cross Q."""
    _, two_theta, azimuth, _, _, transfers = detector.columns(energy)
    ki, kf = wavevectors(instrument.ei if ei is None else ei, transfers)
    direction = [np.cos(two_theta), np.sin(two_theta) * np.cos(azimuth), np.sin(two_theta) * np.sin(azimuth)]
    q = ki * np.array([1.0, 0.0, 0.0]) - kf[:, None] * np.stack(direction, axis=-1)
    # rows X cross Q of unit turns about the sample's axes
    turns = np.cross(sample_frame(sample, orientation).T * sample.mosaic_sigma[:, None], q[:, None, :])
    moved = turns @ frame_matrix(frame, orientation).T
    out = np.zeros((len(q), 4, 4))
    out[:, :3, :3] = moved.transpose(0, 2, 1) @ moved
    return out
