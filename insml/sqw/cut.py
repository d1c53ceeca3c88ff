"""Cuts: pixels into the bins of a projection."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError, InsmlError
from insml.io.atomic import atomic_path
from insml.sqw.axes import Axes
from insml.sqw.data import Sqw
from insml.sqw.descriptor import WHOLE, Bins, Existing, resolve, several
from insml.sqw.image import Dnd
from insml.sqw.pixels import BYTES, Pixels
from insml.sqw.projection import CylinderProj, LineProj, Projection
from insml.sqw.symmetry import Symop, affine_of

Array = NDArray[np.float64]
#: Called with what is done, how much of it, and of how much.
Progress = Callable[[str, int, int], None]

#: Parts whose sums are added as a tree; fewer where bins are many, so that all parts of all threads fit into this much.
_PARTS, _TABLES = 64, 1 << 29
#: Kept pixels beyond which they are put in order in their file, bytes.
MEMORY = 1 << 29
#: Seconds between one flush of a file that is being written and the next.
_FLUSH = 0.3
#: Pixels of a block of the work.
_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Plan:
    """Bins of a cut, resolved. ``ranges``: stretches of pixels that can lie in them, None for all. ``bare``: the target for
    pixels that operations have moved already."""

    axes: Axes
    projection: Projection
    target: _core.Target
    ranges: NDArray[np.int64] | None
    bare: _core.Target

    @property
    def wanted(self) -> int:
        return -1 if self.ranges is None else int((self.ranges[:, 1] - self.ranges[:, 0]).sum())


def cut(source: Any, *arguments: Any, symmetry: Sequence[Symop | Sequence[Symop]] = (), keep_pixels: bool = True,
        filename: str | Path | None = None, threads: int = 0, progress: Progress | None = None) -> Any:
    """Bins of pixels along the axes of a projection.

    ``cut(w, proj, p1, p2, p3, p4)``; without ``proj`` the axes of ``w``, and four p or one for each plotted axis.

    Parameters
    ----------
    source : Sqw, Dnd, or the path of a file; a list of them for a list of cuts.
    p1, ... : None or [] as it is; step; [lo, hi] to integrate; [lo, step, hi] first and last bin centres;
        [lo, separation, hi, width] for a list of cuts. Absent ones are None. 0 is the step as it is, infinities are the
        data's.
    symmetry : operations, or sequences of them, tried in order on pixels that lie in no bin as they are. Each pixel is
        taken once, and moved.
    keep_pixels : give an Sqw; otherwise, and from a Dnd, a Dnd.
    filename : write the cut (version 4) and give it from there, whatever its size.
    threads : 0 for one per core; bits do not depend on it.
    progress : called with what is done, how many pixels of it, and of how many. Ctrl-C ends a cut at any time.

    Raises
    ------
    GeometryError : bins or projections that cannot be. FormatError : a damaged file.
    """
    if isinstance(source, (list, tuple)):
        if filename is not None:
            raise GeometryError(f"cut: expected one source for a file, found {len(source)}")
        return [cut(one, *arguments, symmetry=symmetry, keep_pixels=keep_pixels, threads=threads, progress=progress)
                for one in source]
    data = _opened(source)
    projection, descriptors = split_arguments(data, arguments)
    beside = [several(d) for d in descriptors]
    if any(beside):
        if filename is not None:
            raise GeometryError("bins: expected one cut to write, found [lo, separation, hi, width]")
        return [cut(data, projection, *chosen, symmetry=symmetry, keep_pixels=keep_pixels, threads=threads,
                    progress=progress)
                for chosen in product(*(b if b else [d] for b, d in zip(beside, descriptors, strict=True)))]
    if isinstance(data, Dnd):
        from insml.sqw.rebin import cut_image

        if symmetry:
            raise GeometryError("symmetry: expected data with pixels, found none")
        found = cut_image(data, projection, descriptors)
        return _written(found, filename) if filename is not None else found
    plan = make_plan(data, projection, descriptors, symmetry)
    if not keep_pixels:
        image = accumulated(data, plan, threads, progress)
        return _written(image, filename) if filename is not None else image
    return arranged(data, plan, filename, threads, progress)


def _opened(source: Any) -> Sqw | Dnd:
    if isinstance(source, (str, Path)):
        from insml.io import open_any

        source = open_any(source)
    if not isinstance(source, (Sqw, Dnd)):
        raise GeometryError(f"cut: expected an Sqw, a Dnd or the path of their file, found {type(source).__name__}; "
                            "gen_sqw makes pixels of runs")
    return source


def split_arguments(data: Sqw | Dnd, arguments: tuple[Any, ...]) -> tuple[Projection | None, list[Any]]:
    """A projection, if there is one, and descriptors of four axes."""
    projection, given = None, list(arguments)
    if given and (isinstance(given[0], Projection) or len(given) == 5):
        projection, *given = given
    if projection is not None and not isinstance(projection, Projection):
        raise GeometryError(f"projection: expected line_proj, sphere_proj or cylinder_proj, found {projection!r}")
    if len(given) > 4:
        raise GeometryError(f"bins: expected at most four axes, found {len(given)}")
    if projection is None and len(given) == data.ndim < 4:
        full: list[Any] = [None] * 4
        for axis, one in zip(data.axes.plotted, given, strict=True):
            full[axis] = one
        return None, full
    return projection, given + [None] * (4 - len(given))


def make_plan(data: Sqw, projection: Projection | None, descriptors: Sequence[Any],
              symmetry: Sequence[Symop | Sequence[Symop]] = ()) -> Plan:
    """Bins, and which pixels may lie in them."""
    image = data.image
    own = projection is None
    chosen = image.projection if projection is None else projection
    known = existing(image, None if own else chosen)
    bins = [resolve(d, known[n], f"p{n + 1}") for n, d in enumerate(descriptors)]
    axes = Axes(tuple(b.edges for b in bins), tuple(n for n, b in enumerate(bins) if b.plotted))
    plan = plan_of(data, chosen, axes, symmetry)
    # the image says how far the data reach; pixels are not compared with that, which rounding might leave some outside of
    return replace(plan, axes=replace(axes, all_edges=tuple(map(_reaching, axes.all_edges, known))))


def _reaching(edges: Array, known: Existing) -> Array:
    """With the limits of the data, a little wider, in place of infinities."""
    if np.isfinite(edges).all():
        return edges
    limits = np.array([known.low, known.high])
    limits += np.array([-1, 1]) * 4 * WHOLE * max(np.abs(limits).max(), 1e-6)
    return np.where(np.isfinite(edges), edges, limits)


def plan_of(data: Sqw, projection: Projection, axes: Axes, symmetry: Sequence[Symop | Sequence[Symop]] = ()) -> Plan:
    """For bins that are known."""
    target = core_target(projection, axes, data.image.lattice, symmetry, data.to_rlu)
    bare = core_target(projection, axes, data.image.lattice, (), data.to_rlu) if symmetry else target
    return Plan(axes, projection, target, _ranges(data, target), bare)


def core_target(projection: Projection, axes: Axes, lattice: Lattice,
                symmetry: Sequence[Symop | Sequence[Symop]] = (), to_rlu: Array | None = None) -> _core.Target:
    """What the core bins pixels with. ``to_rlu``: of what pixels hold; of crystal Cartesian Q where None."""
    first_turn = -180.0
    if not isinstance(projection, LineProj):
        # an angle is given in the turn in which the axis begins
        lowest = float(axes.all_edges[2][0])
        scale = projection.core(lattice)["scale"][2]
        first_turn = max(lowest * scale, -360.0) if np.isfinite(lowest) else -180.0
    operations = [affine_of(s, lattice) for s in symmetry]
    if to_rlu is not None:
        # operations are on Q in the crystal's frame, pixels may be turned from it
        turn = Orientation(lattice, (1, 0, 0), (0, 1, 0)).b @ to_rlu
        back = np.linalg.inv(turn)
        operations = [(back @ w @ turn, back @ shift) for w, shift in operations]
    return _core.Target(**projection.core(lattice, to_rlu), first_turn=first_turn, axes=list(axes.uniform),
                        operations=[(w.tolist(), shift.tolist()) for w, shift in operations])


def existing(image: Dnd, projection: Projection | None) -> list[Existing]:
    """What is known of axes: of the image as they are, or of another projection as far as the image's box reaches."""
    axes = image.axes
    old = [Existing(float(e[0]), float(e[-1]), float(e[-1] - e[0]) / (e.size - 1), n in axes.plotted, e)
           for n, e in enumerate(axes.all_edges)]
    if projection is None:
        return old
    energy = old[3]
    shift = float(projection.offset[3]) - float(image.projection.offset[3])
    moved = Existing(energy.low - shift, energy.high - shift, energy.step, energy.plotted,
                     energy.edges - shift if energy.edges is not None else None)
    corners = _corners(image)
    if corners is None:
        # what is not asked for is integrated over
        return [replace(o, low=-np.inf, high=np.inf, plotted=False, edges=None) for o in old[:3]] + [moved]
    core = projection.core(image.lattice)
    y = corners @ np.array(core["frame"]).T - np.array(core["offset"][:3])
    if isinstance(projection, LineProj):
        limits = list(zip(y.min(axis=0), y.max(axis=0), strict=True))
    elif isinstance(projection, CylinderProj):
        limits = [(0.0, _far(y[:, 1:])), (y[:, 0].min(), y[:, 0].max())]
        limits = [(a / s, b / s) for (a, b), s in zip(limits, core["scale"], strict=False)] + projection.limits
    else:
        limits = [(0.0, _far(y) / core["scale"][0]), *projection.limits]
    return [Existing(float(a), float(b), o.step, o.plotted) for (a, b), o in zip(limits, old, strict=False)] + [moved]


def _far(y: Array) -> float:
    return float(np.linalg.norm(y, axis=1).max())


def _corners(image: Dnd) -> Array | None:
    """(8, 3) of the box of the image, crystal Cartesian; None where it has none."""
    if not isinstance(image.projection, LineProj):
        return None
    x = np.array(list(product(*((e[0], e[-1]) for e in image.axes.all_edges[:3]))))
    if not np.isfinite(x).all():
        return None
    frame = image.projection.frame(image.lattice)
    b = Orientation(image.lattice, (1, 0, 0), (0, 1, 0)).b
    return np.asarray((x @ frame.momenta.T + frame.offset[:3]) @ b.T)


def _ranges(data: Sqw, target: _core.Target) -> NDArray[np.int64] | None:
    """Which pixels can lie in the bins, by the box of each bin of the source."""
    projection, image = data.image.projection, data.image
    if not isinstance(projection, LineProj):
        data.counted  # noqa: B018  (raises where bins and pixels do not belong together)
        return None
    frame = projection.frame(image.lattice)
    b = np.linalg.inv(data.to_rlu)
    edges = [np.ascontiguousarray(e) for e in image.axes.all_edges]
    return np.asarray(_core.candidates(target, turn=(b @ frame.momenta).tolist(), shift=(b @ frame.offset[:3]).tolist(),
                                       energy=float(frame.offset[3]), edges=edges,
                                       npix=np.ascontiguousarray(data.counted)))


def parts_of(bins: int) -> int:
    """Into how many parts pixels are divided, whatever the threads: a power of two."""
    parts = _PARTS
    while parts > 2 and parts * 32 * bins > _TABLES:
        parts //= 2
    return parts


def accumulated(data: Sqw, plan: Plan, threads: int = 0, progress: Progress | None = None) -> Dnd:
    """The image of a cut, without its pixels."""
    parts = parts_of(plan.axes.bins)
    return of_sums(empty(plan, data.image), *sums_of_parts(data, plan, 0, parts, parts, threads, progress))


def sums_of_parts(data: Sqw, plan: Plan, first: int, last: int, parts: int, threads: int = 0,
                  progress: Progress | None = None) -> tuple[Array, Array, NDArray[np.uint64]]:
    """Sums of signal and variance and numbers of pixels by bin, of a branch of the tree of ``parts``."""
    wanted = (len(data.pixels) if plan.ranges is None else plan.wanted) * (last - first) // parts
    return _core.accumulate(data.pixels.source, plan.target, ranges=plan.ranges, parts=parts, first=first, last=last,
                            threads=threads, progress=_telling(progress, "adding pixels", wanted))


def _telling(progress: Progress | None, what: str, of: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    told = progress
    return lambda done: told(what, min(done, of), of)


def of_sums(frame: Dnd, signal: Array, variance: Array, npix: NDArray[np.uint64]) -> Dnd:
    """Means in the bins of ``frame`` from sums by bin, the first axis fastest."""
    many = np.maximum(npix, 1).astype(float)
    mean, error, count = (x.reshape(frame.shape, order="F") for x in (signal / many, variance / many**2, npix))
    return Dnd.of(frame.axes, frame.projection, frame.lattice, mean, error, count, frame.title)


def empty(plan: Plan, source: Dnd) -> Dnd:
    """The image of a cut that is not made yet."""
    return Dnd(plan.axes, plan.projection, source.lattice, _nothing, source.title)


def arranged(data: Sqw, plan: Plan, filename: str | Path | None = None, threads: int = 0,
             progress: Progress | None = None) -> Sqw:
    """A cut with its pixels, in memory or in a file."""
    wanted = len(data.pixels) if plan.ranges is None else plan.wanted
    blocks = max(1, min(512, wanted // _BLOCK))

    def arrange(out: tuple[Path, int] | None) -> Any:
        return _core.arrange(data.pixels.source, plan.target, ranges=plan.ranges, blocks=blocks, out=out, memory=MEMORY,
                             threads=threads, progress=_telling(progress, "sorting pixels", 3 * wanted))

    made = replace(data, image=empty(plan, data.image), pixel_range=_finite(plan.axes, data), filename="", filepath="")
    if filename is None:
        signal, variance, npix, pixels = arrange(None)
        return replace(made, image=of_sums(made.image, signal, variance, npix), pixels=Pixels(pixels))
    return write_arranged(made, Path(filename), atomic_path(filename), lambda out: arrange(out)[:3])


def write_arranged(made: Sqw, filename: Path, place: AbstractContextManager[Path], arrange: Any) -> Sqw:
    """A file whose pixels the core puts behind its head.

    ``place`` gives the path to write to and the name afterwards; ``arrange(out)`` sums of signal and variance and numbers.
    """
    from insml.io.sqw import read_sqw
    from insml.io.sqw.write import Head, limits, naming

    with naming(filename), place as aside:
        head = Head(made, 4, filename)
        start = head.length()
        if not aside.exists():
            with aside.open("wb") as file:
                file.truncate(start)
        with flushing(aside):
            sums = arrange((aside, start))
        count = int(sums[2].sum())
        image = of_sums(made.image, *sums)
        with aside.open("r+b") as file:
            extent = limits((aside, start, count), count)
            file.write(head.encoded((image.signal, image.variance, image.npix), count, extent))
            if file.tell() != start:
                raise InsmlError(f"{filename}: expected {start} bytes before pixels, found {file.tell()}")
            file.seek(start + count * BYTES)
            file.write(head.tail)
    found = read_sqw(filename)
    assert isinstance(found, Sqw)
    return found


@contextmanager
def flushing(path: Path) -> Iterator[None]:
    """Sends a file to the disk while it is written, so that little is left to wait for at the end."""
    done = threading.Event()

    def flush() -> None:
        with path.open("rb") as file:
            while not done.wait(_FLUSH):
                with suppress(OSError):  # what the disk does not take is met again when the file is closed
                    os.fsync(file.fileno())

    thread = threading.Thread(target=flush, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _nothing() -> Any:
    raise AssertionError("an image that is not made yet")


def _finite(axes: Axes, data: Sqw) -> Array:
    """(2, 4) limits of axes; of the source where they are infinite."""
    limits = np.array([[e[0], e[-1]] for e in axes.all_edges]).T
    return np.where(np.isfinite(limits), limits, data.pixel_range)


def _written(image: Dnd, filename: str | Path) -> Dnd:
    from insml.io.sqw import read_sqw, write_sqw

    write_sqw(filename, image)
    found = read_sqw(filename)
    assert isinstance(found, Dnd)
    return found


__all__ = ["Bins", "Plan", "accumulated", "arranged", "core_target", "cut", "empty", "existing", "make_plan", "of_sums",
           "plan_of", "split_arguments", "sums_of_parts", "write_arranged"]
