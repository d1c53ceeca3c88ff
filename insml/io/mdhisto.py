"""Mantid's MDHistoWorkspace files (SaveMD), format versions 1 and 2."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.errors import FormatError, GeometryError
from insml.io.hdf5 import attribute, dataset, number, numbers, open_hdf5, subgroups, text
from insml.io.histogram import Histogram, HistogramAxis

Array = NDArray[np.float64]

_STORED = {"signal": "signal", "variance": "errors_squared", "num_events": "num_events", "mask": "mask"}
_TERM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)?)\s*\*?\s*([A-Za-z]*)")
_MOMENTUM_FRAMES = ("HKL", "QSample", "QLab")
#: Names print the direction rounded; a projection matrix this close to the name is the exact value of it.
_NAME_ROUNDING = 0.01


def find_workspace(file: Any) -> str | None:
    """Name of the first entry that holds an MD histogram, or None."""
    for entry in subgroups(file):
        # event workspaces carry the same dimension attributes, but no signal
        if ("dimension0" in entry.attrs and "signal" in entry) or ("data/D0" in entry and "data/signal" in entry):
            return str(entry.name).strip("/")
    return None


def read_mdhisto(path: str | Path) -> Histogram:
    """Open an MDHistoWorkspace file; the arrays are read when they are first used.

    Raises
    ------
    FormatError : there is no such workspace, or its axes do not fit its arrays.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        name = find_workspace(file)
        if name is None:
            raise FormatError(path, "an MDHistoWorkspace", f"root groups {', '.join(file) or 'none'}")
        entry = file[name]
        version = 1 if "dimension0" in entry.attrs else 2
        axes = _axes_from_attributes(path, entry) if version == 1 else _axes_from_datasets(path, entry)
        lattice, ub, projection = _crystal(path, entry)
        axes = _refine_directions(axes, projection)
        order = _array_order(path, entry, axes) if version == 2 else tuple(range(len(axes)))[::-1]
        group = name if version == 1 else f"{name}/data"
        for stored in _STORED.values():
            _check_shape(path, dataset(path, file[group], stored), axes, order, flat=version == 1)
        convention = attribute(entry, "QConvention") or None
        title = text(entry["title"][()]) if "title" in entry else ""

    flips: tuple[int, ...] = ()
    if convention is not None and convention.lower() == "crystallography":
        flips = tuple(i for i, axis in enumerate(axes) if axis.kind == "momentum")
        axes = tuple(replace(a, edges=-a.edges[::-1]) if i in flips else a for i, a in enumerate(axes))
    stored_shape = tuple(axes[i].n for i in order)

    def load(quantity: str) -> NDArray[np.generic]:
        with open_hdf5(path) as file:
            stored = np.asarray(dataset(path, file[group], _STORED[quantity])[()]).reshape(stored_shape)
        return np.ascontiguousarray(np.flip(stored.transpose(np.argsort(order)), flips))

    return Histogram(path=path, title=title, version=version, axes=axes, lattice=lattice, ub=ub,
                     stored_q_convention=convention, load=load)


def parse_direction(name: str) -> tuple[float, float, float] | None:
    """Direction of an axis name such as "[H,0,0]", "[-0.5K,K,0]" or "[1,1,0]" in r.l.u.; None when it is not one."""
    inside = re.fullmatch(r"\s*\[(.*)\]\s*", name)
    parts = inside[1].split(",") if inside else []
    if len(parts) != 3:
        return None
    vector, letters = [], []
    for part in parts:
        term = _TERM.fullmatch(part.strip())
        if term is None or not term[0].strip("+-"):
            return None
        coefficient, letter = term[1], term[2]
        vector.append(float(f"{coefficient}1" if coefficient in ("", "+", "-") else coefficient))
        letters.append(letter)
    symbols = {letter for letter in letters if letter}
    # "[H,0.5,0]" is a line with an offset, and "[H,K,0]" a plane: neither is a direction
    if len(symbols) > 1 or any(symbols and not letter and x for letter, x in zip(letters, vector, strict=True)):
        return None
    return (vector[0], vector[1], vector[2]) if any(vector) else None


def _axis(name: str, long_name: str, units: str, edges: Array, frame: str) -> HistogramAxis:
    direction = parse_direction(long_name)
    kind: Literal["momentum", "energy", "other"] = "other"
    if "deltae" in (units.lower(), long_name.lower()) or units == "meV":
        kind = "energy"
    elif direction is not None or frame in _MOMENTUM_FRAMES:
        kind = "momentum"
    return HistogramAxis(name, long_name, units, edges, direction, kind)


def _axes_from_attributes(path: Path, entry: Any) -> tuple[HistogramAxis, ...]:
    axes: list[HistogramAxis] = []
    while (name := f"dimension{len(axes)}") in entry.attrs:
        try:
            xml = ElementTree.fromstring(attribute(entry, name))
            low, high = float(xml.findtext("LowerBounds", "")), float(xml.findtext("UpperBounds", ""))
            n = int(xml.findtext("NumberOfBins", ""))
        except (ElementTree.ParseError, ValueError):
            raise FormatError(path, "a Dimension in XML with LowerBounds, UpperBounds and NumberOfBins",
                              repr(attribute(entry, name)[:60]), f"{entry.name.strip('/')}@{name}") from None
        if n < 1 or not low < high:
            raise FormatError(path, "at least one bin between ascending bounds", f"{n} from {low:g} to {high:g}",
                              f"{entry.name.strip('/')}@{name}")
        axes.append(_axis(f"D{len(axes)}", xml.findtext("Name", ""), xml.findtext("Units", ""),
                          np.linspace(low, high, n + 1), xml.findtext("Frame", "")))
    return tuple(axes)


def _axes_from_datasets(path: Path, entry: Any) -> tuple[HistogramAxis, ...]:
    data = entry["data"]
    axes: list[HistogramAxis] = []
    while (name := f"D{len(axes)}") in data:
        stored, edges = dataset(path, data, name), numbers(path, data, name)
        if edges.size < 2 or not np.all(np.diff(edges) > 0):
            raise FormatError(path, "at least two ascending bin edges", f"{edges.size} values", stored.name.strip("/"))
        axes.append(_axis(name, attribute(stored, "long_name"), attribute(stored, "units"), edges,
                          attribute(stored, "frame")))
    return tuple(axes)


def _array_order(path: Path, entry: Any, axes: tuple[HistogramAxis, ...]) -> tuple[int, ...]:
    """Index into ``axes`` of each stored dimension: (3, 2, 1, 0) for "D3:D2:D1:D0"."""
    signal = dataset(path, entry["data"], "signal")
    names = [axis.name for axis in axes]
    stored = re.split(r"[:,]", attribute(signal, "axes")) if "axes" in signal.attrs else names[::-1]
    if sorted(stored) != sorted(names):
        raise FormatError(path, f"each of {', '.join(names)} once", repr(":".join(stored)), f"{signal.name}@axes")
    return tuple(names.index(name) for name in stored)


def _check_shape(path: Path, stored: Any, axes: tuple[HistogramAxis, ...], order: tuple[int, ...], flat: bool) -> None:
    expected = tuple(axes[i].n for i in order)
    if flat:
        expected = (int(np.prod(expected)),)
    if stored.shape != expected:
        raise FormatError(path, f"shape {expected} of the axes", f"shape {stored.shape}", stored.name.strip("/"))


def _crystal(path: Path, entry: Any) -> tuple[Lattice | None, Array | None, Array | None]:
    """Cell, UB and projection of the first experiment that has a crystal; a merged file has one for each run."""
    experiments = sorted((int(match[1]), name) for name in entry if (match := re.fullmatch(r"experiment(\d+)", name)))
    for _, name in experiments:
        crystal = entry[name].get("sample/oriented_lattice")
        if crystal is None:
            continue
        cell = [number(path, crystal, f"unit_cell_{k}") for k in ("a", "b", "c", "alpha", "beta", "gamma")]
        try:
            lattice = Lattice(*cell)
        except GeometryError as error:
            raise FormatError(path, "a unit cell", str(error), crystal.name.strip("/")) from None
        ub = numbers(path, crystal, "orientation_matrix")
        projection = numbers(path, entry[name], "logs/W_MATRIX/value") if "logs/W_MATRIX/value" in entry[name] else None
        if ub.size != 9 or (projection is not None and projection.size != 9):
            raise FormatError(path, "3 x 3 matrices of orientation and projection", "other sizes", f"{crystal.name}")
        return (lattice, 2 * np.pi * ub.reshape(3, 3),  # stored without the 2 pi
                None if projection is None else projection.reshape(3, 3))
    return None, None, None


def _refine_directions(axes: tuple[HistogramAxis, ...], projection: Array | None) -> tuple[HistogramAxis, ...]:
    """Exact directions where the file has its projection, whose columns are those of D0, D1 and D2."""
    if projection is None:
        return axes
    refined = list(axes)
    for i, axis in enumerate(axes[:3]):
        column = projection[:, i]
        if axis.direction is not None and np.allclose(axis.direction, column, rtol=0, atol=_NAME_ROUNDING):
            refined[i] = replace(axis, direction=(float(column[0]), float(column[1]), float(column[2])))
    return tuple(refined)
