"""A MATLAB struct: fields by attribute and by key."""

from __future__ import annotations

from typing import Any


class Struct(dict[str, Any]):
    """``s.omega`` and ``s['omega']`` are the same field."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"expected a field of {', '.join(self) or '(none)'}, found {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __repr__(self) -> str:
        return "Struct(" + ", ".join(f"{k}={_brief(v)}" for k, v in self.items()) + ")"


def _brief(value: Any) -> str:
    shape = getattr(value, "shape", None)
    return repr(value) if not shape else f"array{tuple(shape)}"
