"""SpinW's tutorials, line by line, against numbers of SpinW, closed forms and an independent code."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from insml.spinw import SpinW, Struct, sw_egrid, sw_neutron

# the oracle loader leaves its files to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def oracle(shared_data: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("lswt_oracle", shared_data / "oracles" / "lswt" / "oracle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fm_chain() -> SpinW:
    sw = SpinW()
    sw.genlattice("lat_const", [3, 8, 8], "angled", [90, 90, 90])
    sw.addatom("r", [0, 0, 0], "S", 1, "label", "MCu1")
    sw.gencoupling("maxDistance", 7)
    sw.addmatrix("label", "Ja", "value", -1)
    sw.addmatrix("label", "D", "value", np.diag([0, -0.05, 0]))
    sw.addcoupling("mat", "Ja", "bond", 1)
    sw.addaniso("D")
    sw.genmagstr("mode", "direct", "k", [0, 0, 0], "n", [1, 0, 0], "S", [0, 1, 0])
    return sw


def fm_chain_dm() -> SpinW:
    """A DM vector along the chain's moments: sign of Q, of the field, of D."""
    sw = SpinW()
    sw.genlattice(lat_const=[3, 8, 8])
    sw.addatom(r=[0, 0, 0], S=1)
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=-1)
    sw.addmatrix(label="DM", value=[0, 0, 0.3])
    sw.addcoupling(mat="J", bond=1)
    sw.addcoupling(mat="DM", bond=1)
    sw.field([0, 0, 5])
    sw.genmagstr(mode="direct", S=[0, 0, 1])
    return sw


def afm_chain_field() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[6, 8, 8])
    sw.addatom(r=[[0, 0.5], [0, 0], [0, 0]], S=[1, 1], label=["A", "B"])
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=1)
    sw.addmatrix(label="D", value=np.diag([0, 0, -0.2]))
    sw.addcoupling(mat="J", bond=1)
    sw.addaniso("D")
    sw.field([0, 0, 3])
    sw.genmagstr(mode="direct", S=[[0, 0], [0, 0], [1, -1]])
    return sw


def square_afm() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[4, 4, 9])
    sw.addatom(r=[[0, 0.5], [0, 0.5], [0, 0]], S=[2.5, 2.5])
    sw.gencoupling(maxDistance=4.5)
    sw.addmatrix(label="J1", value=1)
    sw.addmatrix(label="J2", value=oracle_j2())
    sw.addmatrix(label="D", value=np.diag([0, 0, -0.02]))
    sw.addcoupling(mat="J1", bond=1)
    sw.addcoupling(mat="J2", bond=2)
    sw.addaniso("D")
    sw.genmagstr(mode="direct", S=[[0, 0], [0, 0], [1, -1]])
    return sw


def oracle_j2() -> float:
    return 0.2


def honeycomb_dm() -> SpinW:
    """Second-neighbour DM along c, carried from bond to bond by P -3."""
    sw = SpinW()
    sw.genlattice(lat_const=[6, 6, 12], angled=[90, 90, 120], sym="P 3")
    sw.addatom(r=[1 / 3, 2 / 3, 0], S=1.5, label="A")
    sw.addatom(r=[2 / 3, 1 / 3, 0], S=1.5, label="B")
    sw.gencoupling(maxDistance=6.5)
    return sw


def kagome_fm() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[6, 6, 12], angled=[90, 90, 120], spgr="P -3")
    sw.addatom(r=[0.5, 0, 0], S=1, label="MCu1")
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=-1)
    sw.addmatrix(label="D", value=np.diag([0, 0, -0.01]))
    sw.addcoupling(mat="J", bond=1)
    sw.addaniso("D")
    sw.genmagstr(mode="tile", S=[[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    return sw


def triangular(D: float = 0.0) -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[3, 3, 4], angled=[90, 90, 120])
    sw.addatom(r=[0, 0, 0], S=1.5, label="MCr3", color="orange")
    sw.gencoupling()
    sw.addmatrix(value=1, label="J", color="SteelBlue")
    sw.addmatrix(value=np.diag([0, 0, D]), label="D", color="r")
    sw.addcoupling(mat="J", bond=1)
    sw.addaniso("D")
    sw.genmagstr(mode="helical", S=[0, 1, 0], k=[1 / 3, 1 / 3, 0], n=[0, 0, 1])
    return sw


def kagome_s3xs3() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[6, 6, 40], angled=[90, 90, 120], sym="P -3")
    sw.addatom(r=[1 / 2, 0, 0], S=1, label="MCu1", color="r")
    sw.gencoupling(maxDistance=7)
    sw.addmatrix(label="J1", value=1.0, color="g")
    sw.addcoupling(mat="J1", bond=1)
    sw.genmagstr(mode="helical", k=[-1 / 3, -1 / 3, 0], n=[0, 0, 1], unitS="lu", S=[[0, 0, -1], [1, 1, -1], [0, 0, 0]],
                 nExt=[1, 1, 1])
    return sw


def kagome_q0() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[6, 6, 10], angled=[90, 90, 120], spgr="P -3")
    sw.addatom(r=[1 / 2, 0, 0], S=1, label="MCu1", color="r")
    sw.gencoupling(maxDistance=7)
    sw.addmatrix(label="J1", value=1.0)
    sw.addmatrix(label="J2", value=0.11)
    sw.addcoupling(mat="J1", bond=1)
    sw.addcoupling(mat="J2", bond=2)
    sw.genmagstr(mode="direct", k=[0, 0, 0], n=[0, 0, 1], unit="lu", S=[[1, -2, 1], [2, -1, -1], [0, 0, 0]])
    return sw


def ferrimagnet() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[4, 6, 6])
    sw.addatom(r=[[0, 0.5], [0, 0], [0, 0]], S=[1, 2], label=["A", "B"])
    sw.gencoupling(maxDistance=3)
    sw.addmatrix(label="J", value=1)
    sw.addmatrix(label="D", value=np.diag([0, 0, -0.05]))
    sw.addcoupling(mat="J", bond=1, atom=["A", "B"])
    sw.addaniso("D")
    sw.genmagstr(mode="direct", S=[[0, 0], [0, 0], [1, -2]])
    return sw


def conical_helix() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[3, 3.5, 4])
    sw.addatom(r=[0, 0, 0], S=1.5)
    sw.gencoupling(maxDistance=8)
    for label, value in (("J1", -1.0), ("DM", [0, 0, -0.7951478980668842]), ("J2", 0.6), ("Jab", -0.3)):
        sw.addmatrix(label=label, value=value)
    along = {int(i): sw.coupling.dl[:, int(np.argmax(sw.coupling.idx == i))] for i in np.unique(sw.coupling.idx)}
    bond = {tuple(np.abs(dl)): i for i, dl in along.items()}
    sw.addcoupling(mat=["J1", "DM"], bond=bond[0, 0, 1])
    sw.addcoupling(mat="J2", bond=bond[0, 0, 2])
    sw.addcoupling(mat="Jab", bond=[bond[1, 0, 0], bond[0, 1, 0]])
    sw.field([0, 0, 10.224568196511765])
    sw.genmagstr(mode="helical", k=[0, 0, 0.2], n=[0, 0, 1], S=[1.4090590692710683, 0, 0.514346711183177])
    return sw


def ybti() -> SpinW:
    generators = ("-z, y+3/4, x+3/4; z+3/4, -y, x+3/4; z+3/4, y+3/4, -x; y+3/4, x+3/4, -z; x+3/4, -z, y+3/4; "
                  "-z, x+3/4, y+3/4")
    sw = SpinW()
    sw.genlattice(lat_const=[10.0307] * 3, angled=[90, 90, 90], spgr=generators, label="F d -3 m Z")
    sw.addatom(label="Yb3+", r=[1 / 2, 1 / 2, 1 / 2], S=1 / 2)
    sw.addatom(label="Ti4+", r=[0, 0, 0])
    sw.addatom(label="O2-", r=[0.3318, 1 / 8, 1 / 8])
    sw.unit_cell = sw.unitcell(1)
    sw.gencoupling()
    sw.addmatrix(label="J1", value=1)
    sw.addmatrix(label="g0", value=1)
    sw.addcoupling(mat="J1", bond=1)
    sw.addg("g0")
    sw.matrix.mat[:, :, 1] = -0.84 * np.ones((3, 3)) + 4.32 * np.eye(3)
    sw.matrix.mat[:, :, 0] = [[-0.22, 0.01, 0.01], [-0.01, -0.09, -0.29], [-0.01, -0.29, -0.09]]
    n = np.array([1, -1, 0])
    sw.field(n / np.linalg.norm(n) * 2)
    sw.genmagstr(S=n, mode="helical")
    sw.optmagsteep()
    return sw


CASES: dict[str, tuple[Callable[[], SpinW], dict[str, Any]]] = {
    "B01_fm_chain": (fm_chain, {}),
    "B02_fm_chain_dm": (fm_chain_dm, {}),
    "B03_afm_chain_field": (afm_chain_field, {}),
    "B06_kagome_fm": (kagome_fm, {}),
    "B07_triangular_120": (triangular, {}),
    "B09_ferrimagnet_chain": (ferrimagnet, {}),
    "A_pysw_tri_antiferro": (lambda: triangular(0.2), {}),
    "A_pysw_kagome_antiferro": (kagome_q0, {}),
    "A_kagome_s3xs3_incomm": (kagome_s3xs3, {}),
    "C20_conical_helix_dm": (conical_helix, {}),
    "A_ybto_B2_Q1": (ybti, {"gtensor": True}),
    "A_ybto_B2_Q3": (ybti, {"gtensor": True}),
}


def check(oracle: ModuleType, name: str, spec: Struct) -> None:
    meta, z = oracle.load(name)
    spec = sw_neutron(spec)
    result = oracle.compare(meta, z["omega"], z["Sperp"], spec.omega.T, spec.Sperp.T, q_ok=z.get("q_ok"))
    assert result["passed"], result


@pytest.mark.parametrize("name", CASES)
def test_tutorials(oracle: ModuleType, name: str) -> None:
    make, options = CASES[name]
    check(oracle, name, make().spinwave(oracle.load(name)[1]["q"].T, **options))


def test_square_antiferromagnet(oracle: ModuleType) -> None:
    sw = square_afm()
    meta, z = oracle.load("B04_square_afm_j1j2")
    first = next(b["J"][0][0] for b in meta["model"]["bonds"] if b["i"] == b["j"])
    sw.matparser(param=[first], mat=["J2"])
    check(oracle, "B04_square_afm_j1j2", sw.spinwave(z["q"].T))


def test_honeycomb_with_dm(oracle: ModuleType) -> None:
    """DM vectors of one handedness on each sublattice, opposite between them."""
    meta, z = oracle.load("B05_honeycomb_fm_dm")
    sw = honeycomb_dm()
    sw.addmatrix(label="J1", value=-1)
    sw.addmatrix(label="D", value=np.diag([0, 0, -0.02]))
    sw.addcoupling(mat="J1", bond=1)
    bonds = {(b["i"], b["j"], *b["dl"]): np.array(b["J"]) for b in meta["model"]["bonds"]}
    bonds |= {(j, i, *(-np.array(dl))): J.T for (i, j, *dl), J in bonds.items()}
    for number in (2, 3):  # the two sublattices are different orbits of P 3
        b = int(np.argmax(sw.coupling.idx == number))
        key = (int(sw.coupling.atom1[b]) - 1, int(sw.coupling.atom2[b]) - 1, *(int(x) for x in sw.coupling.dl[:, b]))
        sw.addmatrix(label=f"J2_{number}", value=bonds[key])
        sw.addcoupling(mat=f"J2_{number}", bond=number)
    sw.addaniso("D")
    sw.genmagstr(mode="direct", S=[[0, 0], [0, 0], [1, 1]])
    assert sw.table("bond", [2, 3]).idx.tolist() == [2] * 3 + [3] * 3
    check(oracle, "B05_honeycomb_fm_dm", sw.spinwave(z["q"].T))


@pytest.mark.parametrize(("make", "name"), [(fm_chain_dm, "B02_fm_chain_dm"), (conical_helix, "C20_conical_helix_dm")])
def test_tensor_of_both_signs_of_energy(oracle: ModuleType, make: Callable[[], SpinW], name: str) -> None:
    """S^ab summed over modes, of energy loss and of energy gain, where Q and -Q differ."""
    meta, z = oracle.load(name)
    spec = make().spinwave(z["q"].T)
    for sign in (1, -1):
        ours = np.einsum("abmq,mq->qab", spec.Sab, sign * spec.omega > meta["compare"]["emin"])
        theirs = np.einsum("qmab,qm->qab", z["Sab"], sign * z["omega"].real > meta["compare"]["emin"])
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_modes_pair_up(oracle: ModuleType) -> None:
    """Row by row the second half of each block holds the counterparts of the first."""
    q = oracle.load("C20_conical_helix_dm")[1]["q"].T
    forward, backward = conical_helix().spinwave(q), conical_helix().spinwave(-q)
    for block in range(3):
        np.testing.assert_allclose(forward.omega[2 * block + 1], -backward.omega[2 * (2 - block)], atol=1e-9)
    theirs = oracle.load("C20_conical_helix_dm")[1]["omega"].real.T
    np.testing.assert_allclose(np.sort(forward.omega, axis=0), np.sort(theirs, axis=0), atol=1e-5)


def test_spinw_sign_of_q() -> None:
    q = np.array([[0.2, 0.3], [0.1, 0.0], [0.0, 0.2]])
    physical, theirs = fm_chain_dm().spinwave(-q), fm_chain_dm().spinwave(q, q_sign="spinw")
    np.testing.assert_allclose(theirs.omega, physical.omega)
    np.testing.assert_allclose(theirs.Sab, physical.Sab)
    assert np.abs(fm_chain_dm().spinwave(q).omega - theirs.omega).max() > 0.1


def test_binned_counts_of_spinw(oracle: ModuleType) -> None:
    """swConv of SpinW/MATLAB for Yb2Ti2O7 in a field; both codes' energies are a few 1e-6 meV apart, so edges may move a
    mode into the next bin."""
    _, z = oracle.load("A_ybto_B2_Q1")
    spec = sw_egrid(sw_neutron(ybti().spinwave(z["q"].T, gtensor=True)), component="Sperp", Evect=z["Evect_edges"])
    ours, theirs = np.cumsum(spec.swConv, axis=0), np.cumsum(z["swConv"].T, axis=0)
    assert spec.swConv.shape == theirs.shape
    off = np.abs(ours - theirs) > 1e-2 * theirs.max()
    assert off.mean() < 0.005
    np.testing.assert_allclose(ours[-1], theirs[-1], rtol=2e-3, atol=1e-3)


def test_supercell_and_rotating_frame_agree() -> None:
    q = np.array([[0.13, 0.31, 0.07], [0.41, -0.2, 0.3]]).T
    sw = kagome_s3xs3()
    small = sw_egrid(sw.spinwave(q), component="Sxx+Syy+Szz", Evect=np.linspace(0.05, 3, 60), dE=0.1)
    sw.genmagstr(mode="helical", k=[-1 / 3, -1 / 3, 0], n=[0, 0, 1], unit="lu", S=[[0, 0, -1], [1, 1, -1], [0, 0, 0]],
                 nExt=[3, 3, 1])
    assert sw.energy() == pytest.approx(-1)
    assert sw.nmagext == 27
    large = sw_egrid(sw.spinwave(q), component="Sxx+Syy+Szz", Evect=np.linspace(0.05, 3, 60), dE=0.1)
    np.testing.assert_allclose(small.swConv, large.swConv, atol=1e-6 * large.swConv.max())


def rebuilt(meta: dict[str, Any]) -> SpinW:
    """A model of one cell from its bond table, bond by bond."""
    model = meta["model"]
    sw = SpinW()
    R = sw.genlattice(bv=np.array(model["lattice_vectors"]).T)
    sites, bonds = model["sites"], model["bonds"]
    for i, site in enumerate(sites):
        sw.addatom(r=site["pos"], S=np.linalg.norm(site["spin"]), label=f"A{i}")
    r, basis = sw.matom.r, sw.basisvector()
    quartic = model.get("biquadratic") or []
    steps = [r[:, b["j"]] + b["dl"] - r[:, b["i"]] for b in bonds + quartic]
    sw.gencoupling(maxDistance=max(np.linalg.norm(basis @ step) for step in steps))
    for i, site in enumerate(sites):
        for key, assign in (("aniso", sw.addaniso), ("g", sw.addg)):
            if key in site:
                sw.addmatrix(label=f"{key}{i}", value=R @ np.array(site[key]) @ R.T)
                assign(f"{key}{i}", f"A{i}")
    c = sw.coupling
    table = [(int(c.atom1[b]) - 1, int(c.atom2[b]) - 1, *map(int, c.dl[:, b])) for b in range(len(c.idx))]
    for n, bond in enumerate(bonds + quartic):
        key = (bond["i"], bond["j"], *bond["dl"])
        value = R @ np.array(bond["J"]) @ R.T if "J" in bond else bond["B"]
        if key not in table:
            key = (bond["j"], bond["i"], *(-np.array(bond["dl"])))
            value = np.transpose(value)
        row = table.index(key)
        sw.addmatrix(label=f"M{n}", value=value)
        sw.addcoupling(mat=f"M{n}", bond=int(c.idx[row]), subIdx=row - int(np.argmax(c.idx == c.idx[row])) + 1,
                       type="quadratic" if "J" in bond else "biquadratic")
    sw.field(R @ np.array(model["field"]))
    sw.genmagstr(mode="direct", S=R @ np.array([s["spin"] for s in sites]).T)
    return sw


@pytest.mark.parametrize("name", ["B12_fm_triclinic_gtensor", "C21_pyrochlore_aiao_dm", "C22_kagome_q0_dm",
                                  "C23_afm_dm_nonreciprocal", "C24_noncollinear_biquadratic", "C30_polarised"])
def test_any_model_bond_by_bond(oracle: ModuleType, name: str) -> None:
    """Low symmetry, DM, g-tensors, biquadratic exchange; the pyrochlore also in axes that are turned to SpinW's."""
    meta, z = oracle.load(name)
    check(oracle, name, rebuilt(meta).spinwave(z["q"].T, gtensor=bool(meta["options"].get("gtensor"))))


def test_polarised_cross_sections(oracle: ModuleType) -> None:
    """intP, Pab and Mab of SpinW's own sw_neutron, summed over the modes of energy loss."""
    meta, z = oracle.load("C30_polarised")
    spec = sw_neutron(rebuilt(meta).spinwave(z["q"].T), pol=True, uv=[[1, 0, 0], [0, 1, 0]])
    loss = z["omega"].real > meta["compare"]["emin"]
    for field, theirs in (("intP", "qmi"), ("Pab", "qmij"), ("Mab", "qmij")):
        axes = theirs[2:]
        wanted = np.einsum(f"{theirs},qm->q{axes}", z[field], loss)
        ours = np.einsum(f"{axes}mq,mq->q{axes}", spec[field], spec.omega > meta["compare"]["emin"])
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_a_rotating_frame_with_half_a_reciprocal_vector() -> None:
    """k = 1/2 in the chemical cell holds the modes of the doubled one."""
    sw = SpinW()
    sw.genlattice(lat_const=[3, 8, 8])
    sw.addatom(r=[0, 0, 0], S=1)
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=1)
    sw.addcoupling(mat="J", bond=1)
    q = np.array([[0.1, 0.37], [0.2, 0.0], [0.0, 0.3]])
    binned = []
    for cell in ([1, 1, 1], [2, 1, 1]):
        sw.genmagstr(mode="helical", S=[0, 1, 0], k=[0.5, 0, 0], n=[0, 0, 1], nExt=cell)
        binned.append(sw_egrid(sw.spinwave(q), component="Sxx+2*Szz", Evect=np.linspace(-3, 3, 60), dE=0.3, T=5).swConv)
    np.testing.assert_allclose(binned[0], binned[1], atol=1e-9)


def antiferromagnetic_chain() -> SpinW:
    sw = SpinW()
    sw.genlattice(lat_const=[3, 8, 8])
    sw.addatom(r=[0, 0, 0], S=1)
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=1)
    sw.addcoupling(mat="J", bond=1)
    sw.genmagstr(mode="helical", S=[0, 1, 0], k=[0.5, 0, 0], n=[0, 0, 1], nExt=[2, 1, 1])
    return sw


@pytest.mark.parametrize(("make", "name", "component"), [
    (antiferromagnetic_chain, "A_pysw_antiferro_chain", "Pxy+Pzz"),
    (kagome_q0, "A_pysw_kagome_antiferro", "Px+Py"),
    (lambda: triangular(0.2), "A_pysw_tri_antiferro", "Pyy+0.5*Pzy+Pyx"),
])
def test_polarised_components_of_matlab(oracle: ModuleType, make: Callable[[], SpinW], name: str, component: str) -> None:
    """Sums over the modes of energy loss and of energy gain, for Q in the scattering plane."""
    meta, z = oracle.load(name)
    sw, inside = make(), z["q"][:, 2] == 0
    check(oracle, name, sw.spinwave(z["q"].T))
    spec = sw_egrid(sw_neutron(sw.spinwave(z["q"][inside].T), pol=True, n=[0, 0, 1]), component=component, Evect=[0, 10])
    for sign in (1, -1):
        ours = (spec.swInt * (sign * spec.omega > meta["compare"]["emin"])).sum(axis=0)
        theirs = (z["polarised"].real * (sign * z["omega"].real > meta["compare"]["emin"])).sum(axis=1)[inside]
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
