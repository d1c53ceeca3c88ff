"""Spectrometers and their files: geometry, published numbers, what goes wrong."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from insml import FormatError, GeometryError
from insml.instruments import LET, MAPS, MERLIN, Sample, TubeDetector, let, load_family, maps, merlin
from insml.instruments.neutron import METRES_PER_SECOND

FOLDER = Path(__file__).resolve().parents[2] / "insml" / "instruments"
FWHM = np.sqrt(8 * np.log(2))


def test_maps_before_the_guide() -> None:
    """Horace's maps_instrument, version 1."""
    one = maps(100, 250, moderator_ei=90)
    assert one.moderator_to_chopper + one.chopper_to_sample == pytest.approx(12.0)
    assert one.aperture_to_chopper + one.chopper_to_sample == pytest.approx(10.01)
    assert one.aperture_width == one.aperture_height == 0.07013
    assert one.moderator.variance == pytest.approx(3 * 4900 / 90 * 1e-12)
    assert maps(100, 250).moderator.variance == pytest.approx(3 * 4900 / 100 * 1e-12)
    with pytest.raises(FrozenInstanceError):
        one.ei = 3.0  # type: ignore[misc]


def test_guides_widen_the_aperture() -> None:
    """Gains written out at a wavelength inside and one beyond the range of the fit."""
    inside = np.sqrt(81.80421 / 50.0)
    p = [23.2965476737752, -15.1289612048092, 6.11185114079924, -0.863318992430536, 0.0439354263500835]

    def gain(x: float) -> float:
        return 1 + np.exp(-2.31186757913804 / x) * sum(c * x**k for k, c in enumerate(p))

    assert maps(50, 200, version=2).aperture_width == pytest.approx(0.094 * np.sqrt(gain(inside)), rel=1e-9)
    beyond = np.sqrt(81.80421 / 3.0)
    slope = (gain(4.51) - gain(4.49)) / 0.02
    assert MAPS[2].aperture_scale(3.0) == pytest.approx(np.sqrt(gain(4.5) + slope * (beyond - 4.5)), rel=1e-9)
    q = [1, 0.723584927461204, -3.461019858758497, 6.870176815937414, -3.962250897938358, 0.960065940459538,
         -0.084008173502155]
    assert merlin(50, 200).aperture_height == pytest.approx(
        0.094 * np.sqrt(sum(c * inside**k for k, c in enumerate(q))), rel=1e-9)
    assert MAPS[1].aperture_scale(50.0) == 1


def test_maps_as_another_program_writes_it(shared_data: Path) -> None:
    """An NXspe file with MAPS version 2 at 400 meV, 600 Hz; its aperture has a gain of its own, 0.03 % apart."""
    with h5py.File(shared_data / "nxspe" / "inst_maps_ei400_600hz.nxspe") as file:
        entry = file["w1/instrument"]
        one = maps(400, 600, version=2)
        package = MAPS[2].packages["S"]
        assert entry["fermi/distance"][()] == -one.chopper_to_sample
        assert entry["moderator/transforms/MOD_T_AXIS"][()] == pytest.approx(-12.0)
        assert entry["aperture/transforms/AP_AXIS"][()] == pytest.approx(-one.aperture_to_chopper - one.chopper_to_sample)
        assert entry["aperture/x_gap"][()] == pytest.approx(one.aperture_width, rel=5e-4)
        assert (entry["fermi/slit"][()], entry["fermi/radius"][()], entry["fermi/r_slit"][()]) == (
            package.slit, package.radius, package.curvature)


def test_let_as_another_program_writes_it(shared_data: Path) -> None:
    """240/120 Hz high flux at 3.7 meV: chopper 1 at 60 Hz, tau to its four decimals."""
    one = let(3.7, 240, 120, slot5_mm=31, mode=2, divergence_sigma=(0.6, 0.8))
    with h5py.File(shared_data / "nxspe" / "inst_let_ei3p7_240_120.nxspe") as file:
        entry = file["w1/instrument"]
        assert entry["shaping_chopper/transforms/CH1_T_AXIS"][()] == pytest.approx(
            -one.shaping_to_mono - one.mono_to_sample)
        assert entry["moderator/transforms/MOD_T_AXIS"][()] == pytest.approx(-one.moderator_to_mono - one.mono_to_sample)
        assert entry["moderator/empirical_pulse_shape/data"][0] == pytest.approx(one.times.moderator.mean / 3e-6, abs=1e-3)
        for name, pulse in (("shaping_chopper", one.times.shaping), ("mono_chopper", one.times.mono)):
            # its edges span 0.4 and 0.7 % less than slot over radius
            slot = 2 * entry["mono_chopper/radius"][()] * np.radians(entry[f"{name}/slit_edges"][1])
            base = slot / (2 * np.pi * 0.28 * entry[f"{name}/rotation_speed"][()])
            assert 2 * pulse.support[1] == pytest.approx(base, rel=0.008)


def test_energy_widths_against_pychop(shared_data: Path) -> None:
    """PyChop's pulses in the geometry of this package.

    The choppers are the same; the distances are Horace's (aperture 2 % farther, chopper 2 % nearer on MAPS) and so is the
    angle of MERLIN's moderator, 0 for 26.7 degrees, which enters aperture and sample terms only. Without gain of guides,
    which PyChop leaves out of the aperture.
    """
    tolerance, compared = {"MAPS": 0.005, "MERLIN": 0.035}, 0
    for row in json.loads((shared_data / "resolution" / "pychop_table.json").read_text()):
        machine = replace({"MAPS": MAPS[2], "MERLIN": MERLIN[1]}[row["inst"]], guide_gain=None)
        ei, expected, widths = row["Ei"], np.array(row["fwhm_meV"], float), row["widths_us"]
        if not np.isfinite(expected).all():
            continue
        x0, x1 = {"MAPS": (10.143, 1.899), "MERLIN": (9.995, 1.925)}[row["inst"]]  # PyChop's
        elastic = (x1 + machine.sample_to_detector) / x0
        fwhm = machine.energy_fwhm(
            np.array(row["frac"]) * ei, ei, row["pkg"], row["freq"], sample_width=0.048,
            moderator_fwhm=widths["moderator"] * 1e-6 / elastic,
            detector_sigma=widths["detector"] * 1e-6 * METRES_PER_SECOND * np.sqrt(ei) / FWHM)
        np.testing.assert_allclose(fwhm, expected, rtol=tolerance[row["inst"]])
        chopper = FWHM * machine.chopper_sigma(ei, row["pkg"], row["freq"]) * (1 + elastic)
        assert chopper == pytest.approx(widths["chopper"] * 1e-6, rel=2e-4)
        compared += 1
    assert compared == 145


def test_times_of_let() -> None:
    """Covariance by quadrature against draws, and a wide moderator against free choppers."""
    times = let(3.7, 240, 120, slot5_mm=31, mode=2, divergence_sigma=(0.6, 0.8)).times
    g = (np.arange(500) + 0.5) / 500
    draws = times.sample(np.stack(np.meshgrid(g, g, indexing="ij"), axis=-1)).reshape(-1, 2)
    scale = np.sqrt(np.diag(times.covariance))
    per = np.outer(scale, scale)
    np.testing.assert_allclose(np.cov(draws.T) / per, times.covariance / per, atol=2e-3)
    np.testing.assert_allclose(draws.mean(0) / scale, times.mean / scale, atol=2e-3)
    assert times.covariance[0, 1] > 0  # later at one chopper, later at the other: the moderator's pulse is short
    assert times.covariance[0, 0] < times.shaping.variance
    wide = replace(times, moderator=replace(times.moderator, tau_f=1e6))
    np.testing.assert_allclose(wide.covariance, np.diag([times.shaping.variance, times.mono.variance]), rtol=1e-3,
                               atol=1e-3 * times.mono.variance)


def test_phase_of_let_passes_most() -> None:
    """Moving the moderator's pulse either way passes less; the moments are those of a plain sum on a grid."""
    times = let(8.04, 240, 120, slot5_mm=20, mode=1, divergence_sigma=(0.6057, 0.7829)).times
    s, t = (np.linspace(*pulse.support, 801) for pulse in (times.shaping, times.mono))
    a, b = times.moderator_to_mono / times.shaping_to_mono, times.moderator_to_mono / times.shaping_to_mono - 1
    passed = []
    for offset in (-2e-7, 0.0, 2e-7):
        density = times.shaping.pdf(s)[:, None] * times.mono.pdf(t) * times.moderator.pdf(
            a * s[:, None] - b * t + times.offset + offset)
        passed.append(density.sum())
    assert passed[1] > max(passed[0], passed[2])
    density = times.pdf(s[:, None], t)
    density /= density.sum()
    mean = density.sum(1) @ s, density.sum(0) @ t
    np.testing.assert_allclose(times.mean, mean, rtol=1e-4, atol=1e-11)
    expected = [[density.sum(1) @ (s - mean[0]) ** 2, (s - mean[0]) @ density @ (t - mean[1])],
                [(s - mean[0]) @ density @ (t - mean[1]), density.sum(0) @ (t - mean[1]) ** 2]]
    np.testing.assert_allclose(times.covariance, expected, rtol=1e-4)


def test_let_setting() -> None:
    one = let(8.04, 240, 120, slot5_mm=31, mode=1, divergence_sigma=(0.6057, 0.7829))
    assert one.horizontal_divergence.sigma == pytest.approx(np.radians(0.6057))
    assert one.vertical_divergence.sigma == pytest.approx(np.radians(0.7829))
    assert isinstance(one.detector, TubeDetector)
    # chopper 1 at 120 Hz: half the opening at the 60 Hz of high flux
    assert one.times.shaping.sigma == pytest.approx(
        0.5 * let(8.04, 240, 120, slot5_mm=31, mode=2, divergence_sigma=(1, 1)).times.shaping.sigma)
    assert LET[1].mono_slots == (0.010,)


@pytest.mark.parametrize(("make", "word"), [
    (lambda: maps(10, 600, "A"), "package A at 600 Hz"),
    (lambda: maps(50, 200, version=3), "MAPS version: expected one of"),
    (lambda: maps(50, 200, "Z"), "'Z'"),
    (lambda: maps(-1, 200), "ei"),
    (lambda: maps(50, 0), "frequency"),
    (lambda: let(3.7, 240, 120, slot5_mm=10, divergence_sigma=(1, 1)), "31"),
    (lambda: let(3.7, 240, 120, slot5_mm=15, mode=3, divergence_sigma=(1, 1)), "mode"),
    (lambda: let(3.7, 240, 120, slot5_mm=15, divergence_sigma=(0, 1)), "standard_deviation"),
    (lambda: replace(maps(50, 200), aperture_to_chopper=11.0), "aperture_to_chopper"),
    (lambda: Sample(), "size"),
    (lambda: Sample((1, 1)), "three finite numbers"),
    (lambda: Sample((1, 1, 1), (1, 0, 0), (2, 0, 0)), "parallel"),
    (lambda: Sample((1, 1, 1), shape="ball"), "shape"),
    (lambda: Sample((1, 1, 1), mosaic_fwhm=-1.0), "mosaic"),
])
def test_mistakes_are_named(make: object, word: str) -> None:
    with pytest.raises(GeometryError, match=word):
        make()  # type: ignore[operator]


def test_sample() -> None:
    np.testing.assert_allclose(Sample((0.04, 0.03, 0.02)).covariance, np.diag([16e-4, 9e-4, 4e-4]) / 12)
    np.testing.assert_array_equal(Sample(shape="point").covariance, 0)
    np.testing.assert_allclose(Sample((1, 1, 1), mosaic_fwhm=2.0).mosaic_sigma, np.radians(2.0) / np.sqrt(np.log(256)))
    np.testing.assert_allclose(Sample((1, 1, 1), mosaic_fwhm=(1, 2, 3)).mosaic_sigma * FWHM, np.radians([1, 2, 3]))


def test_a_family_in_a_file(tmp_path: Path) -> None:
    """A file without versions is version 1; the same text gives the same machine."""
    text = (FOLDER / "maps.toml").read_text()
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert load_family(file) == MAPS
    head, first = text.split("[version.2]")[0].split("[version.1]")
    file.write_text(head.replace("[instrument.packages]", first.split("\n", 1)[1] + "[instrument.packages]"))
    assert load_family(file) == {1: MAPS[1]}
    assert load_family(FOLDER / "let.toml") == LET


@pytest.mark.parametrize(("old", "new", "field"), [
    ("moderator_angle = 32.0", "", "version.1.moderator_angle"),
    ("sample_to_detector = 6.0", "sample_to_detector = -6.0", "sample_to_detector: expected a number above 0"),
    ("aperture_width = 0.07013", 'aperture_width = "wide"', "version.1.aperture_width"),
    ("slit = 0.002899", "slip = 0.002899", "packages.S.slit"),
    ("tau_us = [0.0, 70.0]", "tau_us = [70.0]", "moderator.tau_us"),
    ("sample_to_detector = 6.0", "sample_to_detector = 6.0\ncolour = 3", "colour"),
    ('kind = "fermi"', 'kind = "reactor"', "instrument.kind"),
    ('name = "MAPS"', "", "instrument.name"),
    ("[instrument]", "[instrumnet]", "instrument"),
    ("[version.2]", "[version.two]", "version"),
    ("limit = 4.5", "", "guide_gain.limit"),
    ('name = "MAPS"', "name = MAPS", "TOML"),
])
def test_mistakes_in_files_are_named(tmp_path: Path, old: str, new: str, field: str) -> None:
    text = (FOLDER / "maps.toml").read_text()
    assert old in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(FormatError, match=field):
        load_family(file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="absent"):
        load_family(tmp_path / "absent.toml")


def test_import_is_light() -> None:
    code = "import sys, insml.instruments; assert not {'scipy.special', 'matplotlib', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
