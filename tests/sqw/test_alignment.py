"""Crystals that do not stand as supposed: found again from their Bragg peaks, exactly or within errors."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from crystal_runs import write_entry
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from insml import GeometryError, horace
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.io import read_sqw, write_sqw
from insml.operations.evaluate import sqw_eval
from insml.operations.noise import noisify
from insml.sqw import CylinderProj, LineProj, SphereProj, Sqw
from insml.sqw.alignment import CrystalCorrection, bragg_positions, change_crystal, crystal_pars_correct, refine_crystal
from insml.sqw.cut import cut
from insml.sqw.generate import generate

SUPPOSED = Lattice(4.0, 4.2, 5.0, 90.0, 90.0, 95.0)
TRUE = Lattice(4.05, 4.17, 5.03, 90.0, 90.0, 95.0)
TURN = Rotation.from_rotvec([0.6, -0.5, 1.5], degrees=True).as_matrix()
U, V, OMEGA, DPSI, GL, GS = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 10.0, 0.4, 0.5, -0.3
POINTS = np.array(list(product((0, 1, 2), (-3, -2, -1), (-1, 0, 1))), float)
CELLS = st.tuples(*[st.floats(3.0, 9.0)] * 3, *[st.floats(75.0, 110.0)] * 3)


def b_of(lattice: Lattice) -> np.ndarray:
    return Orientation(lattice, (1, 0, 0), (0, 1, 0)).b


def made(supposed: Lattice, true: Lattice, turn: np.ndarray) -> CrystalCorrection:
    return CrystalCorrection(supposed, true, turn, np.zeros((9, 9)), np.zeros((0, 3)))


CORRECTION = made(SUPPOSED, TRUE, TURN)


@pytest.fixture(scope="module")
def run_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of 3 energies about the elastic line, with detectors every 0.8 degrees in front of a crystal that is turned."""
    folder = tmp_path_factory.mktemp("bragg")
    across, up = (a.ravel() for a in np.meshgrid(np.radians(np.arange(5, 70, 0.8)), np.radians(np.arange(-20, 20, 1.0))))
    directions = np.stack([np.cos(up) * np.cos(across), np.cos(up) * np.sin(across), np.sin(up)])
    shape = (across.size, 3)
    polar, azimuth = np.degrees(np.arccos(directions[0])), np.degrees(np.arctan2(directions[2], directions[1]))
    return [write_entry(folder / f"{n}.nxspe", 40.0, n, np.array([-1.5, -0.5, 0.5, 1.5]), polar, azimuth, np.ones(shape),
                        np.full(shape, 0.1)) for n in range(50)]


def generated(files: list[Path], lattice: Lattice, dpsi: float, gl: float, gs: float) -> Sqw:
    return generate(files, None, lattice=lattice, u=U, v=V, psi=np.arange(50) * 1.0 - 20, omega=OMEGA, dpsi=dpsi, gl=gl,
                    gs=gs)


def blobs(corr: np.ndarray, widths: tuple[float, float, float] = (0.03, 0.03, 0.04)):
    """Bragg peaks of what h, k, l are after ``corr``."""
    def model(h, k, l, e, p):  # noqa: E741
        true = np.stack([h, k, l], axis=-1) @ corr.T
        off = (true - np.round(true)) / widths
        return p[0] * np.exp(-0.5 * (off**2).sum(axis=-1) - 0.5 * e**2) + p[1]
    return model


@pytest.fixture(scope="module")
def crystal(run_files: list[Path]) -> Sqw:
    """Peaks where the crystal that is has them; h, k, l as supposed; noise of 0.05 of a height of 10."""
    plain = generated(run_files, SUPPOSED, DPSI, GL, GS)
    return noisify(sqw_eval(plain, blobs(CORRECTION.rlu_corr), [10.0, 0.5]), 0.005, seed=1)


CUTS = {"radial": 0.5, "radial_step": 0.02, "transverse": 0.6, "transverse_step": 0.02, "energy": 2.0, "thickness": 0.15}


def test_peaks_of_a_turned_crystal_give_how_it_is(crystal: Sqw) -> None:
    """Positions, then lattice and rotation, within errors; then peaks are at integers."""
    found = bragg_positions(crystal, POINTS, **CUTS)
    seen = np.isfinite(found.observed).all(axis=1)
    assert seen.sum() >= 9
    assert all(bool(reason) != there for reason, there in zip(found.reasons, seen, strict=True))
    where = POINTS[seen] @ np.linalg.inv(CORRECTION.rlu_corr).T
    # misplaced by up to 0.08; found to 0.003 although bins are 0.013 and more, but where detectors end within a peak
    assert np.abs(where - POINTS[seen]).max() > 0.06
    off = np.abs(found.observed[seen] - where).max(axis=1)
    assert np.median(off) < 0.003
    assert off.max() < 0.012
    assert np.isnan(found.observed[~seen]).all()
    refined = refine_crystal(found.observed, POINTS, SUPPOSED, fix_angles=True)
    cell = refined.lattice
    pull = (np.array([cell.a, cell.b, cell.c]) - [TRUE.a, TRUE.b, TRUE.c]) / refined.errors[:3]
    assert np.abs(pull).max() < 4
    assert np.abs(refined.errors[:3]).max() < 0.01
    turned = Rotation.from_matrix(refined.rotation @ TURN.T).magnitude()
    assert np.degrees(turned) < 0.1
    straight = change_crystal(crystal, refined)
    again = bragg_positions(straight, POINTS[seen], **CUTS)
    assert np.nanmax(np.abs(again.observed - POINTS[seen])) < 0.006
    # FWHM along Q of a blob of sigma 0.03 b* at (0 1 0), 0.03 x 1.5 = 0.045 /A; cuts add little
    assert 0.9 < np.nanmedian(found.widths) / (np.sqrt(8 * np.log(2)) * 0.03 * 2 * np.pi / 4) < 1.4


def test_horace_gives_the_same(crystal: Sqw) -> None:
    points = POINTS[:12]
    actual, widths, wcut, wpeak = horace.bragg_positions(crystal, points, 0.5, 0.02, 0.15, 0.6, 0.02, 0.15, 2.0, "gaussian")
    ours = bragg_positions(crystal, points, **CUTS)
    np.testing.assert_array_equal(actual, ours.observed)
    np.testing.assert_array_equal(widths, ours.widths)
    figure = horace.bragg_positions_view(wcut, wpeak)
    assert len(figure.axes) == 36
    first = horace.refine_crystal(actual, [4.0, 4.2, 5.0], [90, 90, 95], points, "fix_angdeg")
    same = refine_crystal(actual, points, SUPPOSED, fix_angles=True)
    assert first.lattice == same.lattice
    for words, text in ((("outer",), "outer is not supported"), (("nonsense",), "expected bin_absolute or gaussian")):
        with pytest.raises(GeometryError, match=text):
            horace.bragg_positions(crystal, points, 0.5, 0.02, 0.15, 0.6, 0.02, 0.15, 2.0, *words)
    with pytest.raises(GeometryError, match="refine_crystal: expected fix_lattice"):
        horace.refine_crystal(actual, [4.0, 4.2, 5.0], [90, 90, 95], points, "free")


def test_data_generated_again_are_those_that_were_changed(crystal: Sqw, run_files: list[Path]) -> None:
    """Two ways to the same h, k, l of each pixel: change_crystal, and other arcs of the goniometer."""
    stands = crystal_pars_correct(U, V, 0.0, OMEGA, DPSI, GL, GS, SUPPOSED, CORRECTION)
    again = generated(run_files, TRUE, stands.dpsi, stands.gl, stands.gs)
    changed = change_crystal(crystal, CORRECTION)
    def sorted_pixels(w: Sqw) -> np.ndarray:
        pixels = w.pixels.read().astype(float)
        pixels[:, :3] = pixels[:, :3] @ w.to_rlu.T
        return pixels[np.lexsort(pixels[:, 4:7].T), :3]
    np.testing.assert_allclose(sorted_pixels(changed), sorted_pixels(again), atol=2e-6)
    alatt, _, dpsi, gl, gs = horace.crystal_pars_correct(U, V, [4.0, 4.2, 5.0], [90, 90, 95], OMEGA, DPSI, GL, GS,
                                                         CORRECTION)
    assert (dpsi, gl, gs, alatt[0]) == (stands.dpsi, stands.gl, stands.gs, TRUE.a)


def test_u_and_v_say_the_same(crystal: Sqw) -> None:
    """Runs of changed data say how the crystal stands: recomputed from detector and energy, pixels are where they are."""
    changed = change_crystal(crystal, CORRECTION)
    b = b_of(TRUE)
    for before, after in zip(crystal.runs[:3], changed.runs[:3], strict=True):
        expected = TURN @ b_of(SUPPOSED) @ before.orientation.spec_to_rlu
        np.testing.assert_allclose(b @ after.orientation.spec_to_rlu, expected, atol=1e-9)


@pytest.mark.parametrize("version", [2, 4])
def test_files_keep_the_change(crystal: Sqw, tmp_path: Path, version: int) -> None:
    changed = change_crystal(crystal, CORRECTION)
    write_sqw(tmp_path / "changed.sqw", changed, version)
    again = read_sqw(tmp_path / "changed.sqw")
    assert isinstance(again, Sqw)
    assert again.realigned
    np.testing.assert_allclose(again.to_rlu, changed.to_rlu, atol=3e-7)
    np.testing.assert_array_equal(again.pixels.read(), crystal.pixels.read())
    bins = (LineProj((1, 0, 0), (0, 1, 0)), [0.5, 0.02, 1.5], [-0.1, 0.1], [-0.1, 0.1], [-1, 1])
    np.testing.assert_allclose(cut(again, *bins).npix, cut(changed, *bins).npix, atol=1)
    # again, from a file to a file
    write_sqw(tmp_path / "twice.sqw", again, 4)
    twice = read_sqw(tmp_path / "twice.sqw")
    assert isinstance(twice, Sqw)
    np.testing.assert_allclose(twice.to_rlu, again.to_rlu, atol=1e-12)
    back = change_crystal(twice, made(twice.image.lattice, SUPPOSED, TURN.T))
    assert not back.realigned


@pytest.mark.parametrize(("projection", "bins"), [
    (LineProj((1, 1, 0), (-1, 1, 0), type="rrr", offset=(0.1, 0, 0, 0)), [[-1.5, 0.1, 0.5], [-2, 0.1, 0], [-0.5, 0.5]]),
    (SphereProj((0, 1, 0), (0, 0, 1)), [[1, 0.1, 3], [90, 5, 180], [-180, 180]]),
    (CylinderProj((0, 0, 1), (1, 0, 0), type="rpd"), [[0.2, 0.1, 1.6], [-0.5, 0.1, 1.2], [-180, 180]])])
def test_bins_of_the_image_hold_the_same_pixels(crystal: Sqw, projection: object, bins: list[list[float]]) -> None:
    """Whatever the axes, what was cut before is still in its bins: cut along its own axes, it stays."""
    before = cut(crystal, projection, *bins, [-1, 1])
    after = change_crystal(before, CORRECTION)
    again = cut(after, *bins[:2])
    assert before.npix.sum() > 1000
    # coordinates come from float32: some lie on the other side of an edge
    assert np.abs(again.npix - before.npix).sum() < 1e-3 * before.npix.sum()
    only = change_crystal(before.image, CORRECTION)
    assert only.lattice == TRUE


@settings(max_examples=60, deadline=None)
@given(CELLS, st.tuples(*[st.floats(0.97, 1.03)] * 6), st.integers(0, 2**32 - 1), st.floats(0, 60))
def test_exact_peaks_give_the_crystal_exactly(cell: tuple[float, ...], factors: tuple[float, ...], seed: int,
                                              degrees: float) -> None:
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(degrees * axis / np.linalg.norm(axis), degrees=True).as_matrix()
    try:
        supposed, true = Lattice(*cell), Lattice(*(np.array(cell) * factors).tolist())
    except GeometryError:
        return
    exact = made(supposed, true, turn)
    points = np.concatenate([np.eye(3), [[1, 1, 0], [0, 1, 1], [2, 0, 1]]])
    refined = refine_crystal(points @ np.linalg.inv(exact.rlu_corr).T, points, supposed)
    np.testing.assert_allclose([refined.lattice.a, refined.lattice.b, refined.lattice.c, refined.lattice.alpha,
                                refined.lattice.beta, refined.lattice.gamma],
                               [true.a, true.b, true.c, true.alpha, true.beta, true.gamma], rtol=1e-7)
    np.testing.assert_allclose(refined.rotation, turn, atol=1e-7)
    np.testing.assert_allclose(refined.rlu_corr, exact.rlu_corr, atol=1e-7)
    assert np.nanmax(np.abs(refined.residuals)) < 1e-7


@settings(max_examples=40, deadline=None)
@given(CELLS, st.integers(0, 2**32 - 1), st.tuples(*[st.floats(-20, 20)] * 4))
def test_arcs_say_what_the_rotation_says(cell: tuple[float, ...], seed: int, angles: tuple[float, ...]) -> None:
    rng = np.random.default_rng(seed)
    try:
        supposed = Lattice(*cell)
        true = Lattice(*(np.array(cell) * rng.uniform(0.98, 1.02, 6)).tolist())
    except GeometryError:
        return
    turn = Rotation.from_rotvec(rng.uniform(-20, 20, 3), degrees=True).as_matrix()
    u, v = (1.0, 0.2, 0.0), (0.0, 1.0, 0.3)
    exact = made(supposed, true, turn)
    psi = float(rng.uniform(-180, 180))
    after = crystal_pars_correct(u, v, psi, *angles, supposed, exact)
    before = Orientation(supposed, u, v, psi, *angles)
    assert (after.psi, after.omega, after.u) == (psi, angles[0], u)
    np.testing.assert_allclose(after.spec_to_cc, turn @ before.spec_to_cc, atol=1e-9)


def test_errors_are_those_of_many_draws() -> None:
    """Positions with known errors: parameters scatter as their covariance says."""
    rng = np.random.default_rng(4)
    points = np.concatenate([np.eye(3), [[1, 1, 0], [0, 1, 1], [2, 0, 1], [1, -1, 2]]])
    where = points @ np.linalg.inv(CORRECTION.rlu_corr).T
    sigma = np.broadcast_to([0.002, 0.004, 0.003], where.shape)
    pulls = []
    for _ in range(200):
        refined = refine_crystal(rng.normal(where, sigma), points, SUPPOSED, errors=sigma)
        cell = np.array([refined.lattice.a, refined.lattice.b, refined.lattice.c, refined.lattice.gamma])
        pulls.append((cell - [TRUE.a, TRUE.b, TRUE.c, TRUE.gamma]) / refined.errors[[0, 1, 2, 5]])
    # 200 draws know the scatter to 5 %
    np.testing.assert_allclose(np.std(pulls, axis=0), 1.0, atol=0.17)
    np.testing.assert_allclose(np.mean(pulls, axis=0), 0.0, atol=0.25)


def test_what_is_fixed_stays() -> None:
    points = np.concatenate([np.eye(3), [[1, 1, 1]]])
    where = points @ np.linalg.inv(CORRECTION.rlu_corr).T
    only_turned = refine_crystal(where, points, SUPPOSED, fix_lengths=True, fix_angles=True)
    assert only_turned.lattice == SUPPOSED
    assert (only_turned.errors[:6] == 0).all()
    scaled = refine_crystal(where, points, SUPPOSED, fix_length_ratios=True, fix_angles=True).lattice
    assert scaled.b / scaled.a == pytest.approx(1.05)
    assert scaled.a != SUPPOSED.a
    untouched = refine_crystal(where, points, SUPPOSED, fix_orientation=True)
    np.testing.assert_array_equal(untouched.rotation, np.eye(3))
    single = refine_crystal(where, points, SUPPOSED, free_lengths=(False, True, False), fix_angles=True).lattice
    assert (single.a, single.c) == (4.0, 5.0)
    assert single.b != 4.2
    nothing = refine_crystal(where, points, SUPPOSED, fix_lengths=True, fix_angles=True, fix_orientation=True)
    assert nothing.lattice == SUPPOSED


def test_peaks_that_leave_something_open_are_named() -> None:
    flat = np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]])
    with pytest.raises(GeometryError, match="found 3 that leave open c, alpha, beta"):
        refine_crystal(flat, flat, SUPPOSED)
    with pytest.raises(GeometryError, match=r"found 1 that leave open .*rotation about"):
        refine_crystal(flat[:1], flat[:1], SUPPOSED, fix_lengths=True, fix_angles=True)
    refine_crystal(flat, flat, SUPPOSED, free_lengths=(True, True, False), free_angles=(False, False, True))
    gone = np.full_like(flat, np.nan)
    with pytest.raises(GeometryError, match="found 0 that leave open"):
        refine_crystal(gone, flat, SUPPOSED, fix_angles=True)


def test_wrong_arguments_are_named(crystal: Sqw) -> None:
    for more, words in (({"radial": 0.0}, "expected lengths"), ({"radial_step": 0.2}, "at least 6 bins"),
                        ({"energy": np.inf}, "expected lengths")):
        with pytest.raises(GeometryError, match=words):
            bragg_positions(crystal, POINTS[:1], **{**CUTS, **more})
    for points, words in (([0, 0, 0], r"other than \(0, 0, 0\)"), ([[1, 0]], r"shape \(n, 3\)")):
        with pytest.raises(GeometryError, match=words):
            bragg_positions(crystal, points, **CUTS)
    with pytest.raises(GeometryError, match="correction: expected one of the lattice of the data"):
        change_crystal(crystal, replace(CORRECTION, original=TRUE))
    with pytest.raises(GeometryError, match="as many of both, found 2 and 1"):
        refine_crystal(np.eye(3)[:2], np.eye(3)[:1], SUPPOSED)
    with pytest.raises(GeometryError, match="errors: expected standard deviations above 0"):
        refine_crystal(np.eye(3), np.eye(3), SUPPOSED, errors=np.zeros((3, 3)), fix_angles=True)
