"""Space groups against gemmi and spglib, the group axioms, and what must be refused."""

import gemmi
import numpy as np
import pytest
import spglib

from insml.crystal import Lattice, SpaceGroup
from insml.errors import GeometryError


def keys(rotations: np.ndarray, translations: np.ndarray) -> set[tuple[int, ...]]:
    shifts = np.rint(np.asarray(translations) * 24).astype(int) % 24
    return {(*R.ravel().tolist(), *t.tolist()) for R, t in zip(np.asarray(rotations), shifts, strict=True)}


def database() -> dict[int, list[set[tuple[int, ...]]]]:
    """Operators of every setting that spglib tabulates, by number."""
    out: dict[int, list[set[tuple[int, ...]]]] = {}
    for hall in range(1, 531):
        found = spglib.get_symmetry_from_database(hall)
        out.setdefault(spglib.get_spacegroup_type(hall).number, []).append(keys(found["rotations"], found["translations"]))
    return out


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own change of manners
def test_every_number_is_a_setting_of_spglib_and_the_reference_of_gemmi() -> None:
    tabulated = database()
    for number in range(1, 231):
        group = SpaceGroup.of(number)
        ours = keys(group.rotations, group.translations)
        assert len(ours) == len(group), number
        assert ours in tabulated[number], number
        reference = gemmi.get_spacegroup_reference_setting(number).operations()
        assert len(group) == len(list(reference)), number


def test_every_group_is_closed_and_starts_with_one() -> None:
    for number in range(1, 231):
        group = SpaceGroup.of(number)
        np.testing.assert_array_equal(group.rotations[0], np.eye(3))
        assert not group.translations[0].any()
        products = np.einsum("aij,bjk->abik", group.rotations, group.rotations).reshape(-1, 3, 3)
        shifts = np.einsum("aij,bj->abi", group.rotations, group.translations) + group.translations[:, None]
        assert keys(products, shifts.reshape(-1, 3)) == keys(group.rotations, group.translations), number


@pytest.mark.parametrize(("symbol", "order"), [
    ("P 1", 1), ("P -3", 6), ("P 21 3", 12), ("P n m a", 8), ("P 4/n m m", 16), ("P 6/m m m", 24), ("I 4/m m m", 32),
    ("R -3 m", 36), ("R -3 m:R", 12), ("F d -3 m", 192), ("Fd-3m:1", 192), ("I a -3 d", 96), ("P 1 21/n 1", 4),
    ("-P 2yn", 4), (227, 192), ("", 1), (None, 1), (0, 1),
])
def test_orders(symbol: str | int | None, order: int) -> None:
    assert len(SpaceGroup.of(symbol)) == order


def test_a_symbol_and_its_operators_are_one_group() -> None:
    named = SpaceGroup.of("P n m a")
    spelled = SpaceGroup.of("-x+1/2,-y,z+1/2; -x,y+1/2,-z; -x,-y,-z")
    matrices = SpaceGroup.of(np.concatenate([named.rotations, named.translations[:, :, None]], axis=2))
    for other in (spelled, matrices):
        assert keys(other.rotations, other.translations) == keys(named.rotations, named.translations)
    assert spelled.name == "-x+1/2,-y,z+1/2; -x,y+1/2,-z; -x,-y,-z"
    assert SpaceGroup.of(named) is named
    assert [SpaceGroup.of("x,y,z+1/3").triplet(i) for i in range(3)] == ["x,y,z", "x,y,z+1/3", "x,y,z+2/3"]


def test_operators_come_generator_by_generator() -> None:
    """As SpinW multiplies them: powers of each generator times all operators so far."""
    group = SpaceGroup.of("-y,x-y,z; -x,-y,-z")
    assert [group.triplet(i) for i in range(6)] == [
        "x,y,z", "-y,x-y,z", "-x+y,-x,z", "-x,-y,-z", "y,-x+y,-z", "x-y,x,-z"]


@pytest.mark.parametrize("generators", [
    "x+y,y,z",  # a shear: no power of it is one
    "-x,x+y,z; -x,-x+y,z",  # mirrors whose product is a shear
    "-y,x,z; x-y,x,z",  # a fourfold and a sixfold axis along one direction
    "x,x,z",
    [[[2e9, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]],
    [[[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]]],
])
def test_infinite_groups_are_refused(generators: object) -> None:
    with pytest.raises(GeometryError, match=r"expected (rotations of order 1, 2, 3, 4 or 6|at most 48 rotations), found|"
                                            "expected at most 48 rotations and 1536 operators"):
        SpaceGroup.of(generators)


@pytest.mark.parametrize(("value", "message"), [
    (231, "expected a number from 1 to 230, found 231"),
    ("P 7", "expected a number, a Hermann-Mauguin or Hall symbol or operators such as .* found 'P 7'"),
    ("x,y", "expected operators such as 'x,y.1/2,-z', found 'x,y'"),
    ("3/2*x,y,z", "expected operators such as .*found '3/2"),
    (2.5, "expected a number, a symbol, operators .* found 2.5"),
    ([[[0.5, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]], "rotations of whole numbers and translations in 24ths"),
    ([[[1, 0, 0, 0.03], [0, 1, 0, 0], [0, 0, 1, 0]]], "rotations of whole numbers and translations in 24ths"),
    ([[[np.nan, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]], "expected a number, a symbol"),
])
def test_mistakes(value: object, message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        SpaceGroup.of(value)


def test_cartesian_operators_are_rotations_that_fit_the_cell() -> None:
    hexagonal = Lattice(5.1, 5.1, 13.7, 90, 90, 120).vectors
    turns = SpaceGroup.of("R -3 m").cartesian(hexagonal)
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (36, 1, 1)), atol=1e-12)
    # the second operator of the hexagonal axes is a third of a turn about c
    third = [[-0.5, -np.sqrt(0.75), 0], [np.sqrt(0.75), -0.5, 0], [0, 0, 1]]
    assert any(np.allclose(turn, third) for turn in turns)
    with pytest.raises(GeometryError, match=r"'P 4 2 2'.*expected a lattice with its symmetry, found operator"):
        SpaceGroup.of("P 4 2 2").cartesian(Lattice(4, 4.1, 9).vectors)
