"""Opening HDF5 files and reading the small things real producers write in several ways."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError, InsmlError
from insml.io.atomic import atomic_path

#: Bytes by which a file in memory grows.
_GROWTH = 1 << 22


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """The file opened for reading, as ``h5py.File``.

    Raises
    ------
    FormatError : it cannot be opened, or what is read inside the block is damaged.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except InsmlError:
        raise
    # h5py meets damage as any of these
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise FormatError(path, "a readable HDF5 file", _damage(path, error)) from None


@contextmanager
def new_hdf5(path: str | Path) -> Iterator[Any]:
    """A file to be written, as ``h5py.File``; it is complete or not there.

    It is made in memory and written at once: the library ends the process where a disk is full while it writes.

    Raises
    ------
    InsmlError : no such directory, a disk that is full.
    """
    import h5py

    with atomic_path(path) as aside:
        with h5py.File(aside, "w", driver="core", backing_store=False, block_size=_GROWTH) as file:
            yield file
            file.flush()
            image = file.id.get_file_image()
        aside.write_bytes(image)


def _damage(path: Path, error: Exception) -> str:
    if not path.is_file():
        return "no file"
    size = re.search(r"stored_eof = (\d+)", str(error))
    if size is not None:
        return f"a truncated one ({path.stat().st_size} of {size[1]} bytes)"
    return " ".join(f"one that cannot be read ({error})".split())


def text(value: Any) -> str:
    """String of an attribute or data set that may be bytes, str, or an array of one of them."""
    value = np.ravel(np.asarray(value, object))
    first = value[0] if value.size else ""
    return (first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)).strip()


def attribute(item: Any, name: str) -> str:
    """Text of an attribute, empty when there is none."""
    return text(item.attrs[name]) if name in item.attrs else ""


def dataset(path: Path, group: Any, name: str, ndim: int | None = None) -> Any:
    """The data set ``name`` of ``group``, not yet read. FormatError names the field when it is missing."""
    import h5py

    found = group.get(name)
    field = f"{group.name.rstrip('/')}/{name}"
    if not isinstance(found, h5py.Dataset):
        raise FormatError(path, "a data set", "none" if found is None else "a group", field)
    if ndim is not None and found.ndim != ndim:
        raise FormatError(path, f"{ndim} dimension{'s' * (ndim > 1)}", f"shape {found.shape}", field)
    return found


def numbers(path: Path, group: Any, name: str) -> NDArray[np.float64]:
    """A small numeric data set as a flat float array; scalars and shape (1,) both give length 1."""
    found = dataset(path, group, name)
    try:
        return np.asarray(found[()], float).ravel()
    except (TypeError, ValueError):
        raise FormatError(path, "numbers", f"type {found.dtype}", found.name) from None


def number(path: Path, group: Any, name: str) -> float:
    """The first value of a numeric data set."""
    values = numbers(path, group, name)
    if values.size == 0:
        raise FormatError(path, "a number", "an empty data set", f"{group.name.rstrip('/')}/{name}")
    return float(values[0])


def subgroups(group: Any, nx_class: str | None = None) -> list[Any]:
    """Groups directly below, in name order, of one NX_class where given."""
    import h5py

    children = (group.get(name) for name in group)  # a dangling link gives None
    found = [c for c in children if isinstance(c, h5py.Group)]
    return found if nx_class is None else [c for c in found if attribute(c, "NX_class") == nx_class]


def definition(entry: Any) -> str:
    """Text of the ``definition`` data set of an entry, empty when there is none."""
    import h5py

    found = entry.get("definition")
    return text(found[()]) if isinstance(found, h5py.Dataset) else ""
