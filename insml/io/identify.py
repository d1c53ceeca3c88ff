"""Saying in words what a file is that cannot be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from insml.io.hdf5 import definition, open_hdf5, subgroups, text

HEAD = 4096
_SHOWN = 4


def describe(path: Path) -> str:
    """What an existing, non-empty file that is no HDF5 holds, judged by its first bytes."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    for magic, name in (
        (b"\x0e\x03\x13\x01", "an HDF4 file (NeXus of the old kind; convert it to HDF5)"),
        (b"PK\x03\x04", "a zip archive (.npz?)"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
        (b"\x89PNG", "a PNG picture"),
        (b"%PDF", "a PDF document"),
    ):
        if head.startswith(magic):
            return name
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "a Python pickle, which is not loaded"
    return _describe_text(head)


def describe_hdf5(path: Path) -> str:
    """What an HDF5 file holds, by its definitions and root groups."""
    with open_hdf5(path) as file:
        definitions = [definition(entry) for entry in subgroups(file)]
        if any("mantid processed workspace" in d.lower() for d in definitions):
            return f"a Mantid processed workspace{_workspace_name(file)}"
        if "MDEventWorkspace" in file:
            return "a Mantid MD event workspace (bin it into an MDHistoWorkspace)"
        if any(subgroups(entry, "NXevent_data") for entry in subgroups(file, "NXentry")):
            return "raw or reduced neutron events"
        stated = [f"definition {d}" for d in dict.fromkeys(definitions) if d]
        names = list(file)
        groups = f"root groups {', '.join(names[:_SHOWN])}{', ...' * (len(names) > _SHOWN)}" if names else "no contents"
        return f"an HDF5 file with {', '.join([*stated, groups])}"


def _workspace_name(file: Any) -> str:
    name = next((text(e["workspace_name"][()]) for e in subgroups(file) if "workspace_name" in e), "")
    return f" named {name}" if name else ""


def is_prototype_sqw(head: bytes) -> bool:
    """Version 0 begins with its own file name: int32 length, text, then the same for the folder."""
    length = int.from_bytes(head[:4], "little")
    name = head[4:4 + length]
    return 4 < length < 1024 and len(name) == length and re.search(rb"\.(sqw|d[0-4]d|dnd)$", name.lower()) is not None


def _describe_text(head: bytes) -> str:
    try:
        start = head.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # else a character cut by the end of what was read
            return "binary data of an unknown kind"
        start = head[:error.start].decode("utf-8")
    if "\0" in start:
        return "binary data of an unknown kind"
    lines = [line.strip() for line in start.splitlines() if line.strip()]
    if not lines:
        return "only blank lines"
    if re.search(r"^data_\S*", start, re.M) and re.search(r"^(loop_|_cell_|_symmetry_|_atom_)", start, re.M):
        return "a crystal structure in CIF"
    if lines[0].lower().startswith(("<!doctype html", "<html")):
        return "an HTML page"
    if re.fullmatch(r"\d+\s+\d+", lines[0]) and len(lines) > 1 and lines[1].startswith("###"):
        return "an ASCII .spe file without its detectors; insml.io.read_spe_run takes both"
    if re.fullmatch(r"\d+", lines[0]) and len(lines) > 1 and re.fullmatch(r"(\S+\s+){4,6}\S+", lines[1]):
        return "an ASCII .par detector table; insml.io.read_par reads it"
    if lines[0].startswith("#") and "Intensity" in lines[0] and "Error" in lines[0]:
        return "a text table of an MD slice, which is not readable yet"
    return f"text that begins {lines[0][:40]!r}"
