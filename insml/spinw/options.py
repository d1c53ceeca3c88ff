"""SpinW's way of naming arguments: ``f('name', value, ...)`` as well as ``f(name=value)``, in any case of letters."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from insml.errors import ModelError

R = TypeVar("R")


def matlab_style(leading: int = 0, ignored: tuple[str, ...] = ()) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Decorator: after ``leading`` positional arguments come name-value pairs, a mapping (a MATLAB struct) or keywords.

    ``ignored`` are names that SpinW knows and that change no number here (text output, memory). A name that is not known
    goes to the function's ``**`` parameter, or raises ModelError with those that are accepted.
    """
    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        parameters = list(inspect.signature(function).parameters.values())[leading:]
        names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
        passes_on = len(names) < len(parameters)
        known = {name.lower(): name for name in names}
        skipped = {name.lower() for name in ignored}

        @wraps(function)
        def call(*args: Any, **keywords: Any) -> R:
            given: dict[str, Any] = {}
            for name, value in [*_pairs(function.__name__, args[leading:], names), *keywords.items()]:
                key = name.lower()
                if key in skipped:
                    continue
                if key not in known and not passes_on:
                    raise ModelError(f"{function.__name__}: expected options {', '.join(sorted({*names, *ignored}))}, "
                                     f"found {name!r}")
                if known.get(key, name) in given:
                    raise ModelError(f"{function.__name__}: expected each option once, found {name!r} again")
                given[known.get(key, name)] = value
            return function(*args[:leading], **given)

        return call

    return decorate


def _pairs(function: str, rest: tuple[Any, ...], names: list[str]) -> list[tuple[str, Any]]:
    if len(rest) == 1 and isinstance(rest[0], Mapping):
        return list(rest[0].items())
    if len(rest) % 2 or not all(isinstance(name, str) for name in rest[::2]):
        raise ModelError(f"{function}: expected 'name', value pairs with names of {', '.join(names)}, found {rest!r}")
    return list(zip(rest[::2], rest[1::2], strict=True))
