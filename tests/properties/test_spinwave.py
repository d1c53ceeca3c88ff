"""Invariances of linear spin waves: what must not change the numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from insml import ModelError, SpinModel, UnstableStructureError
from insml.spinwave import Twin

Q = np.array([[0.13, -0.21, 0.4], [0.5, 0.37, -0.12], [1.21, 0.08, 0.77]])
EYE = np.eye(3)


def canted(rotation: NDArray[np.float64] = EYE, supercell: tuple[int, int, int] = (1, 1, 1), shift: int = 0,
           turn_lattice: bool = False) -> SpinModel:
    """A two-sublattice antiferromagnet with DM coupling, easy axis and field, in a triclinic cell.

    ``rotation`` turns spins, couplings and field together (and the lattice when asked); ``supercell`` repeats it;
    ``shift`` moves the second site by whole cells.
    """
    lattice = np.array([[4.1, 0.0, 0.0], [0.7, 5.2, 0.0], [0.3, -0.4, 6.0]])
    dm = np.array([[0.0, 0.3, 0.0], [-0.3, 0.0, 0.1], [0.0, -0.1, 0.0]])
    exchange = rotation @ (2.0 * EYE + 0.2 * dm) @ rotation.T
    along = rotation @ np.diag([-0.4, -0.5, -0.7]) @ rotation.T
    aniso = rotation @ np.diag([0.0, 0.05, -0.6]) @ rotation.T
    spin = rotation @ np.array([0.0, 0.0, 1.5])
    n = np.array(supercell)
    cells = [np.array(c) for c in np.ndindex(*supercell)]
    index = {tuple(c): 2 * i for i, c in enumerate(cells)}
    positions, spins, bonds = [], [], []
    for c in cells:
        positions += [(c + [0.1, 0.2, 0.0]) / n, (c + [0.6, 0.55, 0.3 + shift]) / n]
        spins += [spin, -spin]

    def bond(c: NDArray[np.int64], i: int, j: int, dl: tuple[int, int, int], J: NDArray[np.float64]) -> None:
        to = c + np.array(dl)
        if shift and j == 1:
            to = to - [0, 0, shift]
        if shift and i == 1:
            to = to + [0, 0, shift]
        home, inside = np.floor_divide(to, n), np.mod(to, n)
        bonds.append((index[tuple(c)] + i, index[tuple(inside)] + j, home, J))

    for c in cells:
        for dl in ((0, 0, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1)):
            bond(c, 0, 1, dl, exchange)
        bond(c, 0, 0, (1, 0, 0), along)
        bond(c, 1, 1, (0, 1, 1), along)
    return SpinModel(
        lattice_vectors=lattice @ rotation.T if turn_lattice else lattice, supercell=supercell, positions=positions,
        spins=spins, anisotropy=[aniso] * (2 * len(cells)), bonds=bonds, field=rotation @ [0.0, 0.0, 0.7],
    )


def weights(model: SpinModel, q: NDArray[np.float64] = Q) -> NDArray[np.float64]:
    """Energy moments of S_perp: independent of the order and mixing of degenerate modes and of dark folded ones."""
    s = model.spectrum(q, tensor=False)
    return np.stack([(s.intensity * s.energy**p).sum(axis=1) for p in range(4)])


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_turning_everything_changes_nothing(angles: tuple[float, float, float]) -> None:
    rotation = Rotation.from_euler("zyx", angles).as_matrix()
    np.testing.assert_allclose(weights(canted(rotation, turn_lattice=True)), weights(canted()), rtol=1e-8)


@settings(max_examples=10, deadline=None)
@given(st.tuples(*[st.floats(-3, 3)] * 3))
def test_turning_spins_alone_keeps_energies(angles: tuple[float, float, float]) -> None:
    rotation = Rotation.from_euler("zyx", angles).as_matrix()
    np.testing.assert_allclose(canted(rotation).spectrum(Q).energy, canted().spectrum(Q).energy, rtol=1e-9)


@pytest.mark.parametrize("supercell", [(2, 1, 1), (1, 2, 2), (1, 3, 1)])
def test_supercell_keeps_intensities(supercell: tuple[int, int, int]) -> None:
    np.testing.assert_allclose(weights(canted(supercell=supercell)), weights(canted()), rtol=1e-8)


@settings(max_examples=10, deadline=None)
@given(st.integers(-2, 2))
def test_cell_in_which_a_site_is_stored_does_not_matter(shift: int) -> None:
    np.testing.assert_allclose(weights(canted(shift=shift)), weights(canted()), rtol=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.tuples(*[st.integers(-3, 3)] * 3))
def test_energies_repeat_with_the_reciprocal_lattice(g: tuple[int, int, int]) -> None:
    model = canted()
    np.testing.assert_allclose(model.spectrum(Q + np.array(g)).energy, model.spectrum(Q).energy, rtol=1e-9)


def test_threads_change_no_bit() -> None:
    q = np.random.default_rng(0).uniform(-1, 1, (101, 3))
    one, two = (canted().spectrum(q, threads=t) for t in (1, 2))
    assert np.array_equal(one.energy, two.energy)
    assert np.array_equal(one.intensity, two.intensity)
    assert np.array_equal(one.tensor, two.tensor)


def test_intensity_is_the_perpendicular_part_of_the_tensor() -> None:
    model = canted()
    s = model.spectrum(Q)
    q = Q @ (2 * np.pi * np.linalg.inv(model.lattice_vectors)).T
    hat = q / np.linalg.norm(q, axis=1, keepdims=True)
    perpendicular = EYE - np.einsum("qa,qb->qab", hat, hat)
    np.testing.assert_allclose(np.einsum("qab,qmab->qm", perpendicular, s.tensor).real, s.intensity, rtol=1e-10)


def test_a_twin_is_the_turned_crystal() -> None:
    rotation = Rotation.from_euler("z", 0.7).as_matrix()
    reference = canted()
    twinned = SpinModel(
        lattice_vectors=reference.lattice_vectors, supercell=(1, 1, 1), positions=reference.positions,
        spins=reference.spins, anisotropy=reference.anisotropy, bonds=reference.bonds,
        twins=(Twin(EYE, 0.3), Twin(rotation, 0.7)),
    )
    bare = SpinModel(
        lattice_vectors=reference.lattice_vectors, supercell=(1, 1, 1), positions=reference.positions,
        spins=reference.spins, anisotropy=reference.anisotropy, bonds=reference.bonds,
    )
    b = 2 * np.pi * np.linalg.inv(reference.lattice_vectors)
    inside = (np.linalg.inv(b) @ rotation.T @ b @ Q.T).T
    s = twinned.spectrum(Q)
    np.testing.assert_allclose(s.domains[1].energy, bare.spectrum(inside).energy, rtol=1e-9)
    np.testing.assert_allclose(s.domains[1].intensity, bare.spectrum(inside).intensity, rtol=1e-8)
    np.testing.assert_allclose(s.intensity[:, :2], 0.3 * bare.spectrum(Q).intensity, rtol=1e-9)


def test_unstable_structure_says_where_and_how_deep() -> None:
    chain = SpinModel(lattice_vectors=np.diag([3.0, 8.0, 8.0]), supercell=(1, 1, 1), positions=[[0, 0, 0]],
                      spins=[[0, 0, 1.0]], bonds=[(0, 0, (1, 0, 0), 1.0 * EYE)])
    with pytest.raises(UnstableStructureError) as caught:
        chain.spectrum([[0.0, 0, 0], [0.25, 0, 0]])
    # h = 2 J S (cos 2 pi h - 1) on both diagonal entries
    assert caught.value.q == (0.25, 0.0, 0.0)
    assert caught.value.lowest_eigenvalue == pytest.approx(-2.0)


@pytest.mark.parametrize(("change", "word"), [
    ({"spins": [[0, 0, 0.0]]}, "spin"),
    ({"bonds": [(0, 1, (0, 0, 0), EYE)]}, "bonds[0]"),
    ({"bonds": [(0, 0, (0, 0, 0), EYE)]}, "to itself"),
    ({"lattice_vectors": np.ones((3, 3))}, "volume"),
    ({"supercell": (1, 0, 1)}, "supercell"),
    ({"form_factors": [[1.0, 2.0]]}, "odd number"),
    ({"field": (0.0, np.nan, 0.0)}, "field"),
    ({"twins": (Twin(2 * EYE, 1.0),)}, "orthogonal"),
])
def test_contradictions_are_named(change: dict[str, object], word: str) -> None:
    good: dict[str, object] = {"lattice_vectors": np.diag([3.0, 8.0, 8.0]), "supercell": (1, 1, 1),
                               "positions": [[0, 0, 0]], "spins": [[0, 0, 1.0]], "bonds": [(0, 0, (1, 0, 0), -EYE)]}
    SpinModel(**good)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=word.replace("[", r"\[").replace("]", r"\]")):
        SpinModel(**(good | change))  # type: ignore[arg-type]
