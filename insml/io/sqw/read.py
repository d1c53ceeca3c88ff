"""Opening Horace's .sqw and .dnd files, any version."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from insml.errors import FormatError
from insml.io.sqw import legacy
from insml.io.sqw.self_describing import read_value
from insml.io.sqw.stream import Reader
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.pixels import BYTES, Pixels
from insml.sqw.projection import LineProj

HEADER = struct.Struct("<i6sdII")
#: Versions whose layout is known; 1 was written for a while and is 2.
KNOWN = (0, 1, 2, 3, 3.1, 3.2, 3.21, 3.3, 4)


def is_horace(head: bytes) -> bool:
    """Whether a file that begins so is one of Horace's, but for version 0."""
    return head.startswith(b"\x06\x00\x00\x00horace")


def read_sqw(path: str | Path) -> Sqw | Dnd:
    """Open a .sqw or .dnd file of Horace, version 0 to 4. Only headers are read; arrays and pixels when they are used.

    Raises
    ------
    FormatError : damage, or a version whose layout is not known.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            reader = Reader(path, file, size)
            if not is_horace(file.read(HEADER.size)):
                reader.seek(0)
                return _legacy(reader, 0, True)
            reader.seek(0)
            _, _, version, kind, _ = HEADER.unpack(reader.take(HEADER.size, "application header"))
            if version not in KNOWN and not 4 < version < 5:
                raise FormatError(path, f"version {', '.join(f'{v:g}' for v in KNOWN)}", f"{version:g}", "version")
            if kind not in (0, 1):
                raise FormatError(path, "0 (dnd) or 1 (sqw)", f"{kind}", "sqw_type")
            if version >= 4:
                from insml.io.sqw.blocks import read_blocks

                return read_blocks(reader, kind == 1)
            return _legacy(reader, version, kind == 1)
    except OSError as error:
        raise FormatError(path, "a readable file", error.strerror or str(error)) from None


def _legacy(reader: Reader, version: float, pixels: bool) -> Sqw | Dnd:
    path = reader.path
    if not pixels:
        return _image(path, reader, legacy.read_image(reader, prototype=False), version)
    main = legacy.read_main(reader)
    runs = tuple(legacy.read_run(reader, n + 1, several_energies=version in (3.2, 3.21)) for n in range(main.runs))
    if not runs:
        raise FormatError(path, "at least one run", "none", "main header: nfiles")
    detectors, names = legacy.read_detectors(reader)
    header = legacy.read_image(reader, prototype=version == 0)
    if header.lattice is None:
        header = header._replace(lattice=runs[0].orientation.lattice, filename=main.filename, filepath=main.filepath)
    image = _image(path, reader, header, version)
    extent = reader.array("<f4", 8, "img_db_range").astype(float).reshape(2, 4, order="F")
    reader.skip(4, "pixels")
    count = int(reader.scalar("<u8", "npixels"))
    start = reader.skip(count * BYTES, "pixels")
    load = None if version < 3.1 else lambda: _equipment(path, len(runs))
    return Sqw(image, runs, detectors, Pixels(path=path, start=start, count=count), extent, main.title, main.filename,
               main.filepath, names, load)


def _image(path: Path, reader: Reader, header: legacy.ImageHeader, version: float) -> Dnd:
    reader.seek(header.arrays)
    reader.skip(16 * header.axes.bins, "image")
    assert header.lattice is not None

    def load() -> Any:
        with path.open("rb") as file:
            return legacy.image_arrays(Reader(path, file, path.stat().st_size), header, sums=version == 0)

    return Dnd(header.axes, LineProj.of_frame(header.frame), header.lattice, load, header.title, header.filename,
               header.filepath)


def _equipment(path: Path, runs: int) -> dict[str, list[Any]]:
    """Instruments and samples behind the pixels of files of version 3.1 and later."""
    with path.open("rb") as file:
        size = path.stat().st_size
        reader = Reader(path, file, size, size - 4)
        length = int(reader.scalar("<u4", "footer"))
        reader.seek(size - 4 - length)
        footer = read_value(reader)
        found: dict[str, list[Any]] = {}
        for name in ("instrument", "sample"):
            place = footer.get(f"{name}_head_pos_") if isinstance(footer, dict) else None
            if place is None or np.size(place) != 1:
                raise FormatError(path, "the position of a block", f"{place}", f"footer: {name}_head_pos_")
            reader.seek(int(np.ravel(place)[0]))
            stated = reader.text(name)
            if stated != name:
                raise FormatError(path, f"a block {name!r}", f"{stated[:20]!r}", "footer")
            reader.skip(4, name)
            count = reader.count("<i4", f"{name}: nfiles", max(runs, 1))
            same = reader.scalar("<u1", f"{name}: all_same")
            value = read_value(reader)
            each = [value] * runs if same or not isinstance(value, list) else value
            if len(each) != runs and count:
                raise FormatError(path, f"{runs}, one for each run", f"{len(each)}", name)
            found[f"{name}s"] = each
        return found
