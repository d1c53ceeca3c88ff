"""An image of a cut as a NeXus file that viewers open by default.

Axes hold bin centres, with the edges beside: some viewers refuse edges as axes. What was not measured is NaN.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import FormatError, GeometryError
from insml.io.hdf5 import attribute, dataset, definition, new_hdf5, open_hdf5, subgroups, text
from insml.io.nexus_fields import field, group, read_note, write_note
from insml.sqw.axes import Axes
from insml.sqw.data import Sqw
from insml.sqw.frame import Frame
from insml.sqw.image import Arrays, Dnd
from insml.sqw.labels import axis_name, caption
from insml.sqw.projection import CylinderProj, LineProj, Projection, SphereProj

_DEFINITION, _VERSION = "insml_cut", "1"
_NAMES = ("q1", "q2", "q3", "energy_transfer")
_ROUND: dict[str, type[SphereProj] | type[CylinderProj]] = {"sphere": SphereProj, "cylinder": CylinderProj}
#: Without plotted axes there is no axis to draw along.
_DRAWN = (1, 2, 3, 4)


def write_cut(path: str | Path, data: Sqw | Dnd) -> None:
    """Write the image of a cut; the file is complete or not there. Pixels are not written.

    Raises
    ------
    GeometryError : an image without plotted axes. InsmlError : no such directory, a disk that is full.
    """
    image = data.image
    if image.ndim not in _DRAWN:
        raise GeometryError("write_cut: expected an image with at least one plotted axis, found none")
    note = json.dumps(_described(image), allow_nan=False)

    with new_hdf5(path) as file:
        file.attrs.update(NX_class="NXroot", default="entry", creator="insml")
        entry = group(file, "entry", "NXentry", default="cut")
        entry["title"] = image.title
        entry["definition"] = _DEFINITION
        entry["definition"].attrs["version"] = _VERSION
        entry["program_name"] = "insml"
        entry["program_name"].attrs["version"] = metadata.version("insml")
        _write_sample(entry, image.lattice)
        _write_image(entry, image)
        process = group(entry, "process_1", "NXprocess")
        process["program"], process["version"] = "insml", metadata.version("insml")
        process["date"], process["sequence_index"] = datetime.now(UTC).isoformat(timespec="seconds"), 1
        write_note(process, "axes", note, "projection, lattice and bins of all four axes")
        if isinstance(data, Sqw):
            runs = [{"file": r.filename, "id": r.id, "fixed_energy_meV": np.ravel(r.fixed_energy).tolist()[:1],
                     "psi_degree": r.orientation.psi} for r in data.runs]
            write_note(process, "runs", json.dumps(runs), "runs of the data that were cut")


def read_cut(path: str | Path) -> Dnd:
    """Open a file of :func:`write_cut`; arrays are read when they are first used.

    Raises
    ------
    FormatError : it is no such file, or one that is damaged.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        name = find_cut(file)
        if name is None:
            raise FormatError(path, f"an NXentry with the definition {_DEFINITION}",
                              f"root groups {', '.join(file) or 'none'}")
        entry = file[name]
        version = attribute(entry["definition"], "version")
        if version != _VERSION:
            raise FormatError(path, f"version {_VERSION}", f"{version or 'none'}", f"{name}/definition@version")
        known = read_note(path, entry, "process_1/axes")
        title = text(dataset(path, entry, "title")[()])
        try:
            axes = Axes(tuple(np.array(e, float) for e in known["edges"]), tuple(known["plotted"]), tuple(known["order"]))
            lattice, projection = Lattice(**known["lattice"]), _projection(known["projection"])
            projection.core(lattice)
        except (GeometryError, KeyError, TypeError, ValueError) as error:
            raise FormatError(path, "axes, a lattice and a projection", str(error), f"{name}/process_1/axes/data") from None
        for field_name in ("intensity", "intensity_errors", "num_pixels"):
            found = dataset(path, entry, f"cut/{field_name}").shape
            if found != axes.shape:
                raise FormatError(path, f"the shape of the bins {axes.shape}", f"{found}", f"{name}/cut/{field_name}")

    def load() -> Arrays:
        with open_hdf5(path) as file:
            signal, error, npix = (np.asarray(dataset(path, file[name], f"cut/{n}")[()])
                                   for n in ("intensity", "intensity_errors", "num_pixels"))
        empty = npix == 0
        return (np.where(empty, 0.0, signal.astype(float)), np.where(empty, 0.0, error.astype(float) ** 2),
                npix.astype(np.uint64))

    return Dnd(axes, projection, lattice, load, title, path.name, str(path.parent))


def find_cut(file: Any) -> str | None:
    """Name of the entry of :func:`write_cut` in an open file, or None."""
    for entry in subgroups(file, "NXentry"):
        if definition(entry) == _DEFINITION:
            return str(entry.name).strip("/")
    return None


def _write_sample(entry: Any, cell: Lattice) -> None:
    sample = group(entry, "sample", "NXsample")
    sample["unit_cell_abc"] = np.array([cell.a, cell.b, cell.c])
    sample["unit_cell_abc"].attrs["units"] = "angstrom"
    sample["unit_cell_alphabetagamma"] = np.array([cell.alpha, cell.beta, cell.gamma])
    sample["unit_cell_alphabetagamma"].attrs["units"] = "degree"
    # of the crystal Cartesian frame, without 2 pi
    sample["ub_matrix"] = Orientation(cell, (1, 0, 0), (0, 1, 0)).b / (2 * np.pi)


def _write_image(entry: Any, image: Dnd) -> None:
    names = [_NAMES[n] for n in image.axes.plotted]
    data = group(entry, "cut", "NXdata", signal="intensity", axes=names)
    data["title"] = caption(image) or "cut"
    blank = image.npix == 0
    of = {"interpretation": "image"} if image.ndim == 2 else {"interpretation": "spectrum"} if image.ndim == 1 else {}
    field(data, "intensity", np.where(blank, np.nan, image.signal), "mean intensity of pixels", **of)
    field(data, "intensity_errors", np.where(blank, np.nan, np.sqrt(image.variance)), "standard deviation of the intensity")
    field(data, "num_pixels", image.npix, "pixels in each bin")
    for dimension, n in enumerate(image.axes.plotted):
        edges, (name, unit) = image.axes.all_edges[n], axis_name(image, n)
        field(data, _NAMES[n], 0.5 * (edges[1:] + edges[:-1]), f"{name} ({unit})", units=unit)
        field(data, f"{_NAMES[n]}_edges", edges, f"bin edges of {name}", units=unit)
        data.attrs[f"{_NAMES[n]}_indices"] = dimension
    for n in set(range(4)) - set(image.axes.plotted):
        name, unit = axis_name(image, n)
        field(data, f"{_NAMES[n]}_range", np.array(image.axes.all_edges[n]), f"{name}, integrated", units=unit)


def _described(image: Dnd) -> dict[str, Any]:
    def plain(value: NDArray[Any]) -> list[Any]:
        found: list[Any] = np.asarray(value, float).tolist()
        return found

    p = image.projection
    named: dict[str, Any] = {"label": list(p.label), "title": p.title, "offset": plain(p.offset)}
    if not isinstance(p, LineProj):
        kind = "sphere" if isinstance(p, SphereProj) else "cylinder"
        projection = {"kind": kind, **named, "u": plain(p.u), "v": plain(p.v), "type": p.type}
    elif p.stored is None:
        projection = {"kind": "line", **named, "u": plain(p.u), "v": plain(p.v),
                      "w": None if p.w is None else plain(p.w), "type": p.type, "nonorthogonal": bool(p.nonorthogonal)}
    else:
        f = p.stored
        projection = {"kind": "frame", "title": p.title, "u_to_rlu": plain(f.u_to_rlu), "offset": plain(f.offset),
                      "lengths": plain(f.lengths), "labels": list(f.labels)}
    return {"projection": projection, "lattice": asdict(image.lattice), "edges": [_finite(e) for e in image.axes.all_edges],
            "plotted": list(image.axes.plotted), "order": list(image.axes.order)}


def _finite(edges: NDArray[np.float64]) -> list[float | str]:
    """JSON has no infinities."""
    return [x if np.isfinite(x) else str(x) for x in edges.tolist()]


def _projection(known: dict[str, Any]) -> Projection:
    given = dict(known)
    kind = given.pop("kind")
    if kind == "frame":
        matrix = np.array(given["u_to_rlu"], float)
        if matrix.shape != (4, 4):
            raise ValueError(f"u_to_rlu of shape {matrix.shape}")
        return LineProj.of_frame(Frame(matrix, np.array(given["offset"], float), np.array(given["lengths"], float),
                                       tuple(given["labels"])))
    given["label"] = tuple(given["label"])
    return LineProj(**given) if kind == "line" else _ROUND[kind](**given)
