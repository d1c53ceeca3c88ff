"""Cuts from a list in TOML, each written to a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from insml.errors import GeometryError, InsmlError
from insml.io import write_columns, write_cut, write_cut_mdhisto, write_sqw, write_xye
from insml.jobs.executor import Executor, LocalExecutor, Progress
from insml.sqw.cut import cut
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.projection import CylinderProj, LineProj, Projection, SphereProj
from insml.sqw.symmetry import Symop, SymopReflection, SymopRotation
from insml.study.load import parse_toml
from insml.study.reader import Table, describe

_SHARED = ("source", "folder", "projection", "symmetry")
_PROJECTION = ("kind", "u", "v", "w", "type", "nonorthogonal", "offset")
_KINDS = ("line", "sphere", "cylinder")
_OPERATION = ("reflection", "rotation", "offset")
#: What is written, by the end of the name of a file. All but .sqw are images without their pixels.
WRITERS: dict[str, Callable[[Path, Sqw | Dnd], None]] = {
    ".sqw": write_sqw, ".dnd": write_sqw, ".nxs": write_cut, ".mdhisto.nxs": write_cut_mdhisto, ".txt": write_columns,
    ".xye": write_xye}


@dataclass(frozen=True, eq=False)
class PlannedCut:
    """One cut of a list: where from, where to, and how."""

    source: Path
    out: Path
    projection: Projection | None
    bins: tuple[Any, ...]
    symmetry: tuple[Symop, ...]

    @property
    def ending(self) -> str:
        return max((e for e in WRITERS if self.out.name.endswith(e)), key=len)


def read_batch(path: str | Path) -> list[PlannedCut]:
    """The cuts of a list; paths in it are from its folder.

    Raises
    ------
    StudyError : a key that is missing, unknown or cannot be so, by its name.
    """
    path = Path(path)
    top = Table(path, "", parse_toml(path, "list of cuts"), (*_SHARED, "cut"))
    cuts: list[PlannedCut] = []
    for own in top.tables("cut", (*_SHARED, "out", "bins")):
        one = _planned(top, own)
        if one.out in [c.out for c in cuts]:
            raise own.mistake("out", "another name for each cut", describe(one.out.name))
        cuts.append(one)
    return cuts


def run_batch(cuts: Sequence[PlannedCut], executor: Executor | None = None, progress: Progress | None = None) -> list[int]:
    """Make and write each cut; the numbers of pixels in them.

    Raises
    ------
    InsmlError : as :func:`insml.cut` and what writes the files.
    """
    return (executor or LocalExecutor()).map(run_cut, [(c,) for c in cuts], "cutting", progress)


def run_cut(planned: PlannedCut) -> int:
    """Make and write one cut; the number of its pixels."""
    bins = planned.bins if planned.projection is None else (planned.projection, *planned.bins)
    planned.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        if planned.ending == ".sqw":
            made = cut(planned.source, *bins, symmetry=planned.symmetry, filename=planned.out)
        else:
            made = cut(planned.source, *bins, symmetry=planned.symmetry, keep_pixels=False)
            WRITERS[planned.ending](planned.out, made)
    except GeometryError as error:
        raise InsmlError(f"{planned.out.name}: {error}") from None
    return int(np.sum(made.npix))


def _planned(top: Table, own: Table) -> PlannedCut:
    where = own if "folder" in own else top
    out = own.path.parent / (where.text("folder") if "folder" in where else "") / own.text("out")
    if not any(out.name.endswith(e) and out.name != e for e in WRITERS):
        raise own.mistake("out", f"a name that ends in one of {', '.join(WRITERS)}", describe(out.name))
    source = own.path.parent / (own if "source" in own else top).text("source")
    bins = own.require("bins", "a list of up to four bins")
    if not isinstance(bins, list) or len(bins) > 4 or not all(_is_bins(b) for b in bins):
        raise own.mistake("bins", "a list of up to four of [], step, [lo, hi] or [lo, step, hi]", describe(bins))
    return PlannedCut(source, out, _projection(own if "projection" in own else top), tuple(bins),
                      tuple(_operation(t) for t in (own if "symmetry" in own else top).tables("symmetry", _OPERATION,
                                                                                              optional=True)))


def _is_bins(value: object) -> bool:
    def number(x: object) -> bool:
        return isinstance(x, (int, float)) and not isinstance(x, bool)

    return number(value) or (isinstance(value, list) and len(value) <= 3 and all(map(number, value)))


def _projection(table: Table) -> Projection | None:
    if "projection" not in table:
        return None
    given = table.table("projection", _PROJECTION)
    kind = given.choice("kind", _KINDS, "line")
    named: dict[str, Any] = {n: given.direction(n) for n in ("u", "v") if n in given}
    if "type" in given:
        named["type"] = given.text("type")
    if "offset" in given:
        named["offset"] = given.numbers("offset", 4 if len(given.data["offset"]) == 4 else 3)
    try:
        if kind != "line":
            for name in ("w", "nonorthogonal"):
                if name in given:
                    raise given.mistake(name, "it with kind 'line' alone", describe(given.data[name]))
            return SphereProj(**named) if kind == "sphere" else CylinderProj(**named)
        if "w" in given:
            named["w"] = given.direction("w")
        return LineProj(**named, nonorthogonal=given.boolean("nonorthogonal", False))
    except GeometryError as error:
        raise table.mistake("projection", "a projection", str(error)) from None


def _operation(table: Table) -> Symop:
    kind = table.only_one_of(("reflection", "rotation"))
    offset = table.vector("offset") if "offset" in table else (0.0, 0.0, 0.0)
    value = table.data[str(kind)]
    try:
        if kind == "reflection":
            u, v = value
            return SymopReflection(u, v, offset)
        axis, angle = value
        return SymopRotation(axis, angle, offset)
    except (GeometryError, TypeError, ValueError):
        raise table.mistake(str(kind), "[u, v]" if kind == "reflection" else "[axis, degrees]", describe(value)) from None
