"""MAT-files of SpinW objects and pySpinW's JSON."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from insml.errors import FormatError
from insml.spinw import SpinW, read_mat, read_spw

Q = np.array([[0.1, 0.2, 0.3], [0.37, -0.2, 0.4], [0.21, 0.4, 0.0]])


def example() -> SpinW:
    """Symmetry, a rotated DM vector, anisotropy, g-tensor, field, twins."""
    sw = SpinW()
    sw.genlattice(lat_const=[6, 6, 10], angled=[90, 90, 120], spgr="P -3")
    sw.addatom(r=[1 / 2, 0, 0], S=1, label="MCu1", color="red")
    sw.gencoupling(maxDistance=7)
    for label, value in (("J1", -1.0), ("DM", [0.05, 0.1, 0.0]), ("D", np.diag([0, 0, -0.3])), ("g", np.diag([2, 2, 2.2]))):
        sw.addmatrix(label=label, value=value)
    sw.addcoupling(mat=["J1", "DM"], bond=1)
    sw.addaniso("D")
    sw.addg("g")
    sw.field([0, 0, 4])
    sw.addtwin(axis=[0, 0, 1], phid=60, vol=0.5)
    sw.genmagstr(mode="tile", S=[[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    return sw


def as_matlab(sw: SpinW) -> dict[str, Any]:
    """The fields as struct(obj) has them: rows, cells, text."""
    fields = sw.struct()
    n = sw.natom
    fields.unit_cell.update(label=np.array(sw.unit_cell.label, object)[None], color=np.tile([[255], [0], [0]], (1, n)))
    fields.matrix.update(label=np.array(sw.matrix.label, object)[None], color=np.zeros((3, len(sw.matrix.label)), np.int32))
    fields.unit.label = np.array(fields.unit.label, object)[None]
    for part in fields.values():
        for name, value in part.items():
            if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype != object:
                part[name] = value[None]
    return {main: dict(part) for main, part in fields.items()}


def write_hdf5(path: Path, name: str, fields: dict[str, Any]) -> None:
    """As MATLAB 7.3 does: axes reversed, cells as references, text as numbers."""
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = file.create_group("#refs#")

        def put(group: h5py.Group, key: str, value: Any) -> None:
            if isinstance(value, dict):
                for sub, part in value.items():
                    put(group.require_group(key), sub, part)
            elif isinstance(value, np.ndarray) and value.dtype == object:
                made = []
                for i, item in enumerate(value.ravel()):
                    put(cells, f"{group.name.strip('/')}_{key}_{i}", item)
                    made.append(cells[f"{group.name.strip('/')}_{key}_{i}"].ref)
                node = group.create_dataset(key, data=np.array(made, h5py.ref_dtype)[:, None])
                node.attrs["MATLAB_class"] = np.bytes_("cell")
            elif isinstance(value, str):
                codes = np.array([[ord(c)] for c in value], np.uint16)
                group.create_dataset(key, data=codes).attrs["MATLAB_class"] = np.bytes_("char")
            elif np.size(value) == 0:
                node = group.create_dataset(key, data=np.array(np.shape(value), np.uint64))
                node.attrs["MATLAB_class"], node.attrs["MATLAB_empty"] = np.bytes_("double"), np.uint8(1)
            else:
                array = np.atleast_2d(np.asarray(value))
                if np.iscomplexobj(array):
                    pair = np.zeros(array.T.shape, [("real", float), ("imag", float)])
                    pair["real"], pair["imag"] = array.T.real, array.T.imag
                    array = pair.T
                group.create_dataset(key, data=array.T).attrs["MATLAB_class"] = np.bytes_("double")

        put(file, name, fields)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(128))


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_an_object_comes_back(tmp_path: Path, version: str) -> None:
    sw, path = example(), tmp_path / "object.mat"
    if version == "5":
        savemat(path, {"s": as_matlab(sw), "other": 3.0})
    else:
        write_hdf5(path, "s", as_matlab(sw))
    again = read_mat(path)
    assert again.matrix.label == sw.matrix.label
    assert again.unit_cell.label == sw.unit_cell.label
    assert again.lattice.label == sw.lattice.label
    np.testing.assert_array_equal(again.coupling.mat_idx, sw.coupling.mat_idx)
    for one, other in zip(again.spinwave(Q.T).omega, sw.spinwave(Q.T).omega, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)
    assert again.energy() == pytest.approx(sw.energy())
    again.matparser(param=[-2], mat=["J1"])
    assert again.energy() == pytest.approx(sw.energy() - 2)


def test_a_rotating_structure_comes_back(tmp_path: Path) -> None:
    sw = SpinW()
    sw.genlattice(lat_const=[3, 3, 4], angled=[90, 90, 120])
    sw.addatom(r=[0, 0, 0], S=1.5, label="MCr3")
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=1)
    sw.addcoupling(mat="J", bond=1)
    sw.genmagstr(mode="helical", S=[0, 1, 0], k=[1 / 3, 1 / 3, 0], n=[0, 0, 1])
    fields = as_matlab(sw)
    savemat(tmp_path / "new.mat", {"s": fields})
    fields["mag_str"] = {"S": sw.magstr().S, "k": sw.magstr().k, "n": sw.magstr().n, "N_ext": [[1, 1, 1]]}
    savemat(tmp_path / "old.mat", {"s": fields})
    for name in ("new.mat", "old.mat"):
        again = read_mat(tmp_path / name)
        np.testing.assert_allclose(again.spinwave(Q.T).omega, sw.spinwave(Q.T).omega, atol=1e-10)


def test_files_that_are_something_else(tmp_path: Path) -> None:
    path = tmp_path / "object.mat"
    with pytest.raises(FormatError, match="expected a file, found none"):
        read_mat(path)
    path.write_bytes(b"not a MAT-file" * 50)
    with pytest.raises(FormatError, match="expected a MAT-file"):
        read_mat(path)
    savemat(path, {"a": 1.0, "b": {"x": 2}})
    with pytest.raises(FormatError, match=r"expected one struct with SpinW's fields, made by struct\(obj\), found a, b"):
        read_mat(path)
    fields = as_matlab(example())
    del fields["coupling"]["dl"]
    savemat(path, {"s": fields})
    with pytest.raises(FormatError, match="coupling: expected a field dl"):
        read_mat(path)
    fields = as_matlab(example())
    fields["coupling"]["dl"] = fields["coupling"]["dl"] + 5
    savemat(path, {"s": fields})
    with pytest.raises(FormatError, match="coupling: expected"):
        read_mat(path)


def numbers(value: Any) -> dict[str, Any]:
    array = np.asarray(value)
    return {"shape": list(array.shape), "data": np.real(array).ravel().tolist(), "dtype": "<f8",
            "imag_data": np.imag(array).ravel().tolist() if np.iscomplexobj(array) else None}


def vector(i: float, j: float, k: float) -> dict[str, Any]:
    builtin = {"ijk"[m]: {"type": "builtin", "data": x} for m, x in enumerate((i, j, k))}
    return {**builtin, "phase": 0.0, "assured_commensurate": True}


def write_spw(path: Path, sites: list[Any], supercell: dict[str, Any], exchanges: list[Any], anisotropies: Any = (),
              cell: tuple[float, ...] = (3, 3, 4, 90, 90, 120)) -> Path:
    """A file as pySpinW 1.1 writes it. Sites: position, spins, name; exchanges: kind, sites, offset, numbers."""
    def reference(i: int) -> dict[str, str]:
        return {"reference": "sites", "id": str(i)}

    table = {str(i): {"i": r[0], "j": r[1], "k": r[2], "supercell_spins": numbers(np.atleast_2d(s)), "name": name,
                      "g": numbers(2 * np.eye(3)), "metadata": {}} for i, (r, s, name) in enumerate(sites)}
    names = ("a", "b", "c", "alpha", "beta", "gamma")
    body = {
        "magnetic_structure": {
            "input_sites": [reference(i) for i in range(len(sites))],
            "symmetric_sites": [reference(i) for i in range(len(sites))],
            "unit_cell": {"type": "abc", "data": {**dict(zip(names, cell, strict=True)), "direction": None,
                                                  "ab_normal": {"x": 0, "y": 0, "z": 1}}},
            "spacegroup": {"name": "P1"}, "supercell": {"s_i": 1, "s_j": 1, "s_k": 1, **supercell}},
        "exchanges": [{"type": kind, "data": {"name": "J", "site_1": reference(a), "site_2": reference(b),
                                              "cell_offset": dict(zip("ijk", offset, strict=True)), **values}}
                      for kind, a, b, offset, values in exchanges],
        "anisotropies": [{"type": "axis-magnitude",
                          "data": {"site": reference(i), "a": a, "direction": numbers(n), "name": ""}}
                         for i, a, n in anisotropies],
    }
    path.write_text(json.dumps({"meta": {}, "type": "hamiltonian", "object": body, "context": {"sites": table}}))
    return path


# energies that pySpinW 1.1.0b2 itself finds for these models; its spectrum at Q is the physical one at -Q
TRIANGULAR = [[3.721588, 4.848951, 4.973677], [3.540526, 4.849807, 4.957237], [2.682251, 2.888523, 2.978406]]
CHAIN = [[1.105426] * 2, [2.051608] * 2, [1.530562] * 2]
DIRECT = [[1.810378, 5.752317], [2.849461, 4.713308], [4.937133, 7.094554]]
SUM = [[1.772559] * 2, [1.971188] * 2, [2.347896] * 2]
BONDS = [("heisenberg", 0, 0, offset, {"j": 1.0}) for offset in ((1, 0, 0), (0, 1, 0), (1, 1, 0))]
CR = [((0, 0, 0), [0, 1.5, 0], "MCr3")]
EASY = [(0, 0.2, [0.0, 0.0, 1.0])]


def test_pyspinw_tiled(tmp_path: Path) -> None:
    sites = [((0, 0, 0), [0, 1, 0], "X"), ((0.5, 0, 0), [0, -1, 0], "Y")]
    bonds = [("heisenberg", 0, 1, (0, 0, 0), {"j": 1.0}), ("heisenberg", 1, 0, (1, 0, 0), {"j": 1.0})]
    axis = [(i, -0.1, [0.0, 1.0, 0.0]) for i in (0, 1)]
    model = read_spw(write_spw(tmp_path / "chain.spw", sites, {"type": "tiled", "data": {}}, bonds, axis,
                               (3, 8, 8, 90, 90, 90)))
    np.testing.assert_allclose(model.spectrum(-Q).energy, CHAIN, atol=2e-6)
    assert model.bond_labels == ["J", "J"]
    assert model.labels == ("X", "Y")


def test_pyspinw_rotation(tmp_path: Path) -> None:
    supercell = {"type": "rotation", "data": {"vector": vector(1 / 3, 1 / 3, 0), "perpendicular": numbers([0.0, 0.0, 1.0])}}
    model = read_spw(write_spw(tmp_path / "tri.spw", CR, supercell, BONDS, EASY))
    assert model.k is not None
    np.testing.assert_allclose(np.sort(model.spectrum(-Q).energy), TRIANGULAR, atol=2e-6)


def test_pyspinw_transformation(tmp_path: Path) -> None:
    axis = {"axis": numbers([0.0, 0.0, 1.0])}
    turn = {"vector": vector(1 / 3, 1 / 3, 0), "transform": {"type": "rotation", "data": axis}}
    model = read_spw(write_spw(tmp_path / "tri.spw", CR, {"type": "transformation", "data": [turn]}, BONDS, EASY))
    assert model.supercell == (3, 3, 1)
    found = model.spectrum(-Q).energy
    for row, known in zip(found, TRIANGULAR, strict=True):
        assert all(np.abs(row - e).min() < 2e-6 for e in known)


def test_pyspinw_sum_and_direct(tmp_path: Path) -> None:
    site = [((0, 0, 0), [0, 0, 1.0], "A")]
    model = read_spw(write_spw(tmp_path / "sum.spw", site, {"type": "summation", "data": {"vectors": [vector(0.5, 0, 0)]}},
                               [("xxz", 0, 0, (1, 0, 0), {"j_xy": 1.0, "j_z": 1.2})], cell=(3, 8, 8, 90, 90, 90)))
    np.testing.assert_allclose(model.spectrum(-Q).energy, SUM, atol=2e-6)
    matrix = [[-1, 0.1, 0], [0.1, -1, 0], [0, 0, -1.2]]
    bonds = [("heisenberg", 0, 0, (1, 0, 0), {"j": -1}), ("general", 0, 0, (0, 1, 0), {"matrix": numbers(matrix)}),
             ("dzyaloshinskii-moriya", 0, 0, (1, 0, 0), {"d_x": 0, "d_y": 0, "d_z": 0.3})]
    model = read_spw(write_spw(tmp_path / "direct.spw", site, {"type": "direct", "data": {"n_a": 2, "n_b": 1, "n_c": 1}},
                               bonds, cell=(3, 8, 9, 80, 95, 100)))
    np.testing.assert_allclose(model.spectrum(-Q).energy, DIRECT, atol=2e-6)


def test_pyspinw_refusals(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected a file, found none"):
        read_spw(tmp_path / "none.spw")
    path = tmp_path / "other.spw"
    path.write_text("{}")
    with pytest.raises(FormatError, match="expected JSON with type, object and context"):
        read_spw(path)
    write_spw(path, CR, {"type": "fractal", "data": {}}, BONDS)
    with pytest.raises(FormatError, match=r"supercell: expected a tiled, .* found 'fractal'"):
        read_spw(path)
    write_spw(path, CR, {"type": "tiled", "data": {}}, [("ring", 0, 0, (1, 0, 0), {})])
    with pytest.raises(FormatError, match="exchanges: expected a known kind of exchange, found 'ring'"):
        read_spw(path)
