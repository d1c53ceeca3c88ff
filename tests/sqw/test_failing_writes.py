"""A disk that is full and processes that are killed leave nothing half-written, and what is read as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crystal_runs import LATTICE, STANDS, write_run

from insml.io import read_sqw
from insml.sqw import LineProj
from insml.sqw.cut import cut
from insml.sqw.generate import generate

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits and kills processes")

FULL = """
import resource, signal, sys
from insml.errors import InsmlError
from insml.io import read_sqw, write_columns, write_cut, write_cut_mdhisto, write_sqw
from insml.jobs import cut_in_jobs, generate_in_jobs
from insml.operations.evaluate import sqw_eval
from insml.sqw.cut import cut
from insml.sqw.generate import generate
from insml.crystal.lattice import Lattice

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
source, out, *runs = sys.argv[1:]
w = read_sqw(source)
image = cut(w, [], [], [], [], keep_pixels=False)
settings = dict(lattice=Lattice(4, 4, 4), u=(1, 0, 0), v=(0, 1, 0), psi=0)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for work in (lambda: cut(w, [], [], [], [], filename=out + ".sqw"), lambda: generate(runs, out + ".sqw", **settings),
             lambda: cut_in_jobs(source, jobs=2, filename=out + ".sqw"), lambda: write_sqw(out + ".sqw", w),
             lambda: sqw_eval(w, lambda h, k, l, e, p: h, None, filename=out + ".sqw"),
             lambda: write_cut(out + ".nxs", image), lambda: write_columns(out + ".txt", image),
             lambda: write_cut_mdhisto(out + ".nxs", image),
             lambda: generate_in_jobs(runs, out + ".sqw", jobs=1, **settings)):
    try:
        work()
        print("written")
    except InsmlError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"run{n}.nxspe", n, detectors=1000, bins=100) for n in range(2)]


@pytest.fixture(scope="module")
def source(runs: list[Path]) -> Path:
    path = runs[0].parent / "all.sqw"
    generate(runs, path, lattice=LATTICE, **STANDS, psi=[0, 10], grid=[20, 20, 20, 20])
    return path


def test_a_full_disk(source: Path, runs: list[Path], tmp_path: Path) -> None:
    """A limit on the size of files stands for it: the system's error is another, and comes at the same places."""
    before = source.read_bytes()
    done = subprocess.run([sys.executable, "-c", FULL, source, tmp_path / "w", *runs], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 9
    for line in said:
        assert str(tmp_path) in line
        assert "expected to write" in line
        assert "File too large" in line
    # the parts of a generation by jobs stay for the next attempt
    assert [p.name for p in tmp_path.iterdir()] == [".w.sqw.parts"]
    assert source.read_bytes() == before


def test_a_cut_that_is_killed(source: Path, tmp_path: Path) -> None:
    script = ("import os, signal, sys; from insml.sqw.cut import cut; from insml.sqw import cut as m\n"
              "real = m.of_sums\n"
              "def killed(*given):\n"
              "    os.kill(os.getpid(), signal.SIGKILL)\n"
              "m.of_sums = killed if sys.argv[3] == 'kill' else real\n"
              "cut(sys.argv[1], [], [], [], [], filename=sys.argv[2])\n")
    out = tmp_path / "w.sqw"
    done = subprocess.run([sys.executable, "-c", script, source, out, "kill"])
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    # what is left has a name that says so, and does not stand in the way
    assert all(p.name.startswith(".w.") and ".part" in p.name for p in tmp_path.iterdir())
    subprocess.run([sys.executable, "-c", script, source, out, "live"], check=True)
    np.testing.assert_array_equal(read_sqw(out).npix, cut(source, [], [], [], []).npix)


def test_a_cut_by_jobs_that_is_killed(source: Path, tmp_path: Path) -> None:
    script = ("import os, signal, sys; from insml.jobs import cutting as m; from insml.sqw import LineProj\n"
              "def killed(*given):\n"
              "    os.kill(os.getpid(), signal.SIGKILL)\n"
              "m.joined = killed if sys.argv[3] == 'kill' else m.joined\n"
              "m.cut_in_jobs(sys.argv[1], LineProj(), [0, 0.1, 1], jobs=2, filename=sys.argv[2])\n")
    out = tmp_path / "w.sqw"
    done = subprocess.run([sys.executable, "-c", script, source, out, "kill"])
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    subprocess.run([sys.executable, "-c", script, source, out, "live"], check=True)
    assert [p.name for p in tmp_path.iterdir()] == ["w.sqw"]
    np.testing.assert_array_equal(read_sqw(out).npix, cut(source, LineProj(), [0, 0.1, 1]).npix)
