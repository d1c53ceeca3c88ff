"""SpinW objects saved by MATLAB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from insml.errors import FormatError
from insml.spinw.object import SpinW
from insml.spinw.struct import Struct

_NEEDED = {
    "lattice": ("angle", "lat_const", "sym"),
    "unit_cell": ("r", "S", "label"),
    "matrix": ("mat", "label"),
    "coupling": ("dl", "atom1", "atom2", "mat_idx", "idx"),
    "mag_str": (),
}
_SHAPES = {  # trailing axes that MATLAB drops when their length is one
    "lattice": {"sym": 3}, "unit_cell": {"ff": 3}, "twin": {"rotc": 3}, "matrix": {"mat": 3}, "mag_str": {"F": 3},
}


def read_mat(path: str | Path, name: str | None = None) -> SpinW:
    """The object of ``s = struct(obj); save('file.mat', 's')``, MATLAB 5 to 7.3.

    Parameters
    ----------
    name : of the variable; the only struct with SpinW's fields where None.

    Raises
    ------
    FormatError : not a MAT-file, no such struct, fields missing, or a bond list that this lattice does not have. An object
        saved as it is, not as a struct, can only be read by MATLAB.
    """
    variables = _load(Path(path))
    found = {key: value for key, value in variables.items()
             if isinstance(value, dict) and {"lattice", "unit_cell"} <= set(value) and name in (None, key)}
    if len(found) != 1:
        wanted = "one struct with SpinW's fields, made by struct(obj)" + (f", named {name!r}" if name else "")
        raise FormatError(path, wanted, ", ".join(found or variables) or "no variables")
    return _object(path, next(iter(found.values())))


def _object(path: str | Path, fields: dict[str, Any]) -> SpinW:
    for main, needed in _NEEDED.items():
        for sub in needed:
            if sub not in fields.get(main, {}):
                raise FormatError(path, f"a field {sub}", ", ".join(fields.get(main, {})) or "none", main)
    obj = SpinW()
    for main, values in fields.items():
        if not hasattr(obj, main) or not isinstance(getattr(obj, main), Struct) or not isinstance(values, dict):
            continue
        for sub, value in values.items():
            getattr(obj, main)[sub] = _shaped(value, _SHAPES.get(main, {}).get(sub, 0))
    _tidy(path, obj)
    obj.check_bonds(path)
    return obj


def _shaped(value: Any, dimensions: int) -> Any:
    if isinstance(value, np.ndarray) and value.ndim < dimensions:
        return value.reshape(*value.shape, *[1] * (dimensions - value.ndim))
    return value


def _tidy(path: str | Path, obj: SpinW) -> None:
    """MATLAB's 1 x n rows become vectors, its defaults arrays of the right type."""
    flat = {"lattice": ("angle", "lat_const", "origin"), "unit_cell": ("S", "occ", "ox", "Z"), "twin": ("vol",),
            "single_ion": ("aniso", "g", "field"), "coupling": ("atom1", "atom2", "idx"), "mag_str": ("nExt", "N_ext")}
    whole = ("aniso", "g", "atom1", "atom2", "idx", "dl", "mat_idx", "type", "sym", "nExt", "N_ext", "Z")
    for main, subs in flat.items():
        part = getattr(obj, main)
        for sub in subs:
            if sub in part:
                part[sub] = np.asarray(part[sub], float).ravel()
    for main in ("single_ion", "coupling", "mag_str", "unit_cell"):
        part = getattr(obj, main)
        for sub in whole:
            if sub in part:
                part[sub] = np.asarray(part[sub]).astype(int)
    n, nb = obj.natom, len(obj.coupling.idx)
    obj.unit_cell.label = _labels(obj.unit_cell.label)
    obj.matrix.label = _labels(obj.matrix.label)
    obj.matrix.mat = np.asarray(obj.matrix.mat, float)
    obj.unit_cell.r = np.asarray(obj.unit_cell.r, float).reshape(3, n)
    for part, count in ((obj.unit_cell, n), (obj.matrix, len(obj.matrix.label))):
        colors = np.asarray(part.color)
        part.color = colors.T.tolist() if colors.shape == (3, count) else [None] * count
    for sub, default in (("ff", None), ("occ", 1.0), ("ox", 0.0), ("Z", 113)):
        if np.shape(obj.unit_cell[sub])[-1:] != (n,):
            obj.unit_cell[sub] = np.tile(np.append(np.zeros(10), 1.0)[:, None], (2, 1, n)) if default is None else np.full(
                n, default)
    ff = np.asarray(obj.unit_cell.ff, float)
    if ff.shape[1] == 9:
        obj.unit_cell.ff = np.concatenate([ff[:, :8], np.zeros((2, 2, n)), ff[:, 8:]], axis=1)
    for sub in ("type", "sym"):
        if np.shape(obj.coupling[sub]) != (3, nb):
            obj.coupling[sub] = np.full((3, nb), int(sub == "sym"))
    obj.coupling.rdip = float(np.ravel(obj.coupling.rdip)[0])
    obj.coupling.nsym = int(np.ravel(obj.coupling.nsym)[0])
    obj.single_ion["T"] = float(np.ravel(obj.single_ion["T"])[0])
    obj.unit.nformula = int(np.ravel(obj.unit.get("nformula", 0))[0])
    obj.unit.qmat = np.asarray(obj.unit.get("qmat", np.eye(3)), float)
    if np.size(obj.lattice.sym) == 1:  # a line of SpinW's table, in files of old versions
        obj.genlattice(sym=int(np.ravel(obj.lattice.sym)[0]))
    obj.lattice.sym = np.asarray(obj.lattice.sym, float).reshape(3, 4, -1)
    _structure(path, obj)


def _structure(path: str | Path, obj: SpinW) -> None:
    m = obj.mag_str
    if "S" in m:  # files of old versions: spins, k and n
        size = m.get("N_ext", m.nExt)
        spins, n = np.asarray(m.S, float).reshape(3, -1, 1), np.asarray(m.get("n", [0, 0, 1]), float).ravel()
        k = np.asarray(m.k, float).reshape(3, 1)
        turns = np.abs(k[:, 0] * size - np.rint(k[:, 0] * size)).max() > 1e-4
        F = spins + 1j * np.cross(n, spins, axisb=0, axisc=0) if turns else spins.astype(complex)
        obj.mag_str = Struct(F=F, k=k, nExt=np.asarray(size, int))
        return
    for sub in ("F", "k", "nExt"):
        if sub not in m:
            raise FormatError(path, f"a field {sub}", ", ".join(m), "mag_str")
    m.F = np.asarray(m.F, complex)
    m.k = np.asarray(m.k, float).reshape(3, -1)
    if m.F.size == 0:
        m.F, m.k = np.zeros((3, 0, 0), complex), np.zeros((3, 0))


def _labels(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(v) for v in np.ravel(np.asarray(value, object))] if np.size(value) else []


def _load(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if not path.is_file():
        raise FormatError(path, "a file", "none")
    with path.open("rb") as file:
        start = file.read(520)
    if b"MATLAB 7.3" in start[:64] or start[:4] == b"\x89HDF" or start[512:516] == b"\x89HDF":
        return _load_hdf5(path)
    try:
        content = loadmat(path, struct_as_record=True)
    except (MatReadError, ValueError, TypeError, EOFError) as error:
        raise FormatError(path, "a MAT-file", str(error)) from None
    return {key: _plain(value) for key, value in content.items() if not key.startswith("__")}


def _plain(value: Any) -> Any:
    """Structs to dicts, text to str, cells to lists."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.names:
        return {name: _plain(value.ravel()[0][name]) for name in value.dtype.names} if value.size == 1 else value
    if value.dtype == object:
        return [_plain(v) for v in value.ravel(order="F")]
    if value.dtype.kind in "US":
        return str(value.ravel()[0]) if value.size else ""
    return value


def _load_hdf5(path: Path) -> dict[str, Any]:
    import h5py

    def read(node: Any) -> Any:
        if isinstance(node, h5py.Group):
            return {key: read(child) for key, child in node.items()}
        kind = node.attrs.get("MATLAB_class", b"")
        if node.attrs.get("MATLAB_empty", 0):
            shape = tuple(int(n) for n in node[()])
            return "" if kind == b"char" else [] if kind == b"cell" else np.zeros(shape)
        data = node[()]
        if kind == b"cell":
            return [read(file[reference]) for reference in data.ravel()]
        if kind == b"char":
            return "".join(chr(c) for c in data.T.ravel())
        if data.dtype.names == ("real", "imag"):
            data = data["real"] + 1j * data["imag"]
        return data.T

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FormatError(path, "a MAT-file of version 7.3", str(error)) from None
    with file:
        return {key: read(value) for key, value in file.items() if not key.startswith("#")}
