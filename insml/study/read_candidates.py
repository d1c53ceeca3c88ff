"""The tables ``candidates`` of a study file: parameters, bonds, anisotropy."""

from __future__ import annotations

from fnmatch import fnmatchcase
from keyword import iskeyword

import numpy as np

from insml.study.candidate import Bond, Candidate, Parameter
from insml.study.expressions import (
    ExpressionError,
    Linear,
    Matrix,
    add,
    antisymmetric,
    is_symmetric,
    parse,
    scalar_matrix,
)
from insml.study.neighbours import NeighbourTable, Pair, canonical
from insml.study.read_structure import read_direction
from insml.study.reader import Table, describe
from insml.study.selection import Selection, read_selection
from insml.study.structure import MagneticStructure

CANDIDATE_KEYS = ("name", "title", "parameters", "bonds", "anisotropy")
PARAMETER_KEYS = ("prior", "reference", "error", "description")
BOND_KEYS = ("shell", "distance", "tolerance", "pairs", "between", "spins", "displacement", "exchange", "dm")
ANISOTROPY_KEYS = ("sites", "axis", "value", "matrix")

_MOST_SHELLS = 100


def read_candidates(top: Table, structure: MagneticStructure, cells: tuple[int, int, int]) -> dict[str, Candidate]:
    """All candidates in the order of the file. ``cells``: unit of displacements, in fractions of the magnetic cell."""
    neighbours = NeighbourTable(structure.cell, structure.positions)
    candidates: dict[str, Candidate] = {}
    for table in top.tables("candidates", CANDIDATE_KEYS):
        name = table.identifier("name")
        if name in candidates:
            raise table.mistake("name", "a different name for each candidate", f"'{name}' twice")
        parameters = _parameters(table)
        names = tuple(p.name for p in parameters)
        candidates[name] = Candidate(
            name, table.text("title", name), parameters, structure,
            _bonds(table, names, structure, neighbours, cells), _anisotropy(table, names, structure),
        )
    return candidates


def _parameters(table: Table) -> tuple[Parameter, ...]:
    data = table.require("parameters", "a table with one entry for each parameter")
    if not isinstance(data, dict) or not data:
        raise table.mistake("parameters", "a table with one entry for each parameter", describe(data))
    parameters = []
    for name in data:
        group = Table(table.path, table.dotted("parameters"), data, tuple(data))
        if not (name.isidentifier() and name.isascii()) or iskeyword(name):
            raise group.mistake(name, "a parameter name of letters, digits and _, such as J1", describe(name))
        entry = group.table(name, PARAMETER_KEYS)
        prior = entry.interval("prior")
        reference = entry.number("reference") if "reference" in entry else None
        if reference is not None and not prior[0] <= reference <= prior[1]:
            raise entry.mistake("reference", f"a value inside the prior [{prior[0]:g}, {prior[1]:g}]",
                                describe(reference))
        error = entry.number("error") if "error" in entry else None
        if error is not None and (reference is None or error <= 0):
            raise entry.mistake("error", "a positive number beside a reference", describe(error))
        parameters.append(Parameter(name, prior, reference, entry.text("description", ""), error))
    return tuple(parameters)


def _bonds(table: Table, names: tuple[str, ...], structure: MagneticStructure, neighbours: NeighbourTable,
           cells: tuple[int, int, int]) -> tuple[Bond, ...]:
    bonds: list[Bond] = []
    seen: dict[tuple[int, int, tuple[int, int, int]], str] = {}
    for entry in table.tables("bonds", BOND_KEYS):
        exchange = _exchange(entry, names)
        for i, j, dl in _pairs(entry, exchange, structure, neighbours, cells):
            key = canonical(i, j, dl)
            if key in seen:
                raise entry.mistake("", "each bond once in a candidate",
                                    f"bond {i}-{j} {list(dl)} of {seen[key]} again")
            seen[key] = entry.key
            bonds.append(Bond(i, j, dl, exchange))
    return tuple(bonds)


def _pairs(entry: Table, exchange: Matrix, structure: MagneticStructure, neighbours: NeighbourTable,
           cells: tuple[int, int, int]) -> list[tuple[int, int, tuple[int, int, int]]]:
    way = entry.only_one_of(("shell", "distance", "pairs"))
    if "tolerance" in entry and way != "distance":
        raise entry.mistake("tolerance", "tolerance only beside distance", f"it beside {way}")
    if way == "pairs":
        for name in ("between", "spins", "displacement"):
            if name in entry:
                raise entry.mistake(name, "filters only beside shell or distance", "one beside pairs")
        return _listed(entry, len(structure.sites))
    found: tuple[Pair, ...]
    if way == "shell":
        number = entry.whole("shell", least=1)
        if number > _MOST_SHELLS:
            raise entry.mistake("shell", f"a number from 1 to {_MOST_SHELLS}", str(number))
        shell = neighbours.shell(number)
        found, where = shell.pairs, f"shell {number} at {shell.length:.4f} Angstrom"
    else:
        distance, tolerance = entry.number("distance", above=0.0), entry.number("tolerance", 1e-3, above=0.0)
        found, where = neighbours.near(distance, tolerance), f"{distance:g} +- {tolerance:g} Angstrom"
    return _filtered(entry, found, where, exchange, structure, read_selection(entry, structure, cells))


def _filtered(entry: Table, found: tuple[Pair, ...], where: str, exchange: Matrix, structure: MagneticStructure,
              selection: Selection) -> list[tuple[int, int, tuple[int, int, int]]]:
    chosen = []
    for pair in found:
        # A bond is kept in the direction in which it passes the filters, for that is how its matrix is meant.
        forward, backward = selection.accepts(pair, structure), selection.accepts(pair.reverse, structure)
        if forward and backward and not is_symmetric(exchange):
            raise entry.mistake("between", "between or displacement to say which end of a bond is first, since J is "
                                "not symmetric", f"bond {pair.i}-{pair.j} {list(pair.dl)} selected both ways")
        if forward or backward:
            kept = pair if forward else pair.reverse
            chosen.append((kept.i, kept.j, kept.dl))
    if not chosen:
        raise entry.mistake("", "at least one bond that passes all filters", f"none of {len(found)} bonds ({where})")
    return chosen


def _listed(entry: Table, n_sites: int) -> list[tuple[int, int, tuple[int, int, int]]]:
    expected = "a list of [i, j, dl_a, dl_b, dl_c], five whole numbers"
    rows = entry.data["pairs"]
    if not isinstance(rows, list) or not rows:
        raise entry.mistake("pairs", expected, describe(rows))
    pairs = []
    for n, row in enumerate(rows):
        key = f"pairs[{n}]"
        if not isinstance(row, list) or len(row) != 5 or not all(type(x) is int for x in row):
            raise entry.mistake(key, expected, describe(row))
        i, j, *dl = row
        for site in (i, j):
            if not 0 <= site < n_sites:
                raise entry.mistake(key, f"site numbers from 0 to {n_sites - 1}", str(site))
        if i == j and not any(dl):
            raise entry.mistake(key, "two ends that differ", f"site {i} bound to itself")
        pairs.append((i, j, (dl[0], dl[1], dl[2])))
    return pairs


def _exchange(entry: Table, names: tuple[str, ...]) -> Matrix:
    if "exchange" not in entry and "dm" not in entry:
        raise entry.mistake("exchange", "exchange = 'J1' or a 3x3 matrix, and/or dm = a list of 3", "none of them")
    total: Matrix = scalar_matrix(Linear())
    if "exchange" in entry:
        value = entry.data["exchange"]
        total = _matrix(entry, "exchange", names) if isinstance(value, list) \
            else scalar_matrix(_linear(entry, "exchange", value, names))
    if "dm" in entry:
        value = entry.data["dm"]
        if not isinstance(value, list) or len(value) != 3:
            raise entry.mistake("dm", "a list of 3 numbers or expressions (Cartesian)", describe(value))
        x, y, z = (_linear(entry, "dm", v, names) for v in value)
        total = add(total, antisymmetric((x, y, z)))
    return total


def _matrix(entry: Table, name: str, names: tuple[str, ...]) -> Matrix:
    """3x3 numbers or expressions, or the three of a diagonal."""
    value = entry.require(name, "a 3x3 matrix of numbers or expressions")
    if isinstance(value, list) and len(value) == 3 and not any(isinstance(v, list) for v in value):
        value = [[value[i] if i == j else 0 for j in range(3)] for i in range(3)]
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(r, list) and len(r) == 3 for r in value):
        raise entry.mistake(name, "a 3x3 matrix (or its diagonal) of numbers or expressions", describe(value))
    rows = []
    for row in value:
        x, y, z = (_linear(entry, name, v, names) for v in row)
        rows.append((x, y, z))
    return (rows[0], rows[1], rows[2])


def _linear(entry: Table, name: str, value: object, names: tuple[str, ...]) -> Linear:
    try:
        return parse(value, names)
    except ExpressionError as error:
        raise entry.mistake(name, error.expected, error.found) from None


def _anisotropy(table: Table, names: tuple[str, ...],
                structure: MagneticStructure) -> tuple[tuple[int, Matrix], ...]:
    total: dict[int, Matrix] = {}
    for entry in table.tables("anisotropy", ANISOTROPY_KEYS, optional=True):
        pattern = entry.text("sites", "*")
        indices = [i for i, site in enumerate(structure.sites) if fnmatchcase(site.label, pattern)]
        if not indices:
            raise entry.mistake("sites", "a pattern that fits the label of a site", describe(pattern))
        matrix = _anisotropy_matrix(entry, names, structure)
        for i in indices:
            total[i] = add(total[i], matrix) if i in total else matrix
    return tuple(sorted(total.items(), key=lambda item: item[0]))


def _anisotropy_matrix(entry: Table, names: tuple[str, ...], structure: MagneticStructure) -> Matrix:
    if entry.only_one_of(("axis", "matrix")) == "matrix":
        if "value" in entry:
            raise entry.mistake("value", "value only beside axis", "it beside matrix")
        matrix = _matrix(entry, "matrix", names)
        if not is_symmetric(matrix):
            raise entry.mistake("matrix", "a symmetric matrix", describe(entry.data["matrix"]))
        return matrix
    n = np.array(read_direction(entry, "axis", structure.lattice))
    value = _linear(entry, "value", entry.require("value", "a number or an expression"), names)
    rows = [tuple(value.times(float(x)) for x in row) for row in np.outer(n, n)]
    (a, b, c), (d, e, f), (g, h, i) = rows
    return ((a, b, c), (d, e, f), (g, h, i))
