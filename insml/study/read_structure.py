"""The tables ``lattice``, ``magnetic``, ``sites`` and ``twins`` of a study file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.errors import GeometryError
from insml.study.form_factors import FormFactor, UnknownIonError, by_ion, from_coefficients
from insml.study.neighbours import pairs_within
from insml.study.reader import Table, describe, is_number, is_numbers
from insml.study.structure import MagneticStructure, Matrix3, Site, Twin, Vector

Array = NDArray[np.float64]

MAGNETIC_KEYS = ("supercell", "positions", "spin", "ion", "form_factor", "g", "field")
SITE_KEYS = ("label", "position", "moment", "spin", "ion", "form_factor", "g")
TWIN_KEYS = ("weight", "axis", "angle", "rotation")

_IDENTITY: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
_TOO_CLOSE = 0.1  # Angstrom; nearer than any two ions


def read_lattice(top: Table) -> Lattice:
    names = ("a", "b", "c", "alpha", "beta", "gamma")
    table = top.table("lattice", names)
    a, b, c = (table.number(name, above=0.0) for name in names[:3])
    angles = []
    for name in names[3:]:
        angle = table.number(name, 90.0)
        if not 0.0 < angle < 180.0:
            raise table.mistake(name, "an angle between 0 and 180 degrees", describe(angle))
        angles.append(angle)
    try:
        return Lattice(a, b, c, *angles)
    except GeometryError:
        raise table.mistake("alpha", "three angles that span a volume", describe(angles)) from None


def read_structure(top: Table, lattice: Lattice) -> tuple[MagneticStructure, bool]:
    """The structure, and whether intensities carry the magnetic form factor."""
    magnetic = top.table("magnetic", MAGNETIC_KEYS)
    supercell = _supercell(magnetic)
    in_chemical = magnetic.choice("positions", ("magnetic", "chemical"), "magnetic") == "chemical"
    with_form_factor = magnetic.boolean("form_factor", True)
    field = magnetic.vector("field") if "field" in magnetic else (0.0, 0.0, 0.0)
    sites = tuple(_site(table, magnetic, lattice, supercell if in_chemical else (1, 1, 1), with_form_factor)
                  for table in top.tables("sites", SITE_KEYS))
    structure = MagneticStructure(lattice, supercell, sites, field, _twins(top, lattice))
    _refuse_coincident(top, structure)
    return structure, with_form_factor


def read_direction(table: Table, name: str, lattice: Lattice) -> Vector:
    """Unit vector, Cartesian: from three Cartesian components, or "a", "b", "c" (of the lattice) with + or -."""
    value = table.require(name, "a Cartesian vector or '+a', '-a', '+b', '-b', '+c', '-c'")
    if isinstance(value, str):
        axis, sign = value.lstrip("+-"), -1.0 if value.startswith("-") else 1.0
        if axis not in ("a", "b", "c") or len(value) > 2:
            raise table.mistake(name, "a Cartesian vector or '+a', '-a', '+b', '-b', '+c', '-c'", describe(value))
        v = sign * lattice.vectors["abc".index(axis)]
    else:
        v = np.array(table.direction(name))
    return _without_rounding(v / np.linalg.norm(v))


def _without_rounding(v: Array) -> Vector:
    """Components that are zero but for rounding (a cosine of 90 degrees) made exactly zero."""
    x, y, z = (0.0 if abs(c) < 1e-14 else float(c) for c in v)
    return (x, y, z)


def _supercell(magnetic: Table) -> tuple[int, int, int]:
    expected = "three whole numbers of at least 1 (a magnetic cell commensurate with the chemical cell)"
    value = magnetic.require("supercell", expected)
    if not is_numbers(value, 3) or any(n != int(n) or n < 1 for n in value):
        raise magnetic.mistake("supercell", expected, describe(value))
    return (int(value[0]), int(value[1]), int(value[2]))


def _site(table: Table, magnetic: Table, lattice: Lattice, cells: tuple[int, int, int], with_form_factor: bool) -> Site:
    label = table.text("label")
    position = table.vector("position")
    for x, n in zip(position, cells, strict=True):
        if not 0.0 <= x < n:
            inside = "[0, 1) of the magnetic cell" if cells == (1, 1, 1) else "the magnetic cell, " + ", ".join(
                f"[0, {m})" for m in cells)
            raise table.mistake("position", f"coordinates inside {inside}", describe(list(position)))
    spin = (table if "spin" in table else magnetic).number("spin", above=0.0)
    mx, my, mz = read_direction(table, "moment", lattice)
    x, y, z = (p / n for p, n in zip(position, cells, strict=True))
    return Site(label, (x, y, z), (spin * mx, spin * my, spin * mz), _g(table if "g" in table else magnetic),
                _form_factor(table, magnetic) if with_form_factor else None)


def _g(table: Table) -> Matrix3 | None:
    if "g" not in table:
        return None
    g = table.data["g"]
    if is_number(g):
        return ((float(g), 0.0, 0.0), (0.0, float(g), 0.0), (0.0, 0.0, float(g)))
    if isinstance(g, list) and len(g) == 3 and isinstance(g[0], list):
        return table.matrix("g")
    raise table.mistake("g", "a number or a 3x3 matrix", describe(g))


def _form_factor(table: Table, magnetic: Table) -> FormFactor:
    own = table.only_one_of(("ion", "form_factor"), required=False)
    if own == "form_factor":
        coefficients = table.numbers("form_factor")
        try:
            return from_coefficients(coefficients)
        except ValueError:
            raise table.mistake("form_factor", "7, 9 or 11 coefficients a1 b1 a2 b2 ... c",
                                f"{len(coefficients)} numbers") from None
    where = table if own or "ion" not in magnetic else magnetic
    if "ion" not in where:
        raise table.mistake("ion", "the name of an ion such as 'Mn3+' (or form_factor = its coefficients, or "
                            "magnetic.form_factor = false)", "no such key")
    try:
        return by_ion(where.text("ion"))
    except UnknownIonError as error:
        raise where.mistake("ion", error.expected, describe(where.data["ion"])) from None


def _refuse_coincident(top: Table, structure: MagneticStructure) -> None:
    close = pairs_within(structure.cell, structure.positions, _TOO_CLOSE)
    if close:
        pair = close[0]
        raise top.mistake(f"sites[{pair.j}].position", "one site at each place",
                          f"sites[{pair.i}] {pair.length:.3g} Angstrom away")


def _twins(top: Table, lattice: Lattice) -> tuple[Twin, ...]:
    twins = [Twin(_rotation(table, lattice), table.number("weight", above=0.0))
             for table in top.tables("twins", TWIN_KEYS, optional=True)]
    total = sum(t.weight for t in twins)
    return tuple(Twin(t.rotation, t.weight / total) for t in twins)


def _rotation(table: Table, lattice: Lattice) -> Matrix3:
    if table.only_one_of(("rotation", "axis"), required=False) is None:
        if "angle" in table:
            raise table.mistake("axis", "the axis that angle turns about", "no such key")
        return _IDENTITY
    if "axis" in table:
        n, angle = np.array(read_direction(table, "axis", lattice)), np.radians(table.number("angle"))
        cross = np.array([[0, -n[2], n[1]], [n[2], 0, -n[0]], [-n[1], n[0], 0]])
        r = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        return (_without_rounding(r[0]), _without_rounding(r[1]), _without_rounding(r[2]))
    if "angle" in table:
        raise table.mistake("angle", "only one of rotation and axis with angle", "rotation and angle")
    rotation = table.matrix("rotation")
    r = np.array(rotation)
    error = float(np.max(np.abs(r @ r.T - np.eye(3))))
    if error > 1e-6:
        raise table.mistake("rotation", "an orthogonal matrix (a rotation or reflection, Cartesian)",
                            f"R R^T that differs from 1 by {error:.3g}")
    return rotation
