"""The one family of errors a user of insml can meet.

Every message is a single line that names the file (or object), the field, what was expected and what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path


class InsmlError(ValueError):
    """Base of every error insml raises on purpose. The command line prints it as one line and exits with status 2."""


class FormatError(InsmlError):
    """A file is not what it was taken for, or is damaged."""

    def __init__(self, path: str | Path, expected: str, found: str, field: str | None = None) -> None:
        self.path, self.expected, self.found, self.field = Path(path), expected, found, field
        where = f"{path}" if field is None else f"{path}: {field}"
        super().__init__(f"{where}: expected {expected}, found {found}")


class StudyError(InsmlError):
    """A study file states something that cannot be meant. ``key`` is the dotted TOML key."""

    def __init__(self, path: str | Path, key: str, expected: str, found: str) -> None:
        self.path, self.key, self.expected, self.found = Path(path), key, expected, found
        super().__init__(f"{path}: {key}: expected {expected}, found {found}")


class ModelError(InsmlError):
    """A spin model is incomplete or contradicts itself."""


class UnstableStructureError(ModelError):
    """The assumed magnetic structure is not a minimum of the energy.

    Attributes
    ----------
    q : tuple of 3 floats
        Wave vector (r.l.u. of the chemical cell) of the most negative eigenvalue found.
    lowest_eigenvalue : float
        Lowest eigenvalue of the quadratic boson form there, in meV.
    The message ends with the spins that move in that mode and what relaxation would gain, where that is known.

    ``reason`` : the end of the message, or what gives it when somebody reads it: many sets of parameters are tried that
    nobody asks about.
    """

    def __init__(self, q: Sequence[float], lowest_eigenvalue: float, reason: str | Callable[[], str] = "") -> None:
        self.q = (float(q[0]), float(q[1]), float(q[2]))
        self.lowest_eigenvalue = float(lowest_eigenvalue)
        self._reason = reason
        super().__init__(
            "magnetic structure is unstable: expected a positive semi-definite quadratic form, found lowest eigenvalue "
            f"{self.lowest_eigenvalue:.6g} meV at q = ({self.q[0]:.6g}, {self.q[1]:.6g}, {self.q[2]:.6g}) r.l.u."
        )

    @property
    def reason(self) -> str:
        if not isinstance(self._reason, str):
            self._reason = self._reason()
        return self._reason

    def __str__(self) -> str:
        return super().__str__() + (f"; {self.reason}" if self.reason else "")

    def __reduce__(self) -> tuple[type[UnstableStructureError], tuple[Sequence[float], float, str]]:
        return type(self), (self.q, self.lowest_eigenvalue, self.reason)


class GeometryError(InsmlError):
    """Axes, bins or orientation do not fit together."""


class MissingExtraError(InsmlError):
    """An optional dependency is needed for what was asked."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(f"{purpose} needs the package {package}: expected it installed, found none; "
                         f"pip install 'insml[{extra}]'")
