"""Hamiltonians saved by pySpinW (.spw, JSON)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.errors import FormatError
from insml.spinwave.model import SpinModel
from insml.spinwave.structure import COMMENSURATE, MagneticStructure, origins, rotation

Array = NDArray[np.float64]


def read_spw(path: str | Path) -> SpinModel:
    """The model of a pySpinW file that holds a Hamiltonian or a sample of one.

    pySpinW keeps no field in its files; its field has the opposite sign of the one here. Form factors it does not know.

    Raises
    ------
    FormatError : not such a file, or a kind of supercell, exchange or sample that has no counterpart here.
    """
    try:
        content = json.loads(Path(path).read_text())
        kind, body = content["type"], content["object"]
        table = content["context"]["sites"]
    except OSError:
        raise FormatError(path, "a file", "none") from None
    except (ValueError, KeyError, TypeError):
        raise FormatError(path, "JSON with type, object and context as pySpinW writes it", "something else") from None
    try:
        if kind == "sample":
            if body["type"] not in ("single_crystal", "<base-class>"):  # the latter is what pySpinW writes for powders
                raise FormatError(path, "a sample of a single crystal or powder", repr(body["type"]), "sample")
            kind, body = "hamiltonian", body["data"]["hamiltonian"]
        if kind != "hamiltonian":
            raise FormatError(path, "a hamiltonian or a sample", repr(kind), "type")
        return _model(path, body, table)
    except (KeyError, TypeError, IndexError) as error:
        raise FormatError(path, "the fields of a pySpinW hamiltonian", f"none or another form of {error}") from None


def _model(path: str | Path, body: dict[str, Any], table: dict[str, Any]) -> SpinModel:
    magnetic = body["magnetic_structure"]
    keys = [str(site["id"]) for site in magnetic["symmetric_sites"]]
    sites = [table[key] for key in keys]
    number = {key: i for i, key in enumerate(keys)}
    cell = _cell(path, magnetic["unit_cell"])
    where = np.array([[s["i"], s["j"], s["k"]] for s in sites], float)
    found = _structure(path, magnetic["supercell"], [_array(s["supercell_spins"]) for s in sites])
    size = np.array(found.supercell)
    corner = origins(found.supercell).astype(np.int64)
    atoms, cells = len(sites), len(corner)

    def index(atom: int, at: NDArray[np.int64]) -> int:
        return int(atom + atoms * (at[0] + size[0] * (at[1] + size[1] * at[2])))

    anisotropy = np.zeros((atoms, 3, 3))
    for term in body["anisotropies"]:
        anisotropy[number[str(term["data"]["site"]["id"])]] += _anisotropy(path, term)
    bonds, labels = [], []
    for exchange in body["exchanges"]:
        data = exchange["data"]
        one, other = (number[str(data[name]["id"])] for name in ("site_1", "site_2"))
        step = np.array([data["cell_offset"][axis] for axis in "ijk"], np.int64)
        J = _exchange(path, exchange["type"], data)
        for at in corner:
            target = at + step
            bonds.append((index(one, at), index(other, target % size), target // size, J))
            labels.append(str(data["name"]))
    return SpinModel(
        lattice_vectors=cell, supercell=found.supercell,
        positions=((where + corner[:, None]) / size).reshape(-1, 3), spins=found.spins,
        anisotropy=np.tile(anisotropy, (cells, 1, 1)),
        g=np.tile(np.array([_array(s["g"]) for s in sites]), (cells, 1, 1)),
        labels=[str(s["name"]) for s in sites] * cells, bonds=bonds, bond_labels=labels, k=found.k, n=found.n)


def _cell(path: str | Path, cell: dict[str, Any]) -> Array:
    data = cell["data"]
    if cell["type"] == "raw":
        return _array(data["xyz"])
    if cell["type"] != "abc":
        raise FormatError(path, "'abc' or 'raw'", repr(cell["type"]), "unit_cell.type")
    normal = np.array([data["ab_normal"][axis] for axis in "xyz"], float)
    normal /= np.linalg.norm(normal)
    upright = np.linalg.norm(np.cross(normal, (0, 0, 1))) < 1e-5
    along = np.array([data["direction"][axis] for axis in "xyz"], float) if data["direction"] is not None else (
        np.eye(3)[0 if upright else 2])
    first = along - (along @ normal) * normal
    first /= np.linalg.norm(first)
    standard = Lattice(*(float(data[name]) for name in ("a", "b", "c", "alpha", "beta", "gamma"))).vectors
    return np.asarray(standard @ np.array([first, np.cross(normal, first), normal]))


def _structure(path: str | Path, supercell: dict[str, Any], spins: list[Any]) -> MagneticStructure:
    kind, data = supercell["type"], supercell["data"]
    scale = np.array([supercell[f"s_{axis}"] for axis in "ijk"], int)
    if kind == "rotation":
        start = np.array([s[0].real for s in spins])
        return MagneticStructure.helical(start, _wave(data["vector"])[0], _array(data["perpendicular"]))
    if kind == "direct":
        base = np.array([data[f"n_{axis}"] for axis in "abc"], int)
        return _filled(base * scale, lambda at: np.array(
            [s[np.ravel_multi_index(tuple(at % base), tuple(base)) if len(s) > 1 else 0].real for s in spins]))
    if kind == "tiled":
        return _filled(scale, lambda at: np.array([s[0].real for s in spins]))
    if kind == "summation":
        waves = [_wave(v) for v in data["vectors"]]
        return _filled(_period(waves) * scale, lambda at: np.array(
            [sum((s[m] * np.exp(-1j * (2 * np.pi * k @ at + phase))).real for m, (k, phase) in enumerate(waves))
             for s in spins]))
    if kind == "transformation":
        waves = [_wave(part["vector"]) for part in data]

        def turned(at: Array) -> Array:
            out = np.array([s[0].real for s in spins])
            for part, (k, phase) in zip(data, waves, strict=True):
                if part["transform"]["type"] == "rotation":
                    axis = _array(part["transform"]["data"]["axis"])
                    # pySpinW multiplies from the right, by the angle -2 pi k.r + phase
                    out = out @ rotation(axis / np.linalg.norm(axis), np.degrees(-2 * np.pi * k @ at + phase))
            return out

        return _filled(_period(waves) * scale, turned)
    raise FormatError(path, "a tiled, direct, rotation, summation or transformation supercell", repr(kind), "supercell")


def _filled(size: Any, spins_at: Any) -> MagneticStructure:
    cell = (int(size[0]), int(size[1]), int(size[2]))
    return MagneticStructure(cell, np.concatenate([spins_at(at.astype(int)) for at in origins(cell)]))


def _wave(vector: dict[str, Any]) -> tuple[Array, float]:
    def number(value: dict[str, Any]) -> float:
        data = value["data"]
        return data["numerator"] / data["denominator"] if value["type"] == "fraction" else float(data)

    return np.array([number(vector[axis]) for axis in "ijk"]), float(vector["phase"])


def _period(waves: list[tuple[Array, float]]) -> NDArray[np.int64]:
    from fractions import Fraction

    denominators = [[Fraction(float(x)).limit_denominator(int(1 / COMMENSURATE)).denominator for x in k] for k, _ in waves]
    return np.asarray(np.lcm.reduce(np.array(denominators or [[1, 1, 1]], np.int64), axis=0))


def _exchange(path: str | Path, kind: str, data: dict[str, Any]) -> Array:
    if kind == "general":
        return np.asarray(_array(data["matrix"]).real)
    if kind == "heisenberg":
        return float(data["j"]) * np.eye(3)
    if kind == "diagonal":
        return np.diag([data["j_x"], data["j_y"], data["j_z"]]).astype(float)
    if kind == "xy":
        return np.diag([data["j"], data["j"], 0.0]).astype(float)
    if kind == "xxz":
        return np.diag([data["j_xy"], data["j_xy"], data["j_z"]]).astype(float)
    if kind == "ising":
        return np.diag([0.0, 0.0, data["j_z"]]).astype(float)
    if kind == "dzyaloshinskii-moriya":
        x, y, z = (float(data[f"d_{axis}"]) for axis in "xyz")
        return np.array([[0, z, -y], [-z, 0, x], [y, -x, 0]])
    raise FormatError(path, "a known kind of exchange", repr(kind), "exchanges")


def _anisotropy(path: str | Path, term: dict[str, Any]) -> Array:
    data = term["data"]
    if term["type"] == "general":
        return np.asarray(_array(data["anisotropy_matrix"]).real)
    if term["type"] == "axis-magnitude":
        axis = np.asarray(_array(data["direction"]).real)
        return float(data["a"]) * np.outer(axis, axis)
    raise FormatError(path, "a general or axis-magnitude anisotropy", repr(term["type"]), "anisotropies")


def _array(value: dict[str, Any]) -> NDArray[Any]:
    data = np.array(value["data"], float)
    if value.get("imag_data") is not None:
        data = data + 1j * np.array(value["imag_data"], float)
    return data.reshape(value["shape"])
