"""Filters that pick bonds out of a neighbour shell."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from insml.study.neighbours import Pair
from insml.study.reader import Table, describe, is_number
from insml.study.structure import MagneticStructure

_FRACTION_TOLERANCE = 1e-3  # of a cell: people write 0.333
_COLLINEAR = 1e-6


@dataclass(frozen=True)
class Selection:
    """What a bond, looked at from its first end, must fulfil.

    between : label patterns of the first and of the second end, or None.
    spins : "parallel", "antiparallel" or None.
    displacement : for each cell direction a fraction, or "+", "-" (its sign) or "*" (any), or None.
    cells : the unit of ``displacement`` is the magnetic cell divided by these numbers.
    """

    between: tuple[tuple[str, ...], tuple[str, ...]] | None
    spins: str | None
    displacement: tuple[float | str, float | str, float | str] | None
    cells: tuple[int, int, int]

    def accepts(self, pair: Pair, structure: MagneticStructure) -> bool:
        """Whether the pair passes in the direction i to j."""
        first, second = structure.sites[pair.i], structure.sites[pair.j]
        if self.between is not None and not all(
            any(fnmatchcase(site.label, pattern) for pattern in patterns)
            for site, patterns in zip((first, second), self.between, strict=True)
        ):
            return False
        if self.spins is not None:
            u, v = np.array(first.spin), np.array(second.spin)
            cosine = float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
            if abs(cosine - (1.0 if self.spins == "parallel" else -1.0)) > _COLLINEAR:
                return False
        if self.displacement is None:
            return True
        fractions = np.linalg.solve(structure.cell.T, np.array(pair.displacement)) * self.cells
        return all(_fits(float(x), wanted) for x, wanted in zip(fractions, self.displacement, strict=True))


def _fits(x: float, wanted: float | str) -> bool:
    if wanted == "*":
        return True
    if wanted == "+":
        return x > _FRACTION_TOLERANCE
    if wanted == "-":
        return x < -_FRACTION_TOLERANCE
    return abs(x - float(wanted)) <= _FRACTION_TOLERANCE


def read_selection(entry: Table, structure: MagneticStructure, cells: tuple[int, int, int]) -> Selection:
    """The filters of one ``bonds`` entry."""
    return Selection(
        _between(entry, structure),
        entry.choice("spins", ("parallel", "antiparallel")) if "spins" in entry else None,
        _displacement(entry), cells,
    )


def _between(entry: Table, structure: MagneticStructure) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    if "between" not in entry:
        return None
    value = entry.data["between"]
    expected = "two labels, each a pattern or a list of patterns"
    if not isinstance(value, list) or len(value) != 2:
        raise entry.mistake("between", expected, describe(value))
    ends = [[end] if isinstance(end, str) else end for end in value]
    for end in ends:
        if not isinstance(end, list) or not end or not all(isinstance(p, str) for p in end):
            raise entry.mistake("between", expected, describe(value))
        for pattern in end:
            if not any(fnmatchcase(site.label, pattern) for site in structure.sites):
                labels = ", ".join(dict.fromkeys(site.label for site in structure.sites))
                raise entry.mistake("between", f"labels of sites ({labels})", describe(pattern))
    return tuple(ends[0]), tuple(ends[1])


def _displacement(entry: Table) -> tuple[float | str, float | str, float | str] | None:
    if "displacement" not in entry:
        return None
    value = entry.data["displacement"]
    if not isinstance(value, list) or len(value) != 3 or not all(is_number(x) or x in ("+", "-", "*") for x in value):
        raise entry.mistake("displacement", "three entries, each a cell fraction, '+', '-' or '*'", describe(value))
    x, y, z = (v if isinstance(v, str) else float(v) for v in value)
    return (x, y, z)
