"""Pixels of runs: where they lie, in what order, what is left out; stopping and going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml import FormatError, GeometryError, InsmlError
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.io import read_nxspe
from insml.sqw import LineProj, Sqw
from insml.sqw import generate as module
from insml.sqw.cut import cut
from insml.sqw.energy_constant import ENERGY_OF_K2
from insml.sqw.generate import generate


def by_origin(pixels: np.ndarray) -> np.ndarray:
    return pixels[np.lexsort((pixels[:, 6], pixels[:, 5], pixels[:, 4]))]


def test_pixels_are_where_the_geometry_puts_them(runs: list[Path], data: Sqw) -> None:
    """Q_cc = U^-1 corr cryst (ki - kf), written out here bin by bin."""
    found, expected = by_origin(data.pixels.read()), []
    for n, path in enumerate(runs):
        run = read_nxspe(path)
        angles = {k: v[n] if isinstance(v, list) else v for k, v in ANGLES.items()}
        o = Orientation(LATTICE, STANDS["u"], STANDS["v"], **angles)
        polar, azimuth = np.radians(run.polar), np.radians(run.azimuthal)
        towards = np.stack([np.cos(polar), np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)], axis=1)
        energy = 0.5 * (run.energy_edges[1:] + run.energy_edges[:-1])
        for d in range(run.n_detectors):
            if d in (3, 5):
                continue
            for e, transfer in enumerate(energy):
                ki, kf = np.sqrt(run.ei / ENERGY_OF_K2), np.sqrt((run.ei - transfer) / ENERGY_OF_K2)
                q = o.spec_to_cc @ (np.array([ki, 0, 0]) - kf * towards[d])
                expected.append([*q, transfer, n + 1, d + 1, e + 1, run.signal[d, e], run.error[d, e] ** 2])
    np.testing.assert_allclose(found, np.array(expected, np.float32), rtol=2e-6, atol=2e-7)


def test_bins_hold_the_pixels_that_lie_in_them(data: Sqw) -> None:
    assert data.counted.sum() == len(data.pixels)
    pixels = data.pixels.read()
    which = np.repeat(np.arange(data.counted.size), data.counted.astype(int))
    index = np.unravel_index(which, data.shape, order="F")
    for d, edges in enumerate(data.edges):
        assert (pixels[:, d] >= edges[index[d]] - 1e-6).all()
        assert (pixels[:, d] <= edges[index[d] + 1] + 1e-6).all()
    mean = np.bincount(which, pixels[:, 7].astype(float), data.counted.size) / np.maximum(data.counted, 1)
    np.testing.assert_allclose(np.ravel(data.signal, order="F"), mean, rtol=1e-12)
    error = np.bincount(which, pixels[:, 8].astype(float), data.counted.size) / np.maximum(data.counted, 1.0) ** 2
    np.testing.assert_allclose(np.ravel(data.variance, order="F"), error, rtol=1e-12)


def test_a_file_holds_the_same_from_any_number_of_threads(runs: list[Path], data: Sqw, tmp_path: Path) -> None:
    for threads in (1, 3):
        w = generate(runs, tmp_path / "w.sqw", lattice=LATTICE, **STANDS, **ANGLES, grid=[6, 6, 6, 6], threads=threads)
        assert w.pixels.path == tmp_path / "w.sqw"
        np.testing.assert_array_equal(w.pixels.read(), data.pixels.read())
        np.testing.assert_array_equal(w.signal, data.signal)
        np.testing.assert_array_equal(w.variance, data.variance)
        np.testing.assert_array_equal(w.npix, data.npix)
    assert os.listdir(tmp_path) == ["w.sqw"]


def test_default_grids_and_angles_of_the_files(runs: list[Path]) -> None:
    one = generate(runs[:1], None, lattice=LATTICE, **STANDS)
    assert one.shape == ()
    assert one.runs[0].orientation.psi == 0.0
    assert generate(runs[:2], None, lattice=LATTICE, **STANDS).shape == (50, 50, 50, 50)


def test_intensities_without_ki_over_kf_get_it(tmp_path: Path) -> None:
    with_it = generate([write_run(tmp_path / "a.nxspe", 1)], None, lattice=LATTICE, **STANDS)
    without = generate([write_run(tmp_path / "b.nxspe", 1, scaled=0)], None, lattice=LATTICE, **STANDS)
    a, b = by_origin(with_it.pixels.read()), by_origin(without.pixels.read())
    np.testing.assert_allclose(b[:, 7], a[:, 7] * np.sqrt(40 / (40 - a[:, 3])), rtol=1e-6)
    np.testing.assert_allclose(b[:, 8], a[:, 8] * 40 / (40 - a[:, 3]), rtol=1e-6)


def test_indirect_geometry(tmp_path: Path) -> None:
    path = write_run(tmp_path / "a.nxspe", 1, ei=2.0, bins=8)
    w = generate([path], None, lattice=LATTICE, **STANDS, emode=2)
    pixels = by_origin(w.pixels.read())
    ki, kf = np.sqrt((2.0 + pixels[:, 3].astype(float)) / ENERGY_OF_K2), np.sqrt(2.0 / ENERGY_OF_K2)
    polar = np.radians(read_nxspe(path).polar[pixels[:, 5].astype(int) - 1])
    expected = np.sqrt(ki**2 + kf**2 - 2 * ki * kf * np.cos(polar))
    np.testing.assert_allclose(np.linalg.norm(pixels[:, :3], axis=1), expected, rtol=1e-5)


@pytest.mark.parametrize("oracle", ["test_gen_sqw.w1b", "test_accumulate_sqw14.w2_14"])
def test_triclinic_generation_and_cuts_of_horace(shared_data: Path, tmp_path: Path, oracle: str) -> None:
    """npix of every bin and all coordinates; the settings are written in the README beside the numbers."""
    stated = json.loads((shared_data / "oracles/horace/gen_sqw_cut.json").read_text())[oracle]
    name = "gensqw_test_gen_sqw_w1b_pix" if oracle.endswith("w1b") else "gensqw_test_accumulate_sqw14_w2_14_pix"
    theirs = np.load(shared_data / f"oracles/horace/{name}.npy")
    table = read_nxspe(shared_data / "nxspe/gen_sqw_96dets.nxspe")
    numbers = np.arange(1, 7) if oracle.endswith("w1b") else np.array([1, 4])
    files = []
    for i in numbers:
        efix = 35 + 0.5 * i
        step = 0.2 + i / 50
        count = int(np.floor((0.9 * efix) / step + 1e-9))
        path = tmp_path / f"{i}.nxspe"
        with h5py.File(path, "w") as file:
            entry = file.create_group("w")
            entry.attrs["NX_class"] = np.bytes_("NXentry")
            entry["definition"] = np.array([b"NXSPE"])
            for field, value in {"NXSPE_info/fixed_energy": [efix],
                                 "data/energy": 0.05 * efix + step * np.arange(count + 1), "data/polar": table.polar,
                                 "data/azimuthal": table.azimuthal, "data/data": np.ones((96, count)),
                                 "data/error": np.ones((96, count))}.items():
                entry[field] = value
        files.append(path)
    lattice = Lattice(4.4, 5.5, 6.6, 100, 105, 110)
    u, v = (1.02, 0.99, 0.02), (0.025, -0.01, 1.04)
    w = generate(files, None, lattice=lattice, u=u, v=v, psi=91 - numbers, omega=10 + numbers / 2, dpsi=0.1 + numbers / 10,
                 gl=3 - numbers / 6, gs=2.4 + numbers / 7)
    projection = LineProj([1, 0, 0.1], [0, 0, 1], type="ppr") if oracle.endswith("w1b") else LineProj(u, v, type="ppr")
    mine = cut(w, projection, [-1.5, 0.025, 0], [-2.1, -1.9], [-0.5, 0.5], [-np.inf, np.inf])
    np.testing.assert_array_equal(mine.npix, np.reshape(stated["npix"], mine.shape))
    found = mine.pixels.read().copy()
    found[:, 4] = numbers[found[:, 4].astype(int) - 1]
    np.testing.assert_allclose(by_origin(found)[:, :7], by_origin(theirs)[:, :7], rtol=0, atol=1e-6)


def test_stopped_it_goes_on_where_it_was(runs: list[Path], data: Sqw, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY", 0)
    seen: list[int] = []
    real = module._Journal.add

    def stop(self: object, n: int) -> None:
        real(self, n)  # type: ignore[arg-type]
        seen.append(n)
        if n == 1 and len(seen) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(module._Journal, "add", stop)
    settings = {"lattice": LATTICE, **STANDS, **ANGLES, "grid": [6, 6, 6, 6]}
    with pytest.raises(KeyboardInterrupt):
        generate(runs, tmp_path / "w.sqw", **settings)
    assert not (tmp_path / "w.sqw").exists()
    w = generate(runs, tmp_path / "w.sqw", **settings)
    assert seen == [0, 1, 2]
    np.testing.assert_array_equal(w.pixels.read(), data.pixels.read())
    assert os.listdir(tmp_path) == ["w.sqw"]
    # with other settings nothing of before is taken
    seen.clear()
    with pytest.raises(KeyboardInterrupt):
        generate(runs, tmp_path / "v.sqw", **settings)
    seen.clear()
    seen.extend([7, 7, 7])
    generate(runs, tmp_path / "v.sqw", **settings | {"psi": 3.0})
    assert seen == [7, 7, 7, 0, 1, 2]


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_killed_it_leaves_nothing_under_the_name_and_runs_again(tmp_path: Path) -> None:
    files = [write_run(tmp_path / f"{n}.nxspe", n, detectors=4000, bins=100) for n in range(6)]
    script = ("import sys; from insml.sqw import generate as m; from insml.crystal.lattice import Lattice\n"
              "m.MEMORY = 0\n"
              "m.generate(sys.argv[2:], sys.argv[1], lattice=Lattice(4, 4, 4), u=(1, 0, 0), v=(0, 1, 0), psi=0,\n"
              "           progress=lambda what, done, of: print(what, done, flush=True))\n")
    out = tmp_path / "w.sqw"
    command = [sys.executable, "-c", script, str(out), *map(str, files)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("reading runs 3"):
                break
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    begun = time.time()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "sorting pixels" in done.stdout
    assert time.time() > begun
    assert sorted(p.name for p in tmp_path.iterdir()) == [*(f"{n}.nxspe" for n in range(6)), "w.sqw"]


@pytest.mark.parametrize(("changes", "words"), [
    ({"psi": [1.0, 2.0]}, "psi: expected one, or one for each of 3 runs, found 2"),
    ({"emode": 0}, "emode: expected 1"), ({"grid": [1, 2, 3]}, "grid: expected four"),
    ({"efix": 20.0}, "expected energy transfers that neutrons of a fixed energy of 20 meV can have"),
    ({"u": (0, 0, 1), "v": (0, 0, 2)}, "not parallel"), ({"limits": np.zeros((2, 4))}, "limits: expected"),
])
def test_settings_that_cannot_be_are_named(runs: list[Path], changes: dict[str, object], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        generate(runs, None, **{"lattice": LATTICE, **STANDS, **ANGLES} | changes)  # type: ignore[arg-type]


def test_files_that_do_not_go_together_are_named(runs: list[Path], tmp_path: Path) -> None:
    other = write_run(tmp_path / "other.nxspe", 0, detectors=50)
    with pytest.raises(GeometryError, match=r"other.nxspe: expected the detectors of .*run0"):
        generate([runs[0], other], None, lattice=LATTICE, **STANDS)
    with pytest.raises(FormatError, match=r"gone\.nxspe"):
        generate([tmp_path / "gone.nxspe"], None, lattice=LATTICE, **STANDS)
    with pytest.raises(InsmlError, match="existing directory"):
        generate(runs, tmp_path / "no" / "w.sqw", lattice=LATTICE, **STANDS)
