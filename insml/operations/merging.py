"""Pixels of several data together, in other bins, or moved to where symmetry has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.io.atomic import atomic_path
from insml.operations.pages import MEMORY, pages
from insml.sqw.axes import Axes
from insml.sqw.cut import arranged, existing, make_plan, plan_of
from insml.sqw.data import Sqw
from insml.sqw.descriptor import WHOLE
from insml.sqw.image import Dnd
from insml.sqw.pixels import BYTES, Pixels
from insml.sqw.projection import LineProj, Projection
from insml.sqw.run import RunHeader
from insml.sqw.symmetry import Symop, SymopReflection, SymopRotation

Array = NDArray[np.float64]


def combine(*sources: Sqw, filename: str | Path | None = None) -> Sqw:
    """Pixels of several data in the bins of the first, as far as any of them reaches.

    The axes and steps are the first's; ranges, of integration too, become those that hold all. A pixel that is in several
    of them at the same place is counted once.

    Raises
    ------
    GeometryError : other lattices, orientations or detectors; too many pixels of the same runs to hold.
    """
    if not sources or not all(isinstance(w, Sqw) for w in sources):
        raise GeometryError("combine: expected data with pixels, found others")
    first = sources[0]
    for w in sources[1:]:
        _same_crystal(first, w)
    runs, renumbered = _runs(sources)
    shared = len(runs) < sum(len(w.runs) for w in sources)
    total = sum(len(w.pixels) for w in sources)

    def values() -> Iterator[NDArray[np.float32]]:
        for w, ids in zip(sources, renumbered, strict=True):
            for page in pages(w):
                if ids is not None:
                    page.pixels[:, 4] = _mapped(page.pixels[:, 4], ids)
                yield page.pixels

    base = replace(first, runs=runs, load_equipment=_equipment(sources, runs, renumbered), kept=None)
    if not shared:
        return _together(base, values, total, lambda: _enclosing(sources), filename)
    if total * BYTES > MEMORY:
        raise GeometryError(f"combine: expected data of different runs, or at most {MEMORY >> 30} GiB of pixels, found "
                            f"{total * BYTES / 2**30:.1f} GiB of the same runs")
    every = np.concatenate(list(values()))
    _, kept = np.unique(np.ascontiguousarray(every[:, :7]).view(np.dtype((np.void, 28))).ravel(), return_index=True)
    once = every[np.sort(kept)]
    return _together(base, lambda: iter([once]), len(once), lambda: _enclosing(sources), filename)


def rebinned(data: Sqw, *bins: Any, filename: str | Path | None = None) -> Sqw:
    """The same pixels in other bins.

    Parameters
    ----------
    bins : for each plotted axis a step (0 as it is) or [lo, step, hi], as of a cut; or data whose axes and bins are taken.
    """
    if len(bins) == 1 and isinstance(bins[0], (Sqw, Dnd)):
        return arranged(data, plan_of(data, bins[0].projection, bins[0].axes), filename)
    if len(bins) > data.ndim:
        raise GeometryError(f"rebin: expected at most {data.ndim} axes, found {len(bins)}")
    full: list[Any] = [None] * 4
    for axis, one in zip(data.axes.plotted, bins, strict=False):
        if np.size(one) not in (0, 1, 3):
            raise GeometryError(f"rebin: expected a step or [lo, step, hi], found {one!r}")
        # 0 leaves bins as they are, to the last bit
        full[axis] = None if np.size(one) == 1 and not np.any(one) else one
    return arranged(data, make_plan(data, None, full), filename)


def symmetrise(data: Sqw, operations: Symop | Sequence[Symop], *, filename: str | Path | None = None) -> Sqw:
    """Every pixel moved to where it is equivalent to and kept: on the positive side of mirrors (that of u x v), into the
    first wedge about axes. Bins keep their widths and reach as far as the pixels do.

    Parameters
    ----------
    operations : reflections or rotations, one after the other. A wedge begins at the crystal's x axis (a*), or y for an
        axis along x; its angle must be a whole part of a turn.

    Raises
    ------
    GeometryError : other operations, angles that are no part of a turn.
    """
    listed = [operations] if isinstance(operations, Symop) else list(operations)
    folds = [_fold(op, data) for op in listed]
    low, high = np.full(4, np.inf), np.full(4, -np.inf)
    if not isinstance(data.projection, LineProj):
        raise GeometryError(f"symmetrise: expected straight axes, found {type(data.projection).__name__}; cut with "
                            "symmetry does others")
    frame = data.projection.frame(data.image.lattice)
    back = np.linalg.inv(frame.momenta)
    total = len(data.pixels)

    def values() -> Iterator[NDArray[np.float32]]:
        for page in pages(data):
            q = page.pixels[:, :3].astype(float)
            for fold in folds:
                q = fold(q)
            page.pixels[:, :3] = q
            x = (page.pixels[:, :3].astype(float) @ data.to_rlu.T - frame.offset[:3]) @ back.T
            x = np.column_stack([x, page.pixels[:, 3] - frame.offset[3]])
            np.minimum(low, x.min(axis=0), out=low)
            np.maximum(high, x.max(axis=0), out=high)
            yield page.pixels

    def reach() -> Axes:
        edges = []
        for n, (e, a, b) in enumerate(zip(data.axes.all_edges, low, high, strict=True)):
            wide = 4 * WHOLE * max(abs(a), abs(b), 1e-6)
            edges.append(_extended(e, a, b) if n in data.axes.plotted else np.array([a - wide, b + wide]))
        return Axes(tuple(edges), data.axes.plotted, data.axes.order)

    return _together(data, values, total, reach, filename)


def _extended(edges: Array, low: float, high: float) -> Array:
    """Bins on the same grid that hold a range; those there are where they hold it and no less will do."""
    step = (edges[-1] - edges[0]) / (edges.size - 1)
    first, last = (int(n) for n in (np.floor((low - edges[0]) / step + 1e-6), np.ceil((high - edges[0]) / step - 1e-6)))
    if first >= 0 and last <= edges.size - 1:
        return edges[first : max(last, first + 1) + 1]
    return np.asarray(edges[0] + step * np.arange(first, max(last, first + 1) + 1))


def _fold(operation: Symop, data: Sqw) -> Callable[[Array], Array]:
    """Moves Q (n, 3) as pixels hold it."""
    if not isinstance(operation, (SymopReflection, SymopRotation)):
        raise GeometryError(f"symmetrise: expected reflections or rotations, found {type(operation).__name__}")
    b = Orientation(data.image.lattice, (1, 0, 0), (0, 1, 0)).b
    turn = b @ data.to_rlu
    w, origin = operation.matrix(b), b @ np.asarray(operation.offset)
    if isinstance(operation, SymopReflection):
        normal = np.cross(b @ np.asarray(operation.u), b @ np.asarray(operation.v))

        def mirrored(q: Array) -> Array:
            y = q @ turn.T - origin
            moved = np.where((y @ normal < 0)[:, None], y @ w.T, y)
            return np.asarray(np.linalg.solve(turn, (moved + origin).T).T)

        return mirrored
    count = 360 / abs(operation.angle) if operation.angle else np.inf
    if not np.isfinite(count) or abs(count - round(count)) > 1e-6 or round(count) < 2:
        raise GeometryError(f"symmetrise: expected an angle that is a whole part of a turn, found {operation.angle:g}")
    axis = b @ np.asarray(operation.axis) * np.sign(operation.angle)
    axis /= np.linalg.norm(axis)
    start = np.array([0.0, 1.0, 0.0]) if abs(axis[0]) > 1 - 1e-9 else np.array([1.0, 0.0, 0.0])
    first = start - axis * (axis @ start)
    first /= np.linalg.norm(first)
    second = np.cross(axis, first)

    def turned(q: Array) -> Array:
        y = q @ turn.T - origin
        along = y @ axis
        angle, radius = np.arctan2(y @ second, y @ first) % (2 * np.pi), np.hypot(y @ first, y @ second)
        wedge = 2 * np.pi / round(count)
        inside = angle - wedge * np.floor(angle / wedge)
        moved = (along[:, None] * axis + (radius * np.cos(inside))[:, None] * first
                 + (radius * np.sin(inside))[:, None] * second)
        # what is in the wedge stays to the last bit
        moved = np.where((angle < wedge)[:, None], y, moved)
        return np.asarray(np.linalg.solve(turn, (moved + origin).T).T)

    return turned


def _cell(w: Sqw) -> Array:
    return np.array(astuple(w.image.lattice))


def _same_crystal(a: Sqw, b: Sqw) -> None:
    if np.abs(_cell(a) - _cell(b)).max() > 1e-4 or \
            np.abs(a.to_rlu - b.to_rlu).max() > 1e-6:
        raise GeometryError(f"combine: expected the lattice and orientation {a.image.lattice}, found {b.image.lattice}")
    if len(a.detectors) != len(b.detectors) or (len(a.detectors) and not (
            np.array_equal(a.detectors.number, b.detectors.number)
            and np.abs(a.detectors.two_theta - b.detectors.two_theta).max() < 1e-3
            and np.abs(a.detectors.azimuth - b.detectors.azimuth).max() < 1e-3)):
        raise GeometryError(f"combine: expected the {len(a.detectors)} detectors of the first, found others")


def _runs(sources: Sequence[Sqw]) -> tuple[tuple[RunHeader, ...], list[dict[int, int] | None]]:
    """All runs once, and for each source how its numbers change, None where they do not."""
    known: dict[tuple[Any, ...], RunHeader] = {}
    maps: list[dict[int, int] | None] = []
    for w in sources:
        ids = {}
        for run in w.runs:
            o = run.orientation
            key = (run.filename, run.filepath, run.mode, tuple(np.round(run.fixed_energy, 4)),
                   tuple(np.round([o.psi, o.omega, o.dpsi, o.gl, o.gs], 4)), run.energies.size)
            if key not in known:
                taken = {r.id for r in known.values()}
                known[key] = run if run.id not in taken else replace(run, id=max(taken) + 1)
            ids[run.id] = known[key].id
        maps.append(None if all(a == b for a, b in ids.items()) else ids)
    return tuple(known.values()), maps


def _mapped(numbers: NDArray[np.float32], ids: dict[int, int]) -> NDArray[np.float32]:
    old = np.array(sorted(ids))
    new = np.array([ids[n] for n in old], np.float32)
    return np.asarray(new[np.searchsorted(old, numbers).clip(max=len(old) - 1)], np.float32)


def _equipment(sources: Sequence[Sqw], runs: tuple[RunHeader, ...],
               renumbered: Sequence[dict[int, int] | None]) -> Callable[[], dict[str, list[Any]]] | None:
    """Of each run, where all sources say it."""
    def load() -> dict[str, list[Any]]:
        out: dict[str, list[Any]] = {}
        for name in ("instruments", "samples"):
            by_id: dict[int, Any] = {}
            for w, ids in zip(sources, renumbered, strict=True):
                for run, one in zip(w.runs, w.equipment.get(name, []), strict=False):
                    by_id.setdefault(run.id if ids is None else ids[run.id], one)
            if len(by_id) == len(runs):
                out[name] = [by_id[run.id] for run in runs]
        return out

    return load if any(w.load_equipment is not None for w in sources) else None


def _enclosing(sources: Sequence[Sqw]) -> Axes:
    """Bins of the first that hold the ranges of all."""
    first = sources[0]
    edges = []
    boxes = [_box(first, w) for w in sources]
    for n, e in enumerate(first.axes.all_edges):
        low, high = min(box[n][0] for box in boxes), max(box[n][1] for box in boxes)
        if n in first.axes.plotted and not np.isfinite([low, high]).all():
            raise GeometryError(f"combine: axis {n + 1}: expected finite limits, found {low:g} to {high:g}")
        edges.append(np.array([low, high]) if n not in first.axes.plotted else _extended(e, low, high))
    return Axes(tuple(edges), first.axes.plotted, first.axes.order)


def _box(first: Sqw, w: Sqw) -> list[tuple[float, float]]:
    """Limits of data along the axes of the first."""
    if _same_axes(first.projection, w.projection, first.image.lattice):
        return [(float(e[0]), float(e[-1])) for e in w.axes.all_edges]
    return [(e.low, e.high) for e in existing(w.image, first.projection)]


def _same_axes(a: Projection, b: Projection, lattice: Lattice) -> bool:
    if isinstance(a, LineProj) and isinstance(b, LineProj):
        x, y = a.frame(lattice), b.frame(lattice)
        return bool(np.allclose(x.u_to_rlu, y.u_to_rlu, atol=1e-6) and np.allclose(x.offset, y.offset, atol=1e-6))
    return type(a) is type(b) and a.core(lattice) == b.core(lattice)


def _together(base: Sqw, values: Callable[[], Iterator[NDArray[np.float32]]], total: int, reach: Callable[[], Axes],
              filename: str | Path | None) -> Sqw:
    """Pixels in the axes of ``base``, in bins that are known once all pixels were seen."""
    if total * BYTES <= MEMORY:
        every = np.empty((total, 9), np.float32)
        count = 0
        for part in values():
            every[count : count + len(part)] = part
            count += len(part)
        return _cut_one(base, Pixels(every), reach(), filename)
    if filename is None:
        raise GeometryError(f"pixels: expected at most {MEMORY >> 30} GiB without the name of a file to write to, found "
                            f"{total * BYTES / 2**30:.1f} GiB")
    with _scratch(Path(filename)) as path:
        with path.open("wb") as file:
            for part in values():
                file.write(np.ascontiguousarray(part, "<f4").data)
        return _cut_one(base, Pixels(path=path, start=0, count=total), reach(), filename)


def _cut_one(base: Sqw, pixels: Pixels, axes: Axes, filename: str | Path | None) -> Sqw:
    """A cut of pixels that are in no order: as if they were in one bin."""
    limits = tuple(np.array([-np.inf, np.inf]) for _ in range(4))
    image = base.image
    one = Dnd.of(Axes(limits, ()), image.projection, image.lattice, 0.0, 0.0, len(pixels), image.title)
    source = replace(base, image=one, pixels=pixels)
    return arranged(source, plan_of(source, image.projection, axes), filename)


@contextmanager
def _scratch(path: Path) -> Iterator[Path]:
    """A file beside another that is gone afterwards."""
    class Done(Exception):
        pass

    try:
        with atomic_path(path.with_name(f"{path.name}.pixels")) as aside:
            yield aside
            raise Done
    except Done:
        pass
