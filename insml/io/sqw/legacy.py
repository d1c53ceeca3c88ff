"""Headers and images of Horace's files up to version 3.3, read and (version 2) written.

Byte layout: application header; of files with pixels main header, headers of runs, detectors; image; range of pixels and
pixels.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import FormatError, GeometryError
from insml.io.sqw.checks import checked_axes, checked_lattice
from insml.io.sqw.stream import ENCODING, Reader, Writer, encoded
from insml.sqw.axes import Axes
from insml.sqw.detectors import DetectorTable
from insml.sqw.frame import Frame, crystal_cartesian
from insml.sqw.run import RunHeader

Array = NDArray[np.float64]

#: Bytes at most of one label, and bins at most of one axis: more is damage.
_LABEL, _BINS = 4096, 1 << 24


class MainHeader(NamedTuple):
    filename: str
    filepath: str
    title: str
    runs: int


class ImageHeader(NamedTuple):
    """Of an image; ``arrays`` is where its signal starts."""

    filename: str
    filepath: str
    title: str
    lattice: Lattice | None
    frame: Frame
    axes: Axes
    arrays: int


def read_main(reader: Reader) -> MainHeader:
    filename, filepath, title = (reader.text(f"main header: {n}") for n in ("filename", "filepath", "title"))
    return MainHeader(filename, filepath, title, reader.count("<i4", "main header: nfiles", reader.size))


def write_main(writer: Writer, main: MainHeader) -> None:
    for text in main[:3]:
        writer.text(text)
    writer.scalar("<i4", main.runs)


def read_run(reader: Reader, number: int, *, several_energies: bool) -> RunHeader:
    """The header of run ``number``, counted from 1. ``several_energies``: versions 3.2 may have one for each detector."""
    field = f"run {number}"
    filename, filepath = reader.text(f"{field}: filename"), reader.text(f"{field}: filepath")
    count = reader.count("<i4", f"{field}: number of efix", reader.size) if several_energies else 1
    efix = reader.array("<f4", count, f"{field}: efix").astype(float)
    mode = int(reader.scalar("<i4", f"{field}: emode"))
    if mode not in (0, 1, 2) or not efix.size or not np.isfinite(efix).all() or (mode and not (efix > 0).all()):
        raise FormatError(reader.path, "emode 0, 1 or 2 with fixed energies", f"{mode} with {efix}", field)
    cell, u, v, angles = (reader.array("<f4", n, field).astype(float) for n in (6, 3, 3, 5))
    energies = reader.array("<f4", reader.count("<i4", f"{field}: number of en", reader.size), f"{field}: en").astype(float)
    frame = _frame(reader, field)
    psi, omega, dpsi, gl, gs = np.degrees(angles)
    lattice = checked_lattice(reader.path, cell, f"{field}: alatt")
    try:
        orientation = Orientation(lattice, tuple(u.tolist()), tuple(v.tolist()), float(psi), float(omega),
                                  float(dpsi), float(gl), float(gs))
    except GeometryError as error:
        raise FormatError(reader.path, "an orientation", str(error), field) from None
    named = re.search(r"\$id\$?(\d{1,9})", filename)
    return RunHeader(int(named[1]) if named else number, filename, filepath, efix, mode, orientation, energies, frame)


def write_run(writer: Writer, run: RunHeader, number: int) -> None:
    marked = "$id" in run.filename or run.id == number
    writer.text(run.filename if marked else f"{run.filename}$id{run.id}")
    writer.text(run.filepath)
    writer.scalar("<f4", run.efix)
    writer.scalar("<i4", run.mode)
    o = run.orientation
    writer.array("<f4", [o.lattice.a, o.lattice.b, o.lattice.c, o.lattice.alpha, o.lattice.beta, o.lattice.gamma])
    writer.array("<f4", [*o.u, *o.v])
    writer.array("<f4", np.radians([o.psi, o.omega, o.dpsi, o.gl, o.gs]))
    writer.scalar("<i4", run.energies.size)
    writer.array("<f4", run.energies)
    _write_frame(writer, run.frame or crystal_cartesian(o.b))


def _frame(reader: Reader, field: str) -> Frame:
    offset = reader.array("<f4", 4, f"{field}: uoffset").astype(float)
    matrix = reader.array("<f4", 16, f"{field}: u_to_rlu").astype(float).reshape(4, 4, order="F")
    lengths = reader.array("<f4", 4, f"{field}: ulen").astype(float)
    checked_axes(reader.path, matrix[:3, :3], f"{field}: u_to_rlu")
    if not np.isfinite(offset).all():
        raise FormatError(reader.path, "finite numbers", f"{offset.tolist()}", f"{field}: uoffset")
    rows, columns = (reader.count("<i4", f"{field}: ulabel", _LABEL) for _ in range(2))
    letters = reader.take(rows * columns, f"{field}: ulabel")
    labels = tuple(letters[r::rows].decode(ENCODING).rstrip(" ") for r in range(rows)) if rows else ()
    if len(labels) != 4:
        raise FormatError(reader.path, "four labels", f"{len(labels)}", f"{field}: ulabel")
    return Frame(matrix, offset, lengths, labels)


def _write_frame(writer: Writer, frame: Frame) -> None:
    writer.array("<f4", frame.offset)
    writer.array("<f4", frame.u_to_rlu)
    writer.array("<f4", frame.lengths)
    labels = [encoded(label) for label in frame.labels]
    width = max(len(label) for label in labels)
    writer.array("<i4", [len(labels), width])
    padded = [label.ljust(width) for label in labels]
    writer.write(bytes(padded[r][c] for c in range(width) for r in range(len(labels))))


def read_detectors(reader: Reader) -> tuple[DetectorTable, tuple[str, str]]:
    names = reader.text("detectors: filename"), reader.text("detectors: filepath")
    count = reader.count("<u4", "detectors: ndet", reader.size)
    columns = [reader.array("<f4", count, f"detectors: {n}") for n in ("group", "x2", "phi", "azim", "width", "height")]
    return DetectorTable(*columns), names


def write_detectors(writer: Writer, table: DetectorTable, names: tuple[str, str]) -> None:
    for name in names:
        writer.text(name)
    writer.scalar("<u4", len(table))
    for column in (table.number, table.distance, table.two_theta, table.azimuth, table.width, table.height):
        writer.array("<f4", column)


def read_image(reader: Reader, *, prototype: bool) -> ImageHeader:
    """``prototype``: version 0 has neither names nor a lattice here."""
    filename = filepath = title = ""
    lattice = None
    if not prototype:
        filename, filepath, title = (reader.text(f"image: {n}") for n in ("filename", "filepath", "title"))
        lattice = checked_lattice(reader.path, reader.array("<f4", 6, "image: alatt, angdeg").astype(float), "image: alatt")
    frame = _frame(reader, "image")
    dimensions = reader.count("<u4", "image: npax", 4)
    across = reader.array("<i4", 4 - dimensions, "image: iax")
    limits = reader.array("<f4", 2 * (4 - dimensions), "image: iint").astype(float).reshape(2, -1, order="F")
    along = reader.array("<i4", dimensions, "image: pax")
    if sorted([*across, *along]) != [1, 2, 3, 4] or list(along) != sorted(along):
        raise FormatError(reader.path, "axes 1 to 4, each once", f"{[*across.tolist(), *along.tolist()]}",
                          "image: pax, iax")
    edges: list[Array] = [np.zeros(2)] * 4
    for n, axis in enumerate(across):
        edges[axis - 1] = limits[:, n]
    for axis in along:
        field = f"image: p{axis}"
        edges[axis - 1] = reader.array("<f4", reader.count("<i4", field, _BINS), field).astype(float)
    order = reader.array("<i4", dimensions, "image: dax")
    if sorted(order) != list(range(1, dimensions + 1)):
        raise FormatError(reader.path, f"1 to {dimensions}, each once", f"{order.tolist()}", "image: dax")
    try:
        axes = Axes(tuple(edges), tuple(int(x) - 1 for x in along), tuple(int(x) - 1 for x in order))
    except GeometryError as error:
        raise FormatError(reader.path, "bin edges", str(error), "image") from None
    return ImageHeader(filename, filepath, title, lattice, frame, axes, reader.position)


def write_image(writer: Writer, header: ImageHeader) -> None:
    for text in header[:3]:
        writer.text(text)
    cell = header.lattice
    assert cell is not None
    writer.array("<f4", [cell.a, cell.b, cell.c, cell.alpha, cell.beta, cell.gamma])
    _write_frame(writer, header.frame)
    axes = header.axes
    across = [n for n in range(4) if n not in axes.plotted]
    writer.scalar("<u4", len(axes.plotted))
    writer.array("<i4", [n + 1 for n in across])
    writer.array("<f4", [x for n in across for x in axes.all_edges[n]])
    writer.array("<i4", [n + 1 for n in axes.plotted])
    for edges in axes.edges:
        writer.scalar("<i4", edges.size)
        writer.array("<f4", edges)
    writer.array("<i4", [n + 1 for n in axes.order])


def image_arrays(reader: Reader, header: ImageHeader, *, sums: bool) -> tuple[Any, Any, Any]:
    """Signal, variance, npix of the shape of the bins. ``sums``: version 0 stores sums."""
    reader.seek(header.arrays)
    count = header.axes.bins
    signal, variance = (reader.array("<f4", count, f"image: {n}").astype(float) for n in "se")
    npix = reader.array("<u8", count, "image: npix").astype(np.uint64)
    if sums:
        many = np.maximum(npix, 1).astype(float)
        signal, variance = signal / many, variance / many**2
    shape = header.axes.shape
    return tuple(x.reshape(shape, order="F") for x in (signal, variance, npix))  # type: ignore[return-value]
