"""The blocks that are found, against the whole form; and what must not change the numbers of models that split."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from test_random_models import fuzz

from insml import ModelError, SpinModel, UnstableStructureError

Array = NDArray[np.float64]
EYE = np.eye(3)
Q = np.random.default_rng(11).uniform(-1, 1, (9, 3))
CELLS = [(1, 1, 1), (2, 1, 1), (2, 2, 1), (1, 3, 1), (2, 1, 2), (4, 2, 1)]
seeds = st.integers(0, 2**32 - 1)


def numbers(model: SpinModel, q: Array = Q, **options: Any) -> tuple[Array, Array, NDArray[np.complex128]]:
    """Energies, and sums of S_perp and S^ab over modes times (E / 20 meV)^p, p = 0..3: blind to how equal modes mix."""
    s = model.spectrum(q, **options)
    power = np.stack([(s.energy / 20) ** p for p in range(4)])
    weight, tensor = np.einsum("qm,pqm->pq", s.intensity, power), np.einsum("qmab,pqm->pqab", s.tensor, power)
    return np.sort(s.energy, axis=1), weight, tensor


def assert_same(found: tuple[Any, ...], expected: tuple[Any, ...], tolerance: float = 1e-9) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1.0, np.abs(other).max()))


def structured(seed: int, supercell: tuple[int, int, int], order: str) -> SpinModel:
    """One to three atoms with random couplings in a triclinic cell, repeated. "axial": all along z with couplings that
    conserve S^z; "collinear": along z, any couplings; "free": any directions. Held by local easy axes, to which a torque
    turned back is added."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    axes = np.array([fuzz.unit(rng) for _ in range(n)]) if order == "free" else rng.choice([-1.0, 1.0], n)[:, None] * EYE[2]
    spins = axes * rng.choice([1.0, 1.5, 2.5], n)[:, None]
    length, torque, bound = np.linalg.norm(spins, axis=1), np.zeros((n, 3)), np.ones(n)
    links = []
    for i, j, dl in fuzz.links(rng, n, 3 * n):
        J = rng.normal() * EYE + fuzz.cross(rng.normal(0, 0.3) * EYE[2]) if order == "axial" else rng.normal(0, 0.6, (3, 3))
        links.append((i, j, dl, J))
        for a, b, M in ((i, j, J), (j, i, J.T)):
            torque[a] += M @ spins[b]
            bound[a] += 2 * np.linalg.norm(M) * max(length[a], length[b])
    across = torque - axes * np.einsum("ia,ia->i", torque, axes)[:, None]
    mixed = np.einsum("ia,ib->iab", across, axes)
    anisotropy = -((1.2 * bound / length)[:, None, None] * np.einsum("ia,ib->iab", axes, axes)
                   + (mixed + mixed.transpose(0, 2, 1)) / (2 * length[:, None, None]))
    size = np.array(supercell)
    cells = [np.array(c) for c in np.ndindex(*supercell)]
    bonds = []
    for at, c in enumerate(cells):
        for i, j, dl, J in links:
            home, inside = np.divmod(c + dl, size)
            bonds.append((n * at + i, n * int(np.ravel_multi_index(tuple(inside), supercell)) + j, home, J))
    inside = rng.uniform(size=(n, 3))
    return SpinModel(
        lattice_vectors=[[4.1, 0.0, 0.0], [0.7, 5.2, 0.0], [0.3, -0.4, 6.0]], supercell=supercell, bonds=bonds,
        positions=np.concatenate([(inside + c) / size for c in cells]), spins=np.tile(spins, (len(cells), 1)),
        anisotropy=np.tile(anisotropy, (len(cells), 1, 1)))


models = st.builds(structured, seeds, st.sampled_from(CELLS), st.sampled_from(["axial", "collinear", "free"]))


@settings(max_examples=60, deadline=None)
@given(models)
def test_blocks_give_what_the_whole_form_gives(model: SpinModel) -> None:
    assert_same(numbers(model), numbers(model, blocks=False))


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_blocks_of_random_models(seed: int) -> None:
    """Helices, fields, twins, biquadratic terms, form factors; the same instability where there is one."""
    case = fuzz.sound(np.random.default_rng(seed))
    options = {key: case.options[key] for key in ("form_factor", "g_tensor")}
    found = []
    for blocks in (True, False):
        try:
            found.append(numbers(SpinModel(**case.model), blocks=blocks, **options))
        except UnstableStructureError as error:
            found.append((error.q, error.lowest_eigenvalue))
        except ModelError:
            found.append(())
    assert len(found[0]) == len(found[1])
    # modes near zero round in their own way
    if len(found[1]) < 3 or found[1][0].min() > 1e-3 * max(1.0, found[1][0].max()):
        assert_same(*found)


@pytest.mark.parametrize("across", [0.0, 0.1])
@pytest.mark.parametrize("h", [-0.25, 0.25])
def test_an_instability_at_minus_q_is_one_at_q(across: float, h: float) -> None:
    """Parallel spins with J > 0, E(q) = 2J(cos q - 1) +- 2D sin q: positive at one of +-q only. h(q) holds the other as a
    hole's, alone in its block or, with couplings that do not conserve S^z, with the particle in a block of two."""
    J = np.diag([1.0 - across, 1.0 + across, 1.0]) + fuzz.cross(2.0 * EYE[2])
    chain = SpinModel(lattice_vectors=np.diag([3.0, 8.0, 8.0]), positions=[[0, 0, 0]], spins=[[0, 0, 1.0]],
                      bonds=[(0, 0, (1, 0, 0), J)])
    depth = []
    for blocks in (True, False):
        with pytest.raises(UnstableStructureError) as caught:
            chain.spectrum([[h, 0, 0]], blocks=blocks)
        depth.append(caught.value.lowest_eigenvalue)
    assert depth[0] == pytest.approx(depth[1]) == pytest.approx(-6.0, abs=0.1)


@pytest.mark.parametrize("order", ["axial", "collinear", "free"])
def test_repeated_cells_are_split(order: str) -> None:
    """Four cells hold four wave vectors of one, so no block needs more modes than there are atoms. The search may miss
    some, where couplings are small against the easy axes."""
    largest = [(max(structured(seed, (2, 2, 1), order).describe().blocks), len(structured(seed, (1, 1, 1), order).spins))
               for seed in range(12)]
    assert sum(modes <= atoms for modes, atoms in largest) >= 11, largest


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from(CELLS), st.sampled_from(["axial", "free"]))
def test_a_repeated_cell_changes_no_intensity(seed: int, supercell: tuple[int, int, int], order: str) -> None:
    assert_same(numbers(structured(seed, supercell, order))[1:], numbers(structured(seed, (1, 1, 1), order))[1:], 1e-7)


@settings(max_examples=20, deadline=None)
@given(models, st.randoms(use_true_random=False))
def test_the_order_of_sites_and_bonds_does_not_matter(model: SpinModel, random: Any) -> None:
    order = list(range(len(model.spins)))
    random.shuffle(order)
    place = np.argsort(order)
    bonds = [(place[i], place[j], dl, J) if random.random() < 0.5 else (place[j], place[i], -dl, J.T)
             for i, j, dl, J in model.bonds]
    random.shuffle(bonds)
    permuted = SpinModel(
        lattice_vectors=model.lattice_vectors, supercell=model.supercell, positions=model.positions[order],
        spins=model.spins[order], anisotropy=model.anisotropy[order], bonds=bonds)
    assert_same(numbers(permuted), numbers(model))


@settings(max_examples=20, deadline=None)
@given(seeds, st.floats(-3, 3), st.sampled_from(["axial", "collinear"]))
def test_couplings_turned_about_the_moments_turn_the_tensor(seed: int, angle: float, order: str) -> None:
    """Spins along z stay; J -> R J R^T changes no energy and takes S^ab to R S R^T."""
    model, R = structured(seed, (2, 2, 1), order), Rotation.from_euler("z", angle).as_matrix()
    turned = model.replace(
        bonds=[(i, j, dl, R @ J @ R.T) for i, j, dl, J in model.bonds], anisotropy=R @ model.anisotropy @ R.T)
    energy, _, tensor = numbers(model)
    found = numbers(turned)
    assert_same((found[0], found[2]), (energy, R @ tensor @ R.T))


@settings(max_examples=20, deadline=None)
@given(models, st.tuples(*[st.integers(-3, 3)] * 3))
def test_reciprocal_lattice_vectors_of_the_magnetic_cell(model: SpinModel, G: tuple[int, int, int]) -> None:
    """Energies repeat with it. S^ab does with spins at the corners of chemical cells and vectors of the chemical cell."""
    np.testing.assert_allclose(
        numbers(model, Q + np.array(G) / model.supercell)[0], numbers(model)[0], rtol=1e-8, atol=1e-9)
    corners = model.replace(positions=np.round(model.positions * model.supercell) / model.supercell)
    assert_same(numbers(corners, Q + np.array(G))[2], numbers(corners)[2], 1e-8)


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([[[1, 1, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
                               [[1, 0, -2], [1, 1, 0], [0, 0, 1]], [[2, 1, 1], [1, 1, 0], [0, 0, 1]]]))
def test_another_choice_of_lattice_vectors(seed: int, choice: list[list[int]]) -> None:
    """Rows U a of a cell of the same volume: positions and cells in them are x U^-1, wave vectors U hkl."""
    model, U = structured(seed, (1, 1, 1), "free"), np.array(choice, float)
    inverse = np.round(np.linalg.inv(U))
    other = SpinModel(
        lattice_vectors=U @ model.lattice_vectors, positions=model.positions @ inverse, spins=model.spins,
        anisotropy=model.anisotropy, bonds=[(i, j, dl @ inverse, J) for i, j, dl, J in model.bonds])
    assert_same(numbers(other, Q @ U.T), numbers(model))


def test_a_magnetic_cell_that_is_not_along_the_axes() -> None:
    """The square antiferromagnet in its cell of two, (a + b, a - b), and in 2 x 2 chemical cells, of half the volume."""
    J, A = 1.3 * EYE, np.diag([0.0, 0.0, -0.2])
    tilted = SpinModel(
        lattice_vectors=[[4.0, 4.0, 0.0], [4.0, -4.0, 0.0], [0.0, 0.0, 6.0]], positions=[[0, 0, 0], [0.5, 0.5, 0]],
        spins=[[0, 0, 1.0], [0, 0, -1.0]], anisotropy=[A, A],
        bonds=[(0, 1, dl, J) for dl in ((0, 0, 0), (-1, 0, 0), (0, -1, 0), (-1, -1, 0))])
    sites = list(np.ndindex(2, 2))
    bonds = []
    for x, y in sites:
        for dx, dy in ((1, 0), (0, 1)):
            bonds.append((2 * x + y, 2 * ((x + dx) % 2) + (y + dy) % 2, ((x + dx) // 2, (y + dy) // 2, 0), J))
    straight = SpinModel(
        lattice_vectors=np.diag([4.0, 4.0, 6.0]), supercell=(2, 2, 1), positions=[[x / 2, y / 2, 0] for x, y in sites],
        spins=[[0, 0, (-1.0) ** (x + y)] for x, y in sites], anisotropy=[A] * 4, bonds=bonds)
    in_tilted = Q @ np.array([[1, 1, 0], [1, -1, 0], [0, 0, 1]])  # h' = Q.(a + b) / 2 pi
    moments = [numbers(tilted, in_tilted)[1:], numbers(straight)[1:]]
    assert_same(moments[0], tuple(2 * m for m in moments[1]), 1e-8)


def mesh(n: int) -> Array:
    """A regular mesh of the zone of the chemical cell along h and k, off its points of symmetry."""
    at = (np.arange(n) + 0.37) / n
    return np.stack([*(x.ravel() for x in np.meshgrid(at, at, indexing="ij")), 0.21 * np.ones(n * n)], axis=1)


def test_sum_rule_of_a_ferromagnet() -> None:
    """No zero-point motion: S^xx + S^yy of all modes, averaged over the zone, is the sum of S; S^zz is of second order."""
    rng, lengths = np.random.default_rng(3), [0.5, 1.5, 2.0]
    positions = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.25, 0.75, 0.0]])
    bonds = [(i, j, dl, -rng.uniform(0.5, 2) * EYE) for i, j, dl in fuzz.links(rng, 3, 9)]
    model = SpinModel(lattice_vectors=np.diag([4.0, 5.0, 6.0]), positions=positions, spins=[[0, 0, S] for S in lengths],
                      bonds=bonds)
    # positions at quarters: their interference averages out over four zones each way
    tensor = model.spectrum(mesh(24) * [4, 4, 1]).tensor.sum(axis=1).mean(axis=0)
    np.testing.assert_allclose(tensor, np.sum(lengths) * np.array([[0.5, -0.5j, 0], [0.5j, 0.5, 0], [0, 0, 0]]), atol=1e-9)


def test_sum_rule_of_an_antiferromagnet() -> None:
    """S^xx + S^yy per spin is S (1 + 2 n), n = mean of (A/w - 1)/2 the bosons of each spin, A = 4JS + 2DS,
    w = sqrt(A^2 - (2JS (cos h + cos k))^2)."""
    J, S, D, n = 1.1, 2.5, 0.07, 16
    cells = list(np.ndindex(2, 2))
    bonds = []
    for x, y in cells:
        for dx, dy in ((1, 0), (0, 1)):
            bonds.append((2 * x + y, 2 * ((x + dx) % 2) + (y + dy) % 2, ((x + dx) // 2, (y + dy) // 2, 0), J * EYE))
    model = SpinModel(
        lattice_vectors=np.diag([4.0, 4.0, 6.0]), supercell=(2, 2, 1), positions=[[x / 2, y / 2, 0] for x, y in cells],
        spins=[[0, 0, S * (-1.0) ** (x + y)] for x, y in cells], anisotropy=[np.diag([0, 0, -D])] * 4, bonds=bonds)
    q = mesh(n)
    tensor = model.spectrum(q).tensor.sum(axis=1).mean(axis=0)
    A, B = 4 * J * S + 2 * D * S, 2 * J * S * np.cos(2 * np.pi * q[:, :2]).sum(axis=1)
    bosons = np.mean((A / np.sqrt(A**2 - B**2) - 1) / 2)
    assert bosons > 0.02
    np.testing.assert_allclose(tensor, S * (1 + 2 * bosons) * np.diag([0.5, 0.5, 0.0]), atol=1e-9)
