"""Names, shapes and refusals."""

import numpy as np
import pytest

from insml.errors import ModelError
from insml.spinw import SpinW, Struct, sw_egrid, sw_mff, sw_qgrid, sw_qscan
from insml.spinw.ions import spin_of


def test_matlab_pairs_keywords_and_structs_are_the_same() -> None:
    pairs, keywords, struct = SpinW(), SpinW(), SpinW()
    pairs.genlattice("lat_const", [3, 4, 5], "Angled", [90, 100, 90])
    keywords.genlattice(lat_const=[3, 4, 5], angled=[90, 100, 90])
    struct.genlattice({"LAT_CONST": [3, 4, 5], "angled": [90, 100, 90]})
    for sw in (keywords, struct):
        np.testing.assert_array_equal(sw.abc(), pairs.abc())
    np.testing.assert_allclose(pairs.abc(), [3, 4, 5, 90, 100, 90])


def test_a_mistyped_option_is_refused_with_those_that_are_accepted() -> None:
    with pytest.raises(ModelError, match=r"genlattice: expected options .*angled.*lat_const.*, found 'lat_cons'"):
        SpinW().genlattice("lat_cons", [3, 4, 5])
    with pytest.raises(ModelError, match=r"spinwave: expected options .*formfact.*hermit.*, found 'formfac'"):
        SpinW().spinwave([0, 0, 0], formfac=True)
    with pytest.raises(ModelError, match=r"sw_egrid: expected options .*Evect.*, found 'Evec'"):
        sw_egrid(Struct(), Evec=[0, 1])
    with pytest.raises(ModelError, match="expected each option once, found 'ANGLED' again"):
        SpinW().genlattice(angled=[90] * 3, ANGLED=[90] * 3)
    with pytest.raises(ModelError, match=r"expected 'name', value pairs"):
        SpinW().genlattice("lat_const")


def test_basis_vectors_are_turned_into_spinws_axes() -> None:
    bv = np.array([[0.0, 3.0, 0.2], [0.0, 0.5, 4.0], [5.0, 0.1, -0.3]])
    sw = SpinW()
    R = sw.genlattice(bv=bv)
    np.testing.assert_allclose(R @ bv, sw.basisvector(), atol=1e-12)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert sw.basisvector()[1:, 0] == pytest.approx([0, 0])
    np.testing.assert_allclose(sw.rl() @ sw.basisvector(), 2 * np.pi * np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(sw.basisvector(True), axis=0), 1)


@pytest.mark.parametrize(("label", "spin"), [("MCr3", 1.5), ("Cr3+", 1.5), ("MFe3", 2.5), ("MCu2", 0.5), ("Ni1 MNi2", 1.0),
                                             ("O2-", 0.0), ("Mn4+", 1.5), ("atom_1", 0.0), ("MYb3", None)])
def test_spin_of_a_label(label: str, spin: float | None) -> None:
    assert spin_of(label) == spin


def test_atoms() -> None:
    sw = SpinW()
    sw.addatom(r=[[0, 0.5], [0, 0.25], [0, 1.75]], label=["MCr3", "O2-"])
    assert sw.unit_cell.S.tolist() == [1.5, 0.0]
    np.testing.assert_array_equal(sw.unit_cell.r[:, 1], [0.5, 0.25, 0.75])
    np.testing.assert_allclose(sw.unit_cell.ff[0, :, 0], sw_mff("MCr3"))
    sw.addatom(r=[0, 0, 0], S=1, label="MCr3")
    assert sw.natom == 2
    assert sw.unit_cell.S[0] == 1
    sw.addatom(r=[0, 0, 0], S=2, label="MCr3", update=False)
    assert sw.natom == 3
    with pytest.raises(ModelError, match=r"S: expected the spin of 'MYb3'"):
        sw.addatom(r=[0, 0, 0], label="MYb3")
    with pytest.raises(ModelError, match=r"formfactn: expected an ion"):
        sw.addatom(r=[0, 0, 0], S=1, formfactn="Cr9")
    with pytest.raises(ModelError, match=r"r: expected 3 x n numbers"):
        sw.addatom(r=[0, 0], S=1)
    with pytest.raises(ModelError, match=r"perm: expected a permutation"):
        sw.genlattice(sym="P -3", perm="abb")


def test_form_factor() -> None:
    np.testing.assert_allclose(sw_mff("MCr3", [0.0]), 1, atol=2e-3)
    q = np.array([[1.0, 0.0], [2.0, 3.0], [2.0, 0.0]])
    np.testing.assert_allclose(sw_mff("Cr3+", q), sw_mff("MCr3", [3.0, 3.0]))
    s2 = (2.0 / (4 * np.pi)) ** 2
    assert sw_mff([1, 2, 3, 4, 0, 0, 0, 0, 5], [2.0])[0] == pytest.approx(np.exp(-2 * s2) + 3 * np.exp(-4 * s2) + 5)


def test_scans() -> None:
    line = sw_qscan([[0, 0, 0], [1, 0, 0], [1, 1, 0], 3])
    np.testing.assert_allclose(line, [[0, 0.5, 1, 1, 1], [0, 0, 0, 0.5, 1], [0] * 5])
    assert sw_qscan([[0, 0, 0], [1, 0, 0]]).shape == (3, 100)
    assert sw_qscan([0.5, 0, 0]).shape == (3, 1)
    assert sw_qscan(np.zeros((7, 3))).shape == (3, 7)
    with pytest.raises(ModelError, match="Q: expected corners of three numbers"):
        sw_qscan([[0, 0], [1, 0], 5])


def test_grids() -> None:
    grid = sw_qgrid(u=[1, 0, 0], v=[0, 0, 2], ubin=[0, 0.5, 1], vbin=[0, 1], nExt=[1, 2, 1], uoffset=[0, 1, 0])
    assert grid.shape == (3, 3, 3)
    np.testing.assert_allclose(grid[:, 2, 1], [1, 1, 1])
    with pytest.raises(ModelError, match="bins of 1, 2 or 3 numbers"):
        sw_qgrid(ubin=[0, 1, 2, 3])


def test_matrices() -> None:
    sw = SpinW()
    sw.addmatrix("label", "J", "value", 2)
    sw.addmatrix("label", "DM", "value", [1, 2, 3])
    sw.addmatrix(value=np.stack([np.eye(3), 2 * np.eye(3)], axis=2))
    assert sw.matrix.label == ["J", "DM", "mat3", "mat4"]
    a, b = np.random.default_rng(0).standard_normal((2, 3))
    assert a @ sw.matrix.mat[:, :, 1] @ b == pytest.approx(np.dot([1, 2, 3], np.cross(a, b)))
    sw.addmatrix(label="J", value=3)
    assert sw.matrix.mat[:, :, 0].tolist() == (3 * np.eye(3)).tolist()
    sw.matparser(param=[4, 5, 6], mat=["J", "DM(1,2)", "mat3"], init=False)
    assert sw.matrix.mat[1, 1, 0] == 4
    assert sw.matrix.mat[0, :, 1].tolist() == [0, 5, -2]
    sw.matparser("param", [7], "mat", [2], "selector", np.array([[0, 0, 0], [0, 0, 1], [0, -1, 0]]), "init", True)
    assert sw.matrix.mat[:, :, 1].tolist() == [[0, 0, 0], [0, 0, 7], [0, -7, 0]]
    with pytest.raises(ModelError, match="matrix: expected one of J, DM, mat3, mat4, found 'J1'"):
        sw.matparser(param=[1], mat=["J1(1,1)"])
    with pytest.raises(ModelError, match="index from 1 to 4, found 5"):
        sw.matparser(param=[1], mat=[5])


def test_structs() -> None:
    s = Struct(omega=np.zeros((2, 3)))
    s["T"] = 4
    assert s.T == 4
    assert repr(s) == "Struct(omega=array(2, 3), T=4)"
    with pytest.raises(AttributeError, match="expected a field of omega, T, found 'Sab'"):
        s.Sab  # noqa: B018
    del s.T
    assert "T" not in s
