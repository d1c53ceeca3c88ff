"""Reading and writing the scalars, strings and arrays Horace's binary files are made of, little-endian."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError

#: Files have Windows-1252. Here every byte is a character, so that all text comes back as it was.
ENCODING = "latin-1"


class Reader:
    """A file read from ``position`` on, never past its end: what a damaged header asks for is checked before it is read."""

    def __init__(self, path: Path, file: BinaryIO, size: int, position: int = 0) -> None:
        self.path, self.size = path, size
        self._file = file
        self.seek(position)

    @classmethod
    def of_bytes(cls, path: Path, data: bytes) -> Reader:
        return cls(path, BytesIO(data), len(data))

    @property
    def position(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if not 0 <= position <= self.size:
            raise FormatError(self.path, f"a position within {self.size} bytes", f"{position}")
        self._position = position
        self._file.seek(position)

    def skip(self, size: int, field: str) -> int:
        """The position of ``size`` bytes that are passed over."""
        start = self._position
        self._room(size, field)
        self.seek(start + size)
        return start

    def take(self, size: int, field: str) -> bytes:
        self._room(size, field)
        data = self._file.read(size)
        if len(data) != size:
            raise FormatError(self.path, f"{size} bytes", f"{len(data)}", field)
        self._position += size
        return data

    def _room(self, size: int, field: str) -> None:
        if size < 0 or size > self.size - self._position:
            raise FormatError(self.path, f"at most the {self.size - self._position} bytes that are left",
                              f"{size} asked for at byte {self._position}", field)

    def array(self, dtype: str, count: int, field: str) -> NDArray[Any]:
        """(count,) values, a copy that may be changed."""
        kind = np.dtype(dtype)
        if count < 0:
            raise FormatError(self.path, "a count that is not negative", f"{count}", field)
        return np.frombuffer(self.take(kind.itemsize * count, field), kind).copy()

    def scalar(self, dtype: str, field: str) -> Any:
        return self.array(dtype, 1, field)[0].item()

    def count(self, dtype: str, field: str, limit: int) -> int:
        """An integer from 0 to ``limit``."""
        value = int(self.scalar(dtype, field))
        if not 0 <= value <= limit:
            raise FormatError(self.path, f"0 to {limit}", f"{value}", field)
        return value

    def text(self, field: str) -> str:
        """uint32 length, then so many bytes."""
        return self.take(self.count("<u4", field, self.size), field).decode(ENCODING)


class Writer:
    """Bytes one after another into a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @property
    def position(self) -> int:
        return self._file.tell()

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def array(self, dtype: str, values: Any) -> None:
        """Values in order, the first index fastest."""
        self._file.write(np.asarray(values).astype(dtype, casting="unsafe").ravel(order="F").tobytes())

    def scalar(self, dtype: str, value: Any) -> None:
        self._file.write(np.array(value).astype(dtype).tobytes())

    def text(self, value: str) -> None:
        data = encoded(value)
        self.scalar("<u4", len(data))
        self._file.write(data)


def encoded(value: str) -> bytes:
    """Characters that the files have no byte for become question marks."""
    return value.encode(ENCODING, "replace")
