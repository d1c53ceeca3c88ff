"""Bonds and what is assigned to them."""

from pathlib import Path

import numpy as np
import pytest

from insml.errors import ModelError
from insml.spinw import SpinW


def kagome() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[6, 6, 10], angled=[90, 90, 120], spgr="P -3")
    sw.addatom(r=[1 / 2, 0, 0], S=1, label="MCu1")
    sw.gencoupling(maxDistance=7)
    return sw


def two_sites() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[4, 5, 9])
    sw.addatom(r=[0, 0, 0], S=1, label="Cr1")
    sw.addatom(r=[0.5, 0.5, 0], S=2, label="Fe1")
    sw.addatom(r=[0.5, 0, 0.5], label="O2-")
    sw.gencoupling(maxDistance=5)
    return sw


def test_bonds_are_numbered_by_length() -> None:
    """Rectangular lattice with a centre: 3.20, 4 (two kinds of atoms, one number without symmetry), 5."""
    sw = two_sites()
    table = sw.table("bond", [])
    assert table.idx.tolist() == [1] * 4 + [2] * 2 + [3] * 2
    assert table.subidx.tolist() == [1, 2, 3, 4, 1, 2, 1, 2]
    np.testing.assert_allclose(table.length, [np.hypot(2, 2.5).round(3)] * 4 + [4] * 2 + [5] * 2)
    np.testing.assert_allclose(np.linalg.norm(sw.basisvector() @ table.dr.T, axis=0), table.length, atol=2e-3)
    assert sw.matom.idx.tolist() == [1, 2]
    assert sw.coupling.nsym == 0


def test_symmetry_splits_bonds_of_one_length() -> None:
    """Second neighbours of the kagome lattice are one orbit of P -3 with the two bonds from each atom; in P 1 every bond is
    one of its own."""
    sw = kagome()
    assert sw.matom.r.shape == (3, 3)
    assert [int(n) for n in np.bincount(sw.coupling.idx)[1:3]] == [6, 6]
    assert sw.coupling.nsym == sw.coupling.idx.max()
    sw.gencoupling(maxDistance=7, forceNoSym=True)
    assert sw.coupling.nsym == 0
    by_length = int(sw.coupling.idx.max())
    sw.genlattice(sym="P 1")
    sw.unit_cell = sw.unitcell(1)
    sw.addatom(r=np.array([[0, 0.5], [0.5, 0.5], [0, 0]]), S=[1, 1], label="MCu1")
    sw.gencoupling(maxDistance=7)
    assert sw.coupling.idx.max() == len(sw.coupling.idx) > by_length


def test_label_filters() -> None:
    sw = two_sites()
    sw.addmatrix(label="J", value=1)
    sw.addmatrix(label="K", value=2)
    sw.addmatrix(label="L", value=3)
    sw.addcoupling(mat="J", bond=2, atom="Cr1")
    sw.addcoupling(mat="K", bond=2, atom="Fe1")
    sw.addcoupling(mat=3, bond=1, atom=["Fe1", "Cr1"])
    table = sw.table("bond", [1, 2], True)
    assert table.matrix[:4] == [["L", "", ""]] * 4
    ends = {(a, b): m for a, b, m in zip(table.matom1[4:], table.matom2[4:], table.matrix[4:], strict=True)}
    assert ends == {("Cr1", "Cr1"): ["J", "", ""], ("Fe1", "Fe1"): ["K", "", ""]}
    np.testing.assert_allclose(table.Jx[:4], [[3, 0, 0]] * 4)
    with pytest.raises(ModelError, match="atom: expected a magnetic atom of Cr1, Fe1 or its index, found 'Cr'"):
        sw.addcoupling(mat="J", bond=1, atom="Cr")
    with pytest.raises(ModelError, match="found 'O2-'"):
        sw.addaniso("J", "O2-")
    with pytest.raises(ModelError, match="expected bonds 1 between atoms 'Cr1', found none"):
        sw.addcoupling(mat="J", bond=1, atom="Cr1")


def test_single_bonds() -> None:
    sw = two_sites()
    for name in "JKLM":
        sw.addmatrix(label=name, value=1)
    sw.addcoupling(mat="J", bond=1, subIdx=[2, 4])
    assert sw.coupling.mat_idx[0].tolist() == [0, 1, 0, 1, 0, 0, 0, 0]
    assert not sw.coupling.sym.any()
    sw.addcoupling(mat="J", bond=1)
    assert sw.coupling.mat_idx[:, 1].tolist() == [1, 0, 0]
    assert sw.coupling.mat_idx[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    sw.addcoupling(mat=["K", "L"], bond=1, type=["quadratic", "biquadratic"])
    assert sw.coupling.type[:, 0].tolist() == [0, 0, 1]
    with pytest.raises(ModelError, match="at most three matrices on a bond"):
        sw.addcoupling(mat="M", bond=1)
    with pytest.raises(ModelError, match=r"bond: expected numbers from 1 to 3, found 4"):
        sw.addcoupling(mat="J", bond=4)
    with pytest.raises(ModelError, match=r"subIdx: expected numbers from 1 to 4, found 5"):
        sw.addcoupling(mat="J", bond=1, subIdx=5)
    with pytest.raises(ModelError, match="type: expected 'quadratic' or 'biquadratic'"):
        sw.addcoupling(mat="J", bond=2, type="cubic")


def test_matrices_turn_with_the_bonds() -> None:
    """The energy of any bond of an orbit is that of the first with spins turned back by the operator that links them."""
    sw = kagome()
    J = np.array([[1.0, 0.2, 0.3], [-0.4, 0.5, 0.6], [0.7, -0.8, 0.9]])
    sw.addmatrix(label="J", value=J)
    sw.addcoupling(mat="J", bond=1)
    values = sw.bond_matrices()[sw.coupling.idx == 1]
    np.testing.assert_allclose(values[0], J, atol=1e-12)
    R = np.array([[-0.5, -np.sqrt(3) / 2, 0], [np.sqrt(3) / 2, -0.5, 0], [0, 0, 1]])
    orbit = [turn @ m @ turn.T for turn in (np.eye(3), R, R @ R) for m in (J, J.T)]
    for value in values:
        assert min(np.abs(value - m).max() for m in orbit) < 1e-9
    np.testing.assert_allclose(values.sum(axis=0)[:2, 2], 0, atol=1e-9)
    sw.gencoupling(maxDistance=7)
    sw.addcoupling(mat="J", bond=1, sym=False)
    np.testing.assert_allclose(sw.bond_matrices()[sw.coupling.idx == 1], np.tile(J, (6, 1, 1)))


def test_anisotropy_and_g_turn_with_the_atoms() -> None:
    sw = kagome()
    sw.addmatrix(label="D", value=np.diag([-0.3, 0, 0]))
    sw.addmatrix(label="g", value=np.diag([2, 2.1, 2.3]))
    sw.addaniso("D")
    sw.addg("g", "MCu1")
    sw.addmatrix(label="J", value=1)
    sw.addcoupling(mat="J", bond=1)
    A, g = sw.ion_matrices()
    np.testing.assert_allclose(A[0], np.diag([-0.3, 0, 0]), atol=1e-12)
    np.testing.assert_allclose(A.sum(axis=0), np.diag([-0.45, -0.45, 0]), atol=1e-12)
    np.testing.assert_allclose(g.mean(axis=0), np.diag([2.05, 2.05, 2.3]), atol=1e-12)
    table = sw.table("ion", showVal=True)
    assert table.aniso == ["D"] * 3
    assert table.gtensor == ["g"] * 3
    np.testing.assert_allclose(table.Ax, A[:, 0], atol=1e-5)
    with pytest.raises(ModelError, match="atomIdx: expected none with a space group"):
        sw.addaniso("D", "MCu1", 1)
    sw.gencoupling(maxDistance=7, forceNoSym=True)
    sw.addaniso("D")
    np.testing.assert_allclose(sw.ion_matrices()[0], np.tile(np.diag([-0.3, 0, 0]), (3, 1, 1)))


def pyrochlore() -> SpinW:
    generators = ("-z, y+3/4, x+3/4; z+3/4, -y, x+3/4; z+3/4, y+3/4, -x; y+3/4, x+3/4, -z; x+3/4, -z, y+3/4; "
                  "-z, x+3/4, y+3/4")
    sw = SpinW()
    sw.genlattice(lat_const=[10, 10, 10], spgr=generators, label="F d -3 m Z")
    sw.addatom(label="Yb3+", r=[1 / 2, 1 / 2, 1 / 2], S=1 / 2)
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J1", value=1)
    sw.addmatrix(label="g0", value=1)
    sw.addcoupling(mat="J1", bond=1)
    sw.addg("g0")
    return sw


def test_allowed_matrices_of_the_pyrochlore() -> None:
    """Four numbers for the first bond in the order of SpinW's tutorial 20, two for the g-tensor along <111>."""
    sw = pyrochlore()
    allowed = sw.getmatrix(mat="J1")
    assert allowed.shape == (3, 3, 4)
    np.testing.assert_allclose(allowed[:, :, 0], np.diag([0, 1, 1]))
    np.testing.assert_allclose(allowed[:, :, 1], [[0, 0, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_allclose(allowed[:, :, 2], np.diag([1, 0, 0]))
    np.testing.assert_allclose(allowed[:, :, 3], -allowed[:, :, 3].T)
    J1, J2, J3, J4 = -0.09, -0.22, -0.29, 0.01
    sw.setmatrix(label="J1", pref=[J1, J3, J2, -J4])
    np.testing.assert_allclose(sw.matrix.mat[:, :, 0], [[J2, J4, J4], [-J4, J1, J3], [-J4, J3, J1]], atol=1e-12)
    g = sw.getmatrix(gtensor="Yb3+")
    np.testing.assert_allclose(g[:, :, 1], np.eye(3), atol=1e-9)
    np.testing.assert_allclose(g[:, :, 0], np.ones((3, 3)) - np.eye(3), atol=1e-9)
    np.testing.assert_array_equal(sw.getmatrix(mat="g0"), g)
    sw.setmatrix(mat="J1", pref={2: 0.5})
    assert sw.matrix.mat[1, 2, 0] == 0.5
    sw.setmatrix(mat="J1", pref=[1.5])
    np.testing.assert_allclose(sw.matrix.mat[:, :, 0], 1.5 * np.eye(3))
    with pytest.raises(ModelError, match="pref: expected 4 prefactors, found 3"):
        sw.setmatrix(mat="J1", pref=[1, 2, 3])
    with pytest.raises(ModelError, match="getmatrix: expected a space group"):
        two_sites().getmatrix(bond=1)
    with pytest.raises(ModelError, match="bond: expected a number from 1 to 1, found 7"):
        sw.getmatrix(bond=7)


def test_an_allowed_matrix_is_one_that_the_bonds_agree_on() -> None:
    """On bonds whose operators map some onto themselves, only allowed matrices look the same from all sides."""
    sw = pyrochlore()
    rng = np.random.default_rng(2)
    sw.setmatrix(mat="J1", pref=rng.standard_normal(4))
    sw.genmagstr(mode="random")
    energy = sw.energy()
    for turn in (np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), np.diag([-1, -1, 1])):
        # a rotation of the point group moves the atoms among themselves
        r = (sw.matom.r.T - 0.5) @ turn.T + 0.5
        where = [int(np.argmin(np.abs((sw.matom.r.T - p + 0.5) % 1 - 0.5).max(axis=1))) for p in r]
        gap = max(np.abs((sw.matom.r.T[w] - p + 0.5) % 1 - 0.5).max() for w, p in zip(where, r, strict=True))
        if gap > 1e-6:
            continue
        spins = np.empty_like(sw.magstr().S)
        spins[:, where] = turn @ sw.magstr().S
        other = sw.copy()
        other.genmagstr(mode="direct", S=spins)
        assert other.energy() == pytest.approx(energy)
        break
    else:
        pytest.fail("no rotation of the point group was found")


def test_tables() -> None:
    sw = two_sites()
    sw.addmatrix(label="J", value=1)
    sw.addmatrix(label="A", value=np.diag([1, 2, 3]))
    sw.addmatrix(label="DM", value=[1, 0, 0])
    sw.addcoupling(mat="J", bond=1)
    table = sw.table("mat")
    assert table.type == ["Heisenberg", "anisotropic", "antisymmetric"]
    assert table.assigned == ["bond", "none", "none"]
    lines = str(sw.table("matom")).splitlines()
    assert [line.split() for line in lines] == [["matom", "idx", "S", "pos"], ["Cr1", "1", "1", "0", "0", "0"],
                                                ["Fe1", "2", "2", "0.5", "0.5", "0"]]
    sw.genmagstr(mode="tile", S=[[0, 0], [0, 0], [1, -1]], nExt=[2, 1, 1])
    spins = sw.table("mag")
    assert len(spins) == 4
    np.testing.assert_allclose(spins.pos[:, 0], [0, 0.5, 1, 1.5])
    np.testing.assert_allclose(spins.S, [1, 2, 1, 2])
    assert sw.formula() == "Cr1 Fe1 O1"
    sw.genlattice(nformula=2)
    assert sw.formula() == "Cr0.5 Fe0.5 O0.5"
    assert repr(sw) == "SpinW(4 5 9 90 90 90, 'P 0', 3 atoms, 3 bonds, 3 matrices, 4 spins)"
    with pytest.raises(ModelError, match=r"table: expected matom, .*bond.*, found 'bonds'"):
        sw.table("bonds")


def test_what_must_come_first() -> None:
    sw = SpinW()
    sw.addmatrix(label="J", value=1)
    with pytest.raises(ModelError, match="bond: expected numbers from 1 to 0"):
        sw.addcoupling(mat="J", bond=1)
    with pytest.raises(ModelError, match="expected magnetic atoms, found none"):
        sw.genmagstr(mode="random")
    sw.addatom(r=[0, 0, 0], S=1)
    with pytest.raises(ModelError, match="coupling: expected bonds, found none; use gencoupling"):
        sw.interactions()
    sw.gencoupling()
    with pytest.raises(ModelError, match="mag_str: expected a magnetic structure, found none; use genmagstr"):
        sw.spinwave([0, 0, 0])
    sw.addatom(r=[0.5, 0, 0], S=1)
    with pytest.raises(ModelError, match="bonds of this crystal"):
        sw.interactions()


def test_copies_share_nothing() -> None:
    sw = two_sites()
    sw.addmatrix(label="J", value=1)
    sw.addcoupling(mat="J", bond=1)
    other = sw.copy()
    other.matparser(param=[5], mat=["J"])
    other.addcoupling(mat="J", bond=2)
    other.field([1, 0, 0])
    assert sw.matrix.mat[0, 0, 0] == 1
    assert not sw.coupling.mat_idx[:, sw.coupling.idx == 2].any()
    assert sw.field().tolist() == [0, 0, 0]
    other.temperature(5)
    assert (sw.temperature(), other.temperature()) == (0, 5)


def test_a_native_crystal_is_taken_over() -> None:
    from insml.crystal import Crystal, Lattice
    from insml.crystal import Site as NativeSite

    crystal = Crystal(Lattice(6, 6, 10, 90, 90, 120), [NativeSite("Cu", (0.5, 0, 0), 0.5, form_factor="Cu2+")], "P -3")
    sw, other = SpinW(crystal), kagome()
    sw.gencoupling(maxDistance=7)
    for field in ("dl", "atom1", "atom2", "idx"):
        np.testing.assert_array_equal(sw.coupling[field], other.coupling[field])
    assert sw.unit_cell.S.tolist() == [0.5]
    np.testing.assert_array_equal(sw.unit_cell.ff[0, :, 0], crystal.sites[0].form_factor)


def test_dipolar_coupling() -> None:
    """Two spins of one cell, 3 Angstrom apart along x, and nothing else within reach: head to tail is lowest."""
    sw = SpinW()
    sw.genlattice(lat_const=[20, 20, 20])
    sw.addatom(r=np.array([[0, 0, 0], [0.15, 0, 0]]).T, S=[1, 1])
    sw.gencoupling(maxDistance=5)
    sw.coupling.rdip = 4
    strength = 201.335431 * 0.057883818066**2 / (4 * np.pi) * 4 / 27
    for spin, energy in (([1, 0, 0], -2), ([0, 1, 0], 1)):
        sw.genmagstr(mode="tile", S=np.array([spin, spin]).T)
        assert sw.energy() == pytest.approx(strength * energy / 2)


def test_names_are_parameters_of_the_native_model() -> None:
    sw = kagome()
    sw.addmatrix(label="J1", value=1.5)
    sw.addmatrix(label="D", value=np.diag([0, 0, -0.1]))
    sw.addcoupling(mat="J1", bond=1)
    sw.addaniso("D")
    sw.genmagstr(mode="tile", S=[[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    model = sw.model()
    assert model.parameters["J1"].value == 1.5
    moved = model.with_parameters({"J1": -2.0, "D(3,3)": -0.3})
    sw.matparser(param=[-2, -0.3], mat=["J1", "D(3,3)"])
    q = np.array([[0.1, 0.2, 0.3]])
    np.testing.assert_allclose(moved.spectrum(q).energy, sw.model().spectrum(q).energy)


def test_origin_and_axes_of_the_operators() -> None:
    """Inversion about (1/4, 0, 0); a screw axis along b told for axes in another order."""
    sw = SpinW()
    sw.genlattice(lat_const=[4, 5, 6], sym="P -1", origin=[0.25, 0, 0])
    sw.addatom(r=[0.1, 0.2, 0.3], S=1)
    np.testing.assert_allclose(sw.matom.r.T, [[0.1, 0.2, 0.3], [0.4, 0.8, 0.7]])
    sw = SpinW()
    sw.genlattice(lat_const=[4, 5, 6], sym="-x,y+1/2,-z", perm="bca")
    sw.addatom(r=[0.1, 0.2, 0.3], S=1)
    np.testing.assert_allclose(sw.matom.r.T, [[0.1, 0.2, 0.3], [0.6, 0.8, 0.7]])


def test_a_structure_from_a_cif(tmp_path: Path) -> None:
    path = tmp_path / "chromia.cif"
    path.write_text("""data_cr2o3
_cell_length_a 4.96
_cell_length_b 4.96
_cell_length_c 13.6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 120
_symmetry_space_group_name_H-M 'R -3 c'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Cr1 Cr3+ 0 0 0.3475
O1 O2- 0.306 0 0.25
""")
    sw = SpinW(path, spins={"Cr1": 1.5})
    assert sw.matom.r.shape == (3, 12)
    np.testing.assert_allclose(sw.abc(), [4.96, 4.96, 13.6, 90, 90, 120])
    assert sw.multiplicities() == [12, 18]
    sw.gencoupling(maxDistance=4)
    # the pair along c, then the three neighbours in the buckled plane
    np.testing.assert_allclose(sw.table("bond", 1).length, 13.6 * (0.3475 - 0.1525), atol=1e-3)
    assert np.bincount(sw.coupling.idx)[1:3].tolist() == [6, 18]
