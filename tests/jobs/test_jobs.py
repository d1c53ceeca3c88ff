"""Work in jobs is what one process does, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml import GeometryError, InsmlError
from insml.io import read_sqw, write_sqw
from insml.jobs import LocalExecutor, cut_in_jobs, executor_of, generate_in_jobs
from insml.jobs import generation as module
from insml.sqw import LineProj, SphereProj, Sqw
from insml.sqw.cut import cut
from insml.sqw.generate import generate
from insml.sqw.symmetry import SymopReflection, SymopRotation

SETTINGS: dict[str, Any] = {"lattice": LATTICE, **STANDS, **ANGLES, "grid": [5, 6, 7, 8]}
LINE = (LineProj((1, 1, 0), (0, 1, 0)), [-2, 0.3, 2], [-9, 9], [-np.inf, np.inf], [0, 3, 30])
SPHERE = (SphereProj(), [0, 0.2, 5], [0, 180], [-180, 180], [0, 3, 30])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"run{n}.nxspe", n, 40.0 + n, detectors=300) for n in range(3)]


@pytest.fixture(scope="module")
def file(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "all.sqw"
    generate(runs, path, **SETTINGS)
    return path


def same(one: Any, other: Any) -> None:
    for name in ("signal", "variance", "npix"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for a, b in zip(one.axes.all_edges, other.axes.all_edges, strict=True):
        np.testing.assert_array_equal(a, b)
    if isinstance(one, Sqw):
        np.testing.assert_array_equal(one.pixels.read(), other.pixels.read())


@pytest.mark.parametrize("jobs", [1, 2, 5, 100])
@pytest.mark.parametrize("bins", [LINE, SPHERE])
@pytest.mark.parametrize("symmetry", [(), (SymopReflection((1, 0, 0), (0, 0, 1)), SymopRotation((0, 0, 1), 90))])
def test_cuts_in_jobs_are_cuts(file: Path, tmp_path: Path, jobs: int, bins: Any, symmetry: Any) -> None:
    image = cut_in_jobs(file, *bins, jobs=jobs, symmetry=symmetry, keep_pixels=False)
    same(image, cut(file, *bins, symmetry=symmetry, keep_pixels=False))
    assert image.npix.sum() > 1000
    if jobs > 5:
        return
    out = cut_in_jobs(file, *bins, jobs=jobs, symmetry=symmetry, filename=tmp_path / "w.sqw")
    same(out, cut(file, *bins, symmetry=symmetry, filename=tmp_path / "one.sqw"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.sqw", "w.sqw"]
    # what is read from the file says the same, whole
    same(read_sqw(tmp_path / "w.sqw"), out)


def test_an_image_goes_to_a_file(file: Path, tmp_path: Path) -> None:
    image = cut_in_jobs(file, *LINE, jobs=2, keep_pixels=False, filename=tmp_path / "w.dnd")
    same(image, cut(file, *LINE, keep_pixels=False))


@pytest.mark.parametrize("jobs", [1, 2, 3, 9])
def test_generation_in_jobs_is_generation(runs: list[Path], file: Path, tmp_path: Path, jobs: int) -> None:
    told: list[tuple[str, int, int]] = []
    w = generate_in_jobs(runs, tmp_path / "all.sqw", jobs=jobs, **SETTINGS, progress=lambda *x: told.append(x))
    same(w, read_sqw(file))
    assert [r.filename for r in w.runs] == [r.name for r in runs]
    assert told[-1] == ("reading runs", min(jobs, 3), min(jobs, 3))
    assert [p.name for p in tmp_path.iterdir()] == ["all.sqw"]


def test_generation_goes_on_where_it_was(runs: list[Path], file: Path, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """One part fails; called again only that one is made. With other arguments all are."""
    made: list[list[int]] = []
    real = module._part

    def part(*task: Any) -> None:
        made.append(task[2].tolist())
        if len(made) == 2:
            raise InsmlError("the machine went away")
        real(*task)

    monkeypatch.setattr(module, "_part", part)
    with pytest.raises(InsmlError, match="went away"):
        generate_in_jobs(runs, tmp_path / "all.sqw", jobs=3, **SETTINGS)
    assert not (tmp_path / "all.sqw").exists()
    w = generate_in_jobs(runs, tmp_path / "all.sqw", jobs=3, **SETTINGS)
    assert made == [[0], [1], [1], [2]]
    same(w, read_sqw(file))
    made.clear()
    made.append([])
    with pytest.raises(InsmlError, match="went away"):
        generate_in_jobs(runs, tmp_path / "all.sqw", jobs=3, **SETTINGS)
    generate_in_jobs(runs, tmp_path / "all.sqw", jobs=3, **{**SETTINGS, "grid": [3, 3, 3, 3]})
    assert made == [[], [0], [0], [1], [2]]


def test_processes_do_the_same(file: Path, runs: list[Path], tmp_path: Path) -> None:
    """Through submitit, as on a cluster, with jobs as processes of this machine."""
    pytest.importorskip("submitit")
    executor = executor_of("processes", tmp_path / "logs", timeout_min=5)
    same(cut_in_jobs(file, *LINE, jobs=2, executor=executor, keep_pixels=False), cut(file, *LINE, keep_pixels=False))
    with pytest.raises(InsmlError, match=r"job .*none.sqw: expected .*_log\.err"):
        executor.map(read_sqw, [(file,), (tmp_path / "none.sqw",)])


def test_what_is_wrong_is_named(file: Path, tmp_path: Path) -> None:
    write_sqw(tmp_path / "w.dnd", cut(file, *LINE, keep_pixels=False))
    for call, words in ((lambda: cut_in_jobs(file, *LINE, jobs=0), "jobs: expected at least one"),
                        (lambda: cut_in_jobs(file, *LINE, jobs=1), "filename: expected one for a cut with its pixels"),
                        (lambda: cut_in_jobs(tmp_path / "w.dnd", jobs=1, keep_pixels=False), "expected data with pixels"),
                        (lambda: generate_in_jobs([], tmp_path / "a", jobs=0, **SETTINGS), "jobs: expected at least one")):
        with pytest.raises(GeometryError, match=words):
            call()
    with pytest.raises(InsmlError, match="executor: expected local, slurm or processes, found 'cloud'"):
        executor_of("cloud", tmp_path)
    pytest.importorskip("submitit")
    for options in ({"nonsense": 1}, {"timeout_min": "x"}):
        with pytest.raises(InsmlError, match="jobs: expected a cluster and options of submitit"):
            executor_of("processes", tmp_path, **options)
    assert LocalExecutor().map(max, []) == []
