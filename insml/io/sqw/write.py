"""Writing Horace's .sqw and .dnd files: version 2, which all its versions and Mantid read, and version 4."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError, InsmlError, ModelError
from insml.io.atomic import atomic_path
from insml.io.sqw import legacy
from insml.io.sqw.blocks import KNOWN, Kept, Name
from insml.io.sqw.equipment import instrument_tree, instruments_of, sample_tree, samples_of
from insml.io.sqw.read import HEADER
from insml.io.sqw.stream import Writer
from insml.io.sqw.tagged import Struct, Wrapped, write_tagged
from insml.sqw.data import Sqw
from insml.sqw.image import Arrays, Dnd
from insml.sqw.projection import LineProj

Array = NDArray[np.float64]

VERSIONS = (2, 4)
_PIECE = 1 << 20


def write_sqw(path: str | Path, data: Sqw | Dnd, version: int = 4) -> None:
    """Write an image, with its pixels if it has them; the file is complete or not there.

    Parameters
    ----------
    version : 4, or 2, which holds straight axes only, float32, and no instruments or samples.

    Raises
    ------
    InsmlError : an unknown version, no such directory, a disk that is full. GeometryError : axes that version 2 cannot
    hold.
    """
    if version not in VERSIONS:
        raise InsmlError(f"version: expected 2 or 4, found {version}")
    path = Path(path)
    image = data.image
    pixels = data.pixels if isinstance(data, Sqw) else None
    with atomic_path(path) as aside, aside.open("wb") as file:
        head = Head(data, version, path)
        file.write(head.encoded((image.signal, image.variance, image.npix), len(pixels) if pixels is not None else 0,
                                limits(pixels.source, len(pixels)) if pixels is not None and version == 4 else None))
        if pixels is not None:
            for start in range(0, len(pixels), _PIECE):
                file.write(np.ascontiguousarray(pixels.read(start, start + _PIECE), "<f4").data)
            file.write(head.tail)


class naming:
    """Turns what the system says when a file cannot be written into one error that names it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError):
            raise InsmlError(f"{self._path}: expected to write a file, found: {error.strerror or error}") from None


def limits(source: Any, count: int) -> Array:
    """(2, 9) smallest and largest of each number of pixels; zeros without any."""
    from insml import _core

    return np.asarray(_core.pixel_limits(source, threads=0)).T if count else np.zeros((2, 9))


@dataclass(eq=False)
class Head:
    """All of a file before its pixels, the same length whatever is in the arrays; and what comes after them."""

    data: Sqw | Dnd
    version: int
    path: Path

    def __post_init__(self) -> None:
        self._date = datetime.now().strftime("%Y-%m-%dT%H:%M:%S")
        self.tail = b""

    @property
    def _image(self) -> Dnd:
        return self.data.image

    def length(self) -> int:
        """Bytes before the first pixel."""
        shape = self._image.shape
        zero = np.zeros(shape)
        return len(self.encoded((zero, zero, np.zeros(shape, np.uint64)), 0, np.zeros((2, 9))))

    def encoded(self, arrays: Arrays, pixels: int, pixel_limits: Array | None) -> bytes:
        file = io.BytesIO()
        kind = int(isinstance(self.data, Sqw))
        file.write(HEADER.pack(6, b"horace", float(self.version), kind, self._image.ndim))
        if self.version == 2:
            self._legacy(file, arrays, pixels)
        else:
            self._blocks(file, arrays, pixels, np.zeros((2, 9)) if pixel_limits is None else pixel_limits)
        return file.getvalue()

    def _names(self, filename: str, filepath: str) -> tuple[str, str]:
        return (filename, filepath) if filename else (self.path.name, str(self.path.parent.absolute()))

    # version 2

    def _legacy(self, file: BinaryIO, arrays: Arrays, pixels: int) -> None:
        writer, image, w = Writer(file), self._image, self.data
        if not isinstance(image.projection, LineProj):
            raise GeometryError(f"{self.path}: expected straight axes for version 2, found "
                                f"{type(image.projection).__name__}; version 4 holds them")
        if isinstance(w, Sqw):
            legacy.write_main(writer, legacy.MainHeader(*self._names(w.filename, w.filepath), w.title, len(w.runs)))
            for n, run in enumerate(w.runs):
                legacy.write_run(writer, run, n + 1)
            legacy.write_detectors(writer, w.detectors, w.detector_file)
        frame = image.projection.frame(image.lattice)
        legacy.write_image(writer, legacy.ImageHeader(*self._names(image.filename, image.filepath), image.title,
                                                      image.lattice, frame, image.axes, 0))
        for kind, values in zip(("<f4", "<f4", "<u8"), arrays, strict=True):
            writer.array(kind, values)
        if isinstance(w, Sqw):
            writer.array("<f4", w.pixel_range)
            writer.scalar("<i4", 1)
            writer.scalar("<u8", pixels)

    # version 4

    def _blocks(self, file: BinaryIO, arrays: Arrays, pixels: int, pixel_limits: Array) -> None:
        made: dict[Name, bytes] = {}
        w = self.data
        kept = w.kept if isinstance(w, Sqw) else None
        if isinstance(w, Sqw):
            made["", "main_header"] = _tree(self._main(w))
            made["", "detpar"] = _kept(kept, ("", "detpar")) or _tree(_detectors(w))
        made["data", "metadata"] = _tree(self._metadata(self._image))
        made["data", "nd_data"] = _nd_data(arrays)
        if isinstance(w, Sqw):
            for name, tree in (("instruments", _instruments(w)), ("samples", _samples(w)), ("expdata", _runs(w))):
                # an older file may say there how its crystal was realigned; here pixels' metadata do
                stays = not (w.realigned and name == "expdata")
                made["experiment_info", name] = (stays and _kept(kept, ("experiment_info", name))) or _tree(tree)
            made["pix", "metadata"] = _tree(self._pix_metadata(w, pixels, pixel_limits))
        others = {name: block.kind for name, block in kept.others.items()} if kept else {}
        tail = {name: _kept(kept, name) or b"" for name in others}
        kinds = {**{name: KNOWN[name] for name in made},
                 **({("pix", "data_wrap"): KNOWN["pix", "data_wrap"]} if isinstance(w, Sqw) else {}), **others}
        size = {**{name: len(data) for name, data in made.items()}, ("pix", "data_wrap"): 12 + 36 * pixels,
                **{name: len(data) for name, data in tail.items()}}
        table = 4 + sum(12 + 16 + len(kind) + len(first) + len(second) for (first, second), kind in kinds.items())
        writer = Writer(file)
        writer.scalar("<u4", table)
        writer.scalar("<u4", len(kinds))
        position = writer.position + table - 4
        for name, kind in kinds.items():
            for text in (kind, *name):
                writer.text(text)
            writer.array("<u8", [position, size[name]])
            position += size[name]
        for data in made.values():
            writer.write(data)
        if isinstance(w, Sqw):
            writer.scalar("<u4", 9)
            writer.scalar("<u8", pixels)
        self.tail = b"".join(tail.values())

    def _main(self, w: Sqw) -> Any:
        return {"serial_name": "main_header_cl", "version": 2.0, "full_filename": self._full(w), "title": w.title,
                "nfiles": float(len(w.runs)), "creation_date": self._date, "creation_date_defined_privately": False}

    def _full(self, w: Sqw) -> str:
        name, folder = self._names(w.filename, w.filepath)
        return f"{folder.rstrip(chr(92) + '/')}/{name}" if folder else name

    def _metadata(self, image: Dnd) -> Any:
        name, folder = self._names(image.filename, image.filepath)
        projection, axes = image.projection, image.axes
        kind = "line" if isinstance(projection, LineProj) else type(projection).__name__.removesuffix("Proj").lower()
        labels = list(projection.label)
        edges = axes.all_edges
        described: dict[str, Any] = {
            "serial_name": f"{kind}_axes", "version": 7.0, "title": image.title, "filename": name, "filepath": folder,
            "label": labels, "img_scales": _scales(image),
            "img_range": np.array([[e[0] for e in edges], [e[-1] for e in edges]]),
            "nbins_all_dims": np.array([float(e.size - 1) for e in edges]),
            "single_bin_defines_iax": np.array([n not in axes.plotted or edges[n].size > 2 for n in range(4)]),
            "dax": np.array([n + 1.0 for n in axes.order]), "offset": np.array(projection.offset),
            "changes_aspect_ratio": True}
        if kind != "line":
            described |= {"version": 1.0}
        return {"serial_name": "dnd_metadata", "version": 1.0, "axes": described, "proj": _projection(image, kind),
                "creation_date_str": self._date}

    def _pix_metadata(self, w: Sqw, pixels: int, pixel_limits: Array) -> Any:
        tree = {"serial_name": "pix_metadata", "version": 1.0, "full_filename": self._full(w), "npix": float(pixels)}
        if not w.realigned:
            return {**tree, "data_range": pixel_limits}
        # limits of Q are not those of what is stored; infinities in reverse say that they are not known
        unknown = np.concatenate([np.array([[np.inf], [-np.inf]]) * np.ones(3), pixel_limits[:, 3:]], axis=1)
        turn = Orientation(w.image.lattice, (1, 0, 0), (0, 1, 0)).b @ w.to_rlu
        return {**tree, "data_range": unknown, "alignment_matr": turn}


def _tree(value: Any) -> bytes:
    file = io.BytesIO()
    write_tagged(Writer(file), value)
    return file.getvalue()


def _kept(kept: Kept | None, name: Name) -> bytes | None:
    """A block as it was read, where the file is still there."""
    if kept is None or name not in kept.blocks:
        return None
    with suppress(OSError), kept.path.open("rb") as file:
        block = kept.blocks[name]
        file.seek(block.position)
        data = file.read(block.size)
        return data if len(data) == block.size else None
    return None


def _nd_data(arrays: Arrays) -> bytes:
    shape = arrays[0].shape
    file = io.BytesIO()
    writer = Writer(file)
    stated = shape if len(shape) > 1 else (*shape, *[1] * (2 - len(shape)))
    writer.scalar("<u4", len(stated))
    writer.array("<u4", stated)
    for kind, values in zip(("<f8", "<f8", "<u8"), arrays, strict=True):
        writer.array(kind, values)
    return file.getvalue()


def _scales(image: Dnd) -> Array:
    projection = image.projection
    if isinstance(projection, LineProj):
        return projection.frame(image.lattice).lengths
    return np.array(projection.core(image.lattice)["scale"])


def _projection(image: Dnd, kind: str) -> Any:
    p, cell = image.projection, image.lattice
    shared = {**_cell(cell), "offset": np.array(p.offset, float), "label": list(p.label)}
    if not isinstance(p, LineProj):
        return {"serial_name": f"{kind}_proj", "version": 1.0, **shared, "title": p.title, "u": np.array(p.u),
                "v": np.array(p.v), "type": p.type}
    return {"serial_name": "line_proj", "version": 7.0, **shared, "title": p.title, "u": np.array(p.u), "v": np.array(p.v),
            "w": np.zeros(0) if p.w is None else np.array(p.w), "nonorthogonal": bool(p.nonorthogonal), "type": p.type}


def _cell(cell: Lattice) -> dict[str, Array]:
    return {"alatt": np.array([cell.a, cell.b, cell.c], float),
            "angdeg": np.array([cell.alpha, cell.beta, cell.gamma], float)}


def _detectors(w: Sqw) -> Any:
    t = w.detectors
    columns = {"group": t.number, "x2": t.distance, "phi": t.two_theta, "azim": t.azimuth, "width": t.width,
               "height": t.height}
    return {"filename": w.detector_file[0], "filepath": w.detector_file[1], **columns}


def _unique(objects: Sequence[Any], index: Sequence[int], base: str, name: str) -> Any:
    """``index``: from 0, of each run."""
    inner = {"serial_name": "unique_objects_container", "version": 1.0, "baseclass": base,
             "unique_objects": [Wrapped(o) for o in objects], "idx": np.array(index) + 1.0}
    return {"serial_name": "unique_references_container", "version": 1.0, "stored_baseclass": base, "global_name": name,
            "unique_objects": inner}


def _instruments(w: Sqw) -> Any:
    source = {"serial_name": "IX_source", "version": 2.0, "name": "", "target_name": "", "frequency": 0.0}
    null = {"serial_name": "IX_null_inst", "version": 2.0, "source": source, "name": ""}
    each = _recorded(w, instruments_of)
    trees = _distinct(each, instrument_tree)
    lost = {type(x).__name__ for x, tree in trees if x is not None and tree is None}
    if lost:
        warnings.warn(f"{', '.join(lost)}: not held by files of version 4, which take Fermi choppers with pulses of "
                      "Horace's kinds; set it again on what is read", stacklevel=2)
    index = [next(n for n, (x, _) in enumerate(trees) if x == one) for one in each]
    return _unique([tree or null for _, tree in trees], index, "IX_inst", "GLOBAL_NAME_INSTRUMENTS_CONTAINER")


def _samples(w: Sqw) -> Any:
    each = list(zip(_recorded(w, samples_of), (_cell(r.orientation.lattice) for r in w.runs), strict=True))
    keys = [(sample, r.orientation.lattice) for (sample, _), r in zip(each, w.runs, strict=True)]
    distinct = list(dict.fromkeys(keys))
    objects = [{"serial_name": "IX_sample", "version": 3.0, **_cell(cell), "name": ""} if sample is None
               else sample_tree(sample, _cell(cell)) for sample, cell in distinct]
    return _unique(objects, [distinct.index(k) for k in keys], "IX_samp", "GLOBAL_NAME_SAMPLES_CONTAINER")


def _recorded(w: Sqw, of: Callable[[Sqw], list[Any]]) -> list[Any]:
    """What files of other versions say is written where it is understood."""
    try:
        return of(w)
    except ModelError as error:
        warnings.warn(f"not written: {error}", stacklevel=2)
        return [None] * len(w.runs)


def _distinct(each: Sequence[Any], tree: Callable[[Any], Any]) -> list[tuple[Any, Any]]:
    found: list[Any] = []
    for one in each:
        if not any(one == x for x in found):
            found.append(one)
    return [(x, None if x is None else tree(x)) for x in found]


def _runs(w: Sqw) -> Any:
    def one(n: int) -> dict[str, Any]:
        run = w.runs[n]
        o = run.orientation
        angles = np.radians([o.psi, o.omega, o.dpsi, o.gl, o.gs]).tolist()
        psi, *others = zip(("psi", "omega", "dpsi", "gl", "gs"), angles, strict=True)
        return {"filename": run.filename, "filepath": run.filepath, "run_id": float(run.id), "efix": run.fixed_energy,
                "emode": float(run.mode), "en": run.energies[None], **dict([psi]), "u": np.array(o.u, float),
                "v": np.array(o.v, float), **dict(others), "angular_is_degree": False}

    each = [one(n) for n in range(len(w.runs))]
    if len(each) == 1:
        array = Struct(each[0])
    else:
        array = Struct({k: [run[k] for run in each] for k in each[0]}, (1, len(each)), (len(each[0]), 1, len(each)))
    return {"serial_name": "IX_experiment", "version": 3.0, "array_dat": array}


__all__ = ["Head", "limits", "naming", "write_sqw"]
