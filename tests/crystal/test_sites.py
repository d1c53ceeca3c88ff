"""Atoms of a crystal."""

import numpy as np
import pytest

from insml.crystal import Crystal, Lattice, Site
from insml.errors import GeometryError

CUBE = Lattice(10.0, 10.0, 10.0)


@pytest.mark.parametrize(("group", "position", "count"), [
    ("F d -3 m", (0.5, 0.5, 0.5), 16), ("F d -3 m", (1 / 8, 1 / 8, 1 / 8), 8), ("F d -3 m", (0.1, 0.22, 0.37), 192),
    ("P 21 3", (0.13, 0.13, 0.13), 4), ("I a -3 d", (0, 0, 0), 16), ("I a -3 d", (1 / 8, 0, 1 / 4), 24),
])
def test_multiplicities(group: str, position: tuple[float, float, float], count: int) -> None:
    """Wyckoff positions of the International Tables."""
    crystal = Crystal(CUBE, [Site("X", position, 1)], group)
    assert len(crystal.atoms) == count
    images = crystal.space_group.rotations @ np.array(position) + crystal.space_group.translations
    for atom in crystal.atoms:
        off = images[atom.operator] - atom.position
        np.testing.assert_allclose(off - np.rint(off), 0, atol=1e-12)
        assert ((atom.position >= -1e-6) & (atom.position < 1)).all()


def test_positions_of_few_digits_are_put_on_their_special_position() -> None:
    crystal = Crystal(Lattice(6, 6, 9, 90, 90, 120), [Site("Cr", (0.333, 0.6667, 0), 1.5)], "P 6/m m m")
    np.testing.assert_allclose(crystal.positions, [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0]], atol=1e-12)
    assert np.bincount(crystal.bonds(7).index).tolist() == [0, 3, 6, 3]


def test_only_spins_count() -> None:
    crystal = Crystal(CUBE, [Site("O", (0, 0, 0.3)), Site("Fe", (0, 0, 0), 2.5), Site("Mn", (0.5, 0.5, 0.5), 2)])
    assert [a.label for a in crystal.atoms] == ["O", "Fe", "Mn"]
    assert [a.label for a in crystal.magnetic_atoms] == ["Fe", "Mn"]
    np.testing.assert_array_equal(crystal.lengths, [2.5, 2])
    np.testing.assert_array_equal(crystal.positions, [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_elements_share_a_place_where_their_occupancies_do() -> None:
    shared = [Site("La", (0, 0, 0.36), occupancy=0.5), Site("Sr", (0, 0, 0.36), occupancy=0.5), Site("Cr", (0, 0, 0), 1.5)]
    assert len(Crystal(CUBE, shared, "P 4/m m m").atoms) == 5
    with pytest.raises(GeometryError, match=r"site Sr: expected atoms at least 0.1 Angstrom apart, found its image under "
                                            r"x,y,z 0 Angstrom from one of La"):
        Crystal(CUBE, [Site("La", (0, 0, 0.36), occupancy=0.6), shared[1]])
    with pytest.raises(GeometryError, match="site B: expected atoms at least"):
        Crystal(CUBE, [Site("A", (0, 0, 0), 1, occupancy=0.5), Site("B", (0, 0, 0), 1, occupancy=0.5)])


def test_mistakes() -> None:
    with pytest.raises(GeometryError, match=r"site Fe: .*found its image under .* 0.08 Angstrom from one of Fe"):
        Crystal(CUBE, [Site("Fe", (0.004, 0.2, 0.3), 1)], "P m m m")
    with pytest.raises(GeometryError, match="expected a lattice with its symmetry"):
        Crystal(Lattice(4, 5, 6), [], "P 4")
    with pytest.raises(GeometryError, match="site Fe: position: expected three finite numbers"):
        Site("Fe", (0, np.nan, 0))
    with pytest.raises(GeometryError, match="site Fe: spin: expected a length S >= 0, found -1"):
        Site("Fe", (0, 0, 0), -1)
    with pytest.raises(GeometryError, match="site Fe: g: expected a number or a finite 3x3 matrix"):
        Site("Fe", (0, 0, 0), 1, g=[1, 2, 3])
    with pytest.raises(GeometryError, match=r"site Fe: form_factor: an ion with a tabulated <j0> .* found 'Fe9\+'"):
        Site("Fe", (0, 0, 0), 1, form_factor="Fe9+")


def test_matrices_on_atoms() -> None:
    """Site symmetry -3m leaves two numbers, -42m and 4/mmm two, m-3m one, 1 all six."""
    hexagonal = Lattice(5, 5, 9, 90, 90, 120)
    for lattice, group, position, count in (
            (CUBE, "F d -3 m", (0.5, 0.5, 0.5), 2), (CUBE, "P m -3 m", (0, 0, 0), 1), (CUBE, "P 1", (0.1, 0.2, 0.3), 6),
            (CUBE, "P 1 2 1", (0, 0.3, 0), 4), (hexagonal, "P -3", (0, 0, 0), 2), (hexagonal, "P -3", (0.5, 0, 0), 6)):
        crystal = Crystal(lattice, [Site("X", position, 1)], group)
        basis = crystal.allowed_on_atom(0)
        assert len(basis) == count, (group, position)
        np.testing.assert_allclose(basis, basis.transpose(0, 2, 1), atol=1e-12)
        flat = basis.reshape(count, 9)
        np.testing.assert_allclose(flat @ flat.T, np.eye(count), atol=1e-12)
