"""Writing a file so that it is either complete or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from insml.errors import InsmlError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path``; when the block ends well it is flushed to disk and takes the name ``path``.

    When the block raises (Ctrl-C included) the temporary file is removed and whatever ``path`` held before stays. The
    temporary name ends in the suffix of ``path``, for writers that choose a format by it. The block must create the
    file.

    Raises
    ------
    InsmlError : the directory does not exist, ``path`` is a directory, or the system does not write (a full disk).
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InsmlError(f"{path}: expected an existing directory to write to, found no directory {path.parent}")
    if path.is_dir():
        raise InsmlError(f"{path}: expected the name of a file to write, found a directory")
    aside = path.with_name(f".{path.stem}.{secrets.token_hex(6)}.part{path.suffix}")
    try:
        yield aside
        _flush(aside, os.O_RDWR)
        os.replace(aside, path)
    except BaseException as error:
        aside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise InsmlError(f"{path}: expected to write a file, found: {error.strerror or error}") from None
        raise
    if os.name == "posix":  # the new name itself must survive a power cut; Windows cannot open a directory
        _flush(path.parent, os.O_RDONLY)


def _flush(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
