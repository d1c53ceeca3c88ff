"""Families of spectrometers from TOML files: one [instrument] table, and what differs in each [version.N]."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from insml.errors import FormatError, InsmlError
from insml.instruments.disk import DiskInstrument
from insml.instruments.fermi import FermiInstrument, GuideGain, PulseLaw
from insml.instruments.fermi_chopper import FermiPackage

FERMI_LENGTHS = ("moderator_to_chopper", "aperture_to_chopper", "chopper_to_sample", "sample_to_detector",
                 "aperture_width", "aperture_height", "detector_diameter", "detector_height")
DISK_LENGTHS = ("moderator_to_mono", "shaping_to_mono", "mono_to_sample", "sample_to_detector", "shaping_radius",
                "shaping_slot", "mono_radius", "detector_diameter", "detector_height")


def load_family(path: str | Path) -> dict[int, Any]:
    """Versions of the spectrometer that a TOML file describes: FermiInstrument or DiskInstrument by their number.

    A file without [version.N] tables has one version, 1. Raises FormatError naming the field.
    """
    return load_fermi(path) if _read(Path(path))["instrument"].get("kind") != "disk" else load_disk(path)


def load_fermi(path: str | Path) -> dict[int, FermiInstrument]:
    return {number: _fermi(table, name) for number, name, table in _versions(Path(path), "fermi")}


def load_disk(path: str | Path) -> dict[int, DiskInstrument]:
    return {number: _disk(table, name) for number, name, table in _versions(Path(path), "disk")}


class _Table:
    """A TOML table whose every key must be asked for."""

    def __init__(self, path: Path, name: str, content: Mapping[str, Any]) -> None:
        self.path, self.name, self.content, self.asked = path, name, content, set[str]()

    def wrong(self, key: str, expected: str, found: object) -> FormatError:
        return FormatError(self.path, expected, "nothing" if found is None else repr(found), f"{self.name}.{key}")

    def get(self, key: str) -> Any:
        self.asked.add(key)
        return self.content.get(key)

    def number(self, key: str, *, above: float | None = None, default: float | None = None) -> float:
        value = self.get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or (above is not None and not value > above):
            raise self.wrong(key, "a number" if above is None else f"a number above {above:g}", value)
        return float(value)

    def numbers(self, key: str, length: int | None = None) -> tuple[float, ...]:
        value = self.get(key)
        good = isinstance(value, list) and value and all(type(v) in (int, float) for v in value)
        if not good or (length is not None and len(value) != length):
            raise self.wrong(key, f"a list of {'' if length is None else f'{length} '}numbers", value)
        return tuple(float(v) for v in value)

    def table(self, key: str) -> _Table:
        value = self.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "a table", value)
        return _Table(self.path, f"{self.name}.{key}", value)

    def done(self) -> None:
        for key in self.content:
            if key not in self.asked:
                raise FormatError(self.path, f"one of {', '.join(sorted(self.asked))}", repr(key), self.name)

    def build(self, make: Callable[..., Any], **values: Any) -> Any:
        self.done()
        try:
            return make(**values)
        except InsmlError as error:
            raise FormatError(self.path, "numbers that make sense", str(error), self.name) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(path, "a readable TOML file", error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(path, "a TOML file", str(error)) from None
    if not isinstance(content.get("instrument"), dict):
        raise FormatError(path, "a table", "nothing", "instrument")
    return content


def _versions(path: Path, kind: str) -> list[tuple[int, str, _Table]]:
    content = _read(path)
    for key in content:
        if key not in ("instrument", "version"):
            raise FormatError(path, "only [instrument] and [version.N]", repr(key))
    common = dict(content["instrument"])
    name = common.pop("name", None)
    if not isinstance(name, str) or not name:
        raise FormatError(path, "text", "nothing" if name is None else repr(name), "instrument.name")
    found = common.pop("kind", None)
    if found != kind:
        raise FormatError(path, '"fermi" or "disk"', "nothing" if found is None else repr(found), "instrument.kind")
    versions = content.get("version", {"1": {}})
    if not isinstance(versions, dict) or not all(key.isdigit() and isinstance(v, dict) for key, v in versions.items()):
        raise FormatError(path, "tables [version.N], N a whole number", repr(versions), "version")
    return [(int(key), f"{name} version {key}", _Table(path, f"version.{key}" if own else "instrument", common | own))
            for key, own in versions.items()]


def _pulse(table: _Table) -> PulseLaw:
    moderator = table.table("moderator")
    constant, per_root = moderator.numbers("tau_us", 2)
    law: PulseLaw = moderator.build(PulseLaw, constant=constant, per_root_energy=per_root,
                                    tau_s=moderator.number("tau_slow_us", default=0.0),
                                    r=moderator.number("slow_fraction", default=0.0))
    return law


def _fermi(table: _Table, name: str) -> FermiInstrument:
    lengths = {key: table.number(key, above=0.0) for key in FERMI_LENGTHS}
    angle, moderator = table.number("moderator_angle"), _pulse(table)
    listed = table.table("packages")
    packages = {}
    for key in listed.content:
        one = listed.table(key)
        packages[key] = one.build(FermiPackage, **{f: one.number(f, above=0.0) for f in ("slit", "radius", "curvature")})
    gain = None
    if table.get("guide_gain") is not None:
        part = table.table("guide_gain")
        gain = part.build(GuideGain, polynomial=part.numbers("polynomial"), limit=part.number("limit", above=0.0),
                          decay=part.number("decay", default=0.0), constant=part.number("constant", default=0.0))
    out: FermiInstrument = table.build(FermiInstrument, name=name, moderator_angle=angle, moderator=moderator,
                                       packages=packages, guide_gain=gain, **lengths)
    return out


def _disk(table: _Table, name: str) -> DiskInstrument:
    lengths = {key: table.number(key, above=0.0) for key in DISK_LENGTHS}
    out: DiskInstrument = table.build(DiskInstrument, name=name, moderator=_pulse(table),
                                      mono_slots=table.numbers("mono_slots"), **lengths)
    return out
