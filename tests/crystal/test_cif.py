"""CIF and magCIF files: written out here, read back, compared with what they say and with spglib."""

from pathlib import Path

import numpy as np
import pytest
import spglib

from insml.crystal import Crystal, Lattice, SpaceGroup
from insml.crystal.cif import read_cif, read_mcif
from insml.errors import FormatError, GeometryError, ModelError
from insml.spinwave.interactions import Interactions

PEROVSKITE = """
data_global
_publ_contact_author_name 'Nobody'

data_perovskite
_cell_length_a   5.5367(1)
_cell_length_b   5.7473(1)
_cell_length_c   7.6929(2)
_cell_angle_alpha 90
_cell_angle_beta  90.
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P b n m'
loop_
_symmetry_equiv_pos_site_id
_symmetry_equiv_pos_as_xyz
1 'x, y, z'
2 'x+1/2, -y+1/2, -z'
3 '-x, -y, z+1/2'
4 '-x+1/2, y+1/2, -z+1/2'
5 '-x, -y, -z'
6 '-x+1/2, y+1/2, z'
7 'x, y, -z+1/2'
8 'x+1/2, -y+1/2, z+1/2'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_occupancy
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
La1 La3+ 0.7 0.9937(2) 0.0435(3) 1/4
Sr1 Sr2+ 0.3 0.9937(2) 0.0435(3) 0.25
Mn1 Mn3+ 1   0.5 0 0
O1  O2-  1   0.0733 0.4893 0.25
O2  O2-  .   0.7257 0.3014 0.0385
H1  H    1   ? ? ?
""".replace("1/4", "0.2500(0)")

P1 = """
data_chain
_cell_length_a 4
_cell_length_b 5
_cell_length_c 6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_symop_magn_operation.xyz x,y,z,+1
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Fe1 0 0 0
Fe2 0.5 0 0
loop_
_atom_site_moment.label
_atom_site_moment.crystalaxis_x
_atom_site_moment.crystalaxis_y
_atom_site_moment.crystalaxis_z
Fe1 0 0 4.1(1)
"""


@pytest.fixture
def perovskite(tmp_path: Path) -> Path:
    path = tmp_path / "perovskite.cif"
    path.write_text(PEROVSKITE)
    return path


def written(folder: Path, text: str) -> Path:
    path = folder / "made.cif"
    path.write_text(text)
    return path


def test_a_crystal_as_the_file_lists_it(perovskite: Path) -> None:
    crystal = Crystal.from_cif(perovskite, {"Mn": 2.0})
    assert crystal.lattice == Lattice(5.5367, 5.7473, 7.6929)
    assert crystal.space_group.name == "P b n m"
    assert [crystal.space_group.triplet(i) for i in (0, 1, 3, 7)] == [
        "x,y,z", "x+1/2,-y+1/2,-z", "-x+1/2,y+1/2,-z+1/2", "x+1/2,-y+1/2,z+1/2"]
    assert [(s.label, s.spin, s.occupancy) for s in crystal.sites] == [
        ("La1", 0, 0.7), ("Sr1", 0, 0.3), ("Mn1", 2.0, 1), ("O1", 0, 1), ("O2", 0, 1)]
    np.testing.assert_array_equal(crystal.sites[0].position, [0.9937, 0.0435, 0.25])
    assert [sum(a.site == s for a in crystal.atoms) for s in range(5)] == [4, 4, 4, 4, 8]
    np.testing.assert_allclose(crystal.positions, [[0.5, 0, 0], [0, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    # two bonds along c, four in the plane, from each manganese
    assert [len(crystal.bonds(4.5).of(n)) for n in (1, 2)] == [4, 8]


def test_spins_by_label_ion_and_element(perovskite: Path) -> None:
    for spins, expected in (
            ({"Mn1": 2.5, "Mn3+": 1.0, "Mn": 0.5}, 2.5), ({"Mn3+": 1.0, "Mn": 0.5}, 1.0), ({"Mn": 0.5}, 0.5)):
        crystal = read_cif(perovskite, spins)
        assert set(crystal.lengths) == {expected}
    assert read_cif(perovskite).magnetic_atoms == ()
    ion = crystal.sites[2].form_factor
    assert ion is not None
    assert (sum(ion[0:10:2]) + ion[10]) == pytest.approx(1, abs=1e-3)  # j0 of Mn3+ at Q = 0
    assert crystal.sites[3].form_factor is None
    with pytest.raises(ModelError, match=r"spins: expected labels, ions or elements of .*perovskite.cif "
                                         r"\(La1, Sr1, Mn1, O1, O2, H1\), found 'Fe'"):
        read_cif(perovskite, {"Fe": 2.5})
    with pytest.raises(GeometryError, match="site Mn1: spin: expected a length S >= 0"):
        read_cif(perovskite, {"Mn": -2.0})


def test_an_element_alone_names_no_ion(tmp_path: Path) -> None:
    assert read_cif(written(tmp_path, PEROVSKITE.replace("Mn3+", "Mn")), {"Mn": 2}).sites[2].form_factor is None
    other = read_cif(written(tmp_path, PEROVSKITE.replace("Mn3+", "Mn+4")), {"Mn4+": 1.5})
    assert other.sites[2].form_factor == read_cif(written(tmp_path, PEROVSKITE.replace("Mn3+", "Mn4+")),
                                                  {"Mn": 1.5}).sites[2].form_factor is not None


@pytest.mark.parametrize("symbol", [
    "_symmetry_space_group_name_H-M 'P b n m'", "_space_group_name_H-M_alt 'P b n m'",
    "_space_group_name_Hall '-P 2c 2ab'", "_space_group_IT_number 62"])
def test_the_symbol_where_no_operators_are_listed(tmp_path: Path, symbol: str) -> None:
    head, _, tail = PEROVSKITE.partition("_symmetry_space_group_name_H-M")
    atoms = tail.partition("_atom_site_label")[2]
    crystal = read_cif(written(tmp_path, f"{head}{symbol}\nloop_\n_atom_site_label{atoms}"))
    assert len(crystal.space_group) == 8
    if "62" not in symbol:
        listed = read_cif(written(tmp_path, PEROVSKITE)).space_group
        assert {crystal.space_group.triplet(i) for i in range(8)} == {listed.triplet(i) for i in range(8)}


def test_generators_alone_are_completed(tmp_path: Path) -> None:
    lines = [line for line in PEROVSKITE.splitlines() if line[:2] not in ("4 ", "6 ", "7 ", "8 ")]
    assert len(read_cif(written(tmp_path, "\n".join(lines))).space_group) == 8


def test_a_block_is_chosen(tmp_path: Path) -> None:
    second = PEROVSKITE.partition("data_perovskite")[2].replace("5.5367(1)", "5.6")
    path = written(tmp_path, f"{PEROVSKITE}\ndata_hot\n{second}")
    assert read_cif(path).lattice.a == 5.5367
    assert read_cif(path, block="hot").lattice.a == 5.6
    with pytest.raises(FormatError, match="expected a data block 'cold', found global, perovskite, hot"):
        read_cif(path, block="cold")


@pytest.mark.parametrize(("old", "new", "message"), [
    ("_cell_length_b   5.7473(1)", "", "_cell_length_b: expected an entry, found none"),
    ("5.7473(1)", "short", "_cell_length_b: expected a number, found 'short'"),
    ("_cell_angle_gamma 90", "_cell_angle_gamma 190", "_cell: expected the constants of a cell, found .*gamma"),
    ("_cell_length_a", "_cell_length_A1", "expected a data block with _cell_length_a, found global, perovskite"),
    ("-z+1/2'\n5", "-w+1/2'\n5", "_equiv_pos_as_xyz: expected operators such as .*, found '-x.1/2, y.1/2, -w.1/2'"),
    ("'-x, -y, -z'", "'x+y, y, z'", "_symmetry_equiv_pos_as_xyz: expected operators of a group, found .*order 1, 2, 3, 4"),
    ("_atom_site_label", "_atom_site_name", "_atom_site_label: expected an entry, found none"),
    ("0.0733", "0.07e", "_atom_site_fract_x: expected a number, found '0.07e'"),
    ("_atom_site_fract_y", "_atom_site_y", "_atom_site_fract_y: expected 6 entries, found none"),
    ("0.7 0.99", "most 0.99", "_atom_site_occupancy: expected a number, found 'most'"),
])
def test_garbled_files_are_named_with_their_tag(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in PEROVSKITE
    path = written(tmp_path, PEROVSKITE.replace(old, new))
    with pytest.raises(FormatError, match=f"made.cif: .*{message}"):
        read_cif(path)


def test_what_is_no_cif(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.cif", tmp_path, written(tmp_path, "not a cif")):
        with pytest.raises(FormatError, match="expected a CIF, found"):
            read_cif(path)
    bare = PEROVSKITE.partition("_symmetry_space_group")[0]
    with pytest.raises(FormatError, match=r"operation_xyz: expected symmetry operators or the symbol .* found neither"):
        read_cif(written(tmp_path, bare + "loop_\n_atom_site_label\nMn1\n"))
    with pytest.raises(FormatError, match="expected the symbol of a space group, found 'P 9'"):
        read_cif(written(tmp_path, bare + "_space_group_name_H-M_alt 'P 9'\n_atom_site_label Mn1\n"))
    with pytest.raises(GeometryError, match=r"made.cif: .*expected a lattice with its symmetry"):
        read_cif(written(tmp_path, PEROVSKITE.replace("_cell_angle_beta  90.", "_cell_angle_beta 95")))


def magnetic(cell: tuple[float, ...], operations: list[str], sites: list[tuple[str, tuple[float, ...], tuple[float, ...]]],
             centring: tuple[str, ...] = (), old: bool = False) -> str:
    """A magCIF. ``old``: tags before 2016."""
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    joint = ("_space_group_symop.magn_", "_") if old else ("_space_group_symop_magn_", ".")
    lines = ["data_magnetic", *(f"_cell_{name} {value}" for name, value in zip(names, cell, strict=True))]
    for kind, texts in (("operation", operations), ("centering", centring)):
        if texts:
            lines += ["loop_", f"{joint[0]}{kind}{joint[1]}id", f"{joint[0]}{kind}{joint[1]}xyz"]
            lines += [f"{i} {text}" for i, text in enumerate(texts, 1)]
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol", *(f"_atom_site_fract_{x}" for x in "xyz")]
    lines += [" ".join([label, label.rstrip("0123456789"), *(f"{x:.6f}" for x in at)]) for label, at, _ in sites]
    dot = "_" if old else "."
    lines += ["loop_", f"_atom_site_moment{dot}label", *(f"_atom_site_moment{dot}crystalaxis_{x}" for x in "xyz")]
    lines += [" ".join([label, *(f"{x:.6f}" for x in moment)]) for label, _, moment in sites if any(moment)]
    return "\n".join(lines) + "\n"


RUTILE = ["x,y,z,+1", "-x,-y,z,+1", "-y+1/2,x+1/2,z+1/2,-1", "y+1/2,-x+1/2,z+1/2,-1", "-x+1/2,y+1/2,-z+1/2,+1",
          "x+1/2,-y+1/2,-z+1/2,+1", "y,x,-z,-1", "-y,-x,-z,-1", "-x,-y,-z,+1", "x,y,-z,+1", "y+1/2,-x+1/2,-z+1/2,-1",
          "-y+1/2,x+1/2,-z+1/2,-1", "x+1/2,-y+1/2,z+1/2,+1", "-x+1/2,y+1/2,z+1/2,+1", "-y,-x,z,-1", "y,x,z,-1"]


@pytest.mark.parametrize("old", [False, True])
def test_antiferromagnetic_rutile(tmp_path: Path, old: bool) -> None:
    """MnF2, P4_2'/mnm': corner and centre antiparallel along c."""
    sites = [("Mn1", (0, 0, 0), (0, 0, 4.6)), ("F1", (0.31, 0.31, 0), (0, 0, 0))]
    text = magnetic((4.87, 4.87, 3.31, 90, 90, 90), RUTILE, sites, old=old)
    crystal, structure = read_mcif(written(tmp_path, text))
    assert len(crystal.space_group) == 1
    assert [a.label for a in crystal.atoms] == ["Mn1", "Mn1", "F1", "F1", "F1", "F1"]
    np.testing.assert_allclose(crystal.positions, [[0, 0, 0], [0.5, 0.5, 0.5]])
    np.testing.assert_allclose(structure.spins, [[0, 0, 2.3], [0, 0, -2.3]])
    assert structure.supercell == (1, 1, 1)
    for key in ("Mn", "Mn1"):
        crystal, structure = read_mcif(written(tmp_path, text), {key: 2.5})
        np.testing.assert_allclose(structure.spins, [[0, 0, 2.5], [0, 0, -2.5]])
        np.testing.assert_array_equal(crystal.lengths, [2.5, 2.5])
    model = Interactions(crystal).exchange("J", 1.0, 2).anisotropy("A", [0, 0, -0.1]).model(structure)
    # eight neighbours: E^2 = (8 J S + 2 A S)^2 - (8 J S)^2 at the zone centre
    gap = np.sqrt((8 * 2.5 + 0.5) ** 2 - (8 * 2.5) ** 2)
    np.testing.assert_allclose(model.spectrum([0, 0, 0]).energy, [[gap, gap]])


def test_moments_along_oblique_axes(tmp_path: Path) -> None:
    """A threefold axis turns moments by 120 degrees; components are along unit vectors of a and b, at 120 degrees too."""
    text = magnetic((6.0, 6.0, 4.0, 90, 90, 120), ["x,y,z,+1", "-y,x-y,z,+1", "-x+y,-x,z,+1"],
                    [("Cr1", (0.5, 0, 0), (3.0, 0.0, 0.5))])
    crystal, structure = read_mcif(written(tmp_path, text))
    assert len(crystal.atoms) == 3
    h = np.sqrt(3) / 2
    expected = [[1.5, 0, 0.25], [-0.75, 1.5 * h, 0.25], [-0.75, -1.5 * h, 0.25]]
    np.testing.assert_allclose(structure.spins, expected, atol=1e-12)


def test_anti_translation(tmp_path: Path) -> None:
    """A centring with time reversal doubles the cell along c."""
    text = magnetic((4.0, 4.0, 8.0, 90, 90, 90), ["x,y,z,+1", "-x,-y,z,+1"], [("Ni1", (0, 0, 0.1), (0, 0, 2.0))],
                    ("x,y,z,+1", "x,y,z+1/2,-1"))
    crystal, structure = read_mcif(written(tmp_path, text))
    np.testing.assert_allclose(crystal.positions, [[0, 0, 0.1], [0, 0, 0.6]])
    np.testing.assert_allclose(structure.spins, [[0, 0, 1], [0, 0, -1]])


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's own change of manners
@pytest.mark.parametrize("uni", [13, 96, 309, 660, 1003, 1195, 1262, 1395, 1591, 1651])
def test_magnetic_groups_against_spglib(tmp_path: Path, uni: int) -> None:
    """An atom in a general place with a random moment, spread by the operators of a magnetic group that spglib tabulates:
    spglib finds that group in the structure."""
    tabulated = spglib.get_magnetic_symmetry_from_database(uni)
    assert tabulated is not None
    number = spglib.get_magnetic_spacegroup_type(uni).number
    cell = ((9.0, 10.0, 11.0, 81, 97, 103) if number < 3 else (9.0, 10.0, 11.0, 90, 104, 90) if number < 16
            else (9.0, 10.0, 11.0, 90, 90, 90) if number < 75 else (9.0, 9.0, 11.0, 90, 90, 90) if number < 143
            else (9.0, 9.0, 11.0, 90, 90, 120) if number < 195 else (9.0, 9.0, 9.0, 90, 90, 90))
    group = SpaceGroup(np.array(tabulated["rotations"], np.int64), np.array(tabulated["translations"]))
    operations = [f"{group.triplet(i)},{-1 if prime else 1:+d}" for i, prime in enumerate(tabulated["time_reversals"])]
    rng = np.random.default_rng(uni)
    text = magnetic(cell, operations, [("Fe1", (0.137, 0.291, 0.408), tuple(rng.normal(size=3)))])
    crystal, structure = read_mcif(written(tmp_path, text))
    found = spglib.get_magnetic_symmetry(
        (crystal.lattice.vectors, crystal.positions, [1] * len(crystal.atoms), structure.spins), symprec=1e-4,
        mag_symprec=1e-4, is_axial=True)

    def keys(rotations: np.ndarray, translations: np.ndarray, primes: np.ndarray) -> set[tuple[int, ...]]:
        return {(*R.ravel().tolist(), *(np.rint(t * 24).astype(int) % 24).tolist(), int(p))
                for R, t, p in zip(rotations, translations, primes, strict=True)}

    assert keys(*(np.array(tabulated[k]) for k in ("rotations", "translations", "time_reversals"))) == keys(
        found["rotations"], found["translations"], found["time_reversals"])


@pytest.mark.parametrize(("old", "new", "message"), [
    ("x,y,z,+1", "x,y,z", "magn_operation_xyz: expected operators such as 'x,y.1/2,-z,-1', the last .*, found 'x,y,z'"),
    ("_space_group_symop_magn_operation.xyz x,y,z,+1", "", "magn_operation_xyz: expected an entry, found none"),
    ("x,y,z,+1", "x1,x2,x3,+1", "magn_operation_xyz: expected operators such as"),
    ("x,y,z,+1", "-x,y+1/4,z,+1", "magn_operation_xyz: expected all operators of a group, found 1 of 4"),
    ("_space_group_symop_magn_operation.xyz x,y,z,+1", "loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\nx,y,z,-1",
     "expected an operator with or without time reversal, found one with both"),
    ("_space_group_symop_magn_operation.xyz x,y,z,+1", "loop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\nx,-y,-z,+1",
     "crystalaxis_x: expected moments that the symmetry of their site allows, found Fe1 with one that it changes by 8.2"),
    ("Fe1 0 0 4.1(1)", "Fe3 0 0 4.1(1)", "moment_label: expected a label of Fe1, Fe2, found 'Fe3'"),
    ("Fe1 0 0 4.1(1)", "Fe1 0 0 ?", "crystalaxis_z: expected a number, found"),
    ("Fe1 0 0 4.1(1)", "Fe1 0 0 0", "crystalaxis_x: expected at least one moment, found none"),
    ("crystalaxis_y", "cartn_y", "crystalaxis_y: expected 1 entries, found none"),
])
def test_magnetic_mistakes(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in P1
    with pytest.raises(FormatError, match=f"made.cif: .*{message}"):
        read_mcif(written(tmp_path, P1.replace(old, new)))


def test_atoms_without_a_moment_have_no_spin(tmp_path: Path) -> None:
    crystal, structure = read_mcif(written(tmp_path, P1), {"Fe1": 2.0})
    assert [a.spin for a in crystal.atoms] == [2.0, 0.0]
    np.testing.assert_allclose(structure.spins, [[0, 0, 2.0]])
    with pytest.raises(ModelError, match=r"spins: expected sites with a moment in .*, found Fe2 without one"):
        read_mcif(written(tmp_path, P1), {"Fe": 2.0})


def test_a_published_file(shared_data: Path) -> None:
    crystal = read_cif(shared_data / "lasrcro4" / "LaSrCrO4_130149_2015.cif", {"Cr": 1.5})
    assert (len(crystal.space_group), len(crystal.atoms), len(crystal.magnetic_atoms)) == (32, 14, 2)
    assert crystal.bonds(4.0).length == pytest.approx(crystal.lattice.a)
