"""Orientation: Horace's conventions, against its pixels and by invariances."""

import json

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insml import GeometryError
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation

ANGLES = st.floats(-180, 180)
LATTICE = Lattice(4.4, 5.5, 6.6, 100, 105, 110)
U, V = (1.02, 0.99, 0.02), (0.025, -0.01, 1.04)


@pytest.mark.parametrize(("name", "runs"), [("test_gen_sqw.w1b", range(1, 7)), ("test_accumulate_sqw14.w2_14", (1, 4))])
def test_pixels_of_six_runs(shared_data, name, runs):
    """Q in crystal Cartesian of every stored pixel, float32, from its run, detector and energy bin."""
    with h5py.File(shared_data / "nxspe" / "gen_sqw_96dets.nxspe") as f:
        polar, azimuth = (np.radians(f[f"a_loader/data/{k}"][()]) for k in ("polar", "azimuthal"))
    pixels = np.load(shared_data / "oracles" / "horace" / f"gensqw_{name.replace('.', '_')}_pix.npy")
    pixels = pixels if pixels.shape[1] == 9 else pixels.T
    stored_ids = json.loads((shared_data / "oracles" / "horace" / "gen_sqw_cut.json").read_text())[name]["run_ids"]
    seen = 0
    for run, stored in zip(runs, np.unique(pixels[:, 4]), strict=True):
        efix = 35 + 0.5 * run
        orientation = Orientation(LATTICE, U, V, psi=91 - run, omega=10 + run / 2, dpsi=0.1 + run / 10, gl=3 - run / 6,
                                  gs=2.4 + run / 7)
        own = pixels[pixels[:, 4] == stored].astype(float)
        d = own[:, 5].astype(int) - 1
        ki, kf = np.sqrt(efix / 2.0721246), np.sqrt((efix - own[:, 3]) / 2.0721246)
        direction = np.stack([np.cos(polar), np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)], 1)[d]
        q = ki * np.array([1, 0, 0]) - kf[:, None] * direction
        np.testing.assert_allclose(q @ orientation.spec_to_cc.T, own[:, :3], atol=2e-6)
        np.testing.assert_allclose(orientation.b @ orientation.spec_to_rlu, orientation.spec_to_cc, atol=1e-12)
        seen += len(own)
    assert seen == len(pixels)
    assert len(stored_ids) == len(runs)


def test_busing_and_levy():
    """B element by element from the reciprocal cell."""
    b = Orientation(LATTICE, U, V).b
    star = np.linalg.norm(LATTICE.reciprocal, axis=0)
    unit = LATTICE.reciprocal / star
    cos_beta, cos_gamma = unit[:, 0] @ unit[:, 2], unit[:, 0] @ unit[:, 1]
    sin_beta, sin_gamma = np.sqrt(1 - cos_beta**2), np.sqrt(1 - cos_gamma**2)
    expected = [[star[0], star[1] * cos_gamma, star[2] * cos_beta],
                [0, star[1] * sin_gamma, -star[2] * sin_beta * np.cos(np.radians(LATTICE.alpha))],
                [0, 0, 2 * np.pi / LATTICE.c]]
    np.testing.assert_allclose(b, expected, atol=1e-12)


def test_u_lies_along_the_beam_at_psi_zero_and_turns_anticlockwise():
    lattice = Lattice(3, 4, 5)
    q = np.array([2 * np.pi / 3, 0, 0])
    np.testing.assert_allclose(Orientation(lattice, (1, 0, 0), (0, 1, 0)).spec_to_rlu @ q, [1, 0, 0], atol=1e-14)
    turned = np.linalg.solve(Orientation(lattice, (1, 0, 0), (0, 1, 0), psi=90).spec_to_rlu, [1, 0, 0])
    np.testing.assert_allclose(turned, [0, 2 * np.pi / 3, 0], atol=1e-14)


@given(ANGLES, ANGLES, ANGLES, ANGLES, ANGLES)
def test_rotation_and_lengths(psi, omega, dpsi, gl, gs):
    orientation = Orientation(LATTICE, U, V, psi, omega, dpsi, gl, gs)
    r = orientation.spec_to_cc
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(r) > 0
    q = np.array([0.3, -1.1, 0.7])
    hkl = orientation.spec_to_rlu @ q
    assert np.linalg.norm(LATTICE.reciprocal @ hkl) == pytest.approx(np.linalg.norm(q), rel=1e-12)


@given(ANGLES, ANGLES, ANGLES)
def test_angles_about_the_vertical_add(psi, dpsi, omega):
    """psi and dpsi are one angle as long as the arcs stand at zero, wherever the goniometer points."""
    split = Orientation(LATTICE, U, V, psi=psi, dpsi=dpsi, omega=omega)
    np.testing.assert_allclose(split.spec_to_cc, Orientation(LATTICE, U, V, psi=psi + dpsi).spec_to_cc, atol=1e-12)


@given(ANGLES, st.floats(-20, 20))
def test_goniometer_at_a_right_angle_swaps_the_arcs(psi, tilt):
    """With omega = 90 the large arc turns about -x, so gl there is gs of opposite sign at omega = 0."""
    at_90 = Orientation(LATTICE, U, V, psi=psi, omega=90, gl=tilt)
    np.testing.assert_allclose(at_90.spec_to_cc, Orientation(LATTICE, U, V, psi=psi, gs=-tilt).spec_to_cc, atol=1e-12)


@pytest.mark.parametrize(("field", "value"), [("u", (0, 0, 0)), ("v", (2.04, 1.98, 0.04)), ("u", (1, 0)), ("psi", np.nan),
                                          ("v", (np.inf, 0, 1))])
def test_mistakes(field, value):
    with pytest.raises(GeometryError):
        Orientation(LATTICE, **{"u": U, "v": V, field: value})
