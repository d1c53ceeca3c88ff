"""Typed access to the tables of a study file: every mistake becomes one StudyError that names the dotted key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from insml.errors import StudyError
from insml.study.structure import Matrix3, Vector


def describe(value: object) -> str:
    """A value as an error message shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    text = f"'{value}'" if isinstance(value, str) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


class Table:
    """One TOML table. ``key`` is its dotted name; only ``known`` keys may occur in it."""

    def __init__(self, path: Path, key: str, data: dict[str, Any], known: Sequence[str]) -> None:
        self.path, self.key, self.data = path, key, data
        for name in data:
            if name not in known:
                near = get_close_matches(name, known, 1, cutoff=0.5)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise self.mistake(name, f"one of {', '.join(known)}", f"the unknown key {name}{hint}")

    def dotted(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key and name else self.key or name

    def mistake(self, name: str, expected: str, found: str) -> StudyError:
        """The error to raise about the entry ``name`` of this table (or the table itself for '')."""
        return StudyError(self.path, self.dotted(name), expected, found)

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def require(self, name: str, expected: str) -> Any:
        """The value as TOML gives it."""
        if name not in self.data:
            raise self.mistake(name, expected, "no such key")
        return self.data[name]

    def text(self, name: str, default: str | None = None) -> str:
        value = self.require(name, "text in quotes") if default is None else self.data.get(name, default)
        if not isinstance(value, str):
            raise self.mistake(name, "text in quotes", describe(value))
        return value

    def identifier(self, name: str) -> str:
        """Text that can be part of a file name."""
        value = self.text(name)
        if not value or not all(c.isascii() and (c.isalnum() or c in "_-") for c in value):
            raise self.mistake(name, "a name of letters, digits, _ and -", describe(value))
        return value

    def choice(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        expected = " or ".join(f"'{o}'" for o in options)
        value = self.require(name, expected) if default is None else self.data.get(name, default)
        if value not in options:
            raise self.mistake(name, expected, describe(value))
        return str(value)

    def boolean(self, name: str, default: bool) -> bool:
        value = self.data.get(name, default)
        if not isinstance(value, bool):
            raise self.mistake(name, "true or false", describe(value))
        return value

    def number(self, name: str, default: float | None = None, *, above: float | None = None,
               least: float | None = None) -> float:
        """A finite number, larger than ``above``, not smaller than ``least``."""
        bound = f" above {above:g}" if above is not None else f" of at least {least:g}" if least is not None else ""
        expected = f"a number{bound}"
        value = self.require(name, expected) if default is None else self.data.get(name, default)
        if not is_number(value) or (above is not None and value <= above) or (least is not None and value < least):
            raise self.mistake(name, expected, describe(value))
        return float(value)

    def whole(self, name: str, default: int | None = None, *, least: int) -> int:
        expected = f"a whole number of at least {least}"
        value = self.require(name, expected) if default is None else self.data.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.mistake(name, expected, describe(value))
        return value

    def numbers(self, name: str, count: int | None = None) -> tuple[float, ...]:
        """A list of finite numbers."""
        expected = "a list of numbers" if count is None else f"a list of {count} numbers"
        value = self.require(name, expected)
        if not is_numbers(value, count):
            raise self.mistake(name, expected, describe(value))
        return tuple(float(x) for x in value)

    def vector(self, name: str) -> Vector:
        x, y, z = self.numbers(name, 3)
        return (x, y, z)

    def direction(self, name: str) -> Vector:
        """A vector that is not zero."""
        v = self.vector(name)
        if not any(v):
            raise self.mistake(name, "a vector that is not zero", describe(list(v)))
        return v

    def interval(self, name: str, default: tuple[float, float] | None = None, *,
                 least: float | None = None, point: bool = False) -> tuple[float, float]:
        """(lo, hi) with lo < hi (or lo <= hi where it may be a ``point``), lo not below ``least``."""
        if default is not None and name not in self:
            return default
        low, high = self.numbers(name, 2)
        if low > high or (low == high and not point):
            raise self.mistake(name, f"[low, high] with low {'<=' if point else '<'} high", describe([low, high]))
        if least is not None and low < least:
            raise self.mistake(name, f"[low, high] with low at least {least:g}", describe([low, high]))
        return low, high

    def matrix(self, name: str) -> Matrix3:
        expected = "a 3x3 matrix of numbers, a list of three rows"
        value = self.require(name, expected)
        if not isinstance(value, list) or len(value) != 3 or not all(is_numbers(row, 3) for row in value):
            raise self.mistake(name, expected, describe(value))
        first, second, third = ((float(a), float(b), float(c)) for a, b, c in value)
        return (first, second, third)

    def table(self, name: str, known: Sequence[str], *, optional: bool = False) -> Table:
        """A sub-table; an empty one where it is optional and missing."""
        expected = f"a table with {', '.join(known)}"
        value = {} if optional and name not in self else self.require(name, expected)
        if not isinstance(value, dict):
            raise self.mistake(name, expected, describe(value))
        return Table(self.path, self.dotted(name), value, known)

    def tables(self, name: str, known: Sequence[str], *, optional: bool = False) -> list[Table]:
        """A list of tables (``[[name]]`` or inline), numbered from 0 in error messages."""
        expected = f"a list of tables with {', '.join(known)}"
        value = [] if optional and name not in self else self.require(name, expected)
        if not isinstance(value, list) or not all(isinstance(v, dict) for v in value) or not (value or optional):
            raise self.mistake(name, expected, describe(value))
        return [Table(self.path, f"{self.dotted(name)}[{i}]", v, known) for i, v in enumerate(value)]

    def only_one_of(self, names: Sequence[str], *, required: bool = True) -> str | None:
        """Which of these keys is there: exactly one, or at most one."""
        found = [name for name in names if name in self]
        if len(found) > 1:
            raise self.mistake(found[1], f"only one of {', '.join(names)}", " and ".join(found))
        if required and not found:
            raise self.mistake(names[0], f"one of {', '.join(names)}", "none of them")
        return found[0] if found else None


def is_number(value: object) -> bool:
    """A finite number (true and false are none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_numbers(value: object, count: int | None = None) -> bool:
    """A list of finite numbers, not empty, of length ``count`` where given."""
    return isinstance(value, list) and bool(value) and all(map(is_number, value)) and count in (None, len(value))
