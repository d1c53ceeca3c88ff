"""Runs into one file of pixels in the order of the bins of a grid (Horace's gen_sqw)."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml import _core
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import FormatError, GeometryError, InsmlError
from insml.io.atomic import atomic_path
from insml.io.detectors import detector_table
from insml.io.nxspe import Run, read_nxspe
from insml.io.sqw.write import Head
from insml.sqw.axes import Axes
from insml.sqw.cut import MEMORY, Plan, Progress, core_target, of_sums, write_arranged
from insml.sqw.data import Sqw
from insml.sqw.detectors import DetectorTable
from insml.sqw.energy_constant import ENERGY_OF_K2
from insml.sqw.frame import crystal_cartesian
from insml.sqw.image import Dnd
from insml.sqw.pixels import BYTES, Pixels
from insml.sqw.projection import LineProj
from insml.sqw.run import DIRECT, RunHeader

Array = NDArray[np.float64]

#: Bins of the grid along each axis, of several runs.
GRID = 50
#: Values read from a file at a time while it is looked through.
_SLAB = 1 << 22


@dataclass(frozen=True, eq=False)
class Planned:
    """A run and how its crystal stood."""

    run: Run
    header: RunHeader
    directions: Array
    numbers: Array


def generate(runs: Sequence[str | Path | Run], filename: str | Path | None, *, lattice: Lattice, u: ArrayLike, v: ArrayLike,
             psi: Any = None, omega: Any = 0.0, dpsi: Any = 0.0, gl: Any = 0.0, gs: Any = 0.0, efix: Any = None,
             emode: int = DIRECT, grid: Sequence[int] | None = None, limits: ArrayLike | None = None,
             energy_of_k2: float = ENERGY_OF_K2, threads: int = 0, progress: Progress | None = None) -> Sqw:
    """Pixels of runs, written to ``filename`` or, where it is None, in memory.

    Parameters
    ----------
    runs : NXspe files. Detectors without data in any energy bin are left out.
    lattice, u, v, psi, omega, dpsi, gl, gs : as of :class:`insml.crystal.orientation.Orientation`, degrees; angles one for
        all runs or one for each; psi of the files where None.
    efix : fixed energies in place of the files', meV. emode : 1 direct, 2 indirect geometry.
    grid : bins of the four axes (crystal Cartesian Q and energy transfer); 50 each, or one each of a single run.
    limits : (2, 4) of the grid; of the data where None.
    progress : called with what is done, how much of it, and of how much.

    A generation to a file that is too large for memory keeps what it has done beside the file: stopped and called again
    with the same runs it goes on from there.

    Raises
    ------
    FormatError : damaged files, no psi. GeometryError : detectors that differ between runs, settings of other lengths,
    energy transfers that neutrons cannot have.
    """
    planned = plan_runs(runs, lattice, u, v, {"psi": psi, "omega": omega, "dpsi": dpsi, "gl": gl, "gs": gs}, efix, emode)
    return generate_planned(planned, filename, grid=default_grid(len(planned), grid), limits=limits,
                            energy_of_k2=energy_of_k2, threads=threads, progress=progress)


def default_grid(runs: int, grid: Sequence[int] | None) -> Sequence[int]:
    """Four numbers of bins: those given, or Horace's for so many runs."""
    return [GRID if runs > 1 else 1] * 4 if grid is None else grid


def generate_planned(planned: Sequence[Planned], filename: str | Path | None, *, grid: Sequence[int],
                     limits: ArrayLike | None = None, energy_of_k2: float = ENERGY_OF_K2, threads: int = 0,
                     progress: Progress | None = None) -> Sqw:
    """:func:`generate` of runs that were planned, all of them or some."""
    told = progress or (lambda what, done, of: None)
    lattice = planned[0].header.orientation.lattice
    used = []
    for n, p in enumerate(planned):
        told("looking for detectors", n, len(planned))
        used.append(usable(p.run))
    geometries = [geometry_of(p, m, energy_of_k2) for p, m in zip(planned, used, strict=True)]
    box = limits_of(geometries) if limits is None else np.asarray(limits, float)
    if box.shape != (2, 4) or not (np.isfinite(box).all() and (box[1] > box[0]).all()):
        raise GeometryError(f"limits: expected (2, 4) ascending, found {box.tolist()}")
    plan = grid_of(box, grid, lattice)
    generator = _core.Generator(plan.target, threads)
    for n, geometry in enumerate(geometries):
        told("counting pixels", n, len(planned))
        generator.count(geometry)
    made = frame_of(planned, plan, lattice, box)
    path = None if filename is None else Path(filename)
    work = _Work(planned, geometries, generator, told)
    if path is None or generator.pixels * BYTES <= MEMORY:
        generator.start(None)
        work.gather(set(), None)
        if path is None:
            signal, variance, npix, pixels = generator.finish(None)
            return replace(made, image=of_sums(made.image, signal, variance, npix), pixels=Pixels(pixels))
        return write_arranged(made, path, atomic_path(path), lambda out: generator.finish(out)[:3])
    start = Head(made, 4, path).length()
    journal = _Journal(path, fingerprint(planned, box, plan, energy_of_k2), start + generator.pixels * BYTES)
    generator.start((journal.pixels, start))
    work.gather(journal.done(), journal.add)
    told("sorting pixels", 0, 1)
    return write_arranged(made, path, journal.finished(), lambda out: generator.finish(out)[:3])


def plan_runs(runs: Sequence[str | Path | Run], lattice: Lattice, u: ArrayLike, v: ArrayLike, angles: dict[str, Any],
              efix: Any, emode: int) -> list[Planned]:
    """Runs with their orientations, numbered from 1."""
    opened = [run if isinstance(run, Run) else read_nxspe(run) for run in runs]
    if not opened:
        raise GeometryError("runs: expected at least one, found none")
    if emode not in (1, 2):
        raise GeometryError(f"emode: expected 1 (direct) or 2 (indirect geometry), found {emode}")
    table = detector_table(opened[0])
    directions = table.directions
    out = []
    each = {name: _each(value, len(opened), name) for name, value in (*angles.items(), ("efix", efix))}
    for n, run in enumerate(opened):
        if run.n_detectors != len(table) or np.abs(run.polar - table.two_theta).max() > 1e-3 or \
                np.abs(run.azimuthal - table.azimuth).max() > 1e-3:
            raise GeometryError(f"{run.path}: expected the detectors of {opened[0].path}, found others")
        given: dict[str, Any] = {name: value[n] for name, value in each.items()}
        if given["psi"] is None:
            given["psi"] = run.psi
        if given["psi"] is None:
            raise FormatError(run.path, "psi in the file or given", "none", "psi")
        energy = given.pop("efix")
        fixed = np.atleast_1d(np.asarray(run.ei if energy is None else energy, float))
        orientation = Orientation(lattice, _triple(u), _triple(v), **{k: float(x) for k, x in given.items()})
        header = RunHeader(n + 1, run.path.name, str(run.path.parent), fixed, emode, orientation, run.energy_edges,
                           crystal_cartesian(orientation.b))
        out.append(Planned(run, header, directions, table.number))
    return out


def _triple(value: ArrayLike) -> tuple[float, float, float]:
    found = np.asarray(value, float)
    if found.shape != (3,):
        raise GeometryError(f"u, v: expected three numbers each, found {found.tolist()}")
    return float(found[0]), float(found[1]), float(found[2])


def _each(value: Any, count: int, name: str) -> list[Any]:
    if value is None or np.ndim(value) == 0:
        return [value] * count
    if len(value) != count:
        raise GeometryError(f"{name}: expected one, or one for each of {count} runs, found {len(value)}")
    return list(value)


def usable(run: Run) -> NDArray[np.bool_]:
    """(n_detectors,) False for detectors without data in any energy bin: Horace leaves them out whole."""
    step = max(1, _SLAB // run.n_energies)
    out = []
    for start in range(0, run.n_detectors, step):
        slab = run.read(slice(start, start + step))
        out.append(np.isfinite(slab.signal).all(axis=1) & np.isfinite(slab.error).all(axis=1))
    return np.concatenate(out)


def geometry_of(planned: Planned, used: NDArray[np.bool_], energy_of_k2: float) -> _core.RunGeometry:
    """Where the pixels of a run are, for the core."""
    header = planned.header
    centres = 0.5 * (header.energies[1:] + header.energies[:-1])
    try:
        return _core.RunGeometry(turn=header.orientation.spec_to_cc.tolist(), mode=header.mode,
                                 fixed=header.fixed_energy.tolist(), energies=centres, directions=planned.directions,
                                 numbers=planned.numbers, used=used, energy_of_k2=energy_of_k2, id=float(header.id))
    except GeometryError as error:
        raise GeometryError(f"{planned.run.path}: {error}") from None


def limits_of(geometries: Sequence[_core.RunGeometry]) -> Array:
    """(2, 4) of all runs."""
    return limits_around(np.array([g.limits() for g in geometries]))


def limits_around(each: Array) -> Array:
    """(2, 4) around limits of runs (n, 4, 2), a little wider, so that rounding leaves no pixel outside."""
    low, high = each[..., 0].min(axis=0), each[..., 1].max(axis=0)
    if not (low <= high).all():
        raise GeometryError("runs: expected at least one detector with data, found none")
    pad = 4 * float(np.finfo(np.float32).eps)
    return np.stack([low - pad * np.abs(low) - pad * 1e-3, high + pad * np.abs(high) + pad * 1e-3])


def grid_of(box: Array, grid: Sequence[int], lattice: Lattice) -> Plan:
    """Bins of crystal Cartesian Q and energy transfer, within (2, 4) limits."""
    if len(grid) != 4 or min(grid) < 1:
        raise GeometryError(f"grid: expected four numbers of bins, found {grid}")
    edges = tuple(np.linspace(low, high, int(n) + 1) for low, high, n in zip(*box, grid, strict=True))
    axes = Axes(edges, tuple(n for n in range(4) if grid[n] > 1))
    projection = LineProj((1, 0, 0), (0, 1, 0), type="aaa")
    target = core_target(projection, axes, lattice)
    return Plan(axes, projection, target, None, target)


def frame_of(planned: Sequence[Planned], plan: Plan, lattice: Lattice, box: Array) -> Sqw:
    """Data that have everything but their pixels."""
    def nothing() -> Any:
        raise AssertionError("an image that is not made yet")

    table: DetectorTable = detector_table(planned[0].run)
    return Sqw(Dnd(plan.axes, plan.projection, lattice, nothing), tuple(p.header for p in planned), table,
               Pixels(np.zeros((0, 9), np.float32)), box, detector_file=(planned[0].run.path.name,
                                                                       str(planned[0].run.path.parent)))


@dataclass
class _Work:
    planned: Sequence[Planned]
    geometries: Sequence[_core.RunGeometry]
    generator: _core.Generator
    told: Progress

    def gather(self, done: set[int], finished: Callable[[int], None] | None) -> None:
        missing = [n for n in range(len(self.planned)) if n not in done]
        # the next run is read while the core is busy with one
        with ThreadPoolExecutor(1) as reader:
            coming = [reader.submit(_counts, self.planned[n]) for n in missing[:1]]
            for k, n in enumerate(missing):
                self.told("reading runs", n, len(self.planned))
                signal, error = coming.pop().result()
                coming = [reader.submit(_counts, self.planned[m]) for m in missing[k + 1:k + 2]]
                self.generator.gather(n, self.geometries[n], signal, error)
                if finished is not None:
                    finished(n)


def _counts(planned: Planned) -> tuple[Array, Array]:
    """Signal and error of a run as its pixels have them."""
    slab, factor = planned.run.read(), scaling(planned)
    return np.nan_to_num(slab.signal, copy=False) * factor, np.nan_to_num(slab.error, copy=False) * factor


def scaling(planned: Planned) -> Array:
    """ki / kf of each energy bin where the file does not have it in its intensities."""
    header = planned.header
    if planned.run.ki_over_kf_scaled is not False:
        return np.ones(1)
    energy, fixed = 0.5 * (header.energies[1:] + header.energies[:-1]), header.efix
    ratio = fixed / (fixed - energy) if header.mode == DIRECT else (fixed + energy) / fixed
    return np.asarray(np.sqrt(ratio))


def fingerprint(planned: Sequence[Planned], box: Array, plan: Plan, energy_of_k2: float) -> str:
    """Of everything the pixels depend on."""
    parts: list[Any] = [box.tolist(), list(plan.axes.uniform), energy_of_k2]
    for p in planned:
        # runs that are made in memory have no file
        stat = p.run.path.stat() if p.run.path.exists() else None
        o = p.header.orientation
        parts.append([str(p.run.path.absolute()), stat and stat.st_size, stat and stat.st_mtime_ns,
                      p.header.fixed_energy.tolist(), p.header.energies.tolist(), p.header.mode, o.spec_to_cc.tolist()])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class _Journal:
    """A folder beside the file with what there is of it, and of which runs that is.

    What the system holds of a file outlives the process but not the machine: after a restart nothing is taken from it.
    """

    def __init__(self, path: Path, fingerprint: str, size: int) -> None:
        if not path.parent.is_dir():
            raise InsmlError(f"{path}: expected an existing directory to write to, found no directory {path.parent}")
        self._path, self._folder = path, path.with_name(f".{path.name}.generation")
        self._state = self._folder / "state.json"
        self.pixels = self._folder / "pixels"
        self._identity = [fingerprint, _boot()]
        try:
            state = json.loads(self._state.read_text())
            same = state["identity"] == self._identity and self.pixels.stat().st_size == size
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        self._runs: list[int] = list(state["runs"]) if same else []
        if not same:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir()
            with self.pixels.open("wb") as file:
                file.truncate(size)
            self._write()

    def done(self) -> set[int]:
        return set(self._runs)

    def add(self, n: int) -> None:
        """Run ``n`` is in the pixels."""
        self._runs.append(n)
        self._write()

    def _write(self) -> None:
        aside = self._state.with_suffix(".part")
        aside.write_text(json.dumps({"identity": self._identity, "runs": self._runs}))
        os.replace(aside, self._state)

    @contextmanager
    def finished(self) -> Iterator[Path]:
        """The file; when the block ends well it takes its name. Sorting cannot be taken up again: a kill within it begins
        anew."""
        self._runs = []
        self._write()
        yield self.pixels
        with self.pixels.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(self.pixels, self._path)
        shutil.rmtree(self._folder, ignore_errors=True)


def _boot() -> str:
    """Something that is another after the machine was started again, or always where it cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return secrets.token_hex()
