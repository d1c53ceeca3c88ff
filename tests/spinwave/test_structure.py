"""Magnetic structures against explicit rotations, site by site."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml.errors import ModelError
from insml.spinwave.structure import MagneticStructure, commensurate_supercell, origins, rotation

KAGOME = np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.5, 0.5, 0.0]])
HEXAGONAL = np.array([[3.0, 0.0, 0.0], [-1.5, 1.5 * np.sqrt(3), 0.0], [0.0, 0.0, 5.0]])


def turned(vector, axis, turns):
    """Rotation of one vector by a fraction of a turn, from the textbook formula."""
    phi, n, v = 2 * np.pi * turns, np.asarray(axis, float) / np.linalg.norm(axis), np.asarray(vector, float)
    return v * np.cos(phi) + np.cross(n, v) * np.sin(phi) + n * (n @ v) * (1 - np.cos(phi))


def spin_at(structure, atom, cell):
    """The spin of an atom in any chemical cell, from the definition of a structure."""
    size = np.array(structure.supercell)
    inner, block = np.array(cell) % size, np.array(cell) // size * size
    spin = structure.spins[atom + structure.n_atoms * (inner[0] + size[0] * (inner[1] + size[1] * inner[2]))]
    return spin if structure.k is None else turned(spin, structure.n, structure.k @ block)


def test_sites_run_through_atoms_then_cells_x_y_z():
    spins = np.arange(1, 4)[:, None] * np.array([1.0, 0.0, 0.0])
    structure = MagneticStructure.tile(spins, (2, 3, 1))
    assert structure.n_atoms == 3
    assert structure.cells == 6
    np.testing.assert_array_equal(structure.lengths, np.tile([1, 2, 3], 6))
    np.testing.assert_array_equal(origins((2, 3, 1))[[0, 1, 2, 5]], [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 2, 0]])


def test_120_degrees_in_nine_cells():
    structure = MagneticStructure.helical([[0, 1.5, 0]], [1 / 3, 1 / 3, 0], supercell=(3, 3, 1))
    assert structure.k is None
    for x in range(3):
        for y in range(3):
            np.testing.assert_allclose(structure.spins[x + 3 * y], turned([0, 1.5, 0], [0, 0, 1], (x + y) / 3), atol=1e-14)


@pytest.mark.parametrize("supercell", [(1, 1, 1), (2, 1, 3)])
def test_incommensurate_cone_in_every_cell(supercell):
    k, n, start = np.array([0.13, 0.29, 0.41]), np.array([1.0, 2.0, 2.0]), np.array([[1.0, 0.2, 0.5], [0.3, -1.0, 0.0]])
    structure = MagneticStructure.helical(start, k, n, supercell)
    assert structure.k is not None
    for cell in ([0, 0, 0], [1, 2, 3], [5, -4, 2]):
        for atom in range(2):
            np.testing.assert_allclose(spin_at(structure, atom, cell), turned(start[atom], n, k @ cell), atol=1e-12)


def test_a_single_spin_turns_with_the_position_of_the_atom():
    k, n = np.array([0.2, 0.1, 0.0]), [0, 0, 1]
    structure = MagneticStructure.helical([[1, 0, 1]], k, n, (1, 2, 1), positions=KAGOME, lengths=[1.0, 2.0, 3.0])
    for atom, at in enumerate(KAGOME):
        for y in range(2):
            expected = (atom + 1) * turned([1, 0, 1], n, k @ (at + [0, y, 0])) / np.sqrt(2)
            np.testing.assert_allclose(structure.spins[atom + 3 * y], expected, atol=1e-12)
    first = MagneticStructure.helical([[1, 0, 0]], k, n, positions=KAGOME, r0=False)
    np.testing.assert_allclose(first.spins[0], [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(first.spins[2], turned([1, 0, 0], n, k @ (KAGOME[2] - KAGOME[0])), atol=1e-12)


def test_a_full_set_is_taken_as_it_is():
    spins = np.random.default_rng(1).standard_normal((6, 3))
    structure = MagneticStructure.helical(spins, [0.13, 0, 0], supercell=(2, 1, 1), positions=KAGOME)
    np.testing.assert_array_equal(structure.spins, spins)


def test_a_rounded_third_is_a_third():
    exact = MagneticStructure.helical([[1, 0, 0]], [1 / 3, 1 / 3, 0], supercell=(3, 3, 1))
    rounded = MagneticStructure.helical([[1, 0, 0]], [0.33333, 0.3333, 0], supercell=(3, 3, 1))
    assert rounded.k is None
    np.testing.assert_allclose(rounded.spins, exact.spins, atol=1e-14)


def test_circular_components_are_a_helix():
    k, n = np.array([0.17, 0.0, 0.3]), np.array([0.0, 0.6, 0.8])
    across, along = np.array([2.0, 0.8, -0.6]), 0.7 * n
    structure = MagneticStructure.fourier([[across + 1j * np.cross(n, across)], [along]], [k, [0, 0, 0]])
    helix = MagneticStructure.helical([across + along], k, n)
    np.testing.assert_allclose(structure.spins, helix.spins, atol=1e-14)
    np.testing.assert_allclose(structure.n, n, atol=1e-14)


def test_waves_the_supercell_holds_add_up():
    F, waves = np.array([[[0, 0, 1 + 1j]], [[0, 1 + 1j, 0]]]), np.array([[0.25, 0, 0], [0.5, 0.5, 0]])
    structure = MagneticStructure.fourier(F, waves, (4, 2, 1))
    for x in range(4):
        for y in range(2):
            expected = sum((f[0] * np.exp(-2j * np.pi * (k @ [x, y, 0]))).real for f, k in zip(F, waves, strict=True))
            np.testing.assert_allclose(structure.spins[x + 4 * y], expected, atol=1e-14)


def test_lattice_units_run_along_normalised_axes():
    structure = MagneticStructure.direct([[0, 2, 0], [1, 1, 0]], unit="lu", lattice=HEXAGONAL)
    np.testing.assert_allclose(structure.spins, [[-1, np.sqrt(3), 0], [0.5, np.sqrt(3) / 2, 0]], atol=1e-14)
    helix = MagneticStructure.helical([[0, 0, 1]], [0.1, 0, 0], [0, 1, 0], unit="lu", lattice=HEXAGONAL)
    np.testing.assert_allclose(helix.n, [-0.5, np.sqrt(3) / 2, 0], atol=1e-14)
    tilted = np.array([[3.0, 0, 0], [0, 3, 0], [1, 0, 3]])
    default = MagneticStructure.helical([[1, 0, 0]], [0.1, 0, 0], unit="lu", lattice=tilted)
    np.testing.assert_array_equal(default.n, [0, 0, 1])  # z, not c, as in SpinW


def test_angles():
    np.testing.assert_allclose(MagneticStructure.planar([0, 90, 210], 2.0).spins,
                               [[2, 0, 0], [0, 2, 0], [-np.sqrt(3), -1, 0]], atol=1e-14)
    np.testing.assert_allclose(MagneticStructure.planar([0, 90], n=[1, 0, 0]).spins, [[0, 1, 0], [0, 0, 1]], atol=1e-14)
    np.testing.assert_allclose(MagneticStructure.spherical([0, 90, 60], [0, 90, 180], [1, 2, 2]).spins,
                               [[0, 0, 1], [0, 2, 0], [-np.sqrt(3), 0, 1]], atol=1e-14)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.tuples(*[st.integers(1, 3)] * 3), st.tuples(*[st.integers(1, 3)] * 3), st.booleans())
def test_tiling_changes_no_spin(seed, supercell, factors, turning):
    rng = np.random.default_rng(seed)
    frame = {"k": rng.random(3), "n": rng.standard_normal(3)} if turning else {}
    structure = MagneticStructure.random([1.0, 2.5], supercell, seed=seed, **frame)
    tiled = structure.tiled(factors)
    assert tiled.supercell == tuple(np.array(supercell) * factors)
    for cell in rng.integers(-5, 6, (4, 3)):
        for atom in range(2):
            np.testing.assert_allclose(spin_at(tiled, atom, cell), spin_at(structure, atom, cell), atol=1e-11)


def test_tiling_up_to_the_period_gives_plain_spins():
    helix = MagneticStructure.helical([[1, 0, 0.5]], [0.2, 0, 0])
    assert helix.tiled((4, 1, 1)).k is not None
    assert helix.tiled((5, 1, 1)).k is None


def test_an_approximant_has_the_nearest_wave_vector():
    helix = MagneticStructure.helical([[1, 0, 0]], [0.13, 0, 0])
    plain = helix.approximant((8, 1, 1))
    assert plain.k is None
    np.testing.assert_allclose(plain.spins[:, 0], np.cos(2 * np.pi * np.arange(8) / 8), atol=1e-14)


def test_rotated_and_aligned():
    planar = MagneticStructure.helical([[1, 0, 0]], [0.2, 0, 0], supercell=(5, 1, 1))
    turned_spins = planar.rotated([1, 0, 0], 90).spins
    np.testing.assert_allclose(turned_spins[:, 1], 0, atol=1e-15)
    np.testing.assert_allclose(turned_spins[:, 2], planar.spins[:, 1], atol=1e-15)
    target = np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    np.testing.assert_allclose(planar.aligned(target).spins @ target, 0, atol=1e-14)
    collinear = MagneticStructure.direct([[0, 0, 1], [0, 0, -2]])
    np.testing.assert_allclose(collinear.aligned([1, 1, 0]).spins, [target, -2 * target], atol=1e-14)
    np.testing.assert_allclose(collinear.aligned([0, 0, -1]).spins, [[0, 0, -1], [0, 0, 2]], atol=1e-14)
    helix = MagneticStructure.helical([[1, 0, 0]], [0.13, 0, 0]).aligned([0, 1, 0])
    np.testing.assert_allclose(helix.n, [0, 1, 0], atol=1e-14)
    assert abs(helix.spins[0] @ helix.n) < 1e-14


def test_random_spins_are_even_and_repeatable():
    structure = MagneticStructure.random([1.5, 0.5], (10, 10, 10), seed=7)
    np.testing.assert_allclose(structure.lengths, np.tile([1.5, 0.5], 1000), rtol=1e-12)
    unit = structure.spins / structure.lengths[:, None]
    assert np.abs(unit.mean(axis=0)).max() < 5 / np.sqrt(3 * 2000)
    np.testing.assert_allclose(unit.T @ unit / 2000, np.eye(3) / 3, atol=0.03)
    np.testing.assert_array_equal(structure.spins, MagneticStructure.random([1.5, 0.5], (10, 10, 10), seed=7).spins)


def test_a_function_of_position():
    structure = MagneticStructure.from_function(lambda r: r + [0, 0, 1], KAGOME, (2, 1, 1))
    np.testing.assert_allclose(structure.spins[3:], np.column_stack([KAGOME[:, :2] + [1, 0], np.ones(3)]), atol=1e-15)


def test_directions_take_the_given_lengths():
    structure = MagneticStructure.direct([[3, 0, 0], [0, 0, -4]] * 2, (2, 1, 1), lengths=[1.5, 2.5])
    np.testing.assert_allclose(structure.spins, [[1.5, 0, 0], [0, 0, -2.5]] * 2)


@pytest.mark.parametrize(("k", "tolerance", "cell"), [
    ([1 / 3, 0.5, 0], 1e-4, (3, 2, 1)),
    ([[0.25, 0, 0], [1 / 6, 0, 0.2]], 1e-4, (12, 1, 5)),
    ([0.3333, 0, 0], 1e-3, (3, 1, 1)),
    ([0.35, 0, 0], 0.01, (20, 1, 1)),  # Matlab: rat(0.35, 0.01) is 7/20
    ([np.sqrt(2), 0, -0.4], 1e-3, (29, 1, 5)),
])
def test_supercell_for_a_wave_vector(k, tolerance, cell):
    assert commensurate_supercell(k, tolerance) == cell


def test_rotation_is_right_handed():
    np.testing.assert_allclose(rotation([0, 0, 1], 90) @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    assert rotation([0, 0, 1], np.zeros((2, 4))).shape == (2, 4, 3, 3)


@pytest.mark.parametrize(("build", "message"), [
    (lambda: MagneticStructure((2, 1, 1), np.ones((3, 3))), "spins: expected a multiple of 2"),
    (lambda: MagneticStructure((0, 1, 1), np.ones((1, 3))), "supercell: expected three positive"),
    (lambda: MagneticStructure((1, 1, 1), np.ones((1, 3)), k=np.zeros(3)), "k, n: expected both"),
    (lambda: MagneticStructure.helical(np.ones((1, 3)), [0.1, 0, 0], [0, 0, 0]), "n: expected a direction"),
    (lambda: MagneticStructure.helical(np.ones((2, 3)), [0.1, 0, 0], positions=KAGOME), "spins: expected one"),
    (lambda: MagneticStructure.direct(np.ones((1, 3)), unit="lu"), "lattice: expected"),
    (lambda: MagneticStructure.direct(np.ones((1, 3)), unit="rlu"), "unit: expected"),
    (lambda: MagneticStructure.direct([[0, 0, 0]], lengths=[1]), r"spins\[0\]: expected a direction"),
    (lambda: MagneticStructure.direct([[0, 0, 1]], lengths=[-1]), "lengths: expected"),
    (lambda: MagneticStructure.fourier([[1, 0, 0]], [0.13, 0, 0]), "circular components"),
    (lambda: MagneticStructure.fourier([[[1, 1j, 0]]] * 2, [[0.13, 0, 0], [0.3, 0, 0]]), "at most one k"),
    (lambda: MagneticStructure.from_function(lambda r: r[:1], KAGOME), "function: expected 3"),
    (lambda: commensurate_supercell([0.1, 0.2]), "k: expected"),
])
def test_mistakes_are_named(build, message):
    with pytest.raises(ModelError, match=message):
        build()
