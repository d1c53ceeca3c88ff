"""Couplings by name: parameters move what rebuilding moves, dipoles have their size, mistakes are named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insml.crystal import Crystal, Lattice, Site
from insml.errors import GeometryError, ModelError
from insml.spinwave import MagneticStructure, SpinModel
from insml.spinwave.classical import energy
from insml.spinwave.interactions import Interactions, matrix_of

LOW = Crystal(Lattice(4, 5, 6, 83, 98, 105), [Site("Fe", (0.1, 0.2, 0.3), 1.5), Site("Co", (0.4, 0.35, 0.1), 1.0)], "P -1")
KAGOME = Crystal(Lattice(6, 6, 12, 90, 90, 120), [Site("Cu", (0.5, 0, 0), 1.0)], "P -3")
CHAIN = Crystal(Lattice(4, 8, 9), [Site("Ni", (0, 0, 0), 1.0)], "P m m m")

START: dict[str, Any] = {
    "J": -1.0, "D": np.array([0.1, -0.2, 0.3]), "K": np.array([[0.5, 0.1, 0.2], [0, 0.4, -0.3], [0.1, 0.2, 0.6]]),
    "A": np.array([[0.2, 0.1, 0], [0.1, -0.3, 0.05], [0, 0.05, 0.1]]), "b": 0.07, "B": np.array([1.0, 2.0, -2.0])}


BONDS = LOW.bonds(7.0)


def low(values: dict[str, Any]) -> SpinModel:
    # no inversion at the middle of these, so that they may carry any matrix
    one, other = [n for n in range(1, int(BONDS.index.max()) + 1) if len(BONDS.allowed(n)) == 9][:2]
    built = Interactions(LOW, BONDS).exchange("J", values["J"], one).exchange("D", values["D"], one)
    built.exchange("K", values["K"], other).exchange("b", values["b"], other, biquadratic=True)
    built.anisotropy("A", values["A"], "Fe").field(values["B"])
    return built.model(MagneticStructure.random(LOW.lengths, (2, 1, 1), seed=4))


def entry(name: str, a: int, c: int) -> Callable[[dict[str, Any], float], None]:
    def change(values: dict[str, Any], value: float) -> None:
        matrix = matrix_of(values[name], name)
        matrix[a, c] = value
        if name == "A":
            matrix[c, a] = value
        values[name] = matrix

    return change


def scaled(name: str) -> Callable[[dict[str, Any], float], None]:
    def change(values: dict[str, Any], value: float) -> None:
        values[name] = values[name] * value

    return change


def test_every_parameter_does_what_rebuilding_does() -> None:
    changes: dict[str, Callable[[dict[str, Any], float], None]] = {
        "J": lambda v, x: v.update(J=x), "b": lambda v, x: v.update(b=x), "D": scaled("D"), "K": scaled("K"),
        "A": scaled("A"), "B": lambda v, x: v.update(B=v["B"] * x / 3.0)}
    for name in "DK":
        changes |= {f"{name}({a + 1},{c + 1})": entry(name, a, c) for a, c in np.ndindex(3, 3)}
    changes |= {f"A({a + 1},{c + 1})": entry("A", a, c) for a in range(3) for c in range(a, 3)}
    changes |= {f"B({a + 1})": lambda v, x, a=a: v.update(B=np.where(np.arange(3) == a, x, v["B"])) for a in range(3)}
    model = low(START)
    assert set(model.parameters) == set(changes)
    assert model.parameters["B"].value == pytest.approx(3.0)
    assert [model.parameters[n].value for n in ("J", "D", "D(1,2)", "K(3,2)", "A(1,2)", "b", "B(3)")] == pytest.approx(
        [-1.0, 1.0, 0.3, 0.2, 0.1, 0.07, -2.0])
    for name, change in changes.items():
        values = dict(START)
        change(values, 0.83)
        moved, expected = model.with_parameters({name: 0.83}), low(values)
        for (*ends, found), (*same, wanted) in zip(moved.bonds, expected.bonds, strict=True):
            assert ends[:2] == same[:2]
            np.testing.assert_allclose(found, wanted, atol=1e-12, err_msg=name)
        np.testing.assert_allclose([x[3] for x in moved.biquadratic], [x[3] for x in expected.biquadratic], err_msg=name)
        np.testing.assert_allclose(moved.anisotropy, expected.anisotropy, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(moved.field, expected.field, atol=1e-12, err_msg=name)
        assert moved.parameters[name].value == 0.83


def test_entries_that_symmetry_ties_are_no_parameters() -> None:
    """P m m m at (0, 0, 0): a bond along a keeps a diagonal matrix, an atom too."""
    up = MagneticStructure((1, 1, 1), np.array([[0, 0, 1.0]]))
    model = Interactions(CHAIN).exchange("J", np.diag([-1, -1.1, -1.2])).anisotropy("A", [0, 0, -0.1]).model(up)
    assert {n for n in model.parameters if n[0] in "JA"} == {
        "J", "J(1,1)", "J(2,2)", "J(3,3)", "A", "A(1,1)", "A(2,2)", "A(3,3)"}


def test_one_anisotropy_twice_on_an_atom_counts_twice() -> None:
    up = MagneticStructure((1, 1, 1), np.array([[0, 0, 1.0]]))
    model = Interactions(CHAIN).anisotropy("A", [0, 0, -0.1]).anisotropy("A", [0, 0, -0.1]).model(up)
    np.testing.assert_allclose(model.anisotropy[0], np.diag([0, 0, -0.2]))
    np.testing.assert_allclose(model.with_parameters({"A": 2.0}).anisotropy[0], np.diag([0, 0, -0.4]))


def test_dipolar_energy_of_two_electrons() -> None:
    """1 muB each, 3 Angstrom apart: -2 mu0 muB^2 / 4 pi r^3 in a row, + 1 side by side; SI constants of CODATA 2018."""
    scale = 1e-7 * 9.2740100783e-24**2 / (3e-10) ** 3 / 1.602176634e-22
    assert scale == pytest.approx(1.9882e-3, rel=1e-4)
    crystal = Crystal(Lattice(40, 40, 40), [Site("A", (0, 0, 0), 0.5), Site("B", (0, 0, 3 / 40), 0.5)])
    built = Interactions(crystal).dipolar(5.0)
    for spins, expected in (([[0, 0, 0.5]] * 2, -2), ([[0.5, 0, 0]] * 2, 1), ([[0, 0.5, 0], [0, -0.5, 0]], -1),
                            ([[0.5, 0, 0], [0, 0, 0.5]], 0)):
        cell = built.model(MagneticStructure((1, 1, 1), np.array(spins)))
        assert energy(cell) * 2 == pytest.approx(expected * scale, rel=1e-6, abs=1e-12)
    row = MagneticStructure((1, 1, 1), np.array([[0, 0, 0.5]] * 2))
    doubled = Interactions(crystal).g("g", 4.0).dipolar(5.0).model(row)
    assert energy(doubled) * 2 == pytest.approx(-8 * scale, rel=1e-6)


def test_all_in_all_out_pyrochlore(shared_data: Path) -> None:
    """J, D and easy axes of one bond and one atom of the cubic cell give all of the primitive one; four times its spins."""
    raw = json.loads((shared_data / "oracles" / "lswt" / "C21_pyrochlore_aiao_dm.json").read_text())["model"]
    expected = SpinModel.from_dict(raw)
    crystal = Crystal(Lattice(10, 10, 10), [Site("Os", (0, 0, 0), 1.5)], "F d -3 m")
    primitive = expected.lattice_vectors

    def sublattice(position: np.ndarray) -> int:
        step = position @ np.linalg.inv(primitive) - expected.positions
        return int(np.abs(step - np.rint(step)).max(axis=1).argmin())

    kind = [sublattice(r) for r in crystal.positions * 10]
    wanted: dict[tuple[int, ...], np.ndarray] = {}
    for i, j, dl, J in expected.bonds:
        step = np.rint(4 * ((expected.positions[j] + dl - expected.positions[i]) @ primitive)).astype(int)
        wanted[i, j, *step.tolist()] = J
        wanted[j, i, *(-step).tolist()] = J.T
    bonds = crystal.bonds(4.0)

    def key(b: int) -> tuple[int, ...]:
        return kind[bonds.atom1[b]], kind[bonds.atom2[b]], *np.rint(4 * bonds.vectors[b]).astype(int).tolist()

    built = Interactions(crystal, bonds).exchange("J", wanted[key(0)]).anisotropy("A", expected.anisotropy[kind[0]])
    model = built.model(MagneticStructure((1, 1, 1), expected.spins[kind]))
    for b, (*_, J) in enumerate(model.bonds):
        np.testing.assert_allclose(J, wanted[key(b)], atol=1e-12)
    np.testing.assert_allclose(model.anisotropy, expected.anisotropy[kind], atol=1e-12)
    q = np.random.default_rng(5).uniform(-2, 2, (6, 3))
    cubic = q @ np.linalg.inv(primitive).T * 10
    one, other = expected.spectrum(q), model.spectrum(cubic)
    for p in range(3):
        np.testing.assert_allclose((other.intensity * other.energy**p).sum(axis=1),
                                   4 * (one.intensity * one.energy**p).sum(axis=1), rtol=1e-6)


def test_bonds_without_symmetry_take_one_matrix() -> None:
    """With symmetry the chirality of D alternates about kagome triangles as the threefold axis and inversion say."""
    up = MagneticStructure.tile([[0, 0, 1.0]] * 3)
    same = Interactions(KAGOME).exchange("D", [0.1, 0.2, 0.3], symmetry=False).model(up)
    turned = Interactions(KAGOME).exchange("D", [0.1, 0.2, 0.3]).model(up)
    assert all(np.array_equal(J, matrix_of([0.1, 0.2, 0.3], "D")) for *_, J in same.bonds)
    third = np.array([[-0.5, -(0.75**0.5), 0], [0.75**0.5, -0.5, 0], [0, 0, 1]])
    np.testing.assert_allclose(turned.bonds[1][3], third @ turned.bonds[0][3] @ third.T, atol=1e-12)
    assert not np.allclose(turned.bonds[0][3], turned.bonds[1][3])


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: x.exchange("J", 1.0, 99), "bond: expected a number from 1 to .*, found 99"),
    (lambda x: x.exchange("J", 1.0, atoms="Fe"), "atoms: expected labels among Cu, found 'Fe'"),
    (lambda x: x.exchange("J", 1.0, atoms=["Cu", "Cu", "Cu"]), "atoms: expected a label or two, found"),
    (lambda x: x.exchange("J", "strong"), "J: expected a number, a vector or a 3x3 matrix, found 'strong'"),
    (lambda x: x.exchange("J", [1, 2]), "J: expected a finite 3x3 matrix, found shape"),
    (lambda x: x.exchange("J", np.nan), "J: expected a finite 3x3 matrix, found"),
    (lambda x: x.exchange("J", [1, 0, 0], biquadratic=True), "J: expected a finite number, found"),
    (lambda x: x.exchange("J", np.inf, biquadratic=True), "J: expected a finite number, found"),
    (lambda x: x.exchange("J", 2 * np.eye(3)).exchange("J", 2.0, 2), "J: expected a number or a matrix for each name"),
    (lambda x: x.exchange("J", [0, 0, 1]).exchange("J", [0, 1, 0], 2), "J: expected one value for each name"),
    (lambda x: x.anisotropy("A", [0, 0, 1], "Fe"), "atoms: expected labels among Cu or indices below 3, found 'Fe'"),
    (lambda x: x.anisotropy("A", [0, 0, 1], [3]), "atoms: expected labels among Cu or indices below 3, found 3"),
    (lambda x: x.anisotropy("A", [0, 0, 1]).exchange("A", [0, 0, 1]), "A: expected one value for each name"),
    (lambda x: x.anisotropy("A", 1.0), "A: expected a finite 3x3 matrix"),
    (lambda x: x.field([0, 1]), "field: expected three finite numbers"),
    (lambda x: x.twin([[1, 2], [3, 4]]), "twin: expected a finite 3x3 matrix"),
    (lambda x: x.model(MagneticStructure.tile([[0, 0, 1.0]] * 2)),
     "structure: expected 3 spins, 3 for each of 1 cells, found 2"),
    (lambda x: x.model(MagneticStructure.tile([[0, 0, 1.0], [0, 0, 2.0], [0, 0, 1.0]])),
     "structure: expected spin 1 to have the length 1 of Cu, found 2; lengths=crystal.lengths scales spins"),
])
def test_mistakes(call: Callable[[Interactions], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        call(Interactions(KAGOME))


def test_what_a_site_forbids() -> None:
    with pytest.raises(ModelError, match="A: expected a matrix that the symmetry of site Ni allows"):
        Interactions(CHAIN).anisotropy("A", [[0, 0.1, 0], [0.1, 0, 0], [0, 0, 0]])
    with pytest.raises(ModelError, match="g: expected a matrix that the symmetry of site Ni allows"):
        Interactions(Crystal(CHAIN.lattice, [Site("Ni", (0, 0, 0), 1.0, g=np.eye(3) + 0.1)], "P m m m"))
    with pytest.raises(ModelError, match="gNi: expected a matrix that the symmetry of site Ni allows"):
        Interactions(CHAIN).g("gNi", [[2, 0.1, 0], [0.1, 2, 0], [0, 0, 2]])
    with pytest.raises(GeometryError, match="max_distance: expected one that reaches a neighbour"):
        Interactions(CHAIN).dipolar(3.0)


def test_a_call_that_is_refused_leaves_nothing_behind() -> None:
    built = Interactions(CHAIN)
    for wrong in (lambda: built.exchange("D", [0, 0, 1.0]), lambda: built.anisotropy("D", np.ones((3, 3)))):
        with pytest.raises(ModelError, match="allow"):
            wrong()
    model = built.exchange("D", np.diag([-1, -1, -1.1])).model(MagneticStructure.tile([[0, 0, 1.0]]))
    assert len(model.bonds) == 1
    assert model.parameters["D"].value == 1.0


def test_a_lone_spin_needs_no_bonds() -> None:
    """Only a field: E = g muB B."""
    alone = Crystal(Lattice(20, 20, 20), [Site("Cu", (0, 0, 0), 0.5, g=2.2)])
    model = Interactions(alone).field([0, 0, 5]).model(MagneticStructure.tile([[0, 0, 0.5]]))
    np.testing.assert_allclose(model.spectrum([0, 0, 0]).energy, [[2.2 * 0.057883818066 * 5]])
