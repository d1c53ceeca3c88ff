"""Models made of a crystal and named couplings: oracles rebuilt from symmetry, cells against cells, parameters."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insml.crystal import Crystal, Lattice, Site
from insml.errors import ModelError
from insml.spinwave import SpinModel
from insml.spinwave.classical import energy
from insml.spinwave.interactions import DIPOLE, Interactions
from insml.spinwave.structure import MagneticStructure

KAGOME = Crystal(Lattice(6, 6, 12, 90, 90, 120), [Site("Cu", (0.5, 0, 0), 1.0)], "P -3")
PYROCHLORE = Crystal(Lattice(10.0307, 10.0307, 10.0307), [Site("Yb", (0.5, 0.5, 0.5), 0.5)], "F d -3 m")
Q = np.random.default_rng(0).uniform(-2, 2, (12, 3))


def reference(shared_data: Path, name: str) -> tuple[dict[str, Any], SpinModel, MagneticStructure]:
    raw = json.loads((shared_data / "oracles" / "lswt" / f"{name}.json").read_text())["model"]
    model = SpinModel.from_dict(raw)
    return raw, model, MagneticStructure.of(model)


def moments(model: SpinModel, q: np.ndarray) -> np.ndarray:
    """(nq, 3) sum over modes of I, I E, I E^2: blind to modes without intensity."""
    s = model.spectrum(q)
    return np.stack([(s.intensity * s.energy**p).sum(axis=1) for p in range(3)], axis=1)


def assert_same(found: SpinModel, expected: SpinModel, energies: bool = True) -> None:
    if energies:
        assert np.allclose(found.spectrum(Q).energy, expected.spectrum(Q).energy, atol=2e-6)
    assert np.allclose(moments(found, Q), moments(expected, Q), rtol=1e-5, atol=1e-7)


def couplings(model: SpinModel) -> dict[tuple[int, ...], np.ndarray]:
    """Sum of the matrices of each directed bond."""
    out: dict[tuple[int, ...], np.ndarray] = {}
    for i, j, dl, J in model.bonds:
        for key, M in (((i, j, *dl.tolist()), J), ((j, i, *(-dl).tolist()), J.T)):
            out[key] = out.get(key, 0) + M
    return out


def test_square_antiferromagnet(shared_data: Path) -> None:
    _, expected, structure = reference(shared_data, "B04_square_afm_j1j2")
    sites = [Site("Mn", (0, 0, 0), 2.5), Site("Mn", (0.5, 0.5, 0), 2.5)]
    crystal = Crystal(Lattice(4, 4, 9), sites)
    two = (Interactions(crystal).exchange("J1", 1.0, 1).exchange("J2", 0.2, 2).anisotropy("A", [0, 0, -0.02]))
    assert_same(two.model(structure), expected)
    # the same plane with one atom in the cell; its axes are turned by 45 degrees, its intensity is for half as many spins
    small = Crystal(Lattice(8**0.5, 8**0.5, 9), [Site("Mn", (0, 0, 0), 2.5)], "P 4/m m m")
    one = Interactions(small).exchange("J1", 1.0, 1).exchange("J2", 0.2, 2).anisotropy("A", np.diag([0, 0, -0.02]))
    neel = MagneticStructure((2, 2, 1), np.array([[0, 0, 2.5], [0, 0, -2.5], [0, 0, -2.5], [0, 0, 2.5]]))
    turned = np.stack([(Q[:, 0] + Q[:, 1]) / 2, (Q[:, 1] - Q[:, 0]) / 2, Q[:, 2]], axis=1)
    assert np.allclose(2 * moments(one.model(neel), turned), moments(expected, Q), rtol=1e-6)


def test_honeycomb_with_dm(shared_data: Path) -> None:
    """D of one second neighbour; the threefold axis and the inversion give the other five."""
    _, expected, structure = reference(shared_data, "B05_honeycomb_fm_dm")
    crystal = Crystal(Lattice(6, 6, 12, 90, 90, 120), [Site("Cr", (1 / 3, 2 / 3, 0), 1.5)], "P -3")
    bonds = crystal.bonds(7.0)
    first = bonds.of(2)[0]
    assert (int(bonds.atom1[first]), bonds.dl[first].tolist()) == (0, [0, 1, 0])
    built = Interactions(crystal, bonds).exchange("J1", -1.0, 1).exchange("D", [0, 0, 0.15], 2)
    built.anisotropy("A", [0, 0, -0.02])
    assert_same(built.model(structure), expected)


def test_kagome(shared_data: Path) -> None:
    _, expected, structure = reference(shared_data, "B06_kagome_fm")
    assert_same(Interactions(KAGOME).exchange("J1", -1.0).anisotropy("A", [0, 0, -0.01]).model(structure), expected)


def test_kagome_with_dm(shared_data: Path) -> None:
    _, expected, structure = reference(shared_data, "C22_kagome_q0_dm")
    built = Interactions(KAGOME).exchange("J1", 1.0).exchange("D", [0, 0, -0.1]).model(structure)
    found, wanted = couplings(built), couplings(expected)
    assert found.keys() == wanted.keys()
    assert all(np.allclose(found[key], wanted[key]) for key in wanted)


def test_triangular_in_a_rotating_frame_and_in_a_supercell(shared_data: Path) -> None:
    _, expected, structure = reference(shared_data, "B07_triangular_120")
    crystal = Crystal(Lattice(3, 3, 4, 90, 90, 120), [Site("Cr", (0, 0, 0), 1.5)])
    built = Interactions(crystal).exchange("J1", 1.0)
    assert_same(built.model(structure), expected)
    plain = structure.tiled((3, 3, 1))
    assert plain.k is None
    assert_same(built.model(plain), expected, energies=False)


def test_yb2ti2o7_from_one_matrix(shared_data: Path) -> None:
    """16 g-tensors and 48 exchange matrices of SpinW from the first of each."""
    raw, expected, structure = reference(shared_data, "A_ybto_B2_Q1")
    text = "-z, y+3/4, x+3/4; z+3/4, -y, x+3/4; z+3/4, y+3/4, -x; y+3/4, x+3/4, -z; x+3/4, -z, y+3/4; -z, x+3/4, y+3/4"
    crystal = Crystal(PYROCHLORE.lattice, PYROCHLORE.sites, text)
    built = Interactions(crystal).exchange("J1", raw["bonds"][0]["J"]).g("g", raw["sites"][0]["g"]).field(raw["field"])
    model = built.model(structure)
    assert np.allclose(model.g, expected.g, atol=1e-9)
    for found, wanted in zip(model.bonds, expected.bonds, strict=True):
        assert found[:2] == wanted[:2]
        assert np.array_equal(found[2], wanted[2])
        assert np.allclose(found[3], wanted[3], atol=1e-9)
    assert_same(model, expected)


def test_every_bond_by_hand_equals_symmetry() -> None:
    J = np.array([[-0.22, 0.01, 0.01], [-0.01, -0.09, -0.29], [-0.01, -0.29, -0.09]])
    bonds = PYROCHLORE.bonds(4.0)
    basis = bonds.allowed(1).reshape(-1, 9)
    allowed = (basis.T @ (basis @ J.ravel())).reshape(3, 3)  # whichever bond comes first
    structure = MagneticStructure((1, 1, 1), np.tile([0.3, 0, 0.4], (16, 1)))
    whole = Interactions(PYROCHLORE, bonds).exchange("J", allowed).field([0, 0, 20.0]).model(structure)
    plain = Crystal(PYROCHLORE.lattice, [Site("Yb", r, 0.5) for r in PYROCHLORE.positions])
    table, wanted = plain.bonds(4.0), couplings(whole)
    by_hand = Interactions(plain, table).field([0, 0, 20.0])
    for b in range(len(table)):
        matrix = wanted[int(table.atom1[b]), int(table.atom2[b]), *table.dl[b].tolist()]
        by_hand.exchange(f"J{b}", matrix, subset=[b + 1])
    found = couplings(by_hand.model(structure))
    assert found.keys() == wanted.keys()
    assert all(np.allclose(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize("factors", [(2, 1, 1), (1, 2, 3)])
def test_a_larger_cell_changes_nothing(factors: tuple[int, int, int]) -> None:
    built = Interactions(KAGOME).exchange("J1", -1.0).exchange("D", [0, 0, 0.2]).exchange("J2", 0.1, 2)
    built.anisotropy("A", [0, 0, -0.1]).g("g", np.diag([2.0, 2.0, 2.4])).field([0, 0, 3.0])
    one = MagneticStructure((1, 1, 1), np.tile([0, 0, 1.0], (3, 1)))
    small, large = built.model(one), built.model(one.tiled(factors))
    assert len(large.positions) == 3 * np.prod(factors)
    assert np.allclose(moments(large, Q), moments(small, Q), rtol=1e-8, atol=1e-10)
    assert energy(large) == pytest.approx(energy(small), abs=1e-12)


def test_dipoles_against_every_pair() -> None:
    """Energy of random spins with anisotropic g; the constant from CODATA values in SI units."""
    assert pytest.approx(1e-7 * (9.2740100783e-24) ** 2 / 1.602176634e-22 * 1e30, rel=1e-6) == DIPOLE
    crystal = Crystal(Lattice(5, 5, 6, 90, 90, 120), [Site("Fe", (0.2, 0.4, 0.25), 2.0)], "P 3")
    built = Interactions(crystal).g("g", np.array([[2.0, 0.1, 0], [0.1, 2.2, 0.3], [0, 0.3, 2.5]])).dipolar(9.0)
    rng = np.random.default_rng(2)
    spins = rng.normal(size=(3, 3))
    spins *= 2.0 / np.linalg.norm(spins, axis=1)[:, None]
    model = built.model(MagneticStructure((1, 1, 1), spins))
    m = np.einsum("iab,ib->ia", model.g, spins)
    cells = np.array(np.meshgrid(*[range(-4, 5)] * 3)).reshape(3, -1).T
    total = 0.0
    for i in range(3):
        for j in range(3):
            d = (crystal.positions[j] + cells - crystal.positions[i]) @ crystal.lattice.vectors
            r = np.linalg.norm(d, axis=1)
            d, r = d[(r > 0) & (r < 9.0)], r[(r > 0) & (r < 9.0)]
            total += 0.5 * DIPOLE * np.sum((m[i] @ m[j]) / r**3 - 3 * (d @ m[i]) * (d @ m[j]) / r**5)
    assert energy(model) == pytest.approx(total / 3, rel=1e-9)


def test_a_shifted_parameter_is_a_rebuilt_model() -> None:
    structure = MagneticStructure((2, 1, 1), np.tile([0, 0, 1.0], (6, 1)))

    def build(j: float, d: list[float], k: float, a: float, b: float, field: list[float]) -> SpinModel:
        built = Interactions(KAGOME).exchange("J1", j).exchange("D", d).exchange("J2", k * np.eye(3), 2)
        built.exchange("B1", b, biquadratic=True)
        return built.anisotropy("A", [0, 0, a]).field(field).model(structure)

    model = build(-1.0, [0, 0, 0.2], 0.3, -0.1, 0.0, [0, 0, 2.0])
    moved = model.with_parameters({"J1": -1.4, "D": 1.5, "J2": 2.0, "A": 3.0, "B1": 0.07, "B(3)": 5.0})
    expected = build(-1.4, [0, 0, 0.3], 0.6, -0.3, 0.07, [0, 0, 5.0])
    for (*_, found), (*_, wanted) in zip(moved.bonds, expected.bonds, strict=True):
        assert np.allclose(found, wanted)
    assert [x[3] for x in moved.biquadratic] == [x[3] for x in expected.biquadratic]
    assert np.allclose(moved.anisotropy, expected.anisotropy)
    assert np.allclose(moved.field, expected.field)
    assert model.parameters["J1"].value == -1.0


def test_a_coupling_of_zero_is_a_parameter() -> None:
    structure = MagneticStructure((1, 1, 1), np.tile([0, 0, 1.0], (3, 1)))
    model = Interactions(KAGOME).exchange("J1", -1.0).exchange("J2", 0.0, 2).model(structure)
    assert model.parameters["J2"].value == 0.0
    expected = Interactions(KAGOME).exchange("J1", -1.0).exchange("J2", 0.25, 2).model(structure)
    assert_same(model.with_parameters({"J2": 0.25}), expected)


def test_entries_move_with_symmetry() -> None:
    structure = MagneticStructure((1, 1, 1), np.tile([0, 0, 1.0], (3, 1)))
    J = np.array([[-1.0, 0.2, 0.1], [0.3, -1.1, 0], [0, 0.1, -0.9]])
    model = Interactions(KAGOME).exchange("J1", J).model(structure)
    J[0, 1] += 0.5
    expected = Interactions(KAGOME).exchange("J1", J).model(structure)
    moved = model.with_parameters({"J1(1,2)": 0.7})
    assert all(np.allclose(a[3], b[3]) for a, b in zip(moved.bonds, expected.bonds, strict=True))


def test_atoms_and_subsets_choose_bonds() -> None:
    crystal = Crystal(Lattice(4, 8, 8), [Site("A", (0, 0, 0), 1.0), Site("B", (0.5, 0, 0), 1.0)])
    structure = MagneticStructure((1, 1, 1), np.tile([0, 0, 1.0], (2, 1)))
    bonds = crystal.bonds(4.5)
    assert bonds.index.tolist() == [1, 1, 2, 2]

    def chosen(**how: Any) -> list[tuple[int, int]]:
        return [x[:2] for x in Interactions(crystal, bonds).exchange("J", 1.0, **how).model(structure).bonds]

    assert chosen(bond=2) == [(0, 0), (1, 1)]
    assert chosen(bond=2, atoms="B") == [(1, 1)]
    assert len(chosen(bond=1, atoms=("B", "A"))) == 2
    assert len(chosen(bond=1, subset=[2])) == 1
    for how in ({"atoms": "A"}, {"subset": [3]}, {"subset": []}, {"bond": 3}):
        with pytest.raises(ModelError, match=r"expected .* found"):
            chosen(**how)


def test_what_symmetry_forbids_is_refused() -> None:
    bare = Interactions(PYROCHLORE)
    with pytest.raises(ModelError, match="bond 1: expected a matrix that its symmetry allows"):
        bare.exchange("D", [0.3, 0.1, 0.2])
    with pytest.raises(ModelError, match="A: expected a matrix that the symmetry of site Yb allows"):
        bare.anisotropy("A", [0, 0, 1.0])
    as_given = bare.exchange("D", [0.3, 0.1, 0.2], symmetry=False)
    model = as_given.model(MagneticStructure((1, 1, 1), np.tile([0, 0, 0.5], (16, 1))))
    assert len(model.bonds) == 48
    assert all(np.allclose(J, model.bonds[0][3]) for *_, J in model.bonds)


def test_names_have_one_value_and_structures_the_right_size() -> None:
    built = Interactions(KAGOME).exchange("J", 1.0)
    with pytest.raises(ModelError, match="J: expected one value for each name"):
        built.exchange("J", 2.0, 2)
    with pytest.raises(ModelError, match="structure: expected 6 spins, 3 for each of 2 cells, found 3"):
        built.model(type("Wrong", (), {"supercell": (2, 1, 1), "spins": np.zeros((3, 3)), "k": None, "n": None})())


def test_one_name_on_several_bonds_is_one_parameter() -> None:
    structure = MagneticStructure((1, 1, 1), np.tile([0, 0, 1.0], (3, 1)))
    model = Interactions(KAGOME).exchange("J", -1.0, 1).exchange("J", -1.0, 2).model(structure)
    assert len(model.parameters["J"].exchange) == 12
    moved = model.with_parameters({"J": -1.5})
    assert all(np.allclose(J, -1.5 * np.eye(3)) for *_, J in moved.bonds)


def test_domains_and_ions_are_passed_on() -> None:
    crystal = Crystal(Lattice(4, 4, 6), [Site("Mn", (0, 0, 0), 2.0, g=1.9, form_factor="Mn3+")])
    built = Interactions(crystal).exchange("J", -1.0).twin(np.eye(3), 0.7).twin(np.diag([-1, -1, 1]), 0.3)
    model = built.model(MagneticStructure((2, 1, 1), np.tile([0, 0, 2.0], (2, 1))))
    assert [t.weight for t in model.twins] == [0.7, 0.3]
    assert np.allclose(model.g, 1.9 * np.eye(3))
    assert model.labels == ("Mn", "Mn")
    assert np.allclose(model.positions, [[0, 0, 0], [0.5, 0, 0]])
    assert model.form_factors[0] == model.form_factors[1] == list(crystal.sites[0].form_factor)
