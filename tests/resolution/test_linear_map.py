"""The linear map against flights timed in full, and its frames."""

import numpy as np
import pytest
from parts import cube, disk, fermi

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.instruments import FermiSpectrometer
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import ENERGY_PER_K2, TIME_PER_LENGTH, linear_map, sample_frame, time_bin

SPEED = 1e6 / TIME_PER_LENGTH
ORIENTATION = Orientation(Lattice(4.4, 5.5, 6.6, 100, 105, 110), (1, 0.2, 0), (0, 1, 0.3), 25, 10, 1, 3, -2)
SAMPLE = cube(x_axis=(0, 0, 1), y_axis=(1, 1, 0))
ENERGY = 13.0


def frames(two_theta, azimuth):
    """Rows x along kf, y towards larger two-theta, z."""
    (t, a) = np.radians([two_theta, azimuth])
    along = np.array([np.cos(t), np.sin(t) * np.cos(a), np.sin(t) * np.sin(a)])
    up = np.array([0, -np.sin(a), np.cos(a)])
    return np.array([along, np.cross(up, along), up])


def flown(instrument, detector, y):
    """Q (spectrometer frame) and E that one neutron truly had, counted as it was: times and places, nothing linear."""
    ki0, kf0 = np.sqrt(np.array([instrument.ei, instrument.ei - ENERGY]) / ENERGY_PER_K2)
    scattered = sample_frame(SAMPLE, ORIENTATION) @ y[4:7]
    frame = frames(float(detector.two_theta), float(detector.azimuth))
    if isinstance(instrument, FermiSpectrometer):
        x0, x1 = instrument.moderator_to_chopper, instrument.chopper_to_sample
        aperture = instrument.aperture_to_chopper + x1
        slope = (scattered[1:] - y[1:3]) / (aperture + scattered[0])
        start = (y[1] + slope[0] * (aperture - x0 - x1)) * np.tan(np.radians(instrument.moderator_angle))
        passed = x0 / (SPEED * ki0) + y[3] - slope[0] / (2 * np.pi * instrument.frequency)
    else:
        x0, x1 = instrument.shaping_to_mono, instrument.mono_to_sample
        slope, start = np.array(y[1:3]), 0.0
        passed = x0 / (SPEED * ki0) + y[3]
    vi = (x0 + start) / (passed - y[0])
    at_sample = passed + (x1 + scattered[0]) / vi
    leg = frame.T @ (np.array([float(detector.distance), 0, 0]) + detector.rotation @ y[7:10]) - scattered
    arrival = (x0 + x1) / (SPEED * ki0) + float(detector.distance) / (SPEED * kf0) + y[10]
    kf = np.linalg.norm(leg) / (arrival - at_sample) / SPEED
    ki = vi / SPEED
    q = ki * np.array([1, *slope]) - kf * leg / np.linalg.norm(leg)
    return np.array([*q, ENERGY_PER_K2 * (ki**2 - kf**2)])


@pytest.mark.parametrize("instrument", [fermi(100), disk()])
@pytest.mark.parametrize(("two_theta", "azimuth"), [(0, 0), (30, 0), (30, 180), (12, 70), (120, -100)])
def test_derivative_of_the_flight(instrument, two_theta, azimuth):
    tilt = Orientation(Lattice(1, 1, 1), (1, 0, 0), (0, 1, 0), psi=20, gl=10).spec_to_cc
    detector = DetectorElement(6.0, two_theta, azimuth, 0.0254, 0.0367, rotation=tilt)
    (rows,) = linear_map(instrument, SAMPLE, detector, ENERGY, ORIENTATION, frame="spectrometer")
    for j, step in enumerate([1e-9, 1e-6, 1e-6, 1e-9, *[1e-6] * 6, 1e-9]):
        y = step * np.eye(11)[j]
        slope = (flown(instrument, detector, y) - flown(instrument, detector, -y)) / (2 * step)
        np.testing.assert_allclose(rows[:, j], slope, atol=3e-7 * abs(rows[:, j]).max())


@pytest.mark.parametrize("instrument", [fermi(100), disk()])
def test_frames_are_one_map(instrument):
    """Wave vectors give Q and E; r.l.u. and a projection are Q in other coordinates."""
    detector = DetectorElement(6.0, [3.0, 30, 110], [10.0, 0, -80], 0.0254, 0.0367)
    energy = np.array([-20.0, 13, 60])
    b, spectrometer, hkl, uvw = (
        linear_map(instrument, SAMPLE, detector, energy, ORIENTATION, frame=f)
        for f in ("wavevectors", "spectrometer", "hkl", [[1, 1, 0], [-1, 1, 0.5], [0, 0, 2]]))
    assert b.shape == (3, 6, 11)
    ki, kf = np.sqrt(100 / ENERGY_PER_K2), np.sqrt((100 - energy) / ENERGY_PER_K2)
    for n in range(3):
        f = frames(detector.two_theta[n], detector.azimuth[n])
        np.testing.assert_allclose(spectrometer[n, :3], b[n, :3] - f.T @ b[n, 3:], atol=1e-9 * abs(b[n]).max())
        energies = 2 * ENERGY_PER_K2 * (ki * b[n, 0] - kf[n] * b[n, 3])
        np.testing.assert_allclose(spectrometer[n, 3], energies, rtol=1e-12)
        np.testing.assert_allclose(hkl[n, :3], ORIENTATION.spec_to_rlu @ spectrometer[n, :3], rtol=1e-9, atol=1e-9)
        back = np.array([[1, 1, 0], [-1, 1, 0.5], [0, 0, 2]]).T @ uvw[n, :3]
        np.testing.assert_allclose(back, hkl[n, :3], rtol=1e-9, atol=1e-9 * abs(hkl[n, :3]).max())


def test_time_bin_is_the_difference_of_arrivals():
    kf, width = np.sqrt((100 - 13.0) / ENERGY_PER_K2), 1e-4
    ends = np.sqrt((100 - 13.0 + np.array([-0.5, 0.5]) * width) / ENERGY_PER_K2)
    arrivals = 6.0 / (SPEED * ends)
    assert time_bin(kf, 6.0, width) == pytest.approx(arrivals[0] - arrivals[1], rel=1e-7)


def test_elements_along_directions():
    angles = np.array([[0.0, 0], [30, 0], [30, 180], [75, -120]])
    seen = DetectorElement.along([3 * frames(*a)[0] for a in angles], 6.0, 0.02, 0.03)
    np.testing.assert_allclose(seen.two_theta, angles[:, 0], atol=1e-12)
    np.testing.assert_allclose(abs(seen.azimuth), abs(angles[:, 1]), atol=1e-12)
