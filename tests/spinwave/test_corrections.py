"""Quantum corrections against published numbers and closed forms."""

import numpy as np
import pytest
from scipy.special import ellipe, ellipk

from insml.errors import ModelError
from insml.spinwave import SpinModel
from insml.spinwave.corrections import corrections

I = np.eye(3)  # noqa: E741
HEXAGONAL = [[3, 0, 0], [-1.5, 1.5 * np.sqrt(3), 0], [0, 0, 5]]


def square(S=0.5, J=1.0):
    sites = [(x, y) for y in (0, 1) for x in (0, 1)]
    bonds = [bond for x, y in sites for bond in ((x + 2 * y, 1 - x + 2 * y, (x, 0, 0), J * I),
                                                 (x + 2 * y, x + 2 * (1 - y), (0, y, 0), J * I))]
    return SpinModel(lattice_vectors=4 * I, supercell=(2, 2, 1), positions=[[x / 2, y / 2, 0] for x, y in sites],
                     spins=[[0, 0, S * (-1) ** (x + y)] for x, y in sites], bonds=bonds)


def rotating(k, bonds, lattice=4 * I, S=0.5):
    return SpinModel(lattice_vectors=lattice, positions=[[0, 0, 0]], spins=[[S, 0, 0]], k=k, n=[0, 0, 1],
                     bonds=[(0, 0, dl, I) for dl in bonds])


def triangular(S=0.5):
    return rotating([1 / 3, 1 / 3, 0], [(1, 0, 0), (0, 1, 0), (1, 1, 0)], HEXAGONAL, S)


def xxz_chain(delta, S=0.5):
    J = np.diag([1, 1, delta])
    return SpinModel(lattice_vectors=4 * I, supercell=(2, 1, 1), positions=[[0, 0, 0], [0.5, 0, 0]],
                     spins=[[0, 0, S], [0, 0, -S]], bonds=[(0, 1, (0, 0, 0), J), (1, 0, (1, 0, 0), J)])


@pytest.mark.parametrize(("model", "reduction", "energy"), [
    # Igarashi, Phys. Rev. B 46, 10763 (1992); Jolicoeur and Le Guillou, Phys. Rev. B 40, 2727 (1989)
    (square(), 0.196602, -0.5 - 0.157947), (rotating([0.5, 0.5, 0], [(1, 0, 0), (0, 1, 0)]), 0.196602, -0.5 - 0.157947),
    (square(2.5, 3.0), 0.196602, 3 * (-2 * 2.5**2 - 2 * 2.5 * 0.157947)), (triangular(), 0.26130, -0.53881),
    (rotating([0.5, 0.5, 0.5], [(1, 0, 0), (0, 1, 0), (0, 0, 1)]), 0.07836, -0.75 - 0.5 * 3 * 0.0971580),
])
def test_published_numbers(model, reduction, energy):
    got = corrections(model)
    np.testing.assert_allclose(got.reduction, reduction, atol=2e-5)
    np.testing.assert_allclose(got.lengths, np.linalg.norm(model.spins, axis=1) - got.reduction)
    assert got.classical_energy + got.zero_point_energy == pytest.approx(energy, rel=2e-5)
    assert got.error < 1e-4


@pytest.mark.parametrize("delta", [1.05, 1.5, 4.0])
def test_chain_with_a_gap(delta):
    got = corrections(xxz_chain(delta), tolerance=1e-7)
    m = 1 / delta**2
    np.testing.assert_allclose(got.reduction, (2 / np.pi * ellipk(m) - 1) / 2, atol=1e-6)
    assert got.zero_point_energy == pytest.approx(0.5 * delta * (2 / np.pi * ellipe(m) - 1), abs=1e-6)
    assert got.classical_energy == pytest.approx(-delta / 4)


def test_the_error_is_not_smaller_than_the_truth_by_much():
    for tolerance in (1e-2, 1e-3, 1e-4):
        got = corrections(square(), tolerance=tolerance)
        assert abs(got.reduction[0] - 0.1966019) <= max(3 * got.error, 1e-7)
        assert got.error <= 2 * tolerance


def test_ferromagnets_do_not_fluctuate():
    got = corrections(SpinModel(lattice_vectors=4 * I, positions=[[0, 0, 0]], spins=[[0, 1, 0]], bonds=[
        (0, 0, dl, -I) for dl in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]))
    np.testing.assert_allclose(got.reduction, 0, atol=1e-12)
    assert got.zero_point_energy == pytest.approx(0, abs=1e-12)
    assert got.classical_energy == pytest.approx(-3)


def test_an_operator_s_squared_is_s_times_s_plus_one():
    model = SpinModel(lattice_vectors=4 * I, positions=[[0, 0, 0]], spins=[[0, 0, 1.5]], anisotropy=[0.7 * I],
                      field=[0, 0, 2.0])
    got = corrections(model)
    zeeman = -0.057883818066 * 2 * 1.5 * 2
    assert got.classical_energy + got.zero_point_energy == pytest.approx(0.7 * 1.5 * 2.5 + zeeman)
    assert got.points == 1


def test_a_chain_without_gap_has_no_order():
    with pytest.raises(ModelError, match="found a divergence"):
        corrections(xxz_chain(1.0))


def test_a_band_of_zero_energy_is_given_up():
    angle = np.radians([90, 210, 330])
    bonds = [(0, 1, (0, 0, 0)), (0, 1, (1, -1, 0)), (0, 2, (0, 0, 0)), (0, 2, (0, -1, 0)), (1, 2, (0, 0, 0)),
             (1, 2, (-1, 0, 0))]
    kagome = SpinModel(lattice_vectors=np.array(HEXAGONAL) * 2, positions=[[0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0]],
                       spins=np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1), bonds=[(*b, I) for b in bonds])
    with pytest.raises(ModelError, match=r"within 20000 wave vectors.*zero energy"):
        corrections(kagome, max_points=20000)
    with pytest.raises(ModelError, match="tolerance: expected"):
        corrections(kagome, tolerance=0)
