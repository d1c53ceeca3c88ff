"""One file of many runs by several jobs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.lattice import Lattice
from insml.errors import GeometryError
from insml.io.atomic import atomic_path
from insml.io.sqw import read_sqw
from insml.jobs.executor import Executor, LocalExecutor, Progress
from insml.sqw.data import Sqw
from insml.sqw.energy_constant import ENERGY_OF_K2
from insml.sqw.generate import (
    Planned,
    default_grid,
    fingerprint,
    frame_of,
    generate_planned,
    geometry_of,
    grid_of,
    limits_around,
    plan_runs,
    usable,
)
from insml.sqw.joining import joined
from insml.sqw.run import DIRECT

Array = NDArray[np.float64]


def generate_in_jobs(runs: Sequence[str | Path], filename: str | Path, *, jobs: int, executor: Executor | None = None,
                     lattice: Lattice, u: ArrayLike, v: ArrayLike, psi: Any = None, omega: Any = 0.0, dpsi: Any = 0.0,
                     gl: Any = 0.0, gs: Any = 0.0, efix: Any = None, emode: int = DIRECT,
                     grid: Sequence[int] | None = None, limits: ArrayLike | None = None,
                     energy_of_k2: float = ENERGY_OF_K2, progress: Progress | None = None) -> Sqw:
    """:func:`insml.sqw.generate.generate`, each job taking some of the runs; bit for bit what one process gives.

    Parts lie in a folder beside the file until they are put together; called again after a stop, with the same arguments,
    those that are complete are not made again.

    Parameters
    ----------
    jobs : at most so many. Others as of ``generate``.
    """
    run = executor or LocalExecutor()
    if jobs < 1:
        raise GeometryError(f"jobs: expected at least one, found {jobs}")
    out = Path(filename).absolute()
    settings = {"lattice": lattice, "u": u, "v": v, "efix": efix, "emode": emode,
                "angles": {"psi": psi, "omega": omega, "dpsi": dpsi, "gl": gl, "gs": gs}}
    files = [Path(r).absolute() for r in runs]
    planned = _planned(files, settings)
    shares = [share for share in np.array_split(np.arange(len(files)), jobs) if share.size]
    if limits is None:
        found = run.map(_limits, [(files, settings, s, energy_of_k2) for s in shares], "looking for detectors", progress)
        box = limits_around(np.concatenate(found))
    else:
        box = np.asarray(limits, float)
    bins = list(default_grid(len(files), grid))
    plan = grid_of(box, bins, lattice)
    folder = out.with_name(f".{out.name}.parts")
    identity = fingerprint(planned, box, plan, energy_of_k2) + f" {len(shares)}"
    _claim(folder, identity)
    tasks = [(files, settings, s, energy_of_k2, bins, box, folder / f"{n}.sqw") for n, s in enumerate(shares)
             if not (folder / f"{n}.sqw").exists()]
    run.map(_part, tasks, "reading runs", progress)
    parts = [read_sqw(folder / f"{n}.sqw") for n in range(len(shares))]
    whole = joined([p for p in parts if isinstance(p, Sqw)], frame_of(planned, plan, lattice, box), plan.target, out)
    shutil.rmtree(folder, ignore_errors=True)
    return whole


def _claim(folder: Path, identity: str) -> None:
    """A folder for parts of this generation, without those of another."""
    state = folder / "state.json"
    try:
        same = json.loads(state.read_text()) == identity
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with atomic_path(state) as aside:
            aside.write_text(json.dumps(identity))


def _planned(files: Sequence[Path], settings: dict[str, Any]) -> list[Planned]:
    s = settings
    return plan_runs(files, s["lattice"], s["u"], s["v"], s["angles"], s["efix"], s["emode"])


def _limits(files: Sequence[Path], settings: dict[str, Any], share: NDArray[np.intp], energy_of_k2: float) -> Array:
    planned = _planned(files, settings)
    return np.array([geometry_of(planned[n], usable(planned[n].run), energy_of_k2).limits() for n in share])


def _part(files: Sequence[Path], settings: dict[str, Any], share: NDArray[np.intp], energy_of_k2: float,
          grid: Sequence[int], box: Array, out: Path) -> None:
    planned = _planned(files, settings)
    generate_planned([planned[n] for n in share], out, grid=grid, limits=box, energy_of_k2=energy_of_k2)
