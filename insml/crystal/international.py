"""Generators of the 230 space groups, in the order of the International Tables.

The list of operators of a group, and with it the numbers of atoms and bonds, follows from the order in which its generators
are multiplied. The order here is that of International Tables for Crystallography A, "Generators selected": centring
vectors, then rotations about z, y, the body diagonal, then the inversion; in the setting SpinW uses: unique axis b and
cell choice 1, origin choice 2 (inversion at the origin), hexagonal axes for rhombohedral lattices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]

DENOMINATOR = 24
"""Translations are counted in 24ths of a cell, as in gemmi."""

_CENTRING = {
    "P": (), "A": ((0, 12, 12),), "C": ((12, 12, 0),), "I": ((12, 12, 12),), "F": ((12, 12, 0), (12, 0, 12)),
    "R": ((8, 16, 16),),
}

_2Z, _2Y, _MY, _MZ, _INVERSION = "-x,-y,z", "-x,y,-z", "x,-y,z", "x,y,-z", "-x,-y,-z"
_4, _4BAR, _3, _3D = "-y,x,z", "y,-x,-z", "-y,x-y,z", "z,x,y"
_2D, _2A, _MD, _MA = "y,x,-z", "-y,-x,-z", "y,x,z", "-y,-x,z"

_ROTATIONS: tuple[tuple[Sequence[int], tuple[str, ...]], ...] = (
    (range(1, 2), ()),
    (range(2, 3), (_INVERSION,)),
    (range(3, 6), (_2Y,)),
    (range(6, 10), (_MY,)),
    (range(10, 16), (_2Y, _INVERSION)),
    (range(16, 25), (_2Z, _2Y)),
    (range(25, 47), (_2Z, _MY)),
    (range(47, 75), (_2Z, _2Y, _INVERSION)),
    (range(75, 81), (_2Z, _4)),
    (range(81, 83), (_2Z, _4BAR)),
    (range(83, 89), (_2Z, _4, _INVERSION)),
    (range(89, 99), (_2Z, _4, _2Y)),
    (range(99, 111), (_2Z, _4, _MY)),
    ((111, 112, 113, 114, 121, 122), (_2Z, _4BAR, _2Y)),
    (range(115, 121), (_2Z, _4BAR, _MY)),
    (range(123, 143), (_2Z, _4, _2Y, _INVERSION)),
    (range(143, 147), (_3,)),
    (range(147, 149), (_3, _INVERSION)),
    ((149, 151, 153), (_3, _2A)),
    ((150, 152, 154, 155), (_3, _2D)),
    ((156, 158, 160, 161), (_3, _MA)),
    ((157, 159), (_3, _MD)),
    (range(162, 164), (_3, _2A, _INVERSION)),
    (range(164, 168), (_3, _2D, _INVERSION)),
    (range(168, 174), (_3, _2Z)),
    (range(174, 175), (_3, _MZ)),
    (range(175, 177), (_3, _2Z, _INVERSION)),
    (range(177, 183), (_3, _2Z, _2D)),
    (range(183, 187), (_3, _2Z, _MA)),
    (range(187, 189), (_3, _MZ, _MA)),
    (range(189, 191), (_3, _MZ, _2D)),
    (range(191, 195), (_3, _2Z, _2D, _INVERSION)),
    (range(195, 200), (_2Z, _2Y, _3D)),
    (range(200, 207), (_2Z, _2Y, _3D, _INVERSION)),
    (range(207, 215), (_2Z, _2Y, _3D, _2D)),
    (range(215, 221), (_2Z, _2Y, _3D, _MD)),
    (range(221, 231), (_2Z, _2Y, _3D, _2D, _INVERSION)),
)

# Where the lattice is centred a generator may be combined with a centring vector. The tables take the smallest translation
# (by its sum, then x, y, z) but for these, given in 24ths for the leading generators.
_TRANSLATIONS: dict[int, tuple[tuple[int, int, int], ...]] = {
    24: ((12, 0, 12), (0, 12, 12)), 39: ((0, 0, 0), (0, 12, 0)), 41: ((0, 0, 0), (12, 12, 0)),
    45: ((0, 0, 0), (12, 12, 0)), 68: ((12, 0, 0),), 70: ((18, 18, 0), (18, 0, 18)), 72: ((0, 0, 0), (12, 12, 0)),
    73: ((12, 0, 12), (0, 12, 12)), 80: ((12, 12, 12),), 88: ((12, 0, 12),), 98: ((12, 12, 12), (0, 12, 6), (12, 0, 18)),
    109: ((12, 12, 12),), 110: ((12, 12, 12),), 122: ((0, 0, 0), (0, 0, 0), (12, 0, 18)),
    141: ((12, 0, 12), (6, 18, 6), (12, 0, 12)), 142: ((12, 0, 12),), 199: ((12, 0, 12), (0, 12, 12)),
    206: ((12, 0, 12), (0, 12, 12)), 210: ((0, 12, 12), (12, 12, 0), (0, 0, 0), (18, 6, 18)),
    214: ((12, 0, 12), (0, 12, 12)), 219: ((0, 0, 0), (0, 0, 0), (0, 0, 0), (12, 12, 12)),
    220: ((12, 0, 12), (0, 12, 12)), 226: ((0, 0, 0), (0, 0, 0), (0, 0, 0), (12, 12, 12)),
    227: ((18, 6, 12), (6, 12, 18), (0, 0, 0), (18, 6, 12)), 228: ((6, 18, 12), (18, 12, 6), (0, 0, 0), (18, 6, 0)),
    230: ((12, 0, 12), (0, 12, 12)),
}


def generators(number: int) -> list[tuple[Int, Int]]:
    """Rotations (3, 3) and translations (3,) in 24ths that generate space group ``number``, 1 to 230."""
    import gemmi

    group = gemmi.get_spacegroup_reference_setting(number)
    operators = group.operations()
    centring = [np.array(v, np.int64) for v in operators.cen_ops]
    out = [(np.eye(3, dtype=np.int64), np.array(v, np.int64)) for v in _CENTRING[group.centring_type()]]
    translation = {str(op.rot): np.array(op.tran, np.int64) for op in operators.sym_ops}
    stated = _TRANSLATIONS.get(number, ())
    rotations = next(triplets for numbers, triplets in _ROTATIONS if number in numbers)
    for index, triplet in enumerate(rotations):
        rotation = gemmi.Op(triplet).rot
        choices = [(translation[str(rotation)] + shift) % DENOMINATOR for shift in centring]
        smallest = min(choices, key=lambda t: (int(t.sum()), *t.tolist()))
        chosen = np.array(stated[index], np.int64) if index < len(stated) else smallest
        out.append((np.array(rotation, np.int64) // DENOMINATOR, chosen))
    return out
