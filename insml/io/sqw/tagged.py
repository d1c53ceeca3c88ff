"""Values of version 4: a byte that says the type, the dimensions, the contents. What is read is written again as the same
bytes.

Arrays are numpy's, two-dimensional at least as MATLAB's; text is str (a row of characters) or :class:`Characters`; cells
are :class:`Cell`, structs :class:`Struct`, and objects that come in a wrapper of their own :class:`Wrapped`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from insml.errors import FormatError
from insml.io.sqw.stream import ENCODING, Reader, Writer, encoded

_LOGICAL, _CHAR, _STRING, _CELL, _STRUCT, _WRAPPED = 0, 1, 2, 23, 24, 32
_NUMBERS = {_LOGICAL: "?", 3: "<f8", 4: "<f4", 5: "<i1", 6: "<u1", 7: "<i2", 8: "<u2", 9: "<i4", 10: "<u4", 11: "<i8",
            12: "<u8"}
_TAGS = {np.dtype(kind): tag for tag, kind in _NUMBERS.items()}
_DEEP = 64


@dataclass
class Characters:
    """Text that is not one row: ``shape`` of MATLAB's array."""

    text: str
    shape: tuple[int, ...]


@dataclass
class Cell:
    items: list[Any]
    shape: tuple[int, ...]


@dataclass
class Struct:
    """``fields`` of one struct; of an array of them each value is a list, last dimension of ``shape`` fastest not."""

    fields: dict[str, Any] = field(default_factory=dict)
    shape: tuple[int, ...] = (1, 1)
    #: of its cell of values, as it is stored
    stored: tuple[int, ...] | None = None

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


@dataclass
class Wrapped:
    value: Any


def read_tagged(reader: Reader, depth: int = 0) -> Any:
    """One value.

    Raises
    ------
    FormatError : a type that is not known, more values than the file has room for.
    """
    if depth > _DEEP:
        raise FormatError(reader.path, f"values within at most {_DEEP} others", "more", "block")
    tag = reader.scalar("<u1", "type of a value")
    if tag == _WRAPPED:
        return Wrapped(read_tagged(reader, depth + 1))
    if tag not in (*_NUMBERS, _CHAR, _CELL, _STRUCT):
        raise FormatError(reader.path, "a number, text, cell or struct", f"type {tag} at byte {reader.position - 1}",
                          "block")
    shape = _shape(reader)
    count = int(np.prod(np.array(shape, object)))
    if np.prod(np.array([n for n in shape if n], object)) > reader.size:
        raise FormatError(reader.path, f"dimensions of at most {reader.size} values", f"{list(shape)[:5]}", "block")
    if tag in _NUMBERS:
        if tag == _LOGICAL:
            raw = reader.array("<u1", count, "values")
            if (raw > 1).any():
                raise FormatError(reader.path, "0 or 1", f"{raw.max()}", "logical values")
            return raw.astype(bool).reshape(shape, order="F")
        return reader.array(_NUMBERS[tag], count, "values").reshape(shape, order="F")
    if tag == _CHAR:
        text = reader.take(count, "text").decode(ENCODING)
        return text if shape[0] == 1 or shape == (0, 0) else Characters(text, shape)
    if tag == _CELL:
        return Cell([read_tagged(reader, depth + 1) for _ in range(count)], shape)
    return _struct(reader, shape, count, depth)


def _shape(reader: Reader) -> tuple[int, ...]:
    dimensions = reader.scalar("<u1", "dimensions")
    if not dimensions:
        return 0, 0
    if dimensions > _DEEP:
        raise FormatError(reader.path, f"at most {_DEEP} dimensions", f"{dimensions}", "block")
    shape = tuple(int(n) for n in reader.array("<u4", dimensions, "dimensions"))
    return (1, *shape) if dimensions == 1 else shape


def _struct(reader: Reader, shape: tuple[int, ...], count: int, depth: int) -> Struct:
    if not count:
        return Struct({}, shape)
    lengths = reader.array("<u4", reader.count("<u4", "struct: fields", reader.size), "struct: names")
    names = [reader.take(int(n), "struct: name").decode(ENCODING) for n in lengths]
    cell = read_tagged(reader, depth + 1)
    if not isinstance(cell, Cell) or len(cell.items) != len(names) * count or len(set(names)) != len(names):
        found = len(cell.items) if isinstance(cell, Cell) else type(cell).__name__
        raise FormatError(reader.path, f"a cell of {len(names) * count} values", f"{found}", "struct")
    values = [cell.items[n::len(names)] for n in range(len(names))]
    fields = {name: value[0] if count == 1 else value for name, value in zip(names, values, strict=True)}
    return Struct(fields, shape, cell.shape)


def write_tagged(writer: Writer, value: Any) -> None:
    """Values as :func:`read_tagged` gives them, and plain ones: str, bool, float, lists (cells), dicts (structs)."""
    if isinstance(value, Wrapped):
        writer.scalar("<u1", _WRAPPED)
        write_tagged(writer, value.value)
    elif isinstance(value, str):
        data = encoded(value)
        _head(writer, _CHAR, (1, len(data)) if data else (0, 0))
        writer.write(data)
    elif isinstance(value, Characters):
        _head(writer, _CHAR, value.shape)
        writer.write(encoded(value.text))
    elif isinstance(value, dict):
        write_tagged(writer, Struct(value))
    elif isinstance(value, Struct):
        _write_struct(writer, value)
    elif isinstance(value, (list, tuple)):
        write_tagged(writer, Cell(list(value), (1, len(value)) if value else (0, 0)))
    elif isinstance(value, Cell):
        _head(writer, _CELL, value.shape)
        for item in value.items:
            write_tagged(writer, item)
    else:
        array = np.asarray(value)
        if array.dtype not in _TAGS:
            array = array.astype(float)
        shape = array.shape if array.ndim > 1 else (1, array.size)
        _head(writer, _TAGS[array.dtype], shape if array.size or array.ndim > 1 else (0, 0))
        writer.array(array.dtype.str, array)


def _head(writer: Writer, tag: int, shape: tuple[int, ...]) -> None:
    writer.scalar("<u1", tag)
    if shape == (0, 0):
        writer.scalar("<u1", 0)
    elif len(shape) == 2 and shape[0] == 1:
        writer.scalar("<u1", 1)
        writer.scalar("<u4", shape[1])
    else:
        writer.scalar("<u1", len(shape))
        writer.array("<u4", shape)


def _write_struct(writer: Writer, struct: Struct) -> None:
    _head(writer, _STRUCT, struct.shape)
    count = int(np.prod(struct.shape))
    if not count:
        return
    names = [encoded(name) for name in struct.fields]
    writer.scalar("<u4", len(names))
    writer.array("<u4", [len(name) for name in names])
    writer.write(b"".join(names))
    columns = [[v] if count == 1 else v for v in struct.fields.values()]
    items = [column[i] for i in range(count) for column in columns]
    stored = (len(names), 1) if count == 1 else (len(names), *struct.shape)
    write_tagged(writer, Cell(items, struct.stored or stored))
