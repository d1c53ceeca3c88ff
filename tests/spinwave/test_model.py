"""SpinModel: what it accepts, how it is taken apart, and what it gives in pieces."""

import numpy as np
import pytest

from insml import ModelError, SpinModel
from insml.studies import manganite

EYE = np.eye(3)
RNG = np.random.default_rng(5)
Q = RNG.uniform(-2, 2, (37, 3))


def square(size: int, j2: float = 0.1) -> SpinModel:
    """Antiferromagnet on a square lattice in a size x size magnetic cell."""
    index = {c: n for n, c in enumerate(np.ndindex(size, size))}
    bonds, labels = [], []
    for (x, y), i in index.items():
        for dx, dy, value, label in ((1, 0, 1.0, "J1"), (0, 1, 1.0, "J1"), (1, 1, j2, "J2"), (1, -1, j2, "J2")):
            dl = ((x + dx) // size, (y + dy) // size, 0)
            bonds.append((i, index[(x + dx) % size, (y + dy) % size], dl, value * EYE))
            labels.append(label)
    return SpinModel(
        lattice_vectors=np.diag([4.0, 4.0, 9.0]), supercell=(size, size, 1),
        positions=[(x / size, y / size, 0.0) for x, y in index], spins=[(0.0, 0.0, (-1.0) ** (x + y)) for x, y in index],
        anisotropy=np.tile(np.diag([0.0, 0.0, -0.02]), (size**2, 1, 1)), bonds=bonds, bond_labels=labels,
    )


def generic() -> SpinModel:
    spins = RNG.normal(size=(5, 3))
    easy = [-4.0 * np.outer(s, s) / (s @ s) for s in spins]
    bonds = [(i, (i + 1) % 5, RNG.integers(-1, 2, 3), RNG.normal(size=(3, 3)) * 0.2) for i in range(5)]
    return SpinModel(lattice_vectors=np.diag([5.0, 6.0, 7.0]), positions=RNG.random((5, 3)), spins=spins, anisotropy=easy,
                     bonds=bonds)


def test_a_collinear_magnet_splits_into_single_modes() -> None:
    found = square(4).describe()
    assert found.blocks == (1,) * 16
    assert found.path == "blocks"
    assert "16 x 1 mode" in str(found)


def test_no_symmetry_means_one_block() -> None:
    found = generic().describe()
    assert found.blocks == (5,)
    assert found.details[0].order == 10
    assert "no symmetry" in str(found)


@pytest.mark.parametrize("candidate", ["goodenough", "dimer"])
def test_manganite_splits_into_four_blocks_of_four(candidate: str) -> None:
    chosen = manganite.STUDY.candidates[candidate]
    model = SpinModel.from_dict(chosen.model(chosen.reference))
    assert model.describe().blocks == (4, 4, 4, 4)
    fast, whole = model.spectrum(Q), model.spectrum(Q, blocks=False)
    np.testing.assert_allclose(fast.energy, whole.energy, rtol=0, atol=1e-9)
    for power in range(3):
        np.testing.assert_allclose((fast.intensity * fast.energy**power).sum(1),
                                   (whole.intensity * whole.energy**power).sum(1), rtol=1e-9)


def test_blocks_are_found_anew_where_a_parameter_breaks_them() -> None:
    model = square(2, j2=0.0)
    assert model.describe().blocks == (1,) * 4
    moved = model.with_parameters({"J1(1,2)": 0.01, "J1(1,1)": 0.99, "J2": 0.2})
    whole = moved.spectrum(Q, blocks=False)
    np.testing.assert_allclose(moved.spectrum(Q).energy, whole.energy, rtol=0, atol=1e-9)
    back = moved.with_parameters({"J1(1,2)": 0.0, "J1(1,1)": 1.0, "J2": 0.0})
    np.testing.assert_allclose(back.spectrum(Q).energy, model.spectrum(Q).energy, rtol=0, atol=1e-9)


def test_parameters_move_couplings() -> None:
    model = square(2)
    assert model.parameters["J2"].value == 0.1
    moved = model.with_parameters({"J2": -0.3})
    assert moved.parameters["J2"].value == pytest.approx(-0.3)
    np.testing.assert_allclose(moved.spectrum(Q).energy, square(2, j2=-0.3).spectrum(Q).energy, rtol=1e-12)
    with pytest.raises(ModelError, match="J3"):
        model.with_parameters({"J3": 1.0})


def test_pieces_are_the_whole() -> None:
    model = generic()
    whole = model.spectrum(Q)
    for source in (Q, iter([Q[:20], Q[20:]])):
        pieces = list(model.spectra(source, chunk=7))
        assert max(len(p.q) for p in pieces) == 7
        np.testing.assert_array_equal(np.concatenate([p.energy for p in pieces]), whole.energy)
        np.testing.assert_array_equal(np.concatenate([p.tensor for p in pieces]), whole.tensor)


def test_tensor_now_is_tensor_later_and_holds_the_intensity() -> None:
    model = square(4)
    later, now = model.spectrum(Q), model.spectrum(Q, tensor=True)
    np.testing.assert_array_equal(later.tensor, now.tensor)
    cartesian = Q @ (2 * np.pi * np.linalg.inv(model.lattice_vectors)).T
    hat = cartesian / np.linalg.norm(cartesian, axis=1, keepdims=True)
    projector = EYE - hat[:, :, None] * hat[:, None, :]
    np.testing.assert_allclose(np.einsum("qab,qmab->qm", projector, now.tensor).real, now.intensity, atol=1e-12)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(threads: int) -> None:
    q = RNG.uniform(-2, 2, (700, 3))
    model = square(4)
    one, many = model.spectrum(q, threads=1), model.spectrum(q, threads=threads)
    np.testing.assert_array_equal(one.energy, many.energy)
    np.testing.assert_array_equal(one.intensity, many.intensity)


@pytest.mark.parametrize(("k", "n", "found"), [((0.2, 0, 0), None, "n = None"), ((0.2, 0, 0), (0, 0, 0), "direction")])
def test_rotating_frame_needs_both_k_and_axis(k: object, n: object, found: str) -> None:
    with pytest.raises(ModelError, match=found):
        square(1 + 1).replace(k=k, n=n)


def test_a_coupling_that_is_not_invariant_is_named() -> None:
    chain = {"lattice_vectors": EYE * 4, "positions": [(0, 0, 0)], "spins": [(1, 0, 0)], "k": (0.3, 0, 0), "n": (0, 0, 1)}
    SpinModel(**chain, bonds=[(0, 0, (1, 0, 0), np.diag([1, 1, 0.4]))])
    with pytest.raises(ModelError, match=r"bonds\[0\]\.J"):
        SpinModel(**chain, bonds=[(0, 0, (1, 0, 0), np.diag([1, 0.9, 1]))])
    with pytest.raises(ModelError, match=r"sites\[0\]\.aniso"):
        SpinModel(**chain, anisotropy=[np.diag([0.1, 0, 0])])
    with pytest.raises(ModelError, match="field"):
        SpinModel(**chain, field=(1.0, 0, 0))


def test_half_turns_are_a_two_cell_antiferromagnet() -> None:
    """2k a reciprocal lattice vector: two blocks, the supercell's numbers, and couplings need only a half turn."""
    exchange = np.diag([1.0, 0.8, 0.5])
    turning = SpinModel(lattice_vectors=np.diag([4.0, 8, 8]), positions=[(0, 0, 0)], spins=[(1, 0, 0)], k=(0.5, 0, 0),
                        n=(0, 0, 1), bonds=[(0, 0, (1, 0, 0), exchange)])
    doubled = SpinModel(lattice_vectors=np.diag([4.0, 8, 8]), supercell=(2, 1, 1), positions=[(0, 0, 0), (0.5, 0, 0)],
                        spins=[(1, 0, 0), (-1, 0, 0)],
                        bonds=[(0, 1, (0, 0, 0), exchange), (1, 0, (1, 0, 0), exchange)])
    a, b = turning.spectrum(Q), doubled.spectrum(Q)
    assert a.energy.shape == b.energy.shape == (len(Q), 2)
    np.testing.assert_allclose(np.sort(a.energy, axis=1), b.energy, atol=1e-9)
    np.testing.assert_allclose((a.tensor * a.energy[..., None, None]).sum(1), (b.tensor * b.energy[..., None, None]).sum(1),
                               atol=1e-9)


def test_indefinite_forms_keep_their_real_modes() -> None:
    """A ferromagnet against its field: every mode is real and lies where the field puts it, but none is a minimum."""
    chain = SpinModel(lattice_vectors=EYE * 4, positions=[(0, 0, 0)], spins=[(0, 0, 1)],
                      bonds=[(0, 0, (1, 0, 0), -EYE)], field=(0, 0, -30.0))
    s = chain.spectrum(Q, unstable="general")
    expected = 2 * (1 - np.cos(2 * np.pi * Q[:, 0])) - 2 * 0.057883818066 * 30.0
    np.testing.assert_allclose(s.energy[:, 0], expected, atol=1e-9)
    np.testing.assert_allclose(s.tensor[:, 0, 0, 0].real, 0.5, atol=1e-9)


def test_complex_modes_are_nan() -> None:
    """An antiferromagnet whose spins stand parallel: E^2 < 0 somewhere once the easy plane opens pair creation."""
    chain = SpinModel(lattice_vectors=EYE * 4, positions=[(0, 0, 0)], spins=[(1, 0, 0)],
                      bonds=[(0, 0, (1, 0, 0), EYE)], anisotropy=[np.diag([0.0, 0.0, 3.0])])
    s = chain.spectrum([[0.1, 0, 0], [0.5, 0, 0]], unstable="general")
    assert np.isnan(s.energy).any()
    assert np.array_equal(np.isnan(s.energy), np.isnan(s.intensity))
