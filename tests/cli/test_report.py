"""The commands, as a user calls them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from insml.cli import main
from insml.io import read_mosaic, write_mosaic
from insml.mosaic import Mosaic
from insml.simulation import simulate_stack
from insml.study import load

STUDY = """
name = "small"
title = "Small square lattice"
sites = [
    {{ label = "even", position = [0, 0, 0], moment = "+c" }},
    {{ label = "odd", position = [1, 0, 0], moment = "-c" }},
    {{ label = "even", position = [0, 1, 0], moment = "-c" }},
    {{ label = "odd", position = [1, 1, 0], moment = "+c" }},
]
[lattice]
a = 3.9
b = 3.9
c = 12.0
[magnetic]
supercell = [2, 2, 1]
positions = "chemical"
spin = 1.5
ion = "Cr3+"
[mosaic]
grid = [1, 3]
orientation = ["-k", "+h"]
[mosaic.u]
label = "h"
vector = [1, 0, 0]
edges = {{ start = 0.2, stop = 0.8, n = 16 }}
[mosaic.v]
label = "k"
vector = [0, 1, 0]
edges = {{ start = 0.2, stop = 0.8, n = 16 }}
[mosaic.third]
vector = [0, 0, 1]
kind = "integrated"
range = [0.0, 1.0]
samples = 1
[mosaic.slices]
energy = [20.0, 26.0, 32.0, 38.0]
[resolution]
kind = "gaussian"
energy_fwhm = [3.0]
q_fwhm = [0.06, 0.06]
[background]
terms = ["constant"]
[training]
images = {images}
epochs = {epochs}
[[candidates]]
name = "neel"
title = "Uniform"
[candidates.parameters]
J1 = {{ prior = [8.0, 14.0] }}
[[candidates.bonds]]
exchange = "J1"
shell = 1
[[candidates.anisotropy]]
axis = "c"
value = "-0.1"
[[candidates]]
name = "alternating"
title = "Alternating"
[candidates.parameters]
J1 = {{ prior = [8.0, 14.0] }}
J1p = {{ prior = [2.0, 7.0] }}
[[candidates.bonds]]
exchange = "J1"
shell = 1
displacement = [0, 1, 0]
[[candidates.bonds]]
exchange = "J1"
shell = 1
between = ["even", "odd"]
displacement = [1, 0, 0]
[[candidates.bonds]]
exchange = "J1p"
shell = 1
between = ["odd", "even"]
displacement = [1, 0, 0]
[[candidates.anisotropy]]
axis = "c"
value = "-0.1"
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(STUDY.format(images=64, epochs=2))
    return path


@pytest.fixture
def measured_file(tmp_path: Path, study_file: Path) -> Path:
    study = load(study_file)
    stack = simulate_stack(study, "neel", {"J1": 11.3})
    rng = np.random.default_rng(4)
    sigma = 0.04 * stack.max()
    mosaic = Mosaic.from_stack(stack + sigma * rng.normal(size=stack.shape), np.zeros(stack.shape, bool), study.layout,
                               variance=np.full(stack.shape, sigma**2))
    path = tmp_path / "measured.nxs"
    write_mosaic(path, mosaic)
    return path


def test_report_end_to_end_twice(tmp_path: Path, study_file: Path, measured_file: Path,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    """Simulates, trains, fits and writes; a second run with another cache gives the same numbers."""
    pytest.importorskip("torch")
    found = []
    for name in ("one", "two"):
        out = tmp_path / name
        assert main(["report", str(measured_file), "--study", str(study_file), "--out", str(out),
                     "--cache", str(tmp_path / f"cache-{name}")]) == 0
        found.append(json.loads((out / "report.json").read_text()))
        for file in ("report.html", "report.nxs", "mosaic.png", "difference.png", "saliency.png", "slices.png"):
            assert (out / file).stat().st_size > 1000, file
    assert found[0] == found[1]
    screen = capsys.readouterr().out
    assert "Uniform" in screen
    fit = found[0]["fits"]["neel"]
    assert fit["parameters"]["J1"]["value"] == pytest.approx(11.3, abs=4 * fit["parameters"]["J1"]["error"])
    assert read_mosaic(tmp_path / "one" / "report.nxs").layout.orientation == ("-k", "+h")


def test_fit_and_simulate(tmp_path: Path, study_file: Path, measured_file: Path,
                          capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", str(measured_file), "neel", "--study", str(study_file)]) == 0
    assert "J1" in capsys.readouterr().out
    out = tmp_path / "simulated.nxs"
    assert main(["simulate", "alternating", "--study", str(study_file), "--set", "J1=9", "--set", "J1p=3",
                 "--out", str(out)]) == 0
    expected = simulate_stack(load(study_file), "alternating", {"J1": 9.0, "J1p": 3.0})
    np.testing.assert_allclose(read_mosaic(out).stack, expected)


@pytest.mark.parametrize(("arguments", "words"), [
    (["report", "missing.nxs"], ["missing.nxs"]),
    (["report", "{study}"], ["small.toml", "expected"]),
    (["report", "--study", "nothing"], ["nothing", "manganite"]),
    (["report", "{measured}"], ["expected the slices and bins"]),
    (["simulate", "ferro"], ["ferro", "goodenough"]),
    (["simulate", "dimer", "--set", "J=1"], ["J"]),
    (["simulate", "dimer", "--set", "JA1"], ["--set", "JA1"]),
    (["simulate", "dimer", "--set", "JA1=-2.5", "--set", "JA2=-2.5"], ["unstable", "meV"]),
])
def test_mistakes_are_one_line_and_status_2(tmp_path: Path, study_file: Path, measured_file: Path,
                                            monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                            arguments: list[str], words: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    filled = [a.format(study=study_file, measured=measured_file) for a in arguments]
    assert main(filled) == 2
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("insml: error: ")
    assert all(word in lines[0] for word in words), lines[0]
    assert captured.out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_runs_are_refused_with_what_to_do(shared_data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = shared_data / "nxspe" / "MAR11001_test.nxspe"
    assert main(["report", str(file), "--out", str(tmp_path / "out")]) == 2
    assert "gen_sqw" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_import_is_light() -> None:
    code = ("import sys, insml; heavy = {'torch', 'h5py', 'matplotlib', 'rich', 'scipy', 'numpy'} & set(sys.modules); "
            "print(sorted(heavy))")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
