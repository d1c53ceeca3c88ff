"""Instruments and samples of Horace's files: read, written, and the same resolution afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml import ModelError, instruments
from insml.horace import PixelCut, combine_sqw, cut, line_proj, set_instrument, set_sample
from insml.instruments import Delta, Ikcarp, Sample, Tabulated, Uniform
from insml.io import read_sqw, write_sqw
from insml.io.sqw.equipment import instrument_of, instruments_of, sample_of, samples_of
from insml.sqw import Sqw
from insml.sqw.generate import generate


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Sqw:
    folder = tmp_path_factory.mktemp("runs")
    files = [write_run(folder / f"run{n}.nxspe", n, 40.0 + n) for n in range(3)]
    return generate(files, None, lattice=LATTICE, **STANDS, **ANGLES, grid=[3, 3, 3, 3])


def maps(ei: float) -> Any:
    return instruments.maps(ei, 250)


SAMPLE = Sample((0.02, 0.03, 0.01), (1, 1, 0), (0, 0, 1), mosaic_fwhm=(0.5, 0.6, 0.7))


def test_a_recorded_maps(shared_data: Path) -> None:
    """An instrument that Horace wrote: the numbers of its classes, with its distances from the sample."""
    w = read_sqw(shared_data / "sqw" / "w1_inst_ref.sqw")
    found = instruments_of(w)
    assert len(found) == len(w.runs)
    one = found[0]
    assert (one.frequency, one.package, one.moderator_angle) == (600.0, "sloppy", 32.0)
    distances = [one.moderator_to_chopper, one.aperture_to_chopper, one.chopper_to_sample]
    np.testing.assert_allclose(distances, [10.1, 8.11, 1.9])
    np.testing.assert_allclose([one.aperture_width, one.aperture_height], 0.07013)
    assert one.moderator == Ikcarp(3.5, 0.0, 0.0)
    # ours of the same setting: the same package
    ours = instruments.maps(400.0, 600, "S")
    np.testing.assert_allclose(one.chopper.sigma, ours.chopper.sigma, rtol=1e-3)
    assert samples_of(w)[0] == Sample((0.04, 0.03, 0.02), (1, 0, 0), (0, 1, 0))
    # files without any, and with a lattice alone
    for name in ("fe_cut.sqw", "faccess_sqw_v4_sample.sqw"):
        other = read_sqw(shared_data / "sqw" / name)
        assert instruments_of(other) == samples_of(other) == [None] * len(other.runs)


def test_files_hold_what_was_set(data: Sqw, tmp_path: Path) -> None:
    """The same pulses, the same resolution of pixels."""
    w = cut(set_sample(set_instrument(data, maps), SAMPLE), line_proj([1, 0, 0], [0, 1, 0]), [-2, 0.5, 2], [-9, 9], [-9, 9],
            [0, 20])
    write_sqw(tmp_path / "w.sqw", w, 4)
    again = read_sqw(tmp_path / "w.sqw")
    assert samples_of(again) == [SAMPLE] * 3
    for n, one in enumerate(instruments_of(again)):
        given = maps(40.0 + n)
        assert one.moderator == given.moderator
        np.testing.assert_allclose([one.chopper.opening, one.chopper.gamma], [given.chopper.opening, given.chopper.gamma],
                                   rtol=1e-9)
        for name in ("ei", "frequency", "moderator_to_chopper", "aperture_to_chopper", "chopper_to_sample",
                     "moderator_angle", "aperture_width", "aperture_height"):
            assert getattr(one, name) == pytest.approx(getattr(given, name), rel=1e-12)
    before, after = PixelCut.of(w), PixelCut.of(again)
    np.testing.assert_allclose(after.pixels.hkl, before.pixels.hkl, atol=1e-6)
    np.testing.assert_array_equal(after.npix, before.npix)
    # set anew on what a file said, and written once more
    write_sqw(tmp_path / "x.sqw", set_sample(again, Sample(shape="point")), 4)
    third = read_sqw(tmp_path / "x.sqw")
    assert samples_of(third) == [Sample(shape="point")] * 3
    assert instruments_of(third)[0].frequency == 250
    # rewritten as it is, its blocks are those of the file
    write_sqw(tmp_path / "y.sqw", third, 4)
    assert instruments_of(read_sqw(tmp_path / "y.sqw"))[2].ei == 42.0
    both = combine_sqw(again, third)
    assert len(instruments_of(both)) == len(both.runs)


@pytest.mark.parametrize("pulse", [Ikcarp(3.0, 20.0, 0.3), Delta(),
                                   Tabulated(np.array([0, 1e-5, 5e-5]), np.array([0, 2, 0]))])
def test_pulses(data: Sqw, tmp_path: Path, pulse: Any) -> None:
    write_sqw(tmp_path / "w.sqw", set_instrument(data, replace(maps(40.0), moderator=pulse)), 4)
    found = instruments_of(read_sqw(tmp_path / "w.sqw"))[0].moderator
    assert type(found) is type(pulse)
    u = np.linspace(0.05, 0.95, 7)
    np.testing.assert_allclose(found.quantile(u), pulse.quantile(u), rtol=1e-12)


def test_what_files_do_not_hold_is_said(data: Sqw, tmp_path: Path) -> None:
    let = instruments.let(3.7, 240, 120, slot5_mm=20, divergence_sigma=(0.01, 0.01))
    for given, name in ((let, "DiskSpectrometer"),
                        (replace(maps(40.0), moderator=Uniform(1e-5)), "FermiSpectrometer")):
        with pytest.warns(UserWarning, match=f"{name}: not held by files of version 4"):
            write_sqw(tmp_path / "w.sqw", set_instrument(data, given), 4)
        assert instruments_of(read_sqw(tmp_path / "w.sqw")) == [None] * 3


def recorded() -> dict[str, Any]:
    return {"moderator": {"distance": 12.0, "angle": 32.0, "pulse_model": "ikcarp", "pp": np.array([[3.5, 0, 0]])},
            "aperture": {"distance": -10.01, "width": 0.07, "height": 0.07},
            "fermi_chopper": {"name": "sloppy", "distance": 1.9, "frequency": 400.0, "radius": 0.049, "curvature": 1.3,
                              "slit_width": 0.0029, "energy": 0.0, "phase": True, "jitter": 0.0}}


def test_the_energy_of_the_run_where_the_chopper_has_none() -> None:
    assert instrument_of(recorded(), 120.0, 6.0, 0.0254, 0.02).ei == 120.0
    by_law = recorded()
    by_law["moderator"].update(pulse_model="ikcarp_param", pp=np.array([0.05, 13.0, 75.0]))
    assert instrument_of(by_law, 100.0, 6.0, 0.0254, 0.02).moderator == instruments.ikcarp_param(0.05, 13.0, 75.0, 100.0)


@pytest.mark.parametrize(("part", "changed", "words"), [
    ("fermi_chopper", {"jitter": 2.0}, "found jitter 2"), ("fermi_chopper", {"phase": False}, "phase False"),
    ("fermi_chopper", {"slit_width": 0.0}, "slit"), ("fermi_chopper", {"frequency": []}, "frequency: expected a number"),
    ("moderator", {"pulse_model": "nonsense"}, "pulse_model: expected ikcarp"), ("moderator", {"distance": 1.0}, "found"),
    ("aperture", None, "aperture: expected a description"),
    ("fermi_chopper", {"radius": "x"}, "radius: expected a number"), ("moderator", {"pp": {}}, "pp: expected numbers")])
def test_instruments_that_make_none_are_named(part: str, changed: dict[str, Any] | None, words: str) -> None:
    tree = recorded()
    tree[part] = [] if changed is None else tree[part] | changed
    with pytest.raises(ModelError, match=words):
        instrument_of(tree, 100.0, 6.0, 0.0254, 0.02)


def test_disk_choppers_of_files_are_named() -> None:
    with pytest.raises(ModelError, match="found disk choppers"):
        instrument_of({"mono_chopper": {}, "moderator": {}}, 100.0, 6.0, 0.0254, 0.02)


@pytest.mark.parametrize(("tree", "words"), [
    ({"shape": "torus", "ps": [1, 2, 3], "xgeom": [1, 0, 0], "ygeom": [0, 1, 0]}, "expected one of"),
    ({"shape": "cuboid", "ps": [1, 2], "xgeom": [1, 0, 0], "ygeom": [0, 1, 0]}, "expected three numbers each"),
    ({"shape": "cuboid", "ps": ["a", {}]}, "ps: expected numbers"),
    ({"shape": "point", "eta": {"parameters": "x"}}, "eta")])
def test_samples_that_make_none_are_named(tree: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        sample_of(tree)


def test_a_mosaic_of_a_file() -> None:
    tree = {"shape": "point", "xgeom": [1, 0, 0], "ygeom": [0, 1, 0], "eta": {"parameters": np.array([[0.4]])}}
    assert sample_of(tree).mosaic_fwhm == 0.4
