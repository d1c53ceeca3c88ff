"""Runs added to a file of pixels as they are measured (Horace's accumulate_sqw)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml import _core
from insml.crystal.lattice import Lattice
from insml.errors import GeometryError
from insml.io.atomic import atomic_path
from insml.io.sqw import read_sqw
from insml.sqw.cut import write_arranged
from insml.sqw.data import Sqw
from insml.sqw.energy_constant import ENERGY_OF_K2
from insml.sqw.energy_constant import energy_of_k2 as constant_of
from insml.sqw.generate import GRID, frame_of, geometry_of, grid_of, limits_of, plan_runs, scaling, usable
from insml.sqw.run import DIRECT

Array = NDArray[np.float64]

#: Pixels of a block of what was there before.
_BLOCK = 1 << 20


def accumulate(runs: Sequence[str | Path], filename: str | Path, *, lattice: Lattice, u: ArrayLike, v: ArrayLike, psi: Any,
               omega: Any = 0.0, dpsi: Any = 0.0, gl: Any = 0.0, gs: Any = 0.0, efix: Any = None, emode: int = DIRECT,
               grid: Sequence[int] | None = None, limits: ArrayLike | None = None, threads: int = 0) -> Sqw:
    """Adds those of the planned runs that are there and not yet in the file.

    Parameters are of :func:`insml.sqw.generate.generate`. ``runs`` are all that are planned, in the same order at every
    call; run n of them is run n of the pixels. The grid is that of the first call: limits, where not given, are those of
    all planned runs, with the detectors and energies of the first that is there. A file of Horace 3 whose pixels were made
    with E = 2.07 k^2 gets more such.

    Raises
    ------
    GeometryError : no run is there; pixels beyond the limits; a file of another lattice. Others as of ``generate``.
    """
    path, files = Path(filename), [Path(run) for run in runs]
    present = [n for n, file in enumerate(files) if file.exists()]
    if not present:
        raise GeometryError(f"runs: expected at least one of {len(files)} that is there, found none")
    angles = {"psi": psi, "omega": omega, "dpsi": dpsi, "gl": gl, "gs": gs}
    stand_in = [files[n] if n in present else files[present[0]] for n in range(len(files))]
    planned = [replace(p, header=replace(p.header, filename=f.name, filepath=str(f.parent))) for p, f in
               zip(plan_runs(stand_in, lattice, u, v, angles, efix, emode), files, strict=True)]
    old = read_sqw(path) if path.exists() else None
    if old is not None and not isinstance(old, Sqw):
        raise GeometryError(f"{path}: expected data with pixels, found an image")
    energy_of_k2 = ENERGY_OF_K2 if old is None else constant_of(old)
    if old is None:
        everything = [geometry_of(p, np.ones(len(p.numbers), bool), energy_of_k2) for p in planned]
        box = limits_of(everything) if limits is None else np.asarray(limits, float)
        plan = grid_of(box, [GRID] * 4 if grid is None else grid, lattice)
    else:
        if old.image.lattice != lattice:
            raise GeometryError(f"{path}: expected the lattice {lattice}, found {old.image.lattice}")
        box = np.array([[e[0], e[-1]] for e in old.axes.all_edges]).T
        plan = grid_of(box, [e.size - 1 for e in old.axes.all_edges], lattice)
    known = set() if old is None else {run.id for run in old.runs}
    added = [p for n, p in enumerate(planned) if n in present and p.header.id not in known]
    if old is not None and not added:
        return old
    generator = _core.Generator(plan.target, threads)
    blocks = 0 if old is None else max(1, len(old.pixels) // _BLOCK)
    if old is not None:
        generator.count_pixels(old.pixels.source, blocks)
    geometries = []
    for p in added:
        used, before = usable(p.run), generator.pixels
        geometries.append(geometry_of(p, used, energy_of_k2))
        generator.count(geometries[-1])
        expected = int(used.sum()) * (p.header.energies.size - 1)
        if generator.pixels - before != expected:
            raise GeometryError(f"{p.run.path}: expected {expected} pixels within the limits of the file, found "
                                f"{generator.pixels - before}; generate it anew, or give limits")
    made = frame_of(planned, plan, lattice, box)
    headers = [*(() if old is None else old.runs), *(p.header for p in added)]
    made = replace(made, runs=tuple(sorted(headers, key=lambda run: run.id)))

    def arrange(out: tuple[Path, int]) -> Any:
        generator.start(out)
        if old is not None:
            generator.gather_pixels(0, old.pixels.source, blocks)
        for n, (p, geometry) in enumerate(zip(added, geometries, strict=True)):
            slab, factor = p.run.read(), scaling(p)
            generator.gather(n + (old is not None), geometry, np.nan_to_num(slab.signal) * factor,
                             np.nan_to_num(slab.error) * factor)
        return generator.finish(out)[:3]

    return write_arranged(made, path, atomic_path(path), arrange)
