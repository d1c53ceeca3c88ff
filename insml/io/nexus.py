"""A mosaic and what was concluded from it as one NeXus file that viewers open by default.

Every axis of an NXdata group holds bin centres, with the edges beside: some viewers refuse edges as axes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import FormatError, GeometryError, InsmlError
from insml.io.hdf5 import attribute, dataset, definition, new_hdf5, open_hdf5, subgroups
from insml.io.nexus_fields import field, group, read_note, write_note
from insml.mosaic import Mosaic, MosaicLayout
from insml.slicing import Slice, mosaic_to_slices

_DEFINITION = "insml_mosaic"
_VERSION = "1"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIGNAL = "intensity"
#: Data sets of the image group beside the auxiliary images.
_IMAGE_FIELDS = ("title", "row", "column", "row_coordinate", "column_coordinate", "slice_index", _SIGNAL,
                 f"{_SIGNAL}_errors", "variance")


def write_mosaic(path: str | Path, mosaic: Mosaic, *, auxiliary: Mapping[str, ArrayLike] | None = None,
                 results: Mapping[str, Any] | None = None) -> None:
    """Write a mosaic to a NeXus (HDF5) file; the file appears complete or not at all.

    Parameters
    ----------
    auxiliary : further images of the mosaic's shape and orientation by name (letters, digits and _); viewers offer them
        beside the intensity.
    results : a JSON-able dictionary, kept as the note of an NXprocess.

    Raises
    ------
    GeometryError : an auxiliary image has another shape.
    InsmlError : a name that NeXus does not allow, metadata or results that JSON cannot hold, no such directory.
    """
    images = _checked(mosaic, auxiliary or {})
    layout = _json("layout", mosaic.layout.to_dict())
    origin = _json("metadata", {"source": mosaic.source, "metadata": mosaic.metadata})
    note = None if results is None else _json("results", dict(results))

    with new_hdf5(path) as file:
        file.attrs.update(NX_class="NXroot", default="entry", creator="insml")
        entry = group(file, "entry", "NXentry", default="mosaic")
        entry["title"] = mosaic.title
        entry["definition"] = _DEFINITION
        entry["definition"].attrs["version"] = _VERSION
        entry["program_name"] = "insml"
        write_note(entry, "layout", layout, "axes, slices, grid and orientation of the mosaic")
        write_note(entry, "origin", origin, "where the mosaic comes from, and its free metadata")
        _write_image(entry, mosaic, images)
        slices = mosaic_to_slices(mosaic)
        digits = max(2, len(str(len(slices))))
        for i, one in enumerate(slices, start=1):
            _write_slice(entry, f"slice_{i:0{digits}d}", one)
        if note is not None:
            process = group(entry, "process_1", "NXprocess")
            process["program"] = "insml"
            process["sequence_index"] = 1
            write_note(process, "note_1", note, "results")


def read_mosaic(path: str | Path) -> Mosaic:
    """Read a file of :func:`write_mosaic`; gives the same mosaic, its orientation included.

    Raises
    ------
    FormatError : it is no such file, or its layout is missing or does not fit its image.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        name = find_mosaic(file)
        if name is None:
            raise FormatError(path, f"an NXentry with the definition {_DEFINITION}",
                              f"root groups {', '.join(file) or 'none'}")
        entry = file[name]
        version = attribute(entry["definition"], "version")
        if version != _VERSION:
            raise FormatError(path, f"version {_VERSION}", f"{version or 'none'}", f"{name}/definition@version")
        layout = _read_layout(path, entry)
        origin = read_note(path, entry, "origin")
        values = dataset(path, entry, f"mosaic/{_SIGNAL}", ndim=2)[()]
        variance = dataset(path, entry, "mosaic/variance", ndim=2)[()] if "mosaic/variance" in entry else None
        title = dataset(path, entry, "title").asstr()[()]
    try:
        return Mosaic(values, np.isnan(values), layout, variance, title=title, source=origin["source"],
                      metadata=origin["metadata"])
    except (GeometryError, KeyError, TypeError) as error:
        raise FormatError(path, "an image that fits its layout and origin", str(error), f"{name}/mosaic") from None


def find_mosaic(file: Any) -> str | None:
    """Name of the entry of :func:`write_mosaic` in an open file, or None."""
    for entry in subgroups(file, "NXentry"):
        if definition(entry) == _DEFINITION:
            return str(entry.name).strip("/")
    return None


def _checked(mosaic: Mosaic, auxiliary: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    images = {}
    for name, image in auxiliary.items():
        if not _NAME.fullmatch(name) or name in _IMAGE_FIELDS:
            raise InsmlError(f"auxiliary image: expected a free name of letters, digits and _, found {name!r}")
        images[name] = np.asarray(image, float)
        if images[name].shape != mosaic.layout.shape:
            raise GeometryError(f"auxiliary image {name}: expected shape {mosaic.layout.shape}, "
                                f"found {images[name].shape}")
    return images


def _json(what: str, data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InsmlError(f"{what}: expected values that JSON can hold, found another ({error})") from None


def _read_layout(path: Path, entry: Any) -> MosaicLayout:
    try:
        return MosaicLayout.from_dict(read_note(path, entry, "layout"))
    except FormatError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(path, "a mosaic layout", f"one that cannot be meant ({error})",
                          f"{entry.name.strip('/')}/layout/data") from None


def _write_image(entry: Any, mosaic: Mosaic, images: Mapping[str, NDArray[np.float64]]) -> None:
    layout = mosaic.layout
    data = group(entry, "mosaic", "NXdata", signal=_SIGNAL, axes=["row", "column"])
    data["title"] = mosaic.title or "mosaic"
    blank = np.where(mosaic.mask, np.nan, mosaic.values)
    field(data, _SIGNAL, blank, "intensity", interpretation="image")
    if mosaic.variance is not None:
        variance = np.where(mosaic.mask, np.nan, mosaic.variance)
        field(data, "variance", variance, "variance of the intensity")
        field(data, f"{_SIGNAL}_errors", np.sqrt(variance), "standard deviation of the intensity")
    for axis, name in enumerate(("row", "column")):
        field(data, name, np.arange(layout.shape[axis], dtype=float), f"{name} (pixel)")
        sign, label = layout.orientation[axis][0], layout.orientation[axis][1:]
        centres = next(a for a in layout.axes if a.label == label).centres
        field(data, f"{name}_coordinate", np.tile(centres[::-1] if sign == "-" else centres, layout.grid[axis]),
               f"{label} (r.l.u.) of each {name}")
    index = np.broadcast_to(np.arange(len(layout.slices), dtype=np.int32)[:, None, None], layout.stack_shape)
    field(data, "slice_index", layout.assemble(index, fill=-1), "slice of each pixel, from 0; -1 for none")
    for name, image in images.items():
        field(data, name, image, name.replace("_", " "), interpretation="image")
    if images:
        data.attrs["auxiliary_signals"] = list(images)


def _write_slice(entry: Any, name: str, one: Slice) -> None:
    # a label may be any text; it names the data set only where NeXus allows that
    names = [a.label if _NAME.fullmatch(a.label) else f"axis_{i}" for i, a in enumerate(one.axes)]
    if set(names) & {_SIGNAL, f"{_SIGNAL}_errors", "title", "energy_transfer", "incident_energy"}:
        names = ["axis_0", "axis_1"]
    data = group(entry, name, "NXdata", signal=_SIGNAL, axes=names)
    data["title"] = one.spec.label
    field(data, _SIGNAL, np.where(one.mask, np.nan, one.values), "intensity", interpretation="image")
    if one.variance is not None:
        field(data, f"{_SIGNAL}_errors", np.sqrt(np.where(one.mask, np.nan, one.variance)),
               "standard deviation of the intensity")
    for dimension, (axis, own) in enumerate(zip(one.axes, names, strict=True)):
        direction = ", ".join(f"{x:g}" for x in axis.vector)
        field(data, own, axis.centres, f"{axis.label} along [{direction}] (r.l.u.)", units="r.l.u.")
        field(data, f"{own}_edges", axis.edges, f"bin edges of {axis.label}", units="r.l.u.")
        data.attrs[f"{own}_indices"] = dimension
    field(data, "energy_transfer", np.array(one.spec.energy), "energy window of the slice", units="meV")
    if one.spec.ei is not None:
        data["incident_energy"] = one.spec.ei
        data["incident_energy"].attrs["units"] = "meV"
