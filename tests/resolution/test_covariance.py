"""Covariance of the resolution: Horace's numbers and what must hold at any pixel."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parts import cube, disk, fermi

from insml import GeometryError
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.instruments import TubeDetector
from insml.resolution.beam import contribution_columns
from insml.resolution.covariance import mosaic_covariance, resolution_covariance
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import frame_matrix, linear_map

ORIENTATION = Orientation(Lattice(3, 4, 5), (1, 1, 0), (0, 0, 1))
BIN = (12.5, 13.5)
DISK = disk()


def element(two_theta=30.0, azimuth=0.0, **more):
    return DetectorElement(6.0, two_theta, azimuth, 0.0254, 0.0367, **more)


def covariance(instrument=None, sample=None, detector=None, energy_bin=BIN, frame="spectrometer", **more):
    more.setdefault("orientation", ORIENTATION)
    return resolution_covariance(instrument or fermi(100), sample or cube(), detector or element(), energy_bin=energy_bin,
                                 frame=frame, **more)


@pytest.fixture(scope="module")
def oracle(shared_data):
    return json.loads((shared_data / "oracles" / "horace" / "tobyfit_cov.json").read_text())


@pytest.mark.parametrize(("name", "azimuth"), [
    ("test_indepOfSampleOrientation.ww1", 0), ("test_projaxes_1.ww1", 0), ("test_projaxes_1.ww2", 0),
    ("test_differentDetectors.wwW", 0), ("test_differentDetectors.wwE", 180)])
def test_tobyfit(oracle, name, azimuth):
    found = covariance(fermi(100, moderator_ei=90), detector=element(azimuth=azimuth))
    np.testing.assert_allclose(found, oracle[name], rtol=1e-10, atol=1e-10)


def test_projection_in_inverse_angstrom_is_the_spectrometer_frame():
    """At psi = 0 the rows of (U B)^-T are the spectrometer's axes in r.l.u."""
    found = covariance(frame=np.linalg.inv(ORIENTATION.ub).T)
    np.testing.assert_allclose(found, covariance(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("instrument", [fermi(100), disk()])
def test_hkl_is_the_spectrometer_frame_turned(instrument):
    turned = Orientation(Lattice(4.4, 5.5, 6.6, 100, 105, 110), (1, 0.2, 0), (0, 1, 0.3), 25, 10, 1, 3, -2)
    m = np.eye(4)
    m[:3, :3] = turned.spec_to_rlu
    sample = cube((0.03, 0.02, 0.01), mosaic_fwhm=0.7)
    found = covariance(instrument, sample, orientation=turned, frame="hkl")
    want = m @ covariance(instrument, sample, orientation=turned) @ m.T
    np.testing.assert_allclose(found, want, rtol=1e-11, atol=1e-15)


@given(st.floats(-180, 180), st.floats(-20, 20))
def test_a_cube_hides_the_orientation(psi, gl):
    turned = Orientation(Lattice(3, 4, 5), (1, 1, 0), (0, 0, 1), psi=psi, gl=gl)
    np.testing.assert_allclose(covariance(orientation=turned), covariance(), rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(covariance(orientation=None), covariance(), rtol=1e-10, atol=1e-13)


@settings(max_examples=30)
@given(st.floats(0, 170), st.floats(-180, 180), st.floats(-50, 95))
def test_turning_all_about_the_beam(two_theta, azimuth, energy):
    """What is round about the beam gives the covariance at azimuth 0, turned with the detector."""
    bins = (energy - 0.5, energy + 0.5)
    contributions = ["moderator", "chopper", "detector_depth", "detector_area", "energy_bin"]
    found = covariance(detector=element(two_theta, azimuth), energy_bin=bins, contributions=contributions)
    flat = covariance(detector=element(two_theta), energy_bin=bins, contributions=contributions)
    s, c = np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))
    r = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    np.testing.assert_allclose(found, r @ flat @ r.T, rtol=1e-9, atol=1e-12 * flat.max())


@settings(max_examples=30)
@given(st.floats(0, 170), st.floats(-180, 180), st.floats(-50, 95), st.booleans())
def test_contributions_add_up_to_a_positive_matrix(two_theta, azimuth, energy, disks):
    instrument = DISK if disks else fermi(100)
    # the moderator ties the times of the two disks: these go together
    pair = [["shape_chopper", "mono_chopper", "moderator"]] if disks else []
    names = [[n] for n in contribution_columns(instrument) if not pair or n not in pair[0]] + pair + [["mosaic"]]
    case = {"instrument": instrument, "sample": cube(mosaic_fwhm=0.5), "detector": element(two_theta, azimuth),
            "energy_bin": (energy - 0.5, energy + 0.5)}
    parts = [covariance(contributions=n, **case) for n in names]
    whole = covariance(**case)
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-11, atol=1e-13 * whole.max())
    for part in [*parts, whole]:
        np.testing.assert_allclose(part, part.T, atol=1e-12 * abs(part).max())
        assert np.linalg.eigvalsh(part)[0] >= -1e-12 * abs(part).max()
    np.testing.assert_array_equal(covariance(contributions=[], **case), 0)


def test_n_pixels_are_n_times_one():
    angles, azimuths, lows = np.array([5.0, 30, 80]), np.array([0.0, 90, -120]), np.array([-10.0, 12.5, 60])
    together = covariance(detector=element(angles, azimuths), energy_bin=np.stack([lows, lows + 1], 1), frame="hkl")
    assert together.shape == (3, 4, 4)
    for n in range(3):
        one = covariance(detector=element(angles[n], azimuths[n]), energy_bin=(lows[n], lows[n] + 1), frame="hkl")
        assert one.shape == (4, 4)
        np.testing.assert_allclose(together[n], one, rtol=1e-14)


def test_mosaic_is_a_turn_about_q():
    """Isotropic mosaic: sigma^2 (Q^2 - Q Q^T), nothing along Q and nothing in energy."""
    fwhm = 1.7
    found = covariance(sample=cube(mosaic_fwhm=fwhm), contributions=["mosaic"])
    ki, kf = np.sqrt(np.array([100, 87]) / 2.072124624737861)
    q = np.array([ki - kf * np.cos(np.pi / 6), -kf / 2, 0])
    sigma = np.radians(fwhm) / np.sqrt(8 * np.log(2))
    np.testing.assert_allclose(found[:3, :3], sigma**2 * (q @ q * np.eye(3) - np.outer(q, q)), rtol=1e-10, atol=1e-16)
    np.testing.assert_array_equal(found[3], 0)


def test_mosaic_in_rlu_by_rotating_hkl():
    """Against finite rotations R(X) of the crystal, in its own coordinates."""
    sample, fwhm = cube(mosaic_fwhm=1e-4, x_axis=(0, 0, 1), y_axis=(1, 1, 0)), 1e-4
    lattice = Lattice(4.4, 5.5, 6.6, 100, 105, 110)
    turned = Orientation(lattice, (1, 0.2, 0), (0, 1, 0.3), 25)
    found = mosaic_covariance(fermi(100), sample, element(40, 20), 13.0, turned)[0]
    ki, kf = np.sqrt(np.array([100, 87]) / 2.072124624737861)
    t, a = np.radians([40, 20])
    q = turned.spec_to_cc @ (ki * np.eye(3)[0] - kf * np.array([np.cos(t), np.sin(t) * np.cos(a), np.sin(t) * np.sin(a)]))
    sigma = np.radians(fwhm) / np.sqrt(8 * np.log(2))
    moves = [np.linalg.solve(turned.b, sigma * np.cross(axis, q)) for axis in np.eye(3)]
    np.testing.assert_allclose(found[:3, :3], sum(np.outer(m, m) for m in moves), rtol=1e-8, atol=1e-20)


def test_ei_of_the_run_replaces_that_of_the_instrument():
    pulses = fermi(100, moderator_ei=100)
    found = covariance(pulses, ei=90.0, contributions=["aperture"])
    np.testing.assert_allclose(found, covariance(fermi(90), contributions=["aperture"]), rtol=1e-13)
    assert abs(found - covariance(pulses, contributions=["aperture"])).max() > 0.01 * found.max()


@pytest.mark.parametrize(("change", "message"), [
    ({"energy_bin": (13, 13)}, "energy_bin"),
    ({"energy_bin": (1, 2, 3)}, "energy_bin"),
    ({"energy_bin": (90, 120)}, "below Ei"),
    ({"energy_bin": (np.nan, 3)}, "energy_bin"),
    ({"contributions": ["moderator", "gravity"]}, "gravity"),
    ({"frame": "lab"}, "frame"),
    ({"frame": np.ones((3, 3))}, "span"),
    ({"frame": np.eye(2)}, "shape"),
    ({"frame": "hkl", "orientation": None}, "orientation"),
    ({"ei": -1.0}, "ei"),
    ({"energy_bin": [(0, 1)] * 3, "detector": element(np.array([1.0, 2.0]))}, "shapes"),
])
def test_mistakes(change, message):
    with pytest.raises(GeometryError, match=message):
        covariance(**change)


@pytest.mark.parametrize("change", [
    {"distance": 0.0}, {"width": -0.01}, {"two_theta": np.nan}, {"azimuth": [[1.0]]}, {"kind": "slab"},
    {"rotation": np.diag([1.0, 1, -1])}, {"two_theta": [1.0, 2], "azimuth": [1.0, 2, 3]}])
def test_elements_that_cannot_be(change):
    with pytest.raises(GeometryError, match="detector"):
        DetectorElement(**{"distance": 6.0, "two_theta": 30, "azimuth": 0, "width": 0.02, "height": 0.03, **change})


def test_frames_span_the_same_space():
    np.testing.assert_allclose(frame_matrix(np.eye(3), ORIENTATION), frame_matrix("hkl", ORIENTATION))


def test_tubes_of_two_kinds():
    """Absorption in each tube, through the map."""
    widths = np.array([0.0254, 0.0127, 0.0254])
    tubes = DetectorElement(3.5, [20.0, 40, 60], 0.0, widths, 4.0, kind="tube")
    found = covariance(DISK, detector=tubes, energy_bin=[BIN] * 3, contributions=["detector_depth", "detector_area"])
    rows = linear_map(DISK, cube(), tubes, 13.0, ORIENTATION, frame="spectrometer")[:, :, 7:10]
    kf = np.sqrt((DISK.ei - 13.0) / 2.072124624737861)
    for n, width in enumerate(widths):
        expected = rows[n] @ TubeDetector(width, 4.0).covariance(kf) @ rows[n].T
        np.testing.assert_allclose(found[n], expected, rtol=1e-12, atol=1e-14 * expected.max())


def test_without_its_moderator_two_disks_are_independent():
    times = ["shape_chopper", "mono_chopper"]
    parts = sum(covariance(DISK, contributions=[name]) for name in times)
    np.testing.assert_allclose(covariance(DISK, contributions=times), parts, rtol=1e-12)
    assert abs(covariance(DISK, contributions=[*times, "moderator"]) - parts).max() > 1e-3 * parts.max()
