"""Linear expressions in named parameters, such as ``J1``, ``-J1`` or ``0.5*J1 + D/3``.

Exchange and anisotropy matrices of a study are linear in its parameters, so an entry is kept as a constant and one
coefficient per parameter. Text is parsed to a syntax tree of which only the arithmetic below is accepted; nothing is
executed.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_LONGEST = 200  # characters; keeps the parser far from its recursion limit


class ExpressionError(ValueError):
    """Text that is not a linear expression in the known parameters."""

    def __init__(self, expected: str, found: str) -> None:
        self.expected, self.found = expected, found
        super().__init__(f"expected {expected}, found {found}")


@dataclass(frozen=True)
class Linear:
    """constant + sum of coefficient * parameter. ``terms`` is sorted by name and holds no zero coefficient."""

    constant: float = 0.0
    terms: tuple[tuple[str, float], ...] = ()

    def value(self, values: Mapping[str, float]) -> float:
        """The number at the given parameter values."""
        return self.constant + sum(c * values[name] for name, c in self.terms)

    def plus(self, other: Linear, factor: float = 1.0) -> Linear:
        """self + factor * other."""
        total = dict(self.terms)
        for name, c in other.terms:
            total[name] = total.get(name, 0.0) + factor * c
        return Linear(self.constant + factor * other.constant,
                      tuple(sorted((name, c) for name, c in total.items() if c != 0.0)))

    def times(self, factor: float) -> Linear:
        return Linear().plus(self, factor)


Matrix = tuple[tuple[Linear, Linear, Linear], tuple[Linear, Linear, Linear], tuple[Linear, Linear, Linear]]


def parse(source: object, names: Collection[str]) -> Linear:
    """A finite number, or text with numbers, parameter names, ``+ - * /`` and brackets, linear in the parameters.

    Raises
    ------
    ExpressionError
        Anything else, an unknown name included.
    """
    if isinstance(source, (int, float)) and not isinstance(source, bool):
        return _constant(source, str(source))
    if not isinstance(source, str):
        raise ExpressionError("a number or an expression such as '0.5*J1'", repr(source)[:60])
    found = f"'{source[:60]}'"
    if len(source) > _LONGEST:
        raise ExpressionError(f"an expression of at most {_LONGEST} characters", f"{len(source)} characters")
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise ExpressionError("a linear expression such as '0.5*J1 - D'", found) from None
    linear = _evaluate(tree, names, found)
    if not all(math.isfinite(x) for x in (linear.constant, *(c for _, c in linear.terms))):
        raise ExpressionError("finite coefficients", found)
    return linear


def _constant(x: float, found: str) -> Linear:
    if not math.isfinite(x):
        raise ExpressionError("a finite number", found)
    return Linear(float(x))


def _evaluate(node: ast.expr, names: Collection[str], found: str) -> Linear:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return _constant(float(node.value), found)  # type: ignore[arg-type]
    if isinstance(node, ast.Name):
        if node.id not in names:
            known = ", ".join(names) if names else "none at all"
            raise ExpressionError(f"parameters of this candidate ({known})", f"'{node.id}' in {found}")
        return Linear(0.0, ((node.id, 1.0),))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        operand = _evaluate(node.operand, names, found)
        return operand.times(-1.0) if isinstance(node.op, ast.USub) else operand
    if isinstance(node, ast.BinOp):
        left, right = _evaluate(node.left, names, found), _evaluate(node.right, names, found)
        if isinstance(node.op, ast.Add):
            return left.plus(right)
        if isinstance(node.op, ast.Sub):
            return left.plus(right, -1.0)
        if isinstance(node.op, ast.Mult) and not (left.terms and right.terms):
            return right.times(left.constant) if right.terms else left.times(right.constant)
        if isinstance(node.op, ast.Div) and not right.terms and right.constant != 0.0:
            return left.times(1.0 / right.constant)
    raise ExpressionError("an expression linear in the parameters", found)


def scalar_matrix(x: Linear) -> Matrix:
    """x times the identity."""
    zero = Linear()
    return ((x, zero, zero), (zero, x, zero), (zero, zero, x))


def antisymmetric(d: tuple[Linear, Linear, Linear]) -> Matrix:
    """J with S_i^T J S_j = d . (S_i x S_j)."""
    zero = Linear()
    x, y, z = d
    return ((zero, z, y.times(-1.0)), (z.times(-1.0), zero, x), (y, x.times(-1.0), zero))


def add(first: Matrix, second: Matrix) -> Matrix:
    def row(i: int) -> tuple[Linear, Linear, Linear]:
        return (first[i][0].plus(second[i][0]), first[i][1].plus(second[i][1]), first[i][2].plus(second[i][2]))

    return (row(0), row(1), row(2))


def is_symmetric(m: Matrix) -> bool:
    return m[0][1] == m[1][0] and m[0][2] == m[2][0] and m[1][2] == m[2][1]


def matrix_values(m: Matrix, values: Mapping[str, float]) -> list[list[float]]:
    """(3, 3) numbers."""
    return [[entry.value(values) for entry in row] for row in m]
