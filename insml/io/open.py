"""Opening a measured file by what is in it."""

from __future__ import annotations

from pathlib import Path

from insml.errors import FormatError
from insml.io.histogram import Histogram
from insml.io.identify import HEAD, describe, describe_hdf5, is_prototype_sqw
from insml.io.image import Image, read_image
from insml.io.mdhisto import find_workspace, read_mdhisto
from insml.io.nexus import find_mosaic, read_mosaic
from insml.io.nexus_cut import find_cut, read_cut
from insml.io.nxspe import Run, find_entry, read_nxspe
from insml.io.sqw import is_horace, read_sqw
from insml.mosaic import Mosaic
from insml.sqw import Dnd, Sqw

_READABLE = ("an NXspe run, a Horace .sqw or .dnd file, a Mantid MDHistoWorkspace, a mosaic or cut written by insml or a "
             ".npy image")


def open_any(path: str | Path) -> Run | Histogram | Mosaic | Image | Sqw | Dnd:
    """Open a file by its content; its name plays no part.

    Returns
    -------
    Run for NXspe, Sqw or Dnd for a file of Horace, Histogram for an MDHistoWorkspace, Mosaic or Dnd for a file of
    :func:`insml.io.write_mosaic` or :func:`insml.io.write_cut`, Image for a two-dimensional ``.npy`` array. Large arrays
    are read on first use.

    Raises
    ------
    FormatError : the file is missing, damaged or something else; the message says what it is.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(path, _READABLE, "a directory")
    if not path.exists():
        raise FormatError(path, _READABLE, "no file")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise FormatError(path, _READABLE, f"a file that cannot be read ({error.strerror})") from None
    if not head:
        raise FormatError(path, _READABLE, "an empty file")
    if head.startswith(b"\x93NUMPY"):
        return read_image(path)
    if is_horace(head) or is_prototype_sqw(head):
        return read_sqw(path)
    if _is_hdf5(path):
        return _open_hdf5(path)
    raise FormatError(path, _READABLE, describe(path))


def _is_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _open_hdf5(path: Path) -> Run | Histogram | Mosaic | Dnd:
    from insml.io.hdf5 import open_hdf5

    with open_hdf5(path) as file:
        is_mosaic = find_mosaic(file) is not None
        is_cut = find_cut(file) is not None
        is_histogram = find_workspace(file) is not None
        is_run = find_entry(file) is not None
    # ours first: a mosaic file may carry a copy of its slices as an MDHistoWorkspace for other programs
    if is_mosaic:
        return read_mosaic(path)
    if is_cut:
        return read_cut(path)
    if is_histogram:
        return read_mdhisto(path)
    if is_run:
        return read_nxspe(path)
    raise FormatError(path, _READABLE, describe_hdf5(path))
