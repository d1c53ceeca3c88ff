"""Bond tables: SpinW's numbers, symmetry by brute force, allowed matrices."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from insml.crystal import BondTable, Crystal, Lattice, Site, SpaceGroup
from insml.errors import GeometryError, ModelError

HEXAGONAL = Lattice(6, 6, 8, 90, 90, 120)
KAGOME = Crystal(HEXAGONAL, [Site("MCu1", (0.5, 0, 0), 1.0)], "P -3")
PYROCHLORE = Crystal(Lattice(10, 10, 10), [Site("Yb", (0.5, 0.5, 0.5), 0.5)], "F d -3 m")


def listed(bonds: BondTable, most: int = 99) -> list[tuple[int, ...]]:
    """(number, atom1, atom2, dl) with atoms from 1, as SpinW prints them."""
    return [(int(n), int(i) + 1, int(j) + 1, *dl.tolist())
            for n, i, j, dl in zip(bonds.index, bonds.atom1, bonds.atom2, bonds.dl, strict=True) if n <= most]


def test_triangular_lattice_as_in_spinw_s_manual() -> None:
    """spinw.gencoupling, example; (0, 1, 0) comes first because of rounding."""
    crystal = Crystal(Lattice(3, 3, 5, 90, 90, 120), [Site("A", (0, 0, 0), 1.0)])
    assert listed(crystal.bonds(), 3) == [
        (1, 1, 1, 0, 1, 0), (1, 1, 1, 1, 0, 0), (1, 1, 1, 1, 1, 0), (2, 1, 1, 0, 0, 1),
        (3, 1, 1, 1, -1, 0), (3, 1, 1, 1, 2, 0), (3, 1, 1, 2, 1, 0)]


def test_square_lattice_as_in_spinw_s_tutorial_4() -> None:
    crystal = Crystal(Lattice(3, 3, 6), [Site("Cu1", (0, 0, 0), 1.0)])
    assert listed(crystal.bonds(5.0)) == [(1, 1, 1, 1, 0, 0), (1, 1, 1, 0, 1, 0), (2, 1, 1, 1, -1, 0), (2, 1, 1, 1, 1, 0)]


def test_kagome_lattice_as_in_spinw_s_tutorial_6() -> None:
    """Three inequivalent third neighbours of one length."""
    assert np.allclose(KAGOME.positions, [[0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0]])
    assert listed(KAGOME.bonds(7.0)) == [
        (1, 3, 1, 0, 1, 0), (1, 1, 2, 0, -1, 0), (1, 2, 3, 0, 0, 0), (1, 3, 1, 0, 0, 0), (1, 1, 2, 1, 0, 0),
        (1, 2, 3, -1, 0, 0),
        (2, 1, 2, 1, -1, 0), (2, 2, 3, 0, 1, 0), (2, 3, 1, -1, 0, 0), (2, 1, 2, 0, 0, 0), (2, 2, 3, -1, -1, 0),
        (2, 3, 1, 1, 1, 0),
        (3, 1, 1, 0, 1, 0), (3, 2, 2, -1, -1, 0), (3, 3, 3, 1, 0, 0),
        (4, 2, 2, 0, 1, 0), (4, 3, 3, -1, -1, 0), (4, 1, 1, 1, 0, 0),
        (5, 3, 3, 0, 1, 0), (5, 1, 1, -1, -1, 0), (5, 2, 2, 1, 0, 0)]


def test_kagome_without_symmetry_groups_by_length() -> None:
    sites = [Site("Cu", r, 1.0) for r in KAGOME.positions]
    for bonds in (Crystal(HEXAGONAL, sites).bonds(7.0), KAGOME.bonds(7.0, symmetry=False)):
        assert np.bincount(bonds.index).tolist() == [0, 6, 6, 9]
        assert (bonds.operator == -1).all()


def test_yb2ti2o7_as_spinw_numbers_it(shared_data: Path) -> None:
    """All 16 atoms and 48 bonds of tutorial 20, in order, from generators that the user types."""
    text = "-z, y+3/4, x+3/4; z+3/4, -y, x+3/4; z+3/4, y+3/4, -x; y+3/4, x+3/4, -z; x+3/4, -z, y+3/4; -z, x+3/4, y+3/4"
    crystal = Crystal(Lattice(10.0307, 10.0307, 10.0307), [Site("Yb3+", (0.5, 0.5, 0.5), 0.5)], text)
    model = json.loads((shared_data / "oracles" / "lswt" / "A_ybto_B2_Q1.json").read_text())["model"]
    assert np.allclose(crystal.positions, [s["pos"] for s in model["sites"]])
    assert listed(crystal.bonds(), 1) == [(1, b["i"] + 1, b["j"] + 1, *b["dl"]) for b in model["bonds"]]


@pytest.mark.parametrize(("site", "size"), [((0.5, 0.5, 0.5), 16), ((0, 0, 0), 16), ((0.125, 0.125, 0.125), 8)])
def test_multiplicities_in_fd3m(site: tuple[float, float, float], size: int) -> None:
    crystal = Crystal(Lattice(10, 10, 10), [Site("A", site, 1.0)], 227)
    assert len(crystal.magnetic_atoms) == size
    first = crystal.bonds().of(1)
    # six neighbours in a corner-sharing network of tetrahedra, four in diamond
    assert len(first) == size * (6 if size == 16 else 4) / 2


def test_counts_against_every_pair() -> None:
    rng = np.random.default_rng(3)
    lattice, r = Lattice(4, 5, 6.5, 81, 97, 112), rng.random((3, 3))
    crystal = Crystal(lattice, [Site(f"A{i}", x, 1.0) for i, x in enumerate(r)])
    bonds = crystal.bonds(9.0)
    span = range(-5, 6)
    pairs = [(i, j, dl) for i, j in product(range(3), repeat=2) for dl in product(span, repeat=3)]
    lengths = np.array([np.linalg.norm((r[j] + dl - r[i]) @ lattice.vectors) for i, j, dl in pairs])
    assert len(bonds) == (np.count_nonzero((lengths < 9.0) & (lengths > 0))) / 2
    assert np.allclose(np.sort(np.repeat(bonds.length, 2)), np.sort(lengths[(lengths < 9.0) & (lengths > 0)]))
    assert (np.diff(bonds.length) > -1e-9).all()
    assert np.allclose(np.linalg.norm(bonds.vectors, axis=1), bonds.length)
    ends = {(i, j, tuple(dl)) for _, i, j, *dl in listed(bonds)}
    assert not ends & {(j, i, tuple(-x for x in dl)) for i, j, dl in ends}


@pytest.mark.parametrize("shift", [(0.25, 0.1, -0.4), (0.5, 0.5, 0.5)])
def test_the_origin_does_not_matter(shift: tuple[float, float, float]) -> None:
    moved = [Site("A", np.array(r) + shift, 1.0) for r in PYROCHLORE.positions]
    here, there = PYROCHLORE.bonds(6.0, symmetry=False), Crystal(PYROCHLORE.lattice, moved).bonds(6.0)
    assert np.bincount(here.index).tolist() == np.bincount(there.index).tolist()


@pytest.mark.parametrize("crystal", [KAGOME, PYROCHLORE], ids=["kagome", "pyrochlore"])
def test_nor_does_it_with_symmetry(crystal: Crystal) -> None:
    """Sites and operators moved by one vector: bonds of each length fall into orbits with the same vectors."""
    shift, group = np.array([0.21, -0.13, 0.37]), crystal.space_group
    moved = SpaceGroup(group.rotations, (group.translations + shift - shift @ group.rotations.transpose(0, 2, 1)) % 1)
    there = Crystal(crystal.lattice, [Site("A", crystal.sites[0].position + shift, 1.0)], moved).bonds(7.5)
    here = crystal.bonds(7.5)

    def orbits(bonds: BondTable) -> list[list[list[float]]]:
        both = [np.concatenate([v, -v]) for v in (bonds.vectors[bonds.of(n)] for n in np.unique(bonds.index))]
        return sorted(sorted(np.round(v, 6).tolist()) for v in (b + 0.0 for b in both))

    assert orbits(here) == orbits(there)
    assert np.allclose(here.length, there.length)


@pytest.mark.parametrize("other", range(1, 16, 5))
def test_any_atom_of_an_orbit_stands_for_it(other: int) -> None:
    crystal = Crystal(PYROCHLORE.lattice, [Site("Yb", PYROCHLORE.positions[other], 0.5)], 227)
    sizes = np.bincount(crystal.bonds(7.5).index)
    assert sorted(sizes.tolist()) == sorted(np.bincount(PYROCHLORE.bonds(7.5).index).tolist())
    assert sizes[1] == 48


@pytest.mark.parametrize(("group", "lattice", "site"), [
    ("P -3", HEXAGONAL, (0.5, 0, 0)), ("F d -3 m", Lattice(10, 10, 10), (0.5, 0.5, 0.5)),
    ("P 4/n m m", Lattice(4, 4, 7), (0.75, 0.25, 0.2)), ("R -3 m", Lattice(5, 5, 16, 90, 90, 120), (0, 0, 0.4)),
    ("P 6/m m m", HEXAGONAL, (1 / 3, 2 / 3, 0)), ("P 21 3", Lattice(5, 5, 5), (0.138, 0.138, 0.138)),
    ("I 4/m m m", Lattice(4, 4, 12), (0, 0, 0.36)),
    ("P 63/m m c", Lattice(5, 5, 12, 90, 90, 120), (0.17, 0.34, 0.25)), ("P 1 21/c 1", Lattice(5, 6, 7, 90, 103, 90),
                                                                      (0.1, 0.2, 0.3)),
])
def test_bonds_with_their_matrices_are_invariant(group: str, lattice: Lattice, site: tuple[float, float, float]) -> None:
    """Every operator of the group maps the set of bonds with matrices onto itself, and an allowed matrix is any
    combination of the basis."""
    crystal = Crystal(lattice, [Site("A", site, 1.0)], group)
    bonds = crystal.bonds(6.5)
    rng = np.random.default_rng(1)
    couplings: dict[tuple[int, ...], np.ndarray] = {}
    for number in range(1, int(bonds.index.max()) + 1):
        basis = bonds.allowed(number)
        matrices = bonds.rotated(number, np.einsum("m,mab->ab", rng.normal(size=len(basis)), basis))
        for b, J in zip(bonds.of(number), matrices, strict=True):
            i, j, dl = int(bonds.atom1[b]), int(bonds.atom2[b]), bonds.dl[b]
            couplings[i, j, *dl.tolist()] = J
            couplings[j, i, *(-dl).tolist()] = J.T
    r = crystal.positions
    for R, t, turn in zip(crystal.space_group.rotations, crystal.space_group.translations, crystal.rotations, strict=True):
        image = r @ R.T + t
        step = image[:, None] - r
        atom = np.abs(step - np.rint(step)).sum(axis=2).argmin(axis=1)
        cell = np.rint(image - r[atom]).astype(int)
        for (i, j, *dl), J in couplings.items():
            moved = R @ np.array(dl) + cell[j] - cell[i]
            assert np.allclose(couplings[int(atom[i]), int(atom[j]), *moved.tolist()], turn @ J @ turn.T, atol=1e-9)


def spanned(basis: np.ndarray, matrix: np.ndarray) -> bool:
    flat = basis.reshape(len(basis), 9)
    return bool(np.allclose(flat.T @ np.linalg.lstsq(flat.T, matrix.ravel(), rcond=None)[0], matrix.ravel()))


def test_pyrochlore_has_four_couplings() -> None:
    """K. A. Ross et al., Phys. Rev. X 1, 021002 (2011), equation 3: J1 ... J4 on a nearest-neighbour bond."""
    bonds = PYROCHLORE.bonds(4.0)
    basis = bonds.allowed(1)
    assert len(basis) == 4
    assert [np.allclose(M, M.T) for M in basis] == [True, True, True, False]
    dm = basis[3]
    vector = np.array([dm[1, 2], dm[2, 0], dm[0, 1]])
    # Moriya: the bond lies in a mirror, so D is normal to it, and normal to the bond
    assert abs(vector @ bonds.vectors[0]) < 1e-12
    assert np.count_nonzero(np.abs(vector) > 1e-9) == 2


def test_inversion_at_the_middle_forbids_dm() -> None:
    cubic = Crystal(Lattice(4, 4, 4), [Site("A", (0, 0, 0), 1.0)], "P m -3 m").bonds(5.0)
    basis = cubic.allowed(1)
    assert len(basis) == 2  # diag(a, b, b) along the bond
    along = np.abs(cubic.vectors[0]) / 4
    assert spanned(basis, np.outer(along, along))
    assert spanned(basis, np.eye(3))
    with pytest.raises(ModelError, match=r"bond 1: expected a matrix that its symmetry allows.*symmetry=False"):
        cubic.rotated(1, np.array([[0, 1.0, 0], [-1, 0, 0], [0, 0, 0]]))


def test_no_symmetry_allows_everything() -> None:
    assert len(Crystal(HEXAGONAL, [Site("A", (0, 0, 0), 1.0)]).bonds().allowed(1)) == 9


def test_anisotropy_on_a_fourfold_axis() -> None:
    """The example of SpinW's getmatrix: diag(A, A, B) in P 4."""
    basis = Crystal(Lattice(4, 4, 7), [Site("A", (0, 0, 0), 1.0)], "P 4").allowed_on_atom(0)
    assert len(basis) == 2
    assert spanned(basis, np.diag([1.0, 1, 0]))
    assert spanned(basis, np.diag([0.0, 0, 1]))


def test_long_bonds_may_go_without_symmetry() -> None:
    table = KAGOME.bonds(7.0, max_sym=5.5)
    assert np.bincount(table.index).tolist() == [0, 6, 6, 9]
    assert ((table.operator < 0) == (table.length > 5.5)).all()


def test_lengths_within_the_tolerance_are_one_number() -> None:
    crystal = Crystal(Lattice(3, 3.001, 5), [Site("A", (0, 0, 0), 1.0)])
    assert crystal.bonds(4.0, tol_dist=1e-2).index.tolist() == [1, 1]
    assert crystal.bonds(4.0, tol_dist=1e-4).index.tolist() == [1, 2]


@pytest.mark.parametrize(("options", "message"), [
    ({"max_distance": 2.0}, "max_distance: expected one that reaches a neighbour"),
    ({"d_min": 4.0}, "at least 4.0 Angstrom apart"),
    ({"max_distance": -1.0}, "max_distance: expected a length"),
])
def test_what_makes_no_table(options: dict[str, float], message: str) -> None:
    with pytest.raises(GeometryError, match=message):
        KAGOME.bonds(**options)


def test_bonds_need_spins_and_numbers_exist() -> None:
    with pytest.raises(GeometryError, match="at least one with a spin"):
        Crystal(HEXAGONAL, [Site("A", (0, 0, 0))]).bonds()
    with pytest.raises(ModelError, match="bond: expected a number from 1 to 5, found 6"):
        KAGOME.bonds(7.0).of(6)


def test_table_as_text() -> None:
    lines = str(KAGOME.bonds(4.0)).splitlines()
    assert len(lines) == 7
    assert lines[1].split()[:2] == ["1", "3.0000"]
