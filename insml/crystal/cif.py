"""Crystals and magnetic structures from CIF and magCIF files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal.crystal import Crystal, Site
from insml.crystal.international import DENOMINATOR
from insml.crystal.lattice import Lattice
from insml.crystal.space_group import Operator, SpaceGroup, operator
from insml.errors import FormatError, GeometryError, ModelError

if TYPE_CHECKING:
    from insml.spinwave.structure import MagneticStructure

Array = NDArray[np.float64]

_CELL = tuple(f"_cell_{name}" for name in
              ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma"))
_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_SYMBOLS = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_name_hall",
            "_symmetry_space_group_name_hall", "_space_group_it_number", "_symmetry_int_tables_number")
_FRACT = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_MAGNETIC, _CENTRING = "_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_centering_xyz"
_MOMENT_LABEL = "_atom_site_moment_label"
_MOMENT = ("_atom_site_moment_crystalaxis_x", "_atom_site_moment_crystalaxis_y", "_atom_site_moment_crystalaxis_z")

_MOMENT_TOLERANCE = 0.05
"""Moments are given to few digits: by how much, relative to their length, symmetry may find them off."""


def read_cif(path: str | Path, spins: Mapping[str, float] | None = None, *, block: str | None = None) -> Crystal:
    """The crystal of a CIF: cell, operators in the order the file lists them, all sites with their occupancy.

    Parameters
    ----------
    spins : length S by label ("Mn1"), else by ion as the file names it ("Mn3+"), else by element ("Mn"); all other sites
        have none. A site with a spin gets the form factor of its ion where the file names one that is tabulated.
    block : name of the data block; the first with a cell where None.

    Sites without coordinates are left out.

    Raises
    ------
    FormatError : a file that cannot be read, or a missing or garbled entry, by its tag (a dot is read as an underscore).
    ModelError : a spin for a site that is not there. GeometryError : atoms clash, or the group does not fit the cell.
    """
    file = _File(path, block)
    group = file.space_group()
    return file.crystal(file.sites(dict(spins or {})), group)


def read_mcif(path: str | Path, spins: Mapping[str, float] | None = None, *,
              block: str | None = None) -> tuple[Crystal, MagneticStructure]:
    """The magnetic cell of a magCIF as a crystal without symmetry (P 1), and its spins.

    A moment m (Bohr magnetons along the unit vectors of a, b, c) becomes det(R) theta R m under {R|t, theta}, theta = -1
    with time reversal. Spins point along moments; their length is that in ``spins`` (keys as in :func:`read_cif`), else
    |m|/2, which is S for g = 2 and a moment that is not reduced. Atoms without a moment have no spin.

    Raises
    ------
    FormatError : see :func:`read_cif`; also a moment that its own symmetry forbids. ModelError, GeometryError : as there.
    """
    from insml.spinwave.structure import MagneticStructure

    file = _File(path, block)
    group, theta = file.magnetic_group()
    given = dict(spins or {})
    family = file.crystal(file.sites(given), group)
    moments = file.moments(family, theta)
    sites, directions = [], []
    for atom, moment in zip(family.atoms, moments, strict=True):
        site, size = family.sites[atom.site], float(np.linalg.norm(moment))
        if size == 0 and site.spin > 0:
            raise ModelError(f"spins: expected sites with a moment in {path}, found {site.label} without one")
        length = site.spin or size / 2
        sites.append(Site(site.label, atom.position, length, form_factor=file.form_factor(site.label) if length else None,
                          occupancy=site.occupancy))
        if length:
            directions.append(length * moment / size)
    if not directions:
        raise FormatError(path, "at least one moment", "none", _MOMENT[0])
    crystal = file.crystal(sites, None)
    return crystal, MagneticStructure((1, 1, 1), np.array(directions))


class _File:
    """One data block: columns by tag in lower case with dots as underscores, the older of two spellings of magCIF."""

    def __init__(self, path: str | Path, block: str | None) -> None:
        import gemmi

        self.path = Path(path)
        try:
            document = gemmi.cif.read(str(path))
        except (OSError, ValueError, RuntimeError) as error:
            raise FormatError(path, "a CIF", " ".join(str(error).split())) from None
        blocks = {b.name: _columns(b) for b in document}
        named = {name: b for name, b in blocks.items() if (_CELL[0] in b if block is None else name == block)}
        if not named:
            raise FormatError(path, f"a data block with {_CELL[0]}" if block is None else f"a data block {block!r}",
                              ", ".join(blocks) or "none")
        self.columns = next(iter(named.values()))
        self.lattice = self._lattice()
        self.labels = self._texts("_atom_site_label")
        types = "_atom_site_type_symbol"
        symbols = self._texts(types, len(self.labels)) if types in self.columns else self.labels
        self.ions = [_ion(label if t in "?." else t) for t, label in zip(symbols, self.labels, strict=True)]

    def _texts(self, tag: str, count: int | None = None) -> list[str]:
        texts = self.columns.get(tag, [])
        if not texts or count not in (None, len(texts)):
            raise FormatError(self.path, f"{count or 'an'} entr{'ies' if count else 'y'}", str(len(texts) or "none"), tag)
        return texts

    def _numbers(self, tag: str, count: int | None = None) -> Array:
        import gemmi

        texts = self._texts(tag, count)
        values = np.array([gemmi.cif.as_number(t) for t in texts])
        if not np.isfinite(values).all():
            raise FormatError(self.path, "a number", repr(texts[int(np.argmin(np.isfinite(values)))]), tag)
        return values

    def _lattice(self) -> Lattice:
        cell = [self._numbers(tag) for tag in _CELL]
        try:
            return Lattice(*(float(x[0]) for x in cell))
        except GeometryError as error:
            raise FormatError(self.path, "the constants of a cell", str(error), "_cell") from None

    def crystal(self, sites: Sequence[Site], group: SpaceGroup | None) -> Crystal:
        try:
            return Crystal(self.lattice, sites, group)
        except GeometryError as error:
            raise GeometryError(f"{self.path}: {error}") from None

    def _operators(self, tag: str, texts: Sequence[str]) -> list[Operator]:
        try:
            return [operator(text) for text in texts]
        except GeometryError as error:
            found = str(error).split("found ")[-1]
            raise FormatError(self.path, "operators such as 'x,y+1/2,-z', in 24ths of a cell", found, tag) from None

    def space_group(self) -> SpaceGroup:
        """Operators in the order of the file; those of the symbol where it lists none."""
        symbols = [t for tag in _SYMBOLS for t in self.columns.get(tag, ()) if t not in "?."]
        symbol = symbols[0] if symbols else ""
        tag = next((tag for tag in _OPERATIONS if self.columns.get(tag)), None)
        if tag is None:
            if not symbol:
                raise FormatError(self.path, "symmetry operators or the symbol of a group", "neither", _OPERATIONS[0])
            try:
                return SpaceGroup.of(int(symbol) if symbol.isdecimal() else symbol)
            except GeometryError as error:
                raise FormatError(self.path, "the symbol of a space group", repr(symbol), str(error)) from None
        return self._listed(tag, self._operators(tag, self.columns[tag]), symbol or f"operators of {self.path.name}")

    def _listed(self, tag: str, operators: list[Operator], name: str) -> SpaceGroup:
        """The group of operators as listed, identity first; where some are missing, the group they generate."""
        keys = {(R.tobytes(), (t % DENOMINATOR).tobytes()): (R, t % DENOMINATOR) for R, t in operators}
        try:
            whole = SpaceGroup.from_operators(keys.values(), name)
        except GeometryError as error:
            raise FormatError(self.path, "operators of a group", str(error), tag) from None
        if len(whole) != len(keys):
            return whole
        identity = np.eye(3, dtype=np.int64)
        order = sorted(keys.values(), key=lambda o: not (np.array_equal(o[0], identity) and not o[1].any()))
        return SpaceGroup(np.array([R for R, _ in order]), np.array([t for _, t in order]) / DENOMINATOR, name)

    def sites(self, spins: dict[str, float]) -> list[Site]:
        out: list[Site] = []
        known: set[str] = set()
        count = len(self.labels)
        columns = [self._texts(tag, count) for tag in _FRACT]
        given = [all(x in "?." for x in xyz) for xyz in zip(*columns, strict=True)]
        for tag, column in zip(_FRACT, columns, strict=True):
            self.columns[tag] = ["0" if missing else x for missing, x in zip(given, column, strict=True)]
        at = np.stack([self._numbers(tag) for tag in _FRACT], axis=1)
        tag = "_atom_site_occupancy"
        self.columns[tag] = ["1" if x in "?." else x for x in self.columns.get(tag, ["1"] * count)]
        occupancy = self._numbers(tag, count)
        for i, (label, ion, missing) in enumerate(zip(self.labels, self.ions, given, strict=True)):
            names = (label, ion, _element(ion))
            known.update(names)
            if not missing:
                spin = float(next((spins[name] for name in names if name in spins), 0.0))
                out.append(Site(label, at[i], spin, form_factor=self.form_factor(label) if spin else None,
                                occupancy=float(occupancy[i])))
        for name in spins:
            if name not in known:
                raise ModelError(f"spins: expected labels, ions or elements of {self.path} "
                                 f"({', '.join(dict.fromkeys(self.labels))}), found {name!r}")
        return out

    def form_factor(self, label: str) -> Any:
        from insml.study.form_factors import UnknownIonError, by_ion

        ion = self.ions[self.labels.index(label)]
        try:
            return by_ion(ion) if ion.endswith("+") else None
        except UnknownIonError:
            return None

    def magnetic_group(self) -> tuple[SpaceGroup, Array]:
        """Operators of the magnetic cell, and +1 or -1 (time reversal) for each."""
        primed: dict[tuple[bytes, bytes], tuple[Operator, float]] = {}
        centring = self._primed(_CENTRING) if _CENTRING in self.columns else [(operator("x,y,z"), 1.0)]
        for (_, shift), sign in centring:
            for (R, t), theta in self._primed(_MAGNETIC):
                place = (t + shift) % DENOMINATOR
                _, known = primed.setdefault((R.tobytes(), place.tobytes()), ((R, place), theta * sign))
                if known != theta * sign:
                    raise FormatError(self.path, "an operator with or without time reversal",
                                      "one with both, which leaves no moments", _MAGNETIC)
        operators = [o for o, _ in primed.values()]
        group = self._listed(_MAGNETIC, operators, "magnetic operators")
        if len(group) != len(operators):
            raise FormatError(self.path, "all operators of a group", f"{len(operators)} of {len(group)}", _MAGNETIC)
        signs = [primed[R.tobytes(), t.tobytes()][1] for R, t in zip(
            group.rotations, np.rint(group.translations * DENOMINATOR).astype(np.int64), strict=True)]
        return group, np.array(signs)

    def _primed(self, tag: str) -> list[tuple[Operator, float]]:
        texts = [t.replace(" ", "") for t in self._texts(tag)]
        for text in texts:
            if not re.fullmatch(r"[^,]+,[^,]+,[^,]+,[+-]?1", text):
                raise FormatError(self.path, "operators such as 'x,y+1/2,-z,-1', the last number for time reversal",
                                  repr(text), tag)
        operators = self._operators(tag, [t.rpartition(",")[0] for t in texts])
        return [(o, float(t.rpartition(",")[2])) for o, t in zip(operators, texts, strict=True)]

    def moments(self, crystal: Crystal, theta: Array) -> Array:
        """(n, 3) Cartesian moments of all atoms of the cell, in Bohr magnetons."""
        labels = self._texts(_MOMENT_LABEL)
        along = np.stack([self._numbers(tag, len(labels)) for tag in _MOMENT], axis=1)
        vectors = crystal.lattice.vectors
        cartesian = along @ (vectors / np.linalg.norm(vectors, axis=1)[:, None])
        given = dict(zip(labels, cartesian, strict=True))
        known = {site.label for site in crystal.sites}
        for label in labels:
            if label not in known:
                raise FormatError(self.path, f"a label of {', '.join(sorted(known))}", repr(label), _MOMENT_LABEL)
        turn = (np.linalg.det(crystal.rotations) * theta)[:, None, None] * crystal.rotations
        group = crystal.space_group
        fixed: list[Array] = []
        for site in crystal.sites:
            moment = given.get(site.label, np.zeros(3))
            step = group.rotations @ site.position + group.translations - site.position
            images = turn[np.abs(step - np.rint(step)).max(axis=1) < 1e-4] @ moment
            off = np.linalg.norm(images - moment, axis=1).max()
            if off > _MOMENT_TOLERANCE * np.linalg.norm(moment):
                raise FormatError(self.path, "moments that the symmetry of their site allows",
                                  f"{site.label} with one that it changes by {off:.2g} Bohr magnetons", _MOMENT[0])
            fixed.append(images.mean(axis=0))
        return np.array([turn[a.operator] @ fixed[a.site] for a in crystal.atoms]).reshape(-1, 3)


def _columns(block: Any) -> dict[str, list[str]]:
    import gemmi

    out: dict[str, list[str]] = {}
    for item in block:
        if item.pair is not None:
            out[_tag(item.pair[0])] = [gemmi.cif.as_string(item.pair[1])]
        elif item.loop is not None:
            values, width = item.loop.values, item.loop.width()
            for c, tag in enumerate(item.loop.tags):
                out[_tag(tag)] = [_text(v) for v in values[c::width]]
    return out


def _text(value: str) -> str:
    import gemmi

    return str(gemmi.cif.as_string(value)).strip() or value


def _tag(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _ion(symbol: str) -> str:
    """"Mn3+" of "Mn3+" or "Mn+3"; what it is of anything else."""
    match = re.fullmatch(r"([A-Za-z]{1,2})\+(\d)", symbol)
    return f"{match[1]}{match[2]}+" if match else symbol


def _element(symbol: str) -> str:
    match = re.match(r"[A-Z][a-z]?", symbol)
    return match[0] if match else symbol
