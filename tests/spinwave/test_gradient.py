"""Derivatives with respect to named parameters: closed forms, degenerate levels, and what is refused."""

import numpy as np
import pytest
from numpy.typing import NDArray

from insml import GeometryError, ModelError, SpinModel, UnstableStructureError
from insml.spinwave import Twin
from insml.spinwave.gradient import broadened, gradient
from insml.studies import manganite

EYE = np.eye(3)
Q = np.array([[0.13, 0.21, 0.0], [0.37, -0.4, 0.2], [0.71, 0.05, 0.5]])
FE3 = [0.3972, 13.2442, 0.6295, 4.9034, -0.0314, 0.3496, 0.0, 1.0, 0.0, 1.0, 0.0044]


def chain(J: float, A: float, S: float = 1.5, **more: object) -> SpinModel:
    """Two-sublattice antiferromagnetic chain along a, easy axis z: S_z^2 A."""
    return SpinModel(
        lattice_vectors=np.diag([3.0, 8.0, 8.0]), supercell=(2, 1, 1), positions=[[0, 0, 0], [0.5, 0, 0]],
        spins=[[0, 0, S], [0, 0, -S]], bonds=[(0, 1, (0, 0, 0), J * EYE), (1, 0, (1, 0, 0), J * EYE)],
        bond_labels=["J", "J"], anisotropy=np.tile(np.diag([0, 0, A]), (2, 1, 1)), **more)


@pytest.mark.parametrize("blocks", [True, False])
def test_antiferromagnetic_chain(blocks: bool) -> None:
    """E = 2 S sqrt((J - A)^2 - (J cos 2 pi h)^2), S_perp(Q along a) = S (J - A - J cos) / sqrt(...) over both modes."""
    J, A, S = 1.7, -0.2, 1.5
    h = np.array([0.1, 0.25, 0.43])
    q = np.stack([h, 0 * h, 0 * h], axis=1)
    g = gradient(chain(J, A, S), q, ["J"], blocks=blocks)
    c = np.cos(2 * np.pi * h)
    root = np.sqrt((J - A) ** 2 - (J * c) ** 2)
    slope = (J - A - J * c**2) / root
    np.testing.assert_allclose(g.energy, np.stack([2 * S * root] * 2, axis=1), rtol=1e-12)
    np.testing.assert_allclose(g.d_energy[..., 0], np.stack([2 * S * slope] * 2, axis=1), rtol=1e-11)
    # Q is along x: y fluctuations alone, which one of the two modes of a level carries, or both half
    np.testing.assert_allclose(g.intensity.sum(axis=1), S / 2 * (J - A - J * c) / root, rtol=1e-12)
    expected = S / 2 * ((1 - c) / root - (J - A - J * c) * slope / root**2)
    np.testing.assert_allclose(g.d_intensity[..., 0].sum(axis=1), expected, rtol=1e-10, atol=1e-12)


def test_a_ferromagnet_in_a_field() -> None:
    """E = 2 S |J| (1 - cos 2 pi h) + g muB B: each parameter by itself."""
    model = SpinModel(lattice_vectors=np.diag([3.0, 8.0, 8.0]), positions=[[0, 0, 0]], spins=[[0, 0, 2.0]],
                      bonds=[(0, 0, (1, 0, 0), -1.1 * EYE)], bond_labels=["J"], field=[0, 0, 5.0])
    h = np.array([0.0, 0.2, 0.5])
    g = gradient(model, np.stack([h, 0 * h, 0 * h], axis=1))
    assert g.parameters == ("J", "B")
    np.testing.assert_allclose(g.d_energy[:, 0, 0], -4.0 * (1 - np.cos(2 * np.pi * h)), atol=1e-12)
    np.testing.assert_allclose(g.d_energy[:, 0, 1], 2 * 5.7883818060e-2, rtol=1e-8)
    np.testing.assert_allclose(g.d_intensity, 0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["goodenough", "dimer"])
def test_a_scale_of_all_couplings_is_a_scale_of_energies(name: str) -> None:
    """Euler: sum_p p dE/dp = E and sum_p p dI/dp = 0, here for both models of the manganite, by blocks."""
    candidate = manganite.STUDY.candidates[name]
    model = candidate.spin_model()
    assert len(model.describe().blocks) == 4
    values = np.array(list(candidate.reference.values()))
    q = np.random.default_rng(2).uniform(-2, 2, (50, 3))
    g = model.gradient(q, form_factor=True)
    assert g.parameters == candidate.names
    np.testing.assert_allclose(g.d_energy @ values, g.energy, rtol=1e-9)
    scale = np.abs(g.d_intensity * values).max()
    np.testing.assert_allclose(g.d_intensity @ values, 0, atol=1e-9 * scale)


def test_sums_over_a_level_that_a_parameter_splits() -> None:
    """Exchange along x alone parts the two modes of the chain: sums of I E^p still have the derivative that is shown."""
    model = chain(1.7, -0.2)

    def sums(x: float) -> NDArray[np.float64]:
        s = model.with_parameters({"J(1,1)": 1.7 + x}).spectrum(Q)
        return np.stack([(s.intensity * s.energy**p).sum(axis=1) for p in range(3)], axis=1)

    g = gradient(model, Q, ["J(1,1)"])
    assert np.ptp(g.energy, axis=1).max() < 1e-9
    assert np.ptp(g.d_energy, axis=1).min() > 0.1
    found = np.stack([(g.d_intensity[..., 0] * g.energy**p
                       + p * g.intensity * g.energy ** max(p - 1, 0) * g.d_energy[..., 0]).sum(axis=1)
                      for p in range(3)], axis=1)
    step = 1e-3
    expected = (sums(-2 * step) - 8 * sums(-step) + 8 * sums(step) - sums(2 * step)) / (12 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-8)


def test_broadened_is_the_sum_of_gaussians() -> None:
    model = chain(1.7, -0.2, form_factors=[FE3, FE3], twins=[Twin(EYE, 0.3), Twin(EYE[[1, 2, 0]], 0.7)])
    at = np.linspace(0, 8, 33)
    sigma = (0.4 + 0.05 * at) / np.sqrt(8 * np.log(2))
    total, slopes = broadened(model, Q, at, [0.05, 0.4], ["J"], form_factor=True)
    s = model.spectrum(Q, form_factor=True)
    shape = np.exp(-((at[:, None] - s.energy[:, None, :]) ** 2) / (2 * sigma[:, None] ** 2)) / (
        np.sqrt(2 * np.pi) * sigma[:, None])
    np.testing.assert_allclose(total, np.einsum("qem,qm->qe", shape, s.intensity), rtol=1e-10, atol=1e-14)
    step = 1e-3
    moved = [broadened(model.with_parameters({"J": 1.7 + n * step}), Q, at, [0.05, 0.4], (), form_factor=True)[0]
             for n in (-2, -1, 1, 2)]
    expected = (moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / (12 * step)
    np.testing.assert_allclose(slopes[..., 0], expected, atol=1e-8)


def test_a_helix_moves_with_exchange_that_is_invariant_about_its_axis() -> None:
    model = SpinModel(
        lattice_vectors=[[3, 0, 0], [-1.5, 2.598076211353316, 0], [0, 0, 5]], positions=[[0, 0, 0]],
        spins=[[1.5, 0, 0]], k=[1 / 3, 1 / 3, 0], n=[0, 0, 1], bond_labels=["J1"] * 3 + ["D"],
        bonds=[(0, 0, dl, EYE) for dl in ((1, 0, 0), (0, 1, 0), (1, 1, 0))] + [(0, 0, (0, 0, 1), np.diag([-0.2, -0.2, 0]))])
    g = gradient(model, Q, ["J1", "D"])
    assert g.energy.shape == (3, 3)
    # E scales with all couplings
    np.testing.assert_allclose(g.d_energy @ [1.0, 1.0], g.energy, rtol=1e-9)
    with pytest.raises(ModelError, match=r"B\(1\).*invariant"):
        gradient(model, Q, ["B(1)"])


def test_bad_input_is_named() -> None:
    model = chain(1.7, -0.2)
    with pytest.raises(ModelError, match=r"parameters: expected some of J, .* found 'K'"):
        gradient(model, Q, ["K"])
    with pytest.raises(GeometryError, match="fwhm: expected a positive width at each energy, found zero at 2 meV"):
        broadened(model, Q, [1.0, 2.0], [[1.0, 0.5], [2.0, 0.0]])
    with pytest.raises(GeometryError, match="energies: expected a list of finite numbers"):
        broadened(model, Q, [], 1.0)
    with pytest.raises(UnstableStructureError, match="relax"):
        gradient(chain(1.7, 0.2), [[0.0, 0.0, 0.0]])


def test_no_parameters_no_derivatives() -> None:
    model = chain(1.7, -0.2).replace(bond_labels=None)
    g = gradient(model, Q)
    assert g.parameters == ()
    assert g.d_energy.shape == (3, 2, 0)
    assert gradient(model, np.zeros((0, 3))).energy.shape == (0, 2)
