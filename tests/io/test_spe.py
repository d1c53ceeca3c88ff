"""ASCII runs and detector tables, and runs written as NXspe."""

from __future__ import annotations

import random
from pathlib import Path

import h5py
import numpy as np
import pytest

from insml import FormatError, GeometryError
from insml.io import (
    detector_table,
    read_nxspe,
    read_par,
    read_phx,
    read_spe,
    read_spe_run,
    write_nxspe,
    write_par,
)
from insml.sqw.detectors import DetectorTable

SPE = """ 2   9
### Phi Grid
0         0         0
### Energy Grid
-1        0         1         2         3         4         5         6
7         8
### S(Phi,w)
1.5       2.5       -1e+30    NaN       -NaN      -1.234E-101.000000012
9
### Errors
0.1       0.2       0         0         0         0.5       0.6       0.7
0.8
### S(Phi,w)
0         0         0         0         0         0         0         0
3
### Errors
0         0         0         0         0         0         0         0
1
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_numbers_may_touch(tmp_path: Path) -> None:
    spe = read_spe(write(tmp_path / "a.spe", SPE))
    np.testing.assert_array_equal(spe.energy_edges, np.arange(-1, 9))
    assert spe.signal[0, 5:8].tolist() == [-1.234e-10, 1.00000001, 2.0]
    assert spe.signal[0, 8] == 9
    assert np.isnan(spe.signal[0, 3:5]).all()
    assert spe.error[:, 8].tolist() == [0.8, 1.0]


def test_other_columns_are_read_by_blanks(tmp_path: Path) -> None:
    apart = SPE.replace("-1.234E-101.000000012", "-1.234E-10   1.00000001    2")
    np.testing.assert_array_equal(read_spe(write(tmp_path / "b.spe", apart)).signal,
                                  read_spe(write(tmp_path / "a.spe", SPE)).signal)


@pytest.mark.parametrize("name", ["a", "ab"])
def test_twins_of_nxspe(shared_data: Path, name: str) -> None:
    other = read_nxspe(shared_data / f"nxspe/fm_simple_cubic_{name}.nxspe")
    run = read_spe_run(shared_data / f"ascii/fm_simple_cubic_{name}.spe", shared_data / f"ascii/det_{name}.par", 10.0)
    np.testing.assert_allclose(run.signal, other.signal, rtol=0, atol=4e-5)
    np.testing.assert_allclose(run.error, other.error, rtol=0, atol=4e-5)
    np.testing.assert_allclose(run.energy_edges, other.energy_edges, atol=1e-6)
    for mine, theirs in ((run.polar, other.polar), (run.azimuthal, other.azimuthal), (run.distance, other.distance)):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    # Herbert writes metres where angles should be
    np.testing.assert_allclose(detector_table(other).width, detector_table(run).width)
    np.testing.assert_allclose(detector_table(other).height, detector_table(run).height)


def test_real_tables_and_text_that_is_no_number(shared_data: Path) -> None:
    table = read_par(shared_data / "ascii/MAPS_4to1_102.par")
    assert len(table) == 36864
    assert (table.number[-1], table.azimuth[0]) == (36864, 58.9744)
    spe = read_spe(shared_data / "ascii/spe_with_NANs.spe")
    assert spe.signal.shape == (5, 30)
    assert np.isnan(spe.signal[0, :2]).all()


def test_detectors_with_sizes_in_degrees() -> None:
    """What Mantid writes: 25 mm at 6 m is 0.24 degrees."""
    from insml.io.nxspe import Run, Slab

    run = Run(path=Path("x"), entry="", version="", ei=1.0, psi=None, polar=np.array([30.0]), azimuthal=np.array([0.0]),
              polar_width=np.array([0.2387]), azimuthal_width=np.array([0.9549]), distance=np.array([6.0]),
              energy_edges=np.array([0.0, 1]), edges_from_centres=False, ki_over_kf_scaled=True, instrument="",
              program="mantid", run_number=None, load=lambda d, e: Slab(np.zeros((1, 1)), np.zeros((1, 1))))
    table = detector_table(run)
    np.testing.assert_allclose([table.width[0], table.height[0]], [0.025, 0.05], rtol=1e-3)


def test_tables_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = DetectorTable(np.arange(5.0, 12.0), *(rng.uniform(0, 90, (5, 7)).round(4)))
    write_par(tmp_path / "t.par", table)
    again = read_par(tmp_path / "t.par")
    for name in ("number", "distance", "two_theta", "azimuth", "width", "height"):
        np.testing.assert_allclose(getattr(again, name), getattr(table, name), atol=1e-9)
    phx = write(tmp_path / "t.phx", "2\n 4.0 0 30 -20 0.5 1.0 7\n 4.0 0 31 -20 0.5 1.0 8\n")
    found = read_phx(phx)
    assert found.number.tolist() == [7, 8]
    assert found.azimuth.tolist() == [-20, -20]
    np.testing.assert_allclose(found.width, 2 * 4 * np.tan(np.radians(0.25)))


@pytest.mark.parametrize("name", ["fm_simple_cubic_a", "MAR11001_test", "CNCS_7860_coarse", "inst_maps_ei400_600hz"])
def test_written_nxspe_are_the_same(shared_data: Path, tmp_path: Path, name: str) -> None:
    run = read_nxspe(shared_data / f"nxspe/{name}.nxspe")
    write_nxspe(tmp_path / "w.nxspe", run)
    again = read_nxspe(tmp_path / "w.nxspe")
    assert (again.version, again.ei, again.psi) == ("1.3", run.ei, run.psi)
    for field in ("signal", "polar", "azimuthal", "distance", "energy_edges"):
        np.testing.assert_array_equal(getattr(again, field), getattr(run, field))
    known = np.isfinite(run.signal)
    np.testing.assert_array_equal(again.error[known], run.error[known])
    np.testing.assert_allclose(detector_table(again).width, detector_table(run).width, rtol=1e-12)
    np.testing.assert_allclose(detector_table(again).height, detector_table(run).height, rtol=1e-9, atol=1e-12)
    with h5py.File(tmp_path / "w.nxspe") as file:
        (entry,) = file.values()
        assert list(entry.attrs) == ["NX_class"]
        assert entry["definition"][0] == b"NXSPE"
        assert entry["data/data"].attrs["axes"] == "polar:energy"


def test_from_text_to_nxspe(tmp_path: Path) -> None:
    write(tmp_path / "d.par", "2\n 6 10 20 .025 .3\n 6 11 20 .025 .3\n")
    run = read_spe_run(write(tmp_path / "a.spe", SPE), tmp_path / "d.par", 20.0, psi=3.0)
    assert run.mask.tolist() == [False, False]
    assert np.isnan(run.signal[0, 2])
    assert run.azimuthal.tolist() == [-20, -20]
    write_nxspe(tmp_path / "a.nxspe", run)
    again = read_nxspe(tmp_path / "a.nxspe")
    np.testing.assert_array_equal(again.signal, run.signal)
    assert (again.psi, again.ei) == (3.0, 20.0)
    table = detector_table(again)
    np.testing.assert_allclose(table.width, 0.025, rtol=1e-9)
    np.testing.assert_allclose(table.height, 0.3, rtol=1e-9)


@pytest.mark.parametrize(("change", "words"), [
    (lambda t: t[:200], "titles"), (lambda t: t.replace(" 2   9", " 200000   90000"), "bytes"),
    (lambda t: t.replace("7         8", "7         x"), "numbers"), (lambda t: t.replace("7         8", "7"), "numbers"),
    (lambda t: t.replace("7         8", "7         6"), "ascending"), (lambda t: "", "first line")])
def test_damage_is_named(tmp_path: Path, change: object, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        read_spe(write(tmp_path / "a.spe", change(SPE)))  # type: ignore[operator]


@pytest.mark.parametrize("text", ["", "x\n", "2\n 1 2 3 4 5\n", "1\n 1 2 3\n", "1\n 1 2 3 4 x\n", "1\n 1 2 3 4 nan\n"])
def test_damaged_tables_are_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(FormatError, match=r"t\.par: expected .*, found"):
        read_par(write(tmp_path / "t.par", text))
    with pytest.raises(FormatError, match="No such file"):
        read_par(tmp_path / "none.par")


def test_runs_that_do_not_fit_are_named(tmp_path: Path) -> None:
    spe = write(tmp_path / "a.spe", SPE)
    with pytest.raises(GeometryError, match="expected the 2 detectors"):
        read_spe_run(spe, write(tmp_path / "d.par", "1\n 6 10 20 .025 .3\n"), 20.0)
    with pytest.raises(GeometryError, match="ei"):
        read_spe_run(spe, write(tmp_path / "d.par", "2\n 6 1 2 .025 .3\n 6 1 2 .025 .3\n"), -1.0)


def test_mutated_text_is_refused_or_read(tmp_path: Path) -> None:
    rng = random.Random(0)
    path = tmp_path / "m.spe"
    counts = {"read": 0, "refused": 0}
    for _ in range(1500):
        raw = bytearray(SPE.encode())
        for _ in range(rng.choice((1, 1, 3))):
            at = rng.randrange(len(raw))
            kind = rng.randrange(4)
            if kind == 0:
                raw[at] = rng.randrange(256)
            elif kind == 1:
                del raw[at:at + rng.randrange(1, 30)]
            elif kind == 2:
                raw[at:at] = b"9" * rng.randrange(1, 12)
            else:
                raw[at] = rng.choice(b"0123456789 -+.eE#\n")
            raw = raw or bytearray(b" ")
        path.write_bytes(raw)
        try:
            read_spe(path)
            counts["read"] += 1
        except FormatError:
            counts["refused"] += 1
    assert min(counts.values()) > 100
