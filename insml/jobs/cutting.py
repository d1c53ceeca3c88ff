"""One cut of a large file by several jobs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.io.sqw import read_sqw, write_sqw
from insml.jobs.executor import Executor, LocalExecutor, Progress
from insml.sqw.cut import Plan, arranged, empty, make_plan, of_sums, parts_of, split_arguments, sums_of_parts
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.joining import joined
from insml.sqw.symmetry import Symop

Array = NDArray[np.float64]
_Symmetry = Sequence[Symop | Sequence[Symop]]


def cut_in_jobs(source: str | Path, *arguments: Any, jobs: int, executor: Executor | None = None,
                symmetry: _Symmetry = (), keep_pixels: bool = True, filename: str | Path | None = None,
                progress: Progress | None = None) -> Sqw | Dnd:
    """:func:`insml.cut` of a file, each job taking a share of its pixels; bit for bit what one process gives.

    Parameters
    ----------
    arguments, symmetry, keep_pixels, filename : as of :func:`insml.cut`, one cut. A cut with its pixels needs a file; parts
        of it lie beside until they are put together.
    jobs : at most so many; 1, 2, 4, ... 64 without pixels.

    Raises
    ------
    GeometryError : no file for pixels, no job, a file without pixels. Others as of :func:`insml.cut`.
    """
    run = executor or LocalExecutor()
    if jobs < 1:
        raise GeometryError(f"jobs: expected at least one, found {jobs}")
    if keep_pixels and filename is None:
        raise GeometryError("filename: expected one for a cut with its pixels, found none")
    path = Path(source).absolute()
    data, plan = _planned(path, arguments, symmetry)
    if not keep_pixels:
        parts = parts_of(plan.axes.bins)
        branches = 1
        while branches * 2 <= min(jobs, parts):
            branches *= 2
        step = parts // branches
        tasks = [(path, arguments, symmetry, first, first + step, parts) for first in range(0, parts, step)]
        image = of_sums(empty(plan, data.image), *_tree(run.map(_sums, tasks, "adding pixels", progress)))
        if filename is None:
            return image
        write_sqw(filename, image)
        return read_sqw(filename)
    assert filename is not None
    out = Path(filename).absolute()
    folder = out.with_name(f".{out.name}.parts")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        shares = [(path, arguments, symmetry, n, jobs, folder / f"{n}.sqw") for n in range(jobs)]
        run.map(_part, shares, "sorting pixels", progress)
        each = [w for *_, file in shares if isinstance(w := read_sqw(file), Sqw)]
        made = replace(data, image=empty(plan, data.image), pixel_range=each[0].pixel_range, filename="", filepath="")
        return joined(each, made, plan.bare, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _planned(path: Path, arguments: tuple[Any, ...], symmetry: _Symmetry) -> tuple[Sqw, Plan]:
    data = read_sqw(path)
    if not isinstance(data, Sqw):
        raise GeometryError(f"{path}: expected data with pixels, found an image")
    projection, descriptors = split_arguments(data, arguments)
    return data, make_plan(data, projection, descriptors, symmetry)


def _sums(path: Path, arguments: tuple[Any, ...], symmetry: _Symmetry, first: int, last: int, parts: int) -> Any:
    data, plan = _planned(path, arguments, symmetry)
    return sums_of_parts(data, plan, first, last, parts)


def _tree(sums: Sequence[tuple[Array, ...]]) -> tuple[Array, Array, NDArray[np.uint64]]:
    """Branches of the core's tree, added as it adds them."""
    each = list(sums)
    while len(each) > 1:
        each = [tuple(a + b for a, b in zip(x, y, strict=True)) for x, y in zip(each[::2], each[1::2], strict=True)]
    signal, variance, npix = each[0]
    return signal, variance, npix.astype(np.uint64)


def _part(path: Path, arguments: tuple[Any, ...], symmetry: _Symmetry, n: int, of: int, out: Path) -> None:
    data, plan = _planned(path, arguments, symmetry)
    arranged(data, replace(plan, ranges=_share(plan.ranges, len(data.pixels), n, of)), out)


def _share(ranges: NDArray[np.int64] | None, pixels: int, n: int, of: int) -> NDArray[np.int64]:
    """The n-th of equal shares of the pixels of stretches."""
    given = np.array([[0, pixels]]) if ranges is None else ranges
    lengths = given[:, 1] - given[:, 0]
    before = np.concatenate([[0], np.cumsum(lengths)])
    low, high = before[-1] * n // of, before[-1] * (n + 1) // of
    first = np.maximum(given[:, 0], given[:, 0] + low - before[:-1])
    last = np.minimum(given[:, 1], given[:, 0] + high - before[:-1])
    return np.asarray(np.stack([first, last], axis=1)[first < last], np.int64).reshape(-1, 2)
