"""The scripts beside Horace's workflows, as they are run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml.io import open_any, read_sqw
from insml.sqw import SphereProj
from insml.sqw.cut import cut
from insml.sqw.generate import generate

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CELL = [str(x) for x in (LATTICE.a, LATTICE.b, LATTICE.c, LATTICE.alpha, LATTICE.beta, LATTICE.gamma)]


def run(script: str, *arguments: object, status: int = 0) -> str:
    done = subprocess.run([sys.executable, SCRIPTS / script, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    runs = [write_run(folder / f"run{n}.nxspe", n, 40.0 + n) for n in range(3)]
    generate(runs, folder / "all.sqw", lattice=LATTICE, u=STANDS["u"], v=STANDS["v"], psi=ANGLES["psi"], grid=[4, 4, 4, 4])
    return folder / "all.sqw"


def test_runs_to_a_file(file: Path, tmp_path: Path) -> None:
    """In one process and in jobs."""
    runs = sorted(file.parent.glob("*.nxspe"))
    stands = ["--lattice", *CELL, "--u", *STANDS["u"], "--v", *STANDS["v"], "--psi", *ANGLES["psi"], "--grid", 4]
    for more in ([], ["--jobs", 2]):
        out = run("nxspe_to_sqw.py", tmp_path / "all.sqw", *runs, *stands, *more)
        assert out.endswith("pixels of 3 runs\n")
        np.testing.assert_array_equal(read_sqw(tmp_path / "all.sqw").pixels.read(), read_sqw(file).pixels.read())
    assert "expected a readable" in run("nxspe_to_sqw.py", tmp_path / "x.sqw", "none.nxspe", *stands, status=2)


LIST = """
source = "{file}"
folder = "made"
projection = {{ u = [1, 1, 0], v = [0, 1, 0] }}
symmetry = [{{ reflection = [[1, 0, 0], [0, 0, 1]] }}]

[[cut]]
out = "w1.sqw"
bins = [[-2, 0.5, 2], [-9, 9], [-inf, inf], []]

[[cut]]
out = "powder.nxs"
projection = {{ kind = "sphere" }}
bins = [[0, 0.5, 5], [0, 180], [-180, 180], [0, 5, 30]]
symmetry = []

[[cut]]
out = "w1.txt"
bins = [[-2, 0.5, 2], [-9, 9], [-9, 9], [0, 20]]
"""


def test_a_list_of_cuts(file: Path, tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text(LIST.format(file=file))
    out = run("batch_cuts.py", tmp_path / "list.toml")
    assert out.count("pixels\n") == 3
    powder = open_any(tmp_path / "made" / "powder.nxs")
    np.testing.assert_array_equal(powder.npix, cut(file, SphereProj(), [0, 0.5, 5], [0, 180], [-180, 180], [0, 5, 30]).npix)
    assert len(read_sqw(tmp_path / "made" / "w1.sqw").pixels) > 1000
    (tmp_path / "made" / "w1.txt").unlink()
    (tmp_path / "made" / "w1.sqw").unlink()
    run("batch_cuts.py", tmp_path / "list.toml", "--only", "w1.txt", "--executor", "processes", "--job-folder",
        tmp_path / "jobs", "--job-option", "timeout_min=3")
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == ["powder.nxs", "w1.txt"]


@pytest.mark.parametrize(("old", "new", "words"), [
    ("w1.txt", "w1.doc", r"cut[2].out: expected a name that ends in one of .sqw"),
    ("w1.txt", "w1.sqw", "cut[2].out: expected another name for each cut"),
    ("[0, 20]]", "[0, 1, 2, 3]]", "cut[2].bins: expected a list of up to four"),
    ('kind = "sphere"', 'kind = "sphere", w = [1, 0, 0]', "cut[1].projection.w: expected it with kind 'line' alone"),
    ("u = [1, 1, 0]", "u = [0, 1, 0]", "projection: expected a projection"),
    ("reflection = [[1, 0, 0], [0, 0, 1]]", "reflection = [1]", "symmetry[0].reflection: expected [u, v]"),
    ("symmetry = []", "symetry = []", "did you mean symmetry?"), ("[0, 20]]", "[20, 0]]", "w1.txt: p4")])
def test_lists_that_cannot_be_are_named(file: Path, tmp_path: Path, old: str, new: str, words: str) -> None:
    text = LIST.format(file=file)
    assert old in text
    (tmp_path / "list.toml").write_text(text.replace(old, new))
    assert words in run("batch_cuts.py", tmp_path / "list.toml", status=2)


def test_simulated_pixels(file: Path, tmp_path: Path) -> None:
    """A function, its dispersion, and a candidate of a study."""
    hkl = read_sqw(file).pixels.read()[:, :3].astype(float) @ read_sqw(file).to_rlu.T
    for name, text, expected in (
            ("sqw", "def sqw(h, k, l, energy, p):\n    return p[0] * h + p[1]", 2 * hkl[:, 0] + 3),
            ("dispersion", "def dispersion(h, k, l, p):\n    return 0 * h + p[0], 1 + k**2", None)):
        (tmp_path / f"{name}.py").write_text(text)
        run("simulate_sqw.py", file, tmp_path / "out.sqw", tmp_path / f"{name}.py", "--parameters", 2, 3, "--fwhm", 4)
        made = read_sqw(tmp_path / "out.sqw").pixels.read().astype(float)
        np.testing.assert_array_equal(made[:, 4:7], read_sqw(file).pixels.read()[:, 4:7])
        if expected is None:
            sigma = 4 / np.sqrt(8 * np.log(2))
            expected = (1 + hkl[:, 1] ** 2) * np.exp(-0.5 * ((made[:, 3] - 2) / sigma) ** 2) / np.sqrt(2 * np.pi) / sigma
        np.testing.assert_allclose(made[:, 7], expected, rtol=1e-5, atol=1e-6)
        assert (made[:, 8] == 0).all()
    out = run("simulate_sqw.py", file, tmp_path / "out.sqw", "goodenough", "--fwhm", 3, "--set", "JF1=-9.5")
    assert out.endswith("pixels\n")
    assert read_sqw(tmp_path / "out.sqw").pixels.read()[:, 7].max() > 0
    for arguments, words in ((["goodenough"], "--fwhm: expected"), (["nobody", "--fwhm", 1], "CANDIDATE: expected"),
                             (["none.py"], "none.py: expected a file"), (["goodenough", "--set", "x"], "--set: expected")):
        assert words in run("simulate_sqw.py", file, tmp_path / "no.sqw", *arguments, status=2)
    assert not (tmp_path / "no.sqw").exists()
