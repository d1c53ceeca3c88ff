"""Magnetic structures."""

import numpy as np
import pytest

from insml.errors import ModelError
from insml.spinw import SpinW, gm_planar, gm_planard, gm_spherical3d, gm_spherical3dd


def chain(J1: float = 1.0, J2: float = 0.0, atoms: int = 1) -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[3 * atoms, 8, 8])
    sw.addatom(r=np.array([[i / atoms, 0, 0] for i in range(atoms)]).T, S=[1.5] * atoms)
    sw.gencoupling(maxDistance=7)
    sw.addmatrix(label="J1", value=J1)
    sw.addmatrix(label="J2", value=J2)
    sw.addcoupling(mat="J1", bond=1)
    sw.addcoupling(mat="J2", bond=2)
    return sw


def test_modes() -> None:
    sw = chain(atoms=2)
    sw.genmagstr(mode="tile", S=[[1, 0], [0, 1], [0, 0]], nExt=[1, 2, 1])
    np.testing.assert_allclose(sw.magstr().S, 1.5 * np.array([[1, 0, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]]))
    sw.genmagstr(mode="direct", S=[[0, 0], [0, 0], [2, 1]], norm=False, nExt=[1, 1, 1])
    np.testing.assert_allclose(sw.magstr().S[2], [2, 1])
    sw.genmagstr(mode="rotate", n=[1, 0, 0], phid=90)
    np.testing.assert_allclose(sw.magstr().S, 1.5 * np.array([[0, 0], [-1, -1], [0, 0]]), atol=1e-12)
    sw.genmagstr(mode="random", nExt=[1, 1, 3], seed=3)
    np.testing.assert_allclose(np.linalg.norm(sw.magstr().S, axis=0), [1.5] * 6)
    sw.genmagstr(mode="fourier", S=[[1], [0], [0]], k=[0.25, 0, 0], nExt=0.01, norm=False)
    assert sw.mag_str.nExt.tolist() == [4, 1, 1]
    np.testing.assert_allclose(sw.magstr().S[0], np.cos(np.pi / 4 * np.arange(8)), atol=1e-12)
    with pytest.raises(ModelError, match=r"mode: expected one of tile, .* found 'spiral'"):
        sw.genmagstr(mode="spiral")
    with pytest.raises(ModelError, match="k: expected one wave vector for mode 'helical', found 2"):
        sw.genmagstr(mode="helical", S=[1, 0, 0], k=[[0.5, 0, 0], [0, 0.5, 0]])
    with pytest.raises(ModelError, match="nExt: expected three positive whole numbers"):
        sw.genmagstr(mode="random", nExt=[0, 1, 1])


def test_a_helix_turns_with_the_positions_of_its_atoms_or_with_the_cells() -> None:
    """One spin for two atoms: phases from r; a spin for each: phases from the cells."""
    sw = chain(atoms=2)
    sw.genmagstr(mode="helical", S=[1, 0, 0], k=[0.2, 0, 0], n=[0, 0, 1])
    angle = np.degrees(np.arctan2(sw.magstr().S[1], sw.magstr().S[0]))
    np.testing.assert_allclose(angle, [0, 36], atol=1e-9)
    np.testing.assert_allclose(sw.mag_str.F[:, 0, 0], [1.5, 1.5j, 0], atol=1e-12)
    sw.genmagstr(mode="helical", S=[[1, 1], [0, 0], [0, 0]], k=[0.2, 0, 0], n=[0, 0, 1], nExt=[5, 1, 1])
    angle = np.degrees(np.arctan2(sw.magstr().S[1], sw.magstr().S[0])) % 360
    np.testing.assert_allclose(angle, np.repeat(72 * np.arange(5), 2), atol=1e-9)


def test_a_cone_keeps_its_component_along_n() -> None:
    sw = chain()
    sw.genmagstr(mode="helical", S=[1, 0, 1], k=[0.21, 0, 0], n=[0, 0, 1])
    assert sw.mag_str.F.shape == (3, 1, 2)
    np.testing.assert_allclose(sw.mag_str.k, [[0.21, 0], [0, 0], [0, 0]])
    np.testing.assert_allclose(sw.magstr().S[:, 0], np.array([1, 0, 1]) * 1.5 / np.sqrt(2))
    np.testing.assert_allclose(sw.magstr().n, [0, 0, 1])


def test_lattice_units() -> None:
    sw = SpinW()
    sw.genlattice(lat_const=[3, 4, 5], angled=[90, 90, 120])
    sw.addatom(r=[0, 0, 0], S=2)
    sw.genmagstr(mode="direct", S=[0, 1, 0], unit="lu")
    np.testing.assert_allclose(sw.magstr().S[:, 0], [-1, np.sqrt(3), 0], atol=1e-12)


def test_constraints() -> None:
    spins, k, n = gm_planard([1, 2], [0, 90, 0.1, 0.2, 0.3, 0, 0])
    np.testing.assert_allclose(np.abs(spins.T @ spins), [[1, 0], [0, 4]], atol=1e-12)
    assert k.tolist() == [0.1, 0.2, 0.3]
    np.testing.assert_allclose(n, [0, 0, 1])
    for degrees, radians, x in ((gm_planard, gm_planar, [40, 50]), (gm_spherical3dd, gm_spherical3d, [40, 50, 60, 70])):
        turned = np.append(x, [30.0, 60.0])
        one = degrees([1, 2], [*x, 0.1, 0.2, 0.3, *turned[-2:]])
        other = radians([1, 2], [*np.radians(x), 0.1, 0.2, 0.3, *np.radians(turned[-2:])])
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(one[0], axis=0), [1, 2])
    theta, phi = np.radians([40, 50])
    np.testing.assert_allclose(gm_spherical3dd([1, 2], [40, 50, 60, 70, 0, 0, 0, 0, 0])[0][:, 0],
                               [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    sw = chain(atoms=2)
    sw.genmagstr(mode="func", func=gm_planar, x0=[0, np.pi, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(sw.magstr().S[:, 0], -sw.magstr().S[:, 1], atol=1e-12)


def test_wave_vector_of_a_frustrated_chain() -> None:
    """cos(2 pi k) = -J1 / 4 J2 and E = -S^2 (J2 + J1^2 / 8 J2)."""
    J1, J2 = -1.0, 0.8
    k = np.arccos(-J1 / (4 * J2)) / (2 * np.pi)
    energy = -1.5**2 * (J2 + J1**2 / (8 * J2))
    sw = chain(J1, J2)
    found = sw.optmagk()
    assert min(found.k[0], 1 - found.k[0]) == pytest.approx(k, abs=1e-6)
    assert pytest.approx(energy) == found.E
    assert sw.energy() == pytest.approx(energy)
    other = chain(J1, J2)
    best = other.optmagstr(func=gm_planard, xmin=[0, 0, 0, 0, 0, 0], xmax=[0, 0.5, 0, 0, 0, 0], nRun=2)
    assert best.xname == ["Phi1_deg", "kx_rlu", "ky_rlu", "kz_rlu", "nTheta_deg", "nPhi_deg"]
    assert best.x[1] == pytest.approx(k, abs=1e-4)
    assert best.e == pytest.approx(energy)


def test_canting_in_a_field() -> None:
    """Antiferromagnet of two sublattices across a field: cos(theta) = g muB B / 4 J S for two neighbours."""
    field = 20.0
    wanted = 2 * 0.057883818066 * field / (4 * 1.5)
    relaxed = chain(atoms=2)
    relaxed.field([0, 0, field])
    result = relaxed.optmagsteep(random=True, seed=1)
    assert result.converged
    np.testing.assert_allclose(result.M[2] / 1.5, wanted, atol=1e-6)
    assert result.e[-1] == pytest.approx(relaxed.energy())
    angles = chain(atoms=2)
    angles.field([0, 0, field])
    found = angles.optmagstr(func="gm_spherical3dd", kx_rlu=[0, 0], ky_rlu=[0, 0], kz_rlu=[0, 0], nTheta_deg=[0, 0],
                             nPhi_deg=[0, 0], nRun=3)
    np.testing.assert_allclose(np.cos(np.radians(found.x[[0, 2]])), wanted, atol=1e-4)
    assert found.e == pytest.approx(relaxed.energy())
    cooled = chain(atoms=2)
    cooled.field([0, 0, field])
    cooled.genmagstr(mode="random")
    stat = cooled.anneal(initT=30, endT=0.01, cool=lambda T: T / 2, nMC=60, nStat=60, random=True)
    assert pytest.approx(relaxed.energy(), abs=0.01) == stat.E
    assert stat.T < 0.01
    with pytest.raises(ModelError, match=r"optmagstr: expected options func, .*nTheta_deg.*, found 'ntheta'"):
        angles.optmagstr(func="gm_spherical3dd", ntheta=[0, 0])
    with pytest.raises(ModelError, match="func: expected a function or one of gm_planar"):
        angles.optmagstr(func="gm_plane")
    with pytest.raises(ModelError, match="cool: expected a lower positive temperature"):
        cooled.anneal(initT=2, cool=lambda T: T)
