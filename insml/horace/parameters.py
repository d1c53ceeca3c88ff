"""Parameters of the functions of a fit: which are free, which follow others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.operations.evaluate import arguments

Array = NDArray[np.float64]

#: (fore, back or refine; which function; which parameter), counted from 0.
Address = tuple[str, int, int]


@dataclass(frozen=True, eq=False)
class Part:
    """A function with its parameters. ``args`` and ``kwargs`` follow them in its call."""

    function: Callable[..., Any]
    pin: Array
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] | None = None
    free: NDArray[np.bool_] | None = None
    jacobian: Callable[..., Any] | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        try:
            pin = np.atleast_1d(np.asarray(self.pin, float))
        except (TypeError, ValueError):
            raise ModelError(f"pin: expected finite parameters (n,), found {self.pin!r}") from None
        if pin.ndim != 1 or not np.isfinite(pin).all():
            raise ModelError(f"pin: expected finite parameters (n,), found {self.pin}")
        object.__setattr__(self, "pin", pin)
        free = np.ones(pin.size, bool) if self.free is None else np.atleast_1d(np.asarray(self.free)).astype(bool)
        if free.shape != pin.shape:
            raise ModelError(f"free: expected one for each of {pin.size} parameters, found {free.size}")
        object.__setattr__(self, "free", free)
        names = tuple(f"p{i}" for i in range(pin.size)) if self.names is None else tuple(self.names)
        if len(names) != pin.size:
            raise ModelError(f"names: expected one for each of {pin.size} parameters, found {len(names)}")
        object.__setattr__(self, "names", names)

    @classmethod
    def of(cls, function: Callable[..., Any], pin: Any, free: ArrayLike | None = None,
           jacobian: Callable[..., Any] | None = None, names: Sequence[str] | None = None) -> Part:
        """``pin``: parameters; or [parameters, argument, ..., dict of keywords], as Horace's cell array {p, c1, c2}."""
        if not callable(function):
            raise ModelError(f"function: expected one that can be called, found {function!r}")
        pin, args, kwargs = arguments(pin)
        return cls(function, pin, args, kwargs, None if free is None else np.asarray(free), jacobian,
                   None if names is None else tuple(names))

    def value(self, coordinates: Sequence[Array], p: Array) -> Any:
        return self.function(*coordinates, p, *self.args, **(self.kwargs or {}))

    def slopes(self, coordinates: Sequence[Array], p: Array) -> Array:
        """(parameters, points) of a function that has a jacobian (points, parameters)."""
        assert self.jacobian is not None
        found = np.asarray(self.jacobian(*coordinates, p, *self.args, **(self.kwargs or {})), float)
        if found.shape != (np.size(coordinates[0]), p.size):
            raise ModelError(f"jacobian: expected (points, parameters) = ({np.size(coordinates[0])}, {p.size}), found "
                             f"shape {found.shape}")
        return found.T

    def with_pin(self, pin: ArrayLike) -> Part:
        p = np.atleast_1d(np.asarray(pin, float))
        if p.shape != self.pin.shape:
            raise ModelError(f"pin: expected {self.pin.size} parameters, found {p.size}")
        return replace(self, pin=p)


@dataclass(frozen=True)
class Bind:
    """``target`` = ratio times ``source``; the ratio of the starting values where None."""

    target: Address
    source: Address
    ratio: float | None


class Layout:
    """All parameters in one vector, and the free ones among them."""

    def __init__(self, parts: Sequence[tuple[str, int, Part]], binds: Sequence[Bind]) -> None:
        self._start: dict[tuple[str, int], int] = {}
        pins: list[Array] = []
        for kind, n, part in parts:
            self._start[kind, n] = sum(p.size for p in pins)
            pins.append(part.pin)
        self._size = {(kind, n): part.pin.size for kind, n, part in parts}
        self.start = np.concatenate([*pins, np.zeros(0)])
        free = np.concatenate([*(p.free for _, _, p in parts if p.free is not None), np.zeros(0, bool)]).astype(bool)
        follows: dict[int, tuple[int, float]] = {}
        for bind in binds:
            t, s = self._index(bind.target), self._index(bind.source)
            if bind.ratio is None and self.start[s] == 0:
                raise ModelError(f"bind: expected a ratio where parameter {bind.source} starts at 0, found none")
            follows[t] = s, float(self.start[t] / self.start[s]) if bind.ratio is None else bind.ratio
            free[t] = False
        matrix = np.zeros((self.start.size, self.start.size))
        for i in range(self.start.size):
            j, ratio, seen = i, 1.0, {i}
            while j in follows:
                j, factor = follows[j]
                ratio *= factor
                if j in seen:
                    raise ModelError("bind: expected parameters that do not follow themselves, found a circle")
                seen.add(j)
            matrix[i, j] = ratio
        self.free = np.flatnonzero(free)
        #: (all, free): what a change of the free ones does.
        self.matrix = matrix[:, self.free]
        self._fixed = matrix @ np.where(free, 0.0, self.start)

    def _index(self, address: Address) -> int:
        kind, n, i = address
        if (kind, n) not in self._start or not 0 <= i < self._size[kind, n]:
            raise ModelError(f"bind: expected a parameter of the functions, found {address}")
        return self._start[kind, n] + i

    def all(self, free: Array) -> Array:
        """Every parameter, those that follow others too."""
        return self.matrix @ free + self._fixed

    def of(self, every: Array, kind: str, n: int) -> Array:
        start = self._start[kind, n]
        return every[start:start + self._size[kind, n]]

    def rows(self, kind: str, n: int) -> slice:
        start = self._start[kind, n]
        return slice(start, start + self._size[kind, n])
