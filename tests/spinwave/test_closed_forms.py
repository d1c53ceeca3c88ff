"""Spin wave energies, and some intensities, that can be written down.

Where nothing else is said the form follows from H2 of one boson per site, H2 = sum_k alpha_1 s_1^2 + alpha_2 s_2^2 with the
two transverse components of a spin: w = sqrt(alpha_1 alpha_2), each alpha (meV) the molecular field plus S times the
Fourier transform of the coupling between those components. J(k) = sum of J cos(2 pi k.d) over all neighbours d.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from insml import SpinModel, UnstableStructureError

Array = NDArray[np.float64]
EYE = np.eye(3)
MU_B = 0.057883818066
TAU = 2 * np.pi
CHAIN = np.diag([3.0, 8.0, 8.0])
HEXAGONAL = np.array([[3.0, 0.0, 0.0], [-1.5, 1.5 * np.sqrt(3), 0.0], [0.0, 0.0, 5.0]])
H = np.array([-0.83, -0.37, 0.07, 0.19, 0.31, 0.44, 0.71, 1.13])
LINE = np.stack([H, 0.0 * H, 0.0 * H], axis=1)


def dm(D: float) -> Array:
    """D z.(S_i x S_j)."""
    return D * np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])


def antiferromagnetic_chain(spins: list[Array], J: float, D: float = 0.0, B: float = 0.0) -> SpinModel:
    """Two sublattices in a cell of two; easy axis z for D > 0, field along z."""
    return SpinModel(
        lattice_vectors=CHAIN, supercell=(2, 1, 1), positions=[[0, 0, 0], [0.5, 0, 0]], spins=spins, field=(0, 0, B),
        anisotropy=[np.diag([0.0, 0.0, -D])] * 2, bonds=[(0, 1, (0, 0, 0), J * EYE), (1, 0, (1, 0, 0), J * EYE)])


def energies(model: SpinModel, q: Array = LINE) -> Array:
    return np.sort(model.spectrum(q, tensor=False).energy, axis=1)


def moments(model: SpinModel, q: Array) -> Array:
    """sum over modes of S_perp E^p: blind to dark modes and to how degenerate ones mix."""
    s = model.spectrum(q, tensor=False)
    return np.stack([(s.intensity * s.energy**p).sum(axis=1) for p in range(4)])


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_canted_antiferromagnet_in_a_transverse_field(share: float) -> None:
    """Spins +-cos(phi) x + sin(phi) z with sin(phi) = g muB B / (4 J S); seen from axes that turn by pi from site to site
    the structure is uniform, couplings are J(-1, -1, 1), the molecular field is 2 J S, and across the spin they are
    J cos(2 phi) in the xz plane and -J along y. Uniform precession, k = 0, has E = g muB B."""
    S, J = 1.5, 2.3
    phi = np.arcsin(share)
    B = 4 * J * S * share / (2 * MU_B)
    model = antiferromagnetic_chain([S * np.array([sign * np.cos(phi), 0, np.sin(phi)]) for sign in (1, -1)], J, B=B)
    c = np.cos(TAU * H)
    expected = [2 * J * S * np.sqrt((1 - g) * (1 + g * np.cos(2 * phi))) for g in (c, -c)]
    np.testing.assert_allclose(energies(model), np.sort(expected, axis=0).T, rtol=1e-9)
    uniform = energies(model, np.array([[0.0, 0, 0]]))[0, 1]
    assert uniform == pytest.approx(2 * MU_B * B, rel=1e-6)


def test_spin_flop() -> None:
    """Easy axis z, field along it. Below: sqrt((2JS + 2DS)^2 - (2JS cos)^2) -+ g muB B, so the lower mode reaches zero at
    k = 0 for g muB B = 2 S sqrt(D(2J + D)). Above, canted: sin(phi) = g muB B / (2S(2J - D)), molecular field 2JS again,
    the anisotropy takes 2DS cos^2(phi) from the stiffness in the xz plane."""
    S, J, D = 1.0, 1.7, 0.4
    up = S * np.array([0.0, 0.0, 1.0])
    c = np.cos(TAU * H)
    flop = 2 * S * np.sqrt(D * (2 * J + D)) / (2 * MU_B)
    for B in (0.0, 0.5 * flop, 0.99 * flop):
        root = np.sqrt((2 * J * S + 2 * D * S) ** 2 - (2 * J * S * c) ** 2)
        expected = np.stack([root - 2 * MU_B * B, root + 2 * MU_B * B], axis=1)
        np.testing.assert_allclose(energies(antiferromagnetic_chain([up, -up], J, D, B)), expected, rtol=1e-9)
    with pytest.raises(UnstableStructureError):
        antiferromagnetic_chain([up, -up], J, D, 1.01 * flop).spectrum([[0, 0, 0]])
    for B in (1.1 * flop, 1.6 * flop):
        phi = np.arcsin(2 * MU_B * B / (2 * S * (2 * J - D)))
        flopped = [S * np.array([sign * np.cos(phi), 0, np.sin(phi)]) for sign in (1, -1)]
        forms = [np.sqrt(2 * J * S * (1 - g) * (2 * J * S * (1 + g * np.cos(2 * phi)) - 2 * D * S * np.cos(phi) ** 2))
                 for g in (c, -c)]
        np.testing.assert_allclose(energies(antiferromagnetic_chain(flopped, J, D, B)), np.sort(forms, axis=0).T,
                                   rtol=1e-8)


@pytest.mark.parametrize("D", [0.35, -0.35])
def test_chain_with_moriya_vector_along_the_moment(D: float) -> None:
    """z.(S_i x S_j) = Im(S_i^- S_j^+) = 2 S Im(b_i^+ b_j) for a moment along +z, and b_j = sum_k e^{ikR_j} b_k makes that
    2 S sin(k) n_k: w = 2S|J|(1 - cos k) + 2 S D sin k + 2 S A. Momentum +Q makes the magnon k = Q. Down, D acts as -D."""
    S, J, A = 1.2, -1.0, 0.3
    for sign in (1.0, -1.0):
        model = SpinModel(lattice_vectors=CHAIN, positions=[[0.3, 0, 0]], spins=[[0, 0, sign * S]],
                          anisotropy=[np.diag([0, 0, -A])], bonds=[(0, 0, (1, 0, 0), J * EYE + dm(D))])
        expected = 2 * S * (1 - np.cos(TAU * H)) + sign * 2 * S * D * np.sin(TAU * H) + 2 * S * A
        s = model.spectrum(LINE)
        np.testing.assert_allclose(s.energy[:, 0], expected, rtol=1e-10)
        # a circular precession of a moment along +-z: S^xx = S^yy = S/2, S^xy = -+ i S/2
        np.testing.assert_allclose(s.tensor[:, 0], np.tile(
            S / 2 * np.array([[1, -1j * sign, 0], [1j * sign, 1, 0], [0, 0, 0]]), (len(H), 1, 1)), atol=1e-12)


def triangular(J: float, S: float, rotating: bool) -> SpinModel:
    """120 degrees about z, as k = (1/3, 1/3, 0) or in 3 x 3 cells."""
    size = 1 if rotating else 3
    cells = [np.array(c) for c in np.ndindex(size, size)]
    bonds = []
    for i, c in enumerate(cells):
        for step in ((1, 0), (0, 1), (1, 1)):
            home, inside = np.divmod(c + step, size)
            bonds.append((i, int(inside @ [size, 1]), (*home, 0), J * EYE))
    angle = [TAU * c.sum() / 3 for c in cells]
    return SpinModel(
        lattice_vectors=HEXAGONAL, supercell=(size, size, 1), bonds=bonds, positions=[[*(c / size), 0] for c in cells],
        spins=[[S * np.cos(a), S * np.sin(a), 0] for a in angle],
        k=(1 / 3, 1 / 3, 0) if rotating else None, n=(0, 0, 1) if rotating else None)


def test_triangular_120_degrees() -> None:
    """w(q) = 3 J S sqrt((1 - g)(1 + 2 g)), g = (cos h + cos k + cos(h + k))/3 (T. Jolicoeur and J. C. Le Guillou, Phys.
    Rev. B 40, 2727 (1989)), seen at q and at q +- k; the magnetic cell of nine sites sees nine wave vectors."""
    J, S = 1.4, 1.5
    q = np.random.default_rng(5).uniform(-1, 1, (12, 3))

    def form(shifts: list[tuple[float, float]]) -> Array:
        out = []
        for dh, dk in shifts:
            h, k = TAU * (q[:, 0] + dh), TAU * (q[:, 1] + dk)
            g = (np.cos(h) + np.cos(k) + np.cos(h + k)) / 3
            out.append(3 * J * S * np.sqrt((1 - g) * (1 + 2 * g)))
        return np.sort(out, axis=0).T

    turning, cells = triangular(J, S, True), triangular(J, S, False)
    np.testing.assert_allclose(energies(turning, q), form([(-1 / 3, -1 / 3), (0, 0), (1 / 3, 1 / 3)]), atol=1e-8)
    np.testing.assert_allclose(energies(cells, q), form([(a / 3, b / 3) for a, b in np.ndindex(3, 3)]), atol=1e-8)
    np.testing.assert_allclose(moments(cells, q), moments(turning, q), rtol=1e-7)
    whole = [m.spectrum(q).tensor.sum(axis=1) for m in (turning, cells)]
    np.testing.assert_allclose(whole[1], whole[0], atol=1e-7)


def test_honeycomb_with_moriya_vectors_between_second_neighbours() -> None:
    """3 |J| S -+ sqrt(|J S f|^2 + m^2), f = 1 + e^{-ih} + e^{ik} and m = 2 S D times the sines of the vectors a, b, -a-b,
    opposite on the two sublattices (S. A. Owerre, J. Phys.: Condens. Matter 28, 386001 (2016)): at K f = 0, the modes are
    6 sqrt(3) S |D| apart. The one with w = 3|J|S + m lives on the first sublattice."""
    J, D, S = -1.1, 0.13, 1.5
    bonds = [(0, 1, (0, 0, 0), J * EYE), (0, 1, (-1, 0, 0), J * EYE), (0, 1, (0, 1, 0), J * EYE)]
    for step in ((1, 0, 0), (0, 1, 0), (-1, -1, 0)):
        bonds += [(0, 0, step, dm(D)), (1, 1, step, dm(-D))]
    model = SpinModel(lattice_vectors=HEXAGONAL, positions=[[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0]], spins=[[0, 0, S]] * 2,
                      bonds=bonds)
    q = np.random.default_rng(6).uniform(-1, 1, (12, 3))
    h, k = TAU * q[:, 0], TAU * q[:, 1]
    f = 1 + np.exp(-1j * h) + np.exp(1j * k)
    m = 2 * S * D * (np.sin(h) + np.sin(k) - np.sin(h + k))
    root = np.sqrt(np.abs(J * S * f) ** 2 + m**2)
    np.testing.assert_allclose(energies(model, q), np.stack([-3 * J * S - root, -3 * J * S + root], axis=1), rtol=1e-8)
    corner = energies(model, np.array([[1 / 3, 1 / 3, 0.0]]))[0]
    assert corner[1] - corner[0] == pytest.approx(6 * np.sqrt(3) * S * D)
    # m > 0 at (1/3, 1/3): the upper mode is that of the first sublattice, the only one a g tensor lets see
    seen = model.replace(g=[2 * EYE, 0 * EYE]).spectrum([[1 / 3, 1 / 3, 0.0]], g_tensor=True)
    np.testing.assert_allclose(seen.intensity[0] / seen.intensity[0].sum(), [0, 1], atol=1e-12)


@pytest.mark.parametrize(("first", "second"), [(2.5, 1.0), (0.5, 2.0)])
def test_ferrimagnet(first: float, second: float) -> None:
    """J sum of (S_2 a^+a + S_1 b^+b) x 2 neighbours and 2 J sqrt(S_1 S_2) cos(pi h)(ab + h.c.): w = J (sqrt((S_1 + S_2)^2 -
    4 S_1 S_2 cos^2) +- (S_1 - S_2)); the mode without a gap leaves k = 0 as k^2."""
    J = 1.3
    model = SpinModel(lattice_vectors=CHAIN, positions=[[0, 0, 0], [0.5, 0, 0]], spins=[[0, 0, first], [0, 0, -second]],
                      bonds=[(0, 1, (0, 0, 0), J * EYE), (1, 0, (1, 0, 0), J * EYE)])
    root = np.sqrt((first + second) ** 2 - 4 * first * second * np.cos(TAU * H / 2) ** 2)
    difference = abs(first - second)
    np.testing.assert_allclose(energies(model), J * np.stack([root - difference, root + difference], axis=1), rtol=1e-9)


def helix(J1: float, J2: float, S: float, k: float, cells: int) -> SpinModel:
    """One atom in a rotating frame, or a whole turn in a magnetic cell."""
    bonds = []
    for i in range(cells):
        for step, J in ((1, J1), (2, J2)):
            home, inside = divmod(i + step, cells)
            bonds.append((i, inside, (home, 0, 0), J * EYE))
    angle = TAU * k * np.arange(cells)
    return SpinModel(
        lattice_vectors=CHAIN, supercell=(cells, 1, 1), positions=[[i / cells, 0, 0] for i in range(cells)], bonds=bonds,
        spins=[[0, S * np.cos(a), S * np.sin(a)] for a in angle], k=(k, 0, 0) if cells == 1 else None,
        n=(1, 0, 0) if cells == 1 else None)


@pytest.mark.parametrize("k", [0.2, 1 / 3 - 0.01, np.arccos(0.6) / TAU])
def test_helix_of_competing_neighbours(k: float) -> None:
    """cos(2 pi k) = -J1/(4 J2); w = S sqrt((J(q) - J(k)) ((J(q + k) + J(q - k))/2 - J(k))) (T. Nagamiya, Solid State
    Physics 20, 305 (1967)), J(q) = 2 J1 cos q + 2 J2 cos 2q: the second factor is the stiffness in the plane."""
    J2, S = 0.8, 1.25
    J1 = -4 * J2 * np.cos(TAU * k)

    def J(q: Array | float) -> Array:
        return np.asarray(2 * J1 * np.cos(TAU * q) + 2 * J2 * np.cos(2 * TAU * q))

    def form(q: Array) -> Array:
        return np.asarray(S * np.sqrt((J(q) - J(k)) * ((J(q + k) + J(q - k)) / 2 - J(k))))

    expected = np.sort([form(H - k), form(H), form(H + k)], axis=0).T
    np.testing.assert_allclose(energies(helix(J1, J2, S, k, 1)), expected, atol=1e-8)


def test_a_helix_of_five_cells_is_one_in_a_rotating_frame() -> None:
    J2 = 0.8
    J1 = -4 * J2 * np.cos(TAU / 5)
    q = LINE + [0.0, 0.23, 0.11]
    turning, cells = helix(J1, J2, 1.25, 0.2, 1), helix(J1, J2, 1.25, 0.2, 5)
    np.testing.assert_allclose(moments(cells, q), moments(turning, q), rtol=1e-7)
    np.testing.assert_allclose(cells.spectrum(q).tensor.sum(axis=1), turning.spectrum(q).tensor.sum(axis=1), atol=1e-7)
