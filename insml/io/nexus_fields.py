"""Groups, fields and notes of NeXus files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from insml.errors import FormatError
from insml.io.hdf5 import dataset, text

_COMPRESS_ABOVE = 256  # values


def group(parent: Any, name: str, nx_class: str, **attributes: Any) -> Any:
    group = parent.create_group(name)
    group.attrs.update(NX_class=nx_class, **attributes)
    return group


def write_note(parent: Any, name: str, data: str, description: str) -> None:
    note = group(parent, name, "NXnote")
    note["type"] = "application/json"
    note["description"] = description
    note["data"] = data


def read_note(path: Path, entry: Any, name: str) -> Any:
    stored = dataset(path, entry, f"{name}/data")
    try:
        return json.loads(text(stored[()]))
    except ValueError as error:
        raise FormatError(path, "JSON", f"text that is not ({error})", stored.name.strip("/")) from None


def field(group: Any, name: str, values: NDArray[Any], long_name: str, **attributes: Any) -> None:
    # masks and empty tiles compress well; short axes are not worth a chunk
    options = {"compression": "gzip", "shuffle": True} if values.size > _COMPRESS_ABOVE else {}
    group.create_dataset(name, data=values, **options).attrs.update(long_name=long_name, **attributes)
