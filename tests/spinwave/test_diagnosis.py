"""What is said about structures that are not minima, checked by moving the spins as told."""

import json
import pickle

import numpy as np
import pytest

from insml.errors import UnstableStructureError
from insml.spinwave import SpinModel
from insml.spinwave.classical import MU_B, energy
from insml.spinwave.diagnosis import diagnose, explain_instability, is_stationary, softest_motion
from insml.spinwave.structure import MagneticStructure

ONE = np.eye(3)


def chain(*exchange, **more):
    return SpinModel(lattice_vectors=np.diag([3.0, 8.0, 8.0]), positions=[[0, 0, 0]], spins=[[0, 0, 1.5]],
                     bonds=[(0, 0, [m + 1, 0, 0], J * ONE) for m, J in enumerate(exchange)], **more)


def two_sublattices(**more):
    return SpinModel(**{"lattice_vectors": 3 * ONE, "supercell": (2, 1, 1), "positions": [[0, 0, 0], [0.5, 0, 0]],
                        "spins": [[0, 0, 1], [0, 0, -1]], "bonds": [(0, 1, [0, 0, 0], 2 * ONE), (1, 0, [1, 0, 0], 2 * ONE)],
                        "labels": ["up", "down"], **more})


def test_a_minimum_is_called_one():
    found = diagnose(chain(-1.0, 0.2))
    assert found.stationary
    assert found.stable
    assert found.gain == pytest.approx(0, abs=1e-12)
    assert found.explain().startswith("The structure is a minimum")


def test_a_ferromagnet_that_wants_to_be_a_spiral():
    """h(q) = S (J(q) - J(0)) for a ferromagnet, lowest at cos(2 pi q) = 1/4 with -9/4 S."""
    model = chain(-1.0, 1.0)
    q = np.arccos(0.25) / (2 * np.pi)
    found = diagnose(model, [q, 0, 0])
    np.testing.assert_allclose(found.q, [q, 0, 0], atol=1e-12)
    assert found.lowest == pytest.approx(-1.5 * 2.25, rel=1e-12)
    assert found.stationary
    assert not found.stable
    assert found.relaxation.energy == pytest.approx(found.energy, abs=1e-12)
    np.testing.assert_allclose(found.wave_vector.k, [q, 0, 0], atol=1e-9)
    text = found.explain()
    for part in ("lie along their fields", "site 0 with q = (0.2098, 0, 0)", "another cell", "prefer k = (0.2098, 0, 0)"):
        assert part in text
    assert diagnose(model).q[0] == pytest.approx(q, abs=1 / 96)


def test_an_antiferromagnet_along_the_field_flops():
    found = diagnose(two_sublattices(field=[0, 0, 20.0]))
    assert found.stationary
    assert not found.stable
    np.testing.assert_array_equal(found.q, 0)
    np.testing.assert_allclose(found.displacement[:, 2], 0, atol=1e-12)
    # J + (g muB B)^2 / 8 J per spin in all
    assert found.gain == pytest.approx((2 * MU_B * 20) ** 2 / 16, rel=1e-9)
    assert "Relaxing in this magnetic cell wins 0.3351 meV per spin" in found.explain()


def test_torque_is_named_first():
    angle = 0.3
    model = two_sublattices(spins=[[np.sin(angle), 0, np.cos(angle)], [0, 0, -1]])
    assert not is_stationary(model)
    assert is_stationary(two_sublattices())
    found = diagnose(model)
    np.testing.assert_allclose(found.torque, 4 * np.sin(angle), rtol=1e-12)
    assert "largest torque is 1.182 meV, on site" in found.explain()
    assert "relax(model)" in explain_instability(model, [0, 0, 0])


@pytest.mark.parametrize("spin", [[0.9, 0.0, 1.2], [0.0, 0.0, 1.5], [1.5, 0.0, 0.0], [0.6, 1.1, -0.8]])
def test_the_motion_lowers_the_energy_as_much_as_the_eigenvalue_says(spin):
    """E = eigenvalue * sum |D|^2 / 4 S per magnetic cell, to second order, for spins that are at rest."""
    spin = 1.5 * np.array(spin) / np.linalg.norm(spin)
    axis = spin / 1.5
    across = np.cross(axis, [0.3, 0.5, 0.8])
    easy = 0.3 * (ONE - np.outer(axis, axis)) + 0.1 * np.outer(across, across)
    D = 0.2 * axis
    dm = np.array([[0, D[2], -D[1]], [-D[2], 0, D[0]], [D[1], -D[0], 0]])
    bonds = [(0, 0, [1, 0, 0], -ONE + dm), (0, 0, [2, 0, 0], ONE)]
    model = SpinModel(lattice_vectors=3 * ONE, positions=[[0, 0, 0]], spins=[spin], bonds=bonds, anisotropy=[easy])
    assert is_stationary(model)
    cells, q, size = 10, np.array([0.2, 0, 0]), 1e-3
    lowest = np.linalg.eigvalsh(model.core.hamiltonian(q[None])[0])[0]
    assert lowest < -1
    motion = softest_motion(model, q)
    assert np.linalg.norm(motion[0]) == pytest.approx(1)
    big = SpinModel(
        lattice_vectors=3 * ONE, supercell=(cells, 1, 1), positions=np.arange(cells)[:, None] * [1 / cells, 0, 0],
        spins=MagneticStructure.of(model).tiled((cells, 1, 1)).spins, anisotropy=[easy] * cells,
        bonds=[(x, (x + dl[0]) % cells, [(x + dl[0]) // cells, 0, 0], J) for x in range(cells) for _, _, dl, J in bonds])
    moved = big.spins + size * np.real(motion[0] * np.exp(2j * np.pi * q[0] * np.arange(cells))[:, None])
    moved *= 1.5 / np.linalg.norm(moved, axis=1)[:, None]
    assert (energy(big, moved) - energy(big)) / size**2 == pytest.approx(lowest / (4 * 1.5), rel=1e-5)


def test_published_structures_are_at_rest(shared_data):
    """Structures of SpinW's and pySpinW's authors, spirals and cones among them; C24's spins are round numbers."""
    seen = 0
    for path in sorted((shared_data / "oracles" / "lswt").glob("[ABC]*.json")):
        model = SpinModel.from_dict(json.loads(path.read_text())["model"])
        assert is_stationary(model) is not path.name.startswith("C24"), path.name
        seen += 1
    assert seen > 20


def test_one_line_for_the_error():
    beyond = explain_instability(chain(-1.0, 1.0), [0.21, 0, 0])
    assert "which the magnetic cell does not hold" in beyond
    inside = explain_instability(two_sublattices(field=[0, 0, 20.0]), [0.5, 0, 0])
    assert "repeats with the magnetic cell" in inside
    assert "site 0 (up), site 1 (down)" in inside
    assert "\n" not in beyond + inside


def test_the_line_never_gets_in_the_way():
    assert explain_instability(None, [0, 0, 0]) == ""


def test_the_line_is_found_when_it_is_read_and_stays_with_the_error():
    with pytest.raises(UnstableStructureError) as caught:
        chain(1.0).spectrum([[0.3, 0, 0]])
    again = pickle.loads(pickle.dumps(caught.value))
    assert "relax(model)" in caught.value.reason
    assert str(again) == str(caught.value)
    assert again.q == caught.value.q
    assert str(caught.value).endswith("; " + caught.value.reason)
