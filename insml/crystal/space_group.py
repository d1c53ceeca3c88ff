"""Space groups: the operators, in an order that numbers atoms and bonds as SpinW does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal import international
from insml.crystal.international import DENOMINATOR
from insml.errors import GeometryError

Array = NDArray[np.float64]
Int = NDArray[np.int64]
Operator = tuple[Int, Int]
"""Rotation (3, 3) and translation (3,) in 24ths of a cell."""

_MOST_ROTATIONS = 48
_MOST_OPERATORS = 192 * 8


@dataclass(frozen=True, eq=False)
class SpaceGroup:
    """Operators x -> R x + t on fractional coordinates, a group modulo lattice translations; identity first.

    Attributes
    ----------
    rotations : (n, 3, 3) whole numbers.
    translations : (n, 3) in [0, 1).
    name : Hermann-Mauguin symbol, or what the operators were made from.

    The order of operators is SpinW's: one generator after the other, its powers times all operators so far. Generators of
    tabulated groups are those of ``insml.crystal.international``, of all others those given.
    """

    rotations: Int
    translations: Array
    name: str = ""

    def __post_init__(self) -> None:
        self.rotations.flags.writeable = False
        self.translations.flags.writeable = False

    @classmethod
    def of(cls, value: Any) -> SpaceGroup:
        """The group meant by ``value``.

        None, 0, "" : no symmetry, P1.
        1 to 230 : that group in the setting of SpinW: unique axis b, cell choice 1, origin choice 2 (inversion at the
            origin), hexagonal axes.
        "I 4/m m m", "P-3", "F d -3 m:1" : Hermann-Mauguin symbol in any spacing, of the setting it names; without a
            suffix origin choice 2 and hexagonal axes.
        "-P 2yn" : Hall symbol.
        "x,y+1/2,-z; -x,y,z" : generators. (n, 3, 4) matrices R|t : generators.

        Raises
        ------
        GeometryError : no such group, or generators that do not close.
        """
        if isinstance(value, SpaceGroup):
            return value
        if value is None or (isinstance(value, str) and not value.strip()):
            return cls.from_operators((), "P 1")
        if isinstance(value, int | np.integer) and not isinstance(value, bool):
            return cls._numbered(int(value))
        if isinstance(value, str):
            return cls._from_triplets(value) if "," in value else cls._from_symbol(value.strip())
        return cls._from_matrices(value)

    @classmethod
    def from_operators(cls, generators: Iterable[Operator], name: str = "") -> SpaceGroup:
        """The group that rotations and translations (in 24ths of a cell) generate."""
        rotations, translations = _closed(list(generators), name)
        return cls(rotations, translations / DENOMINATOR, name)

    @classmethod
    def _numbered(cls, number: int) -> SpaceGroup:
        if number == 0:
            return cls.from_operators((), "P 1")
        if not 1 <= number <= 230:
            raise GeometryError(f"space group: expected a number from 1 to 230, found {number}")
        import gemmi

        name = gemmi.get_spacegroup_reference_setting(number).xhm()
        return cls.from_operators(international.generators(number), name)

    @classmethod
    def _from_symbol(cls, symbol: str) -> SpaceGroup:
        import gemmi

        found = gemmi.find_spacegroup_by_name(symbol, prefer="2H")
        if found is not None:
            if found.is_reference_setting():
                return cls._numbered(found.number)
            operations, name = found.operations(), found.xhm()
        else:
            try:
                operations, name = gemmi.symops_from_hall(symbol), symbol
            except RuntimeError:
                raise GeometryError("space group: expected a number, a Hermann-Mauguin or Hall symbol or operators such as "
                                    f"'x,y+1/2,-z; -x,y,z', found {symbol!r}") from None
        identity = np.eye(3, dtype=np.int64)
        generators = [(identity, np.array(v, np.int64)) for v in operations.cen_ops]
        generators += [_operator(op) for op in operations.sym_ops]
        return cls.from_operators(generators, name)

    @classmethod
    def _from_triplets(cls, text: str) -> SpaceGroup:
        return cls.from_operators([operator(t) for t in text.split(";") if t.strip()], text.strip())

    @classmethod
    def _from_matrices(cls, value: Any) -> SpaceGroup:
        try:
            array = np.array(value, float)
        except (TypeError, ValueError):
            array = np.zeros(0)
        if array.ndim == 2:
            array = array[None]
        if array.shape[1:] != (3, 4) or not np.isfinite(array).all():
            raise GeometryError("space group: expected a number, a symbol, operators such as 'x,y+1/2,-z' or 3x4 matrices, "
                                f"found {value!r}")
        rotations, translations = np.rint(array[:, :, :3]), np.rint(array[:, :, 3] * DENOMINATOR)
        if not (np.allclose(rotations, array[:, :, :3], atol=1e-6)
                and np.allclose(translations, array[:, :, 3] * DENOMINATOR, atol=0.02)):
            raise GeometryError("space group: expected rotations of whole numbers and translations in 24ths of a cell, "
                                f"found {array.tolist()}")
        pairs = zip(rotations.astype(np.int64), translations.astype(np.int64), strict=True)
        return cls.from_operators(pairs, f"{len(array)} operators")

    def __len__(self) -> int:
        return len(self.rotations)

    def cartesian(self, vectors: Array) -> Array:
        """(n, 3, 3) rotations of Cartesian vectors, for a cell of ``vectors`` (3, 3) rows a, b, c.

        Raises
        ------
        GeometryError : an operator changes lengths in this cell.
        """
        out = np.asarray(vectors.T @ self.rotations @ np.linalg.inv(vectors.T))
        strain = np.abs(out @ out.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2))
        if strain.max() > 1e-4:
            worst = int(strain.argmax())
            raise GeometryError(f"space group {self.name!r}: expected a lattice with its symmetry, found operator "
                                f"{self.triplet(worst)} to change lengths by {strain[worst] / 2:.2g}")
        u, _, v = np.linalg.svd(out)  # constants rounded in a file leave a rotation with a small strain
        return np.asarray(u @ v)

    def triplet(self, index: int) -> str:
        """Operator ``index`` as text, such as "-y,x-y,z+1/3"."""
        import gemmi

        op = gemmi.Op()
        op.rot = (self.rotations[index] * DENOMINATOR).tolist()
        op.tran = np.rint(self.translations[index] * DENOMINATOR).astype(int).tolist()
        return str(op.triplet())


def operator(triplet: str) -> Operator:
    """Rotation and translation (24ths) of "x,y+1/2,-z"."""
    import gemmi

    try:
        op = gemmi.Op(triplet.strip())
        if not (np.array(op.rot) % DENOMINATOR).any():
            return _operator(op)
    except RuntimeError:
        pass
    raise GeometryError(f"space group: expected operators such as 'x,y+1/2,-z', found {triplet.strip()!r}")


def _operator(op: Any) -> Operator:
    return np.array(op.rot, np.int64) // DENOMINATOR, np.array(op.tran, np.int64)


def _closed(generators: Sequence[Operator], name: str) -> tuple[Int, Int]:
    for R, _ in generators:
        # 12 is a multiple of every order that a rotation of a lattice can have; Python's integers do not overflow
        if (np.linalg.matrix_power(R.astype(object), 12) != np.eye(3)).any():
            raise GeometryError(f"space group {name!r}: expected rotations of order 1, 2, 3, 4 or 6, found {R.tolist()}")
    rotations = [np.eye(3, dtype=np.int64)]
    translations = [np.zeros(3, np.int64)]
    seen = {(rotations[0].tobytes(), translations[0].tobytes())}

    def multiply(R: Int, t: Int, count: int) -> None:
        for k in range(count):
            product, shift = R @ rotations[k], (R @ translations[k] + t) % DENOMINATOR
            key = product.tobytes(), shift.tobytes()
            if key not in seen:
                seen.add(key)
                rotations.append(product)
                translations.append(shift)
        turns = len({R.tobytes() for R in rotations})
        if turns > _MOST_ROTATIONS or len(rotations) > _MOST_OPERATORS:
            raise GeometryError(f"space group {name!r}: expected at most {_MOST_ROTATIONS} rotations and {_MOST_OPERATORS} "
                                f"operators, found products of these to give {turns} and {len(rotations)} so far")

    size = -1
    while size != len(rotations):  # one pass closes generators of a composition series; any others need more
        size = len(rotations)
        for R0, t0 in generators:
            R, t = R0, t0 % DENOMINATOR
            while (R.tobytes(), t.tobytes()) != (rotations[0].tobytes(), translations[0].tobytes()):
                multiply(R, t, len(rotations))
                R, t = R0 @ R, (R0 @ t + t0) % DENOMINATOR
    return np.array(rotations), np.array(translations)
