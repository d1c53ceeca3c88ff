"""Values that say what they are, as files of version 3.1 and later end in: instrument, sample, positions.

A value: f64 length of the type's name, name, f64 number of dimensions, f64 each, then the contents.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from insml.errors import FormatError
from insml.io.sqw.stream import ENCODING, Reader

_NUMBERS = {"double": "<f8", "single": "<f4", "int8": "<i1", "uint8": "<u1", "int16": "<i2", "uint16": "<u2",
            "int32": "<i4", "uint32": "<u4", "int64": "<i8", "uint64": "<u8"}
_DEEP = 64


def read_value(reader: Reader, depth: int = 0) -> Any:
    """Array, text, list (cell) or dict (struct or object, its type as "class"); a list of dicts where there are several."""
    if depth > _DEEP:
        raise FormatError(reader.path, f"values within at most {_DEEP} others", "more", "instrument and sample")
    kind = _text(reader, "type")
    shape = tuple(_count(reader, "dimension") for _ in range(_count(reader, "dimensions")))
    count = _product(reader, shape)
    if kind in _NUMBERS:
        return reader.array(_NUMBERS[kind], count, kind).reshape(shape, order="F")
    if kind == "char":
        return reader.take(count, kind).decode(ENCODING)
    if kind == "logical":
        return reader.array("<u1", count, kind).reshape(shape, order="F").astype(bool)
    if kind == "cell":
        return [read_value(reader, depth + 1) for _ in range(count)]
    if kind == "function_handle":
        return {"class": kind, "text": _text(reader, kind)}
    names = [_text(reader, f"{kind}: name") for _ in range(_count(reader, f"{kind}: fields"))]
    if count and not names:
        count = 1  # nothing would be read for each: a count could be anything
    found = [{"class": kind} | {name: read_value(reader, depth + 1) for name in names} for _ in range(count)]
    return found[0] if count == 1 else found


def _count(reader: Reader, field: str) -> int:
    value = reader.scalar("<f8", field)
    if not (0 <= value <= reader.size and value == int(value)):
        raise FormatError(reader.path, f"a whole number up to {reader.size}", f"{value}", field)
    return int(value)


def _product(reader: Reader, shape: tuple[int, ...]) -> int:
    count = int(np.prod(np.array(shape, object))) if shape else 1
    if count > reader.size:
        raise FormatError(reader.path, f"at most {reader.size} values", f"{count}", "dimensions")
    return count


def _text(reader: Reader, field: str) -> str:
    return reader.take(_count(reader, field), field).decode(ENCODING)
