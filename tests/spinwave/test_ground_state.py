"""Energies, relaxation, minimisation, optimal wave vectors and annealing against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from insml.errors import ModelError
from insml.spinwave import SpinModel
from insml.spinwave.anneal import anneal
from insml.spinwave.classical import MU_B, ClassicalEnergy, energy, molecular_field
from insml.spinwave.minimise import Planar, Spherical, minimise
from insml.spinwave.optimal_k import optimal_k
from insml.spinwave.relax import relax
from insml.spinwave.structure import MagneticStructure, rotation
from insml.spinwave.temperature import K_B

ONE = np.eye(3)
HEXAGONAL = np.array([[3.0, 0.0, 0.0], [-1.5, 1.5 * np.sqrt(3), 0.0], [0.0, 0.0, 5.0]])
TRIANGULAR = ([1, 0, 0], [0, 1, 0], [1, 1, 0])


def dm(vector):
    """D . (S_i x S_j) as S_i^T J S_j."""
    x, y, z = vector
    return np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]], float)


def chain(*exchange, spin=1.5, **more):
    """One atom per cell, exchange to the first, second ... neighbour along a."""
    return SpinModel(lattice_vectors=np.diag([3.0, 8.0, 8.0]), positions=[[0, 0, 0]], spins=[[0, 0, spin]],
                     bonds=[(0, 0, [m + 1, 0, 0], J * ONE) for m, J in enumerate(exchange)], **more)


def two_sublattices(J=2.0, **more):
    """Antiferromagnetic chain of two spins 1 in a doubled cell; each spin feels 2 J S from its neighbours."""
    return SpinModel(**{"lattice_vectors": 3 * ONE, "supercell": (2, 1, 1), "positions": [[0, 0, 0], [0.5, 0, 0]],
                        "spins": [[0, 0, 1], [0, 0, -1]], "bonds": [(0, 1, [0, 0, 0], J * ONE), (1, 0, [1, 0, 0], J * ONE)],
                        **more})


def triangular(size):
    """size x size cells of the triangular lattice."""
    cells = [(x, y) for y in range(size) for x in range(size)]
    bonds = [(x + size * y, (x + a) % size + size * ((y + b) % size), [(x + a) // size, (y + b) // size, 0], ONE)
             for x, y in cells for a, b, _ in TRIANGULAR]
    return SpinModel(lattice_vectors=HEXAGONAL, supercell=(size, size, 1),
                     positions=[[x / size, y / size, 0] for x, y in cells],
                     spins=MagneticStructure.random([1.0], (size, size, 1), seed=3).spins, bonds=bonds)


def anything(seed, turning=False):
    """Three spins with all kinds of couplings, invariant about n where they turn."""
    rng = np.random.default_rng(seed)
    n = rng.standard_normal(3)
    n /= np.linalg.norm(n)

    def matrix():
        if not turning:
            return rng.standard_normal((3, 3))
        a, b, c = rng.standard_normal(3)
        return a * ONE + b * np.outer(n, n) + c * dm(n)

    pairs = [(0, 1, [0, 0, 0]), (1, 2, [1, 0, -1]), (2, 0, [0, 2, 0]), (1, 1, [1, 0, 0]), (0, 0, [0, 1, 0])]
    return SpinModel(
        lattice_vectors=HEXAGONAL, supercell=(1, 2, 1), positions=rng.random((4, 3)), spins=rng.standard_normal((4, 3)),
        bonds=[(i, j, dl, matrix()) for i, j, dl in [*pairs, (3, 1, [0, 0, 0])]],
        biquadratic=[(i, j, dl, rng.standard_normal()) for i, j, dl in pairs],
        anisotropy=[(lambda A: A + A.T)(matrix()) for _ in range(4)],
        g=[2 * ONE if turning else matrix() for _ in range(4)],
        field=5 * n if turning else rng.standard_normal(3),
        **({"k": rng.random(3), "n": n} if turning else {}))


# energy and field

def test_energy_of_a_ferromagnetic_chain_per_spin():
    model = chain(-1.0, anisotropy=[np.diag([0, 0, -0.2])], field=[0, 0, 3.0])
    assert energy(model) == pytest.approx(-1.5**2 - 0.2 * 1.5**2 - 2 * MU_B * 3.0 * 1.5, rel=1e-14)
    assert energy(model, [[1.5, 0, 0]]) == pytest.approx(-1.5**2, rel=1e-14)


def test_biquadratic_energy_is_half_b_times_the_square():
    model = two_sublattices(biquadratic=[(0, 1, [0, 0, 0], 0.7)], bonds=[])
    angle = 0.4
    spins = [[0, 0, 1], [0, np.sin(angle), np.cos(angle)]]
    assert 2 * energy(model, spins) == pytest.approx(0.35 * np.cos(angle)**2, rel=1e-13)


def test_energy_refuses_other_lengths():
    with pytest.raises(ModelError, match="spin lengths"):
        energy(chain(-1.0), [[0, 0, 1.0]])


@pytest.mark.parametrize("turning", [False, True])
def test_field_and_curvature_are_derivatives(turning):
    model = anything(5, turning)
    compiled, step = ClassicalEnergy.of(model), 1e-5
    field, curvature = molecular_field(model), compiled.curvature(model.spins).toarray()
    for row, (i, a) in enumerate(np.ndindex(4, 3)):
        moved = np.zeros((4, 3))
        moved[i, a] = step
        up, down = model.spins + moved, model.spins - moved
        assert field[i, a] == pytest.approx((compiled.total(down) - compiled.total(up)) / (2 * step), abs=1e-7)
        slope = (compiled.field(down) - compiled.field(up)).ravel() / (2 * step)
        np.testing.assert_allclose(curvature[row], slope, atol=1e-6)


def test_rotating_frame_has_the_energy_of_its_supercell():
    model = anything(11, turning=True)
    model = model.replace(k=[0.25, 0.5, 0.75])
    whole = MagneticStructure.of(model).tiled((4, 1, 4))
    assert whole.k is None
    cells, atoms = [(x, z) for z in range(4) for x in range(4)], len(model.spins) // 2
    assert atoms == 2

    def site(i, x, z):  # model sites run through 2 atoms, then the two cells along y
        return i % 2 + 2 * (x + 4 * (i // 2 + 2 * z))

    def spread(entries):
        return [(site(i, x, z), site(j, (x + dl[0]) % 4, (z + dl[2]) % 4), [(x + dl[0]) // 4, dl[1], (z + dl[2]) // 4], J)
                for x, z in cells for i, j, dl, J in entries]

    order = [i % 2 + 2 * (i // 8 % 2) for i in range(64)]
    big = SpinModel(lattice_vectors=HEXAGONAL, supercell=(4, 2, 4), positions=np.zeros((64, 3)), spins=whole.spins,
                    bonds=spread(model.bonds), biquadratic=spread(model.biquadratic),
                    anisotropy=model.anisotropy[order], g=model.g[order], field=model.field)
    assert energy(big) == pytest.approx(energy(model), rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 360))
def test_energy_does_not_know_the_axes(seed, angle):
    model = anything(seed)
    R = rotation(np.array([2.0, -1.0, 2.0]) / 3, angle)
    turned = model.replace(
        spins=model.spins @ R.T, bonds=[(i, j, dl, R @ J @ R.T) for i, j, dl, J in model.bonds],
        anisotropy=R @ model.anisotropy @ R.T, g=R @ model.g @ R.T, field=R @ model.field)
    assert energy(turned) == pytest.approx(energy(model), rel=1e-9, abs=1e-10)
    np.testing.assert_allclose(molecular_field(turned), molecular_field(model) @ R.T, atol=1e-9)


# relaxation

@pytest.mark.parametrize("tesla", [1.0, 20.0, 60.0, 68.0, 80.0])
def test_canting_in_a_field(tesla):
    """cos(theta) = g muB B / (2 z J S), z J S = 4 meV; all along the field from 69.1 T. The start is a saddle point."""
    rest = relax(two_sublattices(field=[0, 0, tesla]))
    assert rest.converged
    assert rest.torque <= 1e-10
    np.testing.assert_allclose(rest.model.spins[:, 2], min(1.0, 2 * MU_B * tesla / 8), atol=1e-9)
    assert np.diff(rest.history).max() < 1e-12
    assert np.linalg.eigvalsh(rest.model.core.hamiltonian(np.zeros((1, 3)))[0])[0] > -1e-9


def test_spin_flop_field():
    """With z J = 2 J and easy axis D the flopped state takes over at g muB B = 2 S sqrt(D (2 J - D)).

    Energies per spin, S = 1: -J - D, and -J - (g muB B)^2 / (4 (2 J - D)) with cos(theta) = g muB B / (2 (2 J - D)).
    """
    J, D = 2.0, 0.3
    for factor in (0.98, 1.02):
        b = factor * 2 * np.sqrt(D * (2 * J - D))
        model = two_sublattices(J, anisotropy=[np.diag([0, 0, -D])] * 2, field=[0, 0, b / (2 * MU_B)])
        lowest = min((relax(model, seed=seed) for seed in (None, 0, 1, 2)), key=lambda r: r.energy)
        if factor < 1:
            assert lowest.energy == pytest.approx(-J - D, rel=1e-12)
        else:
            assert lowest.energy == pytest.approx(-J - b**2 / (4 * (2 * J - D)), rel=1e-12)
            np.testing.assert_allclose(lowest.model.spins[:, 2], b / (2 * (2 * J - D)), atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_120_degrees_from_random_spins(seed):
    rest = relax(triangular(3), seed=seed)
    assert rest.converged
    assert rest.energy == pytest.approx(-1.5, rel=1e-12)
    products = rest.model.spins @ rest.model.spins.T
    for i, j, _, _ in rest.model.bonds:
        assert products[i, j] == pytest.approx(-0.5, abs=1e-9)


def test_easy_axis_and_field_alone():
    axis = np.array([1.0, 2.0, -2.0]) / 3
    rest = relax(chain(0.0, anisotropy=[-0.5 * np.outer(axis, axis)]), seed=1)
    assert abs(rest.model.spins[0] @ axis) == pytest.approx(1.5, rel=1e-12)
    free = relax(chain(field=[3.0, 0, 4.0]))
    np.testing.assert_allclose(free.model.spins, [[0.9, 0, 1.2]], atol=1e-9)


def test_biquadratic_exchange_cants():
    """J c + (B/2) c^2 per bond is least at c = -J / B."""
    model = two_sublattices(0.5, biquadratic=[(0, 1, [0, 0, 0], 1.25), (1, 0, [1, 0, 0], 1.25)])
    rest = relax(model, seed=4)
    assert rest.converged
    assert rest.model.spins[0] @ rest.model.spins[1] == pytest.approx(-0.4, abs=1e-9)


def test_conical_helix_in_a_field():
    """Cone angle of a helix with its axis along the field: cos = g muB B / (2 S (J(0) - J(k)))."""
    k = np.arccos(0.25) / (2 * np.pi)
    field = 10.0
    model = chain(-1.0, 1.0, spin=1.0, field=[0, 0, field]).replace(spins=[[1, 0, 0]], k=[k, 0, 0], n=[0, 0, 1])
    rest = relax(model)

    def fourier(q):
        return 2 * (-np.cos(2 * np.pi * q) + np.cos(4 * np.pi * q))

    assert rest.converged
    assert rest.model.spins[0, 2] == pytest.approx(2 * MU_B * field / (fourier(0) - fourier(k)), abs=1e-10)


@pytest.mark.parametrize("turning", [False, True])
def test_no_step_raises_the_energy_and_the_end_is_a_minimum(turning):
    for seed in range(4):
        rest = relax(anything(seed, turning), seed=seed)
        assert rest.converged
        assert np.diff(rest.history).max() < 1e-12 * max(1.0, np.abs(rest.history).max())
        np.testing.assert_allclose(np.linalg.norm(rest.model.spins, axis=1), np.linalg.norm(anything(seed).spins, axis=1))
        assert np.linalg.eigvalsh(rest.model.core.hamiltonian(np.zeros((1, 3)))[0])[0] > -1e-9


def test_fixed_spins_stay():
    model = two_sublattices(-1.0, spins=[[0, 0, 1], [1, 0, 0]])
    rest = relax(model, fixed=[1])
    np.testing.assert_array_equal(rest.model.spins[1], [1, 0, 0])
    np.testing.assert_allclose(rest.model.spins[0], [1, 0, 0], atol=1e-10)
    with pytest.raises(ModelError, match="fixed: expected site indices"):
        relax(model, fixed=[2])


def test_a_large_cell_leaves_its_collinear_saddle():
    model = triangular(15)
    rest = relax(model.replace(spins=np.tile([0, 0, 1.0], (225, 1))))
    assert rest.converged
    assert rest.energy == pytest.approx(-1.5, rel=1e-9)


def test_running_out_of_steps_is_said():
    rest = relax(triangular(6), seed=0, max_steps=2)
    assert not rest.converged
    assert rest.torque > 1e-6


# minimisation

def test_wave_vector_and_canting_by_minimisation():
    fixed = dict.fromkeys(("phi1", "ky", "kz", "n_theta", "n_phi"), (0.0, 0.0))
    best = minimise(chain(-1.0, 1.0), Planar(np.array([1.5])), bounds=fixed, runs=2)
    assert np.cos(2 * np.pi * best.x[best.names.index("kx")]) == pytest.approx(0.25, abs=1e-6)
    assert best.energy == pytest.approx(-1.125 * 2.25, rel=1e-10)
    assert best.model.k[0] == best.x[1]

    model = two_sublattices(field=[0, 0, 20.0])
    cant = minimise(model, lambda x: MagneticStructure.spherical([x[0], x[0]], [0, 180], 1.0, (2, 1, 1)), x0=[0.0])
    assert np.cos(np.radians(cant.x[0])) == pytest.approx(2 * MU_B * 20 / 8, abs=1e-7)
    assert cant.energy == pytest.approx(relax(model).energy, rel=1e-10)


def test_free_angles_find_what_relaxation_finds():
    model = two_sublattices(anisotropy=[np.diag([0.1, 0, -0.2]), np.diag([0, 0.3, 0])], field=[5.0, 0, 20.0])
    no_turning = dict.fromkeys(("kx", "ky", "kz", "n_theta", "n_phi"), (0.0, 0.0))
    found = minimise(model, Spherical(np.ones(2), (2, 1, 1)), bounds=no_turning, runs=3, seed=1)
    assert found.model.k is None
    assert found.energy == pytest.approx(min(relax(model, seed=s).energy for s in range(4)), abs=1e-9)
    assert found.energies.min() == pytest.approx(found.energy, abs=1e-12)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"constraint": Planar(np.ones(1)), "bounds": {"phi2": (0, 1)}}, "bounds: expected phi1"),
    ({"constraint": Planar(np.ones(1)), "bounds": {"phi1": (2, 1)}}, "bounds: expected finite pairs"),
    ({"constraint": Planar(np.ones(1)), "x0": [0.0]}, "x0: expected 6"),
    ({"constraint": Planar(np.ones(2)), "runs": 1}, "constraint: expected 1 spins"),
    ({"constraint": lambda x: None}, "expected x0 or bounds"),
])
def test_minimise_names_mistakes(arguments, message):
    with pytest.raises(ModelError, match=message):
        minimise(chain(-1.0, spin=1.0), **arguments)


# optimal wave vector

@pytest.mark.parametrize("ratio", [0.26, 0.5, 1.0, 3.0])
def test_spiral_of_a_frustrated_chain(ratio):
    """cos(2 pi k) = -J1 / (4 J2), E = -S^2 (J1^2 / (8 J2) + J2)."""
    model = chain(-1.0, ratio)
    best = optimal_k(model)
    assert np.cos(2 * np.pi * best.k[0]) == pytest.approx(1 / (4 * ratio), abs=1e-9)
    assert best.energy == pytest.approx(-2.25 * (1 / (8 * ratio) + ratio), rel=1e-12)
    np.testing.assert_array_equal(best.k[1:], 0)
    assert len(best.equivalent) == 1
    spiral = best.structure([1, 2, 2])
    assert energy(model.replace(spins=spiral.spins, k=spiral.k, n=spiral.n)) == pytest.approx(best.energy, rel=1e-12)


def test_known_wave_vectors():
    one = {"lattice_vectors": HEXAGONAL, "positions": [[0, 0, 0]], "spins": [[0, 0, 1]]}
    for sign, k, bound in ((1, [1 / 3, 1 / 3, 0], -1.5), (-1, [0, 0, 0], -3.0)):
        best = optimal_k(SpinModel(**one, bonds=[(0, 0, dl, sign * ONE) for dl in TRIANGULAR]))
        np.testing.assert_allclose(best.k, k, atol=1e-12)
        assert best.energy == pytest.approx(bound, rel=1e-12)
    cubic = SpinModel(lattice_vectors=4 * ONE, positions=[[0, 0, 0]], spins=[[0, 0, 1]],
                      bonds=[(0, 0, dl, ONE + np.diag([0, 0, 0.1])) for dl in ONE.astype(int)])
    best = optimal_k(cubic)
    np.testing.assert_allclose(best.k, [0.5, 0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(np.abs(best.mode), [[0, 0, 1]], atol=1e-9)


def test_a_supercell_gives_the_wave_vector_of_its_chemical_cell():
    np.testing.assert_allclose(optimal_k(triangular(2)).k, [1 / 3, 1 / 3, 0], atol=1e-9)
    with pytest.raises(ModelError, match="repeat with the chemical cell"):
        optimal_k(two_sublattices(bonds=[(0, 1, [0, 0, 0], ONE)]))
    with pytest.raises(ModelError, match="biquadratic"):
        optimal_k(two_sublattices(biquadratic=[(0, 1, [0, 0, 0], 1.0)]))


def test_degeneracies_are_reported():
    """J1-J2 square lattice with J2 > J1/2: (1/2, 0) and (0, 1/2); kagome: a flat lowest band at -J."""
    square = SpinModel(lattice_vectors=4 * ONE, positions=[[0, 0, 0]], spins=[[0, 0, 1]], bonds=[
        *((0, 0, dl, ONE) for dl in ([1, 0, 0], [0, 1, 0])), *((0, 0, dl, ONE) for dl in ([1, 1, 0], [1, -1, 0]))])
    best = optimal_k(square)
    np.testing.assert_allclose(best.equivalent, [[0, 0.5, 0], [0.5, 0, 0]], atol=1e-9)
    assert best.flat < 0.01
    kagome = SpinModel(lattice_vectors=HEXAGONAL, positions=[[0.5, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0]],
                       spins=[[0, 0, 1]] * 3, bonds=[
        (0, 1, [0, 0, 0], ONE), (0, 1, [1, -1, 0], ONE), (0, 2, [0, 0, 0], ONE), (2, 0, [0, 1, 0], ONE),
        (1, 2, [0, 0, 0], ONE), (2, 1, [1, 0, 0], ONE)])
    flat = optimal_k(kagome)
    assert flat.flat == 1.0
    assert flat.energy == pytest.approx(-1.0, rel=1e-12)


def test_spirals_of_a_chiral_chain_turn_the_right_way():
    """D . (S_i x S_j) with ferromagnetic J: tan(2 pi k) = -D / |J| about D."""
    J, D = -1.0, 0.4
    model = chain(spin=1.0).replace(bonds=[(0, 0, [1, 0, 0], J * ONE + dm([0, 0, D]))])
    best = optimal_k(model)
    assert abs(np.tan(2 * np.pi * best.k[0])) == pytest.approx(0.4, abs=1e-9)
    for k, reached in ((-np.arctan(0.4) / (2 * np.pi), True), (np.arctan(0.4) / (2 * np.pi), False)):
        spiral = model.replace(spins=[[1, 0, 0]], k=[k, 0, 0], n=[0, 0, 1])
        assert (energy(spiral) < best.energy + 1e-9) is reached
    assert best.energy == pytest.approx(-np.hypot(J, D), rel=1e-12)


# annealing

def many(**more):
    """Two hundred spins 3/2, coupled or not."""
    n = 200
    return SpinModel(lattice_vectors=3 * ONE, supercell=(n, 1, 1), positions=np.arange(n)[:, None] * [1 / n, 0, 0],
                     spins=np.tile([0, 0, 1.5], (n, 1)), **more)


def langevin(x):
    return 1 / np.tanh(x) - 1 / x


def boltzmann(e, beta):
    """Mean of e(c) for c = cos(theta) even on the sphere."""
    return quad(lambda c: e(c) * np.exp(-beta * e(c)), -1, 1)[0] / quad(lambda c: np.exp(-beta * e(c)), -1, 1)[0]


KELVIN = np.array([20.0, 5.0])


def test_free_spins_in_a_field_follow_langevin():
    cooled = anneal(many(field=[0, 3.0, 6.0]), temperatures=KELVIN, sweeps=300, finish=False)
    h = 2 * MU_B * np.hypot(3, 6) * 1.5
    x = h / (K_B * KELVIN)
    np.testing.assert_allclose(cooled.mean_energy, -h * langevin(x), atol=5 * h / np.sqrt(3 * 60_000))
    np.testing.assert_allclose(cooled.specific_heat, 1 - (x / np.sinh(x))**2, rtol=0.4)


@pytest.mark.parametrize(("more", "per_spin"), [
    ({"bonds": [(2 * i, 2 * i + 1, [0, 0, 0], ONE) for i in range(100)]}, lambda c: 2.25 * c),
    ({"biquadratic": [(2 * i, 2 * i + 1, [0, 0, 0], 0.5) for i in range(100)]}, lambda c: 0.25 * 1.5**4 * c**2),
    ({"anisotropy": [np.diag([0, 0, -1.0])] * 200}, lambda c: -2.25 * c**2),
], ids=["dimer", "biquadratic dimer", "easy axis"])
def test_thermal_means(more, per_spin):
    cooled = anneal(many(**more), temperatures=KELVIN, sweeps=600, finish=False)
    share = 1.0 if "anisotropy" in more else 0.5
    expected = [share * boltzmann(per_spin, 1 / (K_B * t)) for t in KELVIN]
    np.testing.assert_allclose(cooled.mean_energy, expected, atol=0.012)


def test_cooling_finds_the_ground_state():
    cooled = anneal(triangular(6), sweeps=15, seed=2)
    assert cooled.energy == pytest.approx(-1.5, rel=1e-9)
    again = anneal(triangular(6), sweeps=15, seed=2)
    np.testing.assert_array_equal(cooled.model.spins, again.model.spins)
    # two angles a spin, each with k_B/2 at low temperature
    assert cooled.mean_energy[-1] == pytest.approx(-1.5 + K_B * cooled.temperatures[-1], rel=0.2 * K_B * 0.07)


def test_annealing_names_mistakes():
    with pytest.raises(ModelError, match="rotating frame"):
        anneal(chain(-1.0, 1.0).replace(k=[0.2, 0, 0], n=[0, 0, 1]))
    with pytest.raises(ModelError, match="temperatures: expected positive"):
        anneal(chain(-1.0), temperatures=[1.0, 0.0])
