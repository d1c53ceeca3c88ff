"""Horace's files of version 4: a table of blocks, each a tree of tagged values, an image or pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import FormatError, GeometryError
from insml.io.sqw.checks import checked_axes, checked_lattice
from insml.io.sqw.stream import Reader
from insml.io.sqw.tagged import Cell, Characters, Struct, Wrapped, read_tagged
from insml.sqw.axes import Axes
from insml.sqw.data import Sqw
from insml.sqw.detectors import DetectorTable
from insml.sqw.frame import Frame
from insml.sqw.image import Dnd
from insml.sqw.pixels import BYTES, Pixels
from insml.sqw.projection import CylinderProj, LineProj, Projection, SphereProj
from insml.sqw.run import RunHeader

Array = NDArray[np.float64]
Name = tuple[str, str]

_BLOCKS, _BINS = 10_000, 1 << 24


class Block(NamedTuple):
    kind: str
    position: int
    size: int


@dataclass(frozen=True, eq=False)
class Kept:
    """Blocks as they are in the file, for what is written again unchanged; ``others`` are of names that are not known."""

    path: Path
    blocks: dict[Name, Block]
    others: dict[Name, Block]


KNOWN: dict[Name, str] = {
    ("", "main_header"): "data_block", ("", "detpar"): "data_block", ("data", "metadata"): "data_block",
    ("data", "nd_data"): "dnd_data_block", ("experiment_info", "instruments"): "data_block",
    ("experiment_info", "samples"): "data_block", ("experiment_info", "expdata"): "data_block",
    ("pix", "metadata"): "data_block", ("pix", "data_wrap"): "pix_data_block"}


def read_blocks(reader: Reader, pixels: bool) -> Sqw | Dnd:
    blocks = _table(reader)
    needed = [n for n in KNOWN if pixels or n[0] == "data"]
    for name in needed:
        if name not in blocks or blocks[name].kind != KNOWN[name]:
            found = blocks[name].kind if name in blocks else "none"
            raise FormatError(reader.path, f"a {KNOWN[name]}", found, "/".join(name).strip("/"))
    image = _image(reader, blocks)
    if not pixels:
        return image
    main = _tree(reader, blocks, ("", "main_header"))
    detectors, detector_file = _detectors(reader, blocks)
    equipment = _equipment(reader, blocks)
    runs = _aligned(_runs(reader, blocks, equipment["samples"], image.lattice), image.lattice, reader, blocks)
    return Sqw(image, runs, detectors, _pixels(reader, blocks), _image_range(reader, blocks), _text(main, "title"),
               *_names(main), detector_file, lambda: equipment,
               Kept(reader.path, blocks, {n: b for n, b in blocks.items() if n not in KNOWN}))


def _table(reader: Reader) -> dict[Name, Block]:
    length = reader.count("<u4", "block table: size", reader.size)
    start = reader.position
    found: dict[Name, Block] = {}
    for _ in range(reader.count("<u4", "block table: blocks", _BLOCKS)):
        kind, first, second = (reader.text("block table") for _ in range(3))
        position, size = (int(x) for x in reader.array("<u8", 2, "block table"))
        if position > reader.size or size > reader.size - position:
            raise FormatError(reader.path, f"blocks within {reader.size} bytes", f"{size} bytes at {position}",
                              f"{first}/{second}".strip("/"))
        found[first, second] = Block(kind, position, size)
    if reader.position - start != length:
        raise FormatError(reader.path, f"{length} bytes", f"{reader.position - start}", "block table")
    return found


def _tree(reader: Reader, blocks: dict[Name, Block], name: Name) -> Struct:
    block = blocks[name]
    field = "/".join(name).strip("/")
    reader.seek(block.position)
    own = Reader.of_bytes(reader.path, reader.take(block.size, field))
    tree = read_tagged(own)
    if not isinstance(tree, Struct):
        raise FormatError(reader.path, "a struct", type(tree).__name__, field)
    return tree


def _value(tree: Any, name: str, path: Path) -> Any:
    if not isinstance(tree, Struct) or name not in tree.fields:
        raise FormatError(path, "a value", "none", name)
    return tree.fields[name]


def _text(tree: Struct, name: str) -> str:
    value = tree.fields.get(name, "")
    return value.text if isinstance(value, Characters) else value if isinstance(value, str) else ""


def _names(tree: Struct) -> tuple[str, str]:
    if "full_filename" in tree.fields:
        folder, _, name = _text(tree, "full_filename").replace("\\", "/").rpartition("/")
        return name, folder
    return _text(tree, "filename"), _text(tree, "filepath")


def _numbers(tree: Any, name: str, path: Path, size: int | None = None) -> Array:
    """Flat, the first index fastest."""
    value = _value(tree, name, path)
    if not isinstance(value, np.ndarray) or (size is not None and value.size != size):
        found = f"{value.size}" if isinstance(value, np.ndarray) else type(value).__name__
        raise FormatError(path, "numbers" if size is None else f"{size} numbers", found, name)
    return np.ravel(value, order="F").astype(float)


def _lattice(tree: Any, path: Path) -> Lattice:
    numbers = np.concatenate([_numbers(tree, name, path, 3) for name in ("alatt", "angdeg")])
    return checked_lattice(path, numbers, "alatt, angdeg")


def _image(reader: Reader, blocks: dict[Name, Block]) -> Dnd:
    path = reader.path
    tree = _tree(reader, blocks, ("data", "metadata"))
    axes_tree, proj = _value(tree, "axes", path), _value(tree, "proj", path)
    limits = _numbers(axes_tree, "img_range", path, 8).reshape(2, 4, order="F")
    bins = _numbers(axes_tree, "nbins_all_dims", path, 4)
    if not ((bins >= 1) & (bins <= _BINS) & (bins == bins.round())).all():
        raise FormatError(path, f"1 to {_BINS} bins", f"{bins.tolist()}", "nbins_all_dims")
    integrated = _numbers(axes_tree, "single_bin_defines_iax", path, 4)
    plotted = tuple(n for n in range(4) if bins[n] > 1 or not integrated[n])
    order = tuple(int(n) - 1 for n in _numbers(axes_tree, "dax", path))
    edges = tuple(np.linspace(lo, hi, int(n) + 1) if n > 1 else np.array([lo, hi])
                  for lo, hi, n in zip(*limits, bins, strict=True))
    try:
        axes = Axes(edges, plotted, order if sorted(order) == list(range(len(plotted))) else ())
        projection = _projection(proj, path)
    except GeometryError as error:
        raise FormatError(path, "axes and projection of an image", str(error), "data/metadata") from None
    block = blocks["data", "nd_data"]
    shape = axes.shape
    if block.size < 24 * axes.bins:
        raise FormatError(path, f"{24 * axes.bins} bytes for {axes.bins} bins", f"{block.size}", "data/nd_data")

    def load() -> Any:
        with path.open("rb") as file:
            own = Reader(path, file, path.stat().st_size, block.position)
            stated = own.array("<u4", own.count("<u4", "nd_data: dimensions", 8), "nd_data: dimensions")
            if int(np.prod(stated.astype(object))) != axes.bins:
                raise FormatError(path, f"{axes.bins} bins", f"{stated.tolist()}", "data/nd_data")
            arrays = [own.array(kind, axes.bins, "nd_data").reshape(shape, order="F") for kind in ("<f8", "<f8", "<u8")]
            return arrays[0], arrays[1], arrays[2].astype(np.uint64)

    assert isinstance(axes_tree, Struct)
    return Dnd(axes, projection, _lattice(proj, path), load, _text(axes_tree, "title"), *_names(axes_tree))


def _labels(tree: Struct, default: tuple[str, ...]) -> tuple[str, ...]:
    value = tree.fields.get("label")
    found = tuple(x for x in value.items if isinstance(x, str)) if isinstance(value, Cell) else ()
    return found if len(found) == 4 else default


def _projection(tree: Any, path: Path) -> Projection:
    kind = _text(tree, "serial_name") if isinstance(tree, Struct) else ""
    made: dict[str, type[SphereProj] | type[CylinderProj]] = {"sphere_proj": SphereProj, "cylinder_proj": CylinderProj}
    if kind not in ("ortho_proj", "line_proj", *made):
        raise FormatError(path, f"line_proj, ortho_proj, {', '.join(made)}", f"{kind[:40]!r}", "data/metadata: proj")
    u, v = _numbers(tree, "u", path, 3), _numbers(tree, "v", path, 3)
    offset, title = _numbers(tree, "offset", path, 4), _text(tree, "title")
    if kind in made:
        shape = made[kind]
        return shape(u, v, _text(tree, "type"), offset, _labels(tree, shape.label), title)
    w = np.ravel(_value(tree, "w", path))
    return LineProj(u, v, w if w.size == 3 else None, _text(tree, "type") or None,
                    bool(np.any(_value(tree, "nonorthogonal", path))), offset, _labels(tree, LineProj.label), title)


def _detectors(reader: Reader, blocks: dict[Name, Block]) -> tuple[DetectorTable, tuple[str, str]]:
    """Empty where the file has none in a form that is known: cuts do not need them."""
    tree = _tree(reader, blocks, ("", "detpar"))
    columns = ("group", "x2", "phi", "azim", "width", "height")
    if not all(isinstance(tree.fields.get(n), np.ndarray) for n in columns):
        return DetectorTable(*[np.zeros(0)] * 6), ("", "")
    try:
        return DetectorTable(*(_numbers(tree, n, reader.path) for n in columns)), _names(tree)
    except GeometryError as error:
        raise FormatError(reader.path, "columns of one length", str(error), "detpar") from None


def _equipment(reader: Reader, blocks: dict[Name, Block]) -> dict[str, list[Any]]:
    """Instruments and samples of each run, in order."""
    found = {}
    for what in ("instruments", "samples"):
        tree = _tree(reader, blocks, ("experiment_info", what))
        unique = tree.fields.get("unique_objects")
        inner = unique if isinstance(unique, Struct) else tree
        objects = inner.fields.get("unique_objects")
        items = [plain(x) for x in objects.items] if isinstance(objects, Cell) else []
        index = _numbers(inner, "idx", reader.path) if "idx" in inner.fields else np.zeros(0)
        if not ((index >= 1) & (index <= len(items))).all():
            raise FormatError(reader.path, f"1 to {len(items)}", f"{index.tolist()[:5]}", f"{what}: idx")
        found[what] = [items[int(i) - 1] for i in index]
    return found


def plain(value: Any) -> Any:
    """Trees as dicts and lists."""
    if isinstance(value, Wrapped):
        return plain(value.value)
    if isinstance(value, Struct):
        return {name: plain(x) for name, x in value.fields.items()}
    if isinstance(value, Cell):
        return [plain(x) for x in value.items]
    return value.text if isinstance(value, Characters) else value


def _runs(reader: Reader, blocks: dict[Name, Block], samples: list[Any], own: Lattice) -> tuple[RunHeader, ...]:
    path = reader.path
    tree = _tree(reader, blocks, ("experiment_info", "expdata"))
    array = tree.fields.get("array_dat", tree)
    if not isinstance(array, Struct):
        raise FormatError(path, "a struct of runs", type(array).__name__, "expdata")
    several = int(np.prod(array.shape)) != 1
    count = int(np.prod(array.shape))
    each = [Struct({k: v[n] if several else v for k, v in array.fields.items()}) for n in range(count)]
    return tuple(_run(run, n, samples, own, path) for n, run in enumerate(each))


def _run(run: Struct, n: int, samples: list[Any], own: Lattice, path: Path) -> RunHeader:
    fields = run.fields
    cell = samples[n] if n < len(samples) and isinstance(samples[n], dict) else {}
    a, angles = (np.ravel(cell.get(k, [])) for k in ("alatt", "angdeg"))
    u, v = (_numbers(run, f"c{x}" if f"c{x}" in fields else x, path, 3) for x in "uv")
    degrees = bool(np.any(fields.get("angular_is_degree", False)))
    turns = [float(_numbers(run, name, path, 1)[0]) for name in ("psi", "omega", "dpsi", "gl", "gs")]
    mode = int(_numbers(run, "emode", path, 1)[0])
    energies, efix = _numbers(run, "en", path), _numbers(run, "efix", path)
    if mode not in (0, 1, 2) or not efix.size or not np.isfinite(efix).all() or (mode and not (efix > 0).all()):
        raise FormatError(path, "emode 0, 1 or 2 with fixed energies", f"{mode} with {efix}", f"run {n + 1}")
    try:
        lattice = checked_lattice(path, np.concatenate([a, angles]).astype(float), f"run {n + 1}: sample") \
            if a.size == angles.size == 3 else own
        orientation = Orientation(lattice, tuple(u.tolist()), tuple(v.tolist()),
                                  *(turns if degrees else np.degrees(turns).tolist()))
    except GeometryError as error:
        raise FormatError(path, "an orientation", str(error), f"run {n + 1}") from None
    frame = None
    size = {9: 3, 16: 4}.get(np.size(fields.get("u_to_rlu", [])))
    if size is not None:
        matrix = np.eye(4)
        matrix[:size, :size] = _numbers(run, "u_to_rlu", path).reshape(size, size, order="F")
        checked_axes(path, matrix[:3, :3], f"run {n + 1}: u_to_rlu")
        frame = Frame(matrix, np.zeros(4), np.ones(4))
    number = _numbers(run, "run_id", path, 1)[0] if np.size(fields.get("run_id", [])) == 1 else np.nan
    return RunHeader(int(number) if np.isfinite(number) else n + 1, *_names(run), efix, mode, orientation, energies, frame)


def _pixels(reader: Reader, blocks: dict[Name, Block]) -> Pixels:
    block = blocks["pix", "data_wrap"]
    reader.seek(block.position)
    columns, count = int(reader.scalar("<u4", "pix")), int(reader.scalar("<u8", "pix"))
    if columns != 9 or count * BYTES + 12 > block.size:
        raise FormatError(reader.path, f"9 numbers of pixels within {block.size} bytes", f"{columns} of {count}",
                          "pix/data_wrap")
    start = reader.position
    return Pixels(path=reader.path, start=start, count=count)


def _aligned(runs: tuple[RunHeader, ...], lattice: Lattice, reader: Reader,
             blocks: dict[Name, Block]) -> tuple[RunHeader, ...]:
    """Runs with the turn that pixels still need into the crystal Cartesian frame, where the file has one."""
    fields = _tree(reader, blocks, ("pix", "metadata")).fields
    if np.size(fields.get("alignment_matr", [])) != 9:
        return runs
    turn = _numbers(Struct(fields), "alignment_matr", reader.path, 9).reshape(3, 3, order="F")
    if np.allclose(turn, np.eye(3), atol=1e-12):
        return runs
    if not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6):
        raise FormatError(reader.path, "a rotation", f"{turn.tolist()}", "pix/metadata: alignment_matr")
    matrix = np.eye(4)
    matrix[:3, :3] = np.linalg.solve(Orientation(lattice, (1, 0, 0), (0, 1, 0)).b, turn)
    return tuple(replace(run, frame=Frame(matrix, np.zeros(4), np.ones(4))) for run in runs)


def _image_range(reader: Reader, blocks: dict[Name, Block]) -> Array:
    axes = _value(_tree(reader, blocks, ("data", "metadata")), "axes", reader.path)
    return _numbers(axes, "img_range", reader.path, 8).reshape(2, 4, order="F")
