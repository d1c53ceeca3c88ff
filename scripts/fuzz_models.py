"""Random spin models, sound and broken: each must give a finite spectrum or an InsmlError that says what is wrong.

    python scripts/fuzz_models.py [--count N] [--seed S] [--only INDEX]

Any other exception, a panic of the core, a warning, a NaN, a negative energy or intensity is a failure, printed with the
index that makes it again; a model that takes longer than a minute ends the run with a traceback. With unstable="general"
a mode may be NaN, its intensity with its energy, and an energy negative. Exit status 1 after failures.
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from insml import InsmlError, SpinModel
from insml.spinwave import Twin

Array = NDArray[np.float64]
Rng = np.random.Generator
EYE = np.eye(3)
MU_B = 0.057883818066
ODD = (np.nan, np.inf, -np.inf, 1e300, -1e300, 1e154, 1e100, 1e20, 1e-20, 1e-100, 1e-154, 1e-300, 5e-324, -0.0, 0.0)
Q_ODD = (0.0, 0.5, 1.0, -1.0, 1 / 3, 0.25, 1e3, 1e9, 1e-9, 1e-300)


@dataclass
class Case:
    """Arguments of SpinModel and of its method spectrum."""

    kind: str
    model: dict[str, Any]
    q: Any
    options: dict[str, Any]
    as_dict: bool = False


# --- sound models ----------------------------------------------------------------------------------------------------

def unit(rng: Rng) -> Array:
    v = rng.normal(size=3)
    return np.asarray(v / np.linalg.norm(v))


def cross(v: Array) -> Array:
    """The matrix that takes x to v x x."""
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def turn(n: Array, angle: float) -> Array:
    return np.asarray(np.outer(n, n) + np.cos(angle) * (EYE - np.outer(n, n)) + np.sin(angle) * cross(n))


def lattice(rng: Rng) -> Array:
    match rng.integers(5):
        case 0:
            return np.diag(rng.uniform(2, 9, 3))
        case 1:
            return 4.0 * EYE
        case 2:
            return np.array([[3.0, 0, 0], [-1.5, 1.5 * np.sqrt(3), 0], [0, 0, 5.0]])
        case _:
            return np.asarray(np.diag(rng.uniform(3, 9, 3)) + rng.uniform(-1.5, 1.5, (3, 3)))


def directions(rng: Rng, n: int) -> Array:
    """(n, 3): collinear, coplanar, along the axes, along cube diagonals or anywhere."""
    axis, other = unit(rng), unit(rng)
    match rng.integers(6):
        case 0:
            return np.tile(axis, (n, 1))
        case 1:
            return rng.choice([-1.0, 1.0], n)[:, None] * (axis if rng.random() < 0.5 else EYE[rng.integers(3)])
        case 2:
            angle = rng.choice([0.0, np.pi / 2, 2 * np.pi / 3, 4 * np.pi / 3, rng.uniform(0, 6)], n)
            e1 = np.cross(axis, other) / np.linalg.norm(np.cross(axis, other))
            return np.asarray(np.cos(angle)[:, None] * e1 + np.sin(angle)[:, None] * np.cross(axis, e1))
        case 3:
            return EYE[rng.integers(0, 3, n)] * rng.choice([-1.0, 1.0], n)[:, None]
        case 4:
            return rng.choice([-1.0, 1.0], (n, 3)) / np.sqrt(3)
        case _:
            return np.array([unit(rng) for _ in range(n)])


def coupling(rng: Rng) -> Array:
    strength = 10.0 ** rng.uniform(-1, 1)
    match rng.integers(6):
        case 0 | 1:
            return strength * rng.choice([-1.0, 1.0]) * EYE
        case 2:
            return strength * rng.choice([-1.0, 1.0]) * EYE + cross(rng.normal(0, 0.3 * strength, 3))
        case 3:
            return np.diag(rng.normal(0, strength, 3))
        case 4:
            return np.zeros((3, 3))
        case _:
            return rng.normal(0, strength, (3, 3))


def links(rng: Rng, n: int, count: int) -> list[tuple[int, int, Array]]:
    out: list[tuple[int, int, Array]] = []
    while len(out) < count:
        i, j, dl = int(rng.integers(n)), int(rng.integers(n)), rng.integers(-1, 2, 3)
        if i != j or dl.any():
            out.append((i, j, dl))
    return out


def pinned(rng: Rng) -> dict[str, Any]:
    """Any spins and couplings, held by local easy axes; the axes' off-diagonal part takes up what turns the spins."""
    n = int(rng.integers(1, 9))
    axes = directions(rng, n)
    length = np.full(n, rng.choice([0.5, 1.0, 2.5, 0.01, 40.0])) if rng.random() < 0.6 else rng.uniform(0.5, 3, n)
    spins = axes * length[:, None]
    bonds = [(i, j, dl, coupling(rng)) for i, j, dl in links(rng, n, int(rng.integers(0, 3 * n + 1)))]
    squares = [(i, j, dl, float(rng.normal(0, 0.1))) for i, j, dl in links(rng, n, int(rng.choice([0, 0, 0, 2])))]
    g = 2.0 * EYE + (rng.normal(0, 0.2, (n, 3, 3)) if rng.random() < 0.3 else np.zeros((n, 3, 3)))
    g = (g + g.transpose(0, 2, 1)) / 2
    field = rng.normal(0, 5, 3) if rng.random() < 0.3 else np.zeros(3)
    torque, bound = -MU_B * g @ field, np.full(n, MU_B * 3 * np.linalg.norm(field))
    for i, j, _, J in bonds:
        for a, b, M in ((i, j, J), (j, i, J.T)):
            torque[a] += M @ spins[b]
            bound[a] += 2 * np.linalg.norm(M) * max(length[a], length[b])
    for i, j, _, B in squares:
        for a, b in ((i, j), (j, i)):
            torque[a] += B * (spins[a] @ spins[b]) * spins[b]
            bound[a] += 4 * abs(B) * max(length[a], length[b]) ** 3
    across = torque - axes * np.einsum("ia,ia->i", torque, axes)[:, None]
    mixed = np.einsum("ia,ib->iab", across, axes)
    hold = rng.choice([1.5, 1.5, 1.0, 0.2, 0.0]) * bound / length
    anisotropy = -(hold[:, None, None] * np.einsum("ia,ib->iab", axes, axes)
                   + (mixed + mixed.transpose(0, 2, 1)) / (2 * length[:, None, None]))
    return {"lattice_vectors": lattice(rng), "positions": rng.uniform(-1, 2, (n, 3)), "spins": spins, "bonds": bonds,
            "biquadratic": squares, "anisotropy": anisotropy, "g": g, "field": field}


def repeated(rng: Rng) -> dict[str, Any]:
    """A ferromagnet, an antiferromagnet or any small model, written in a magnetic cell larger than it needs."""
    supercell = [(1, 1, 1), (2, 1, 1), (1, 2, 2), (2, 2, 1), (4, 1, 1), (1, 1, 3)][rng.integers(6)]
    cells = [np.array(c) for c in np.ndindex(*supercell)]
    n = int(rng.integers(1, 1 + max(1, 8 // len(cells))))
    neel = all(s % 2 == 0 or s == 1 for s in supercell) and rng.random() < 0.5
    axis, wanted = unit(rng) if rng.random() < 0.5 else EYE[2], links(rng, n, int(rng.integers(1, 4 * n + 1)))
    length = rng.choice([0.5, 1.0, 1.75, 2.5], n)
    bonds, spins = [], []
    strength = -(10.0 ** rng.uniform(-1, 1, len(wanted)))
    along = rng.normal(0, 0.1, len(wanted)) if rng.random() < 0.4 and not neel else np.zeros(len(wanted))

    def sign(i: int, cell: Array) -> float:
        return (-1.0) ** (i + int(cell[np.array(supercell) > 1].sum())) if neel else 1.0

    for index, c in enumerate(cells):
        for i in range(n):
            spins.append(sign(i, c) * length[i] * axis)
        for (i, j, dl), J, D in zip(wanted, strength, along, strict=True):
            home, inside = np.divmod(c + dl, supercell)
            to = int(np.ravel_multi_index(tuple(inside), supercell))
            bonds.append((n * index + i, n * to + j, home,
                          sign(i, c) * sign(j, inside) * (J * EYE + D * J * cross(axis))))
    at = rng.uniform(size=(n, 3))
    return {"lattice_vectors": lattice(rng), "supercell": supercell, "spins": spins, "bonds": bonds,
            "positions": np.concatenate([(at + c) / supercell for c in cells]),
            "anisotropy": np.tile(-rng.choice([0.0, 0.0, 0.3]) * np.outer(axis, axis), (len(spins), 1, 1)),
            "field": np.zeros(3) if neel else rng.choice([0.0, 3.0]) * axis}


def turning(rng: Rng) -> dict[str, Any]:
    """A ferromagnet seen from axes that turn about n from cell to cell: a helix or cone that is stable at any k."""
    n, axis = int(rng.integers(1, 5)), unit(rng) if rng.random() < 0.5 else EYE[2]
    k = rng.choice([0.0, 0.5, 1 / 3, 0.25, 1.0, rng.uniform(-1, 1)], 3)
    phase = rng.uniform(0, 6, n)
    flat = np.cross(axis, unit(rng))
    start = flat / np.linalg.norm(flat) if rng.random() < 0.6 else unit(rng)
    bonds = []
    for i, j, dl in links(rng, n, int(rng.integers(1, 3 * n + 1))):
        bonds.append((i, j, dl, -rng.uniform(0.1, 5) * turn(axis, phase[i] - phase[j] - 2 * np.pi * k @ dl)))
    model = {"lattice_vectors": lattice(rng), "positions": rng.uniform(size=(n, 3)), "bonds": bonds, "k": k,
             "n": axis * rng.choice([1.0, 3.0]), "spins": [rng.uniform(0.5, 2) * turn(axis, p) @ start for p in phase]}
    match rng.integers(6):
        case 0:
            model["field"] = 0.3 * axis
        case 1:
            model["anisotropy"] = np.tile(0.2 * np.outer(axis, axis), (n, 1, 1))
        case 2:
            model["bonds"] = [*bonds, (0, 0, (1, 0, 0), coupling(rng))]  # most of these are not invariant
    return model


def domains(rng: Rng) -> list[Twin]:
    out = []
    for _ in range(int(rng.integers(1, 4))):
        rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        out.append(Twin(rng.choice([EYE, -EYE, np.diag([1.0, 1.0, -1.0]), rotation]), float(rng.uniform(0.1, 2))))
    return out


def points(rng: Rng) -> Any:
    q = rng.uniform(-1, 1, (int(rng.choice([1, 3, 8, 11])), 3))
    if rng.random() < 0.5:
        q = np.concatenate([q, rng.choice(Q_ODD, (3, 3))])
    return q


def sound(rng: Rng) -> Case:
    kind, make = [("pinned", pinned), ("repeated", repeated), ("turning", turning)][rng.choice(3, p=[0.4, 0.4, 0.2])]
    model = make(rng)
    n = len(model["spins"])
    if rng.random() < 0.15:
        model["twins"] = domains(rng)
    if rng.random() < 0.2:
        model["form_factors"] = [[0.4198, 14.2829, 0.6054, 5.4689, 0.9241, -0.0088, -0.9498], None][:1] * n
    if rng.random() < 0.2:
        order = rng.permutation(n)
        place = np.argsort(order)
        for key in ("positions", "spins", "anisotropy", "g"):
            if key in model:
                model[key] = np.asarray(model[key])[order]
        for key in ("bonds", "biquadratic"):
            if key in model:
                model[key] = [(int(place[i]), int(place[j]), dl, J) for i, j, dl, J in model[key]]
    options = {"tensor": bool(rng.random() < 0.5), "form_factor": bool(rng.random() < 0.3),
               "g_tensor": bool(rng.random() < 0.2), "unstable": "general" if rng.random() < 0.4 else "raise",
               "blocks": bool(rng.random() < 0.7), "threads": int(rng.choice([1, 1, 2, 0]))}
    return Case(kind, model, points(rng), options, bool(rng.random() < 0.2))


# --- broken models ---------------------------------------------------------------------------------------------------

def odd_number(case: Case, rng: Rng) -> None:
    """One number anywhere becomes NaN, infinite, huge or tiny."""
    key = rng.choice(["lattice_vectors", "positions", "spins", "field", "anisotropy", "g", "bonds", "biquadratic", "k", "n",
                      "q"])
    value = float(rng.choice(ODD))
    if key in ("bonds", "biquadratic"):
        if case.model.get(key):
            b = int(rng.integers(len(case.model[key])))
            i, j, dl, J = case.model[key][b]
            J = np.array(J, float)
            J.flat[rng.integers(J.size)] = value
            case.model[key][b] = (i, j, dl, J if J.ndim else float(J))
    elif key == "q":
        case.q.flat[rng.integers(case.q.size)] = value
    elif case.model.get(key) is not None and np.size(case.model[key]):
        array = np.array(case.model[key], float)
        array.flat[rng.integers(array.size)] = value
        case.model[key] = array


def rescaled(case: Case, rng: Rng) -> None:
    """All energies, spins or lengths times a power of ten."""
    factor = 10.0 ** float(rng.choice([-300, -150, -30, -12, 12, 30, 150, 300]))
    with np.errstate(over="ignore"):
        match rng.integers(3):
            case 0:
                case.model["bonds"] = [(i, j, dl, factor * np.array(J)) for i, j, dl, J in case.model["bonds"]]
                if "anisotropy" in case.model:
                    case.model["anisotropy"] = factor * np.array(case.model["anisotropy"])
            case 1:
                case.model["spins"] = factor * np.array(case.model["spins"])
            case _:
                case.model["lattice_vectors"] = factor * np.array(case.model["lattice_vectors"])


def bad_bond(case: Case, rng: Rng) -> None:
    n = len(case.model["spins"])
    key = rng.choice(["bonds", "biquadratic"])
    value: Any = EYE if key == "bonds" else 0.1
    bad: list[Any] = [
        (0, 0, (0, 0, 0), value), (0, n, (1, 0, 0), value), (-1, 0, (1, 0, 0), value), (0, 0, (0.5, 0, 0), value),
        (0, 0, (2**31, 0, 0), value), (0, 0, (2**19, 0, 0), value), (0, 0, (1, 0), value), (0, 0, (1, 0, 0), "J"),
        (0, 0, (1, 0, 0), None), (0, 0, (1, 0, 0), np.ones((2, 2))), (0, 0, (1, 0, 0)), (0.5, 0, (1, 0, 0), value),
        ("a", 0, (1, 0, 0), value), (2**70, 0, (1, 0, 0), value), None, (0, 0, (np.nan, 0, 0), value),
    ]
    case.model[key] = [*case.model.get(key, []), bad[rng.integers(len(bad))]]


def same_bond_again(case: Case, rng: Rng) -> None:
    case.model["bonds"] = case.model["bonds"] * int(rng.integers(2, 4))
    case.model["bonds"] += [(j, i, -np.array(dl), np.array(J).T) for i, j, dl, J in case.model["bonds"]]


def wrong_shape(case: Case, rng: Rng) -> None:
    key = str(rng.choice([k for k in case.model if k not in ("bonds", "biquadratic", "twins", "form_factors")]))
    array = np.array(case.model[key], float)
    match rng.integers(4):
        case 0:
            case.model[key] = array[:-1]
        case 1:
            case.model[key] = array[..., :-1]
        case 2:
            case.model[key] = array[None]
        case _:
            case.model[key] = np.concatenate([array, array])


def wrong_kind(case: Case, rng: Rng) -> None:
    key = str(rng.choice([*case.model, "supercell", "labels", "bond_labels", "form_factors", "twins", "k", "n"]))
    things: list[Any] = ["text", 3, 3.5, [], {}, [[]], [None], ["a", "b", "c"], [1, 2], 1j, True, [[1, 2], [3]]]
    case.model[key] = things[rng.integers(len(things))]


def bad_supercell(case: Case, rng: Rng) -> None:
    cells: list[Any] = [(0, 1, 1), (-1, 1, 1), (1, 1), (1.5, 1, 1), (np.nan, 1, 1), (np.inf, 1, 1), (2**40, 1, 1),
                        (2**31, 2, 2), (2, 2, 2), "121", (None, 1, 1)]
    case.model["supercell"] = cells[rng.integers(len(cells))]


def bad_spins(case: Case, rng: Rng) -> None:
    spins = np.array(case.model["spins"], float)
    spins[rng.integers(len(spins))] *= rng.choice([0.0, 1e-200, 1e-12, 1e-6, -1.0])
    case.model["spins"] = spins


def bad_lattice(case: Case, rng: Rng) -> None:
    cells = [np.ones((3, 3)), np.zeros((3, 3)), np.diag([1.0, 1.0, -1.0]), np.diag([1e-8, 1.0, 1.0]),
             np.diag([1e8, 1.0, 1.0]), np.diag([1e-110] * 3), np.diag([1e110] * 3), [[1, 0, 0], [1, 1e-9, 0], [0, 0, 1]]]
    case.model["lattice_vectors"] = cells[rng.integers(len(cells))]


def bad_frame(case: Case, rng: Rng) -> None:
    frames: list[dict[str, Any]] = [
        {"k": (0.1, 0, 0)}, {"n": (0, 0, 1)}, {"k": (0.1, 0, 0), "n": (0, 0, 0)}, {"k": (0.1, 0, 0), "n": (0, 0, 1e-300)},
        {"k": (1e15, 0, 0), "n": (0, 0, 1)}, {"k": (0.1, 0, 0), "n": (1e200, 0, 0)}, {"k": (np.nan, 0, 0), "n": (0, 0, 1)},
        {"k": (0.3, 0.1, 0), "n": (0, 1, 1)}, {"k": (0.5, 0.0, 0), "n": (0, 0, 1)}, {"k": (1e-300, 0, 0), "n": (0, 0, 1)}]
    case.model |= frames[rng.integers(len(frames))]


def bad_twins(case: Case, rng: Rng) -> None:
    rotations = [EYE, 2 * EYE, np.ones((2, 2)), np.full((3, 3), np.nan), 1e200 * EYE, (1 + 1e-8) * EYE]
    twins = [[], *([Twin(r, 1.0)] for r in rotations), *([Twin(EYE, w)] for w in (0.0, -1.0, np.nan, np.inf, 1e300))]
    case.model["twins"] = twins[rng.integers(len(twins))]


def bad_names(case: Case, rng: Rng) -> None:
    n = len(case.model["spins"])
    names: list[dict[str, Any]] = [
        {"form_factors": [[1.0, 2.0]] * n}, {"form_factors": [[np.nan]] * n}, {"form_factors": [[1e300, -1e300, 1.0]] * n},
        {"form_factors": [["a"]] * n}, {"form_factors": [None] * (n + 1)}, {"form_factors": [[]] * n},
        {"labels": ["a"] * (n + 1)}, {"bond_labels": ["J"] * 99},
        {"bond_labels": ["J"] * len(case.model["bonds"])}, {"labels": [None] * n}]
    case.model |= names[rng.integers(len(names))]
    case.options["form_factor"] = True


def nothing(case: Case, rng: Rng) -> None:
    """Empty lists, or couplings that are all zero."""
    match rng.integers(3):
        case 0:
            case.model |= {"positions": [], "spins": [], "bonds": [], "biquadratic": []}
            for key in ("anisotropy", "g", "form_factors"):
                case.model.pop(key, None)
        case 1:
            case.model |= {"bonds": [], "biquadratic": [], "field": (0, 0, 0)}
            case.model.pop("anisotropy", None)
        case _:
            case.model["bonds"] = [(i, j, dl, 0 * np.array(J)) for i, j, dl, J in case.model["bonds"]]


def bad_call(case: Case, rng: Rng) -> None:
    points: list[Any] = [[], np.empty((0, 3)), "q", None, [[1, 2]], np.zeros((2, 2, 3)), [[np.inf, 0, 0]], [[1e300, 0, 0]],
                         [[1e17, 0, 0]], [0.1, 0.2, 0.3], [[1j, 0, 0]]]
    options: list[dict[str, Any]] = [{"unstable": "no"}, {"unstable": None}, {"threads": 64}]
    if rng.random() < 0.8:
        case.q = points[rng.integers(len(points))]
    else:
        case.options |= options[rng.integers(len(options))]


BREAKS: list[Callable[[Case, Rng], None]] = [
    odd_number, odd_number, odd_number, rescaled, bad_bond, same_bond_again, wrong_shape, wrong_kind, bad_supercell,
    bad_spins, bad_lattice, bad_frame, bad_twins, bad_names, nothing, bad_call]


def random_case(seed: int, index: int) -> Case:
    """About two thirds sound, the rest broken in one or two ways."""
    rng = np.random.default_rng([seed, index])
    case = sound(rng)
    if rng.random() < 0.35:
        for break_it in rng.choice(len(BREAKS), int(rng.choice([1, 1, 2])), replace=False):
            spoiled = copy.deepcopy(case)
            try:
                BREAKS[break_it](spoiled, rng)
            except (TypeError, ValueError, AttributeError, IndexError, KeyError):
                continue  # broken beyond what this one knows how to spoil
            spoiled.kind += f" + {BREAKS[break_it].__name__}"
            case = spoiled
    return case


# --- what must hold --------------------------------------------------------------------------------------------------

def as_dictionary(model: dict[str, Any]) -> dict[str, Any]:
    """The same in the keys of SpinModel.from_dict, where it can be said in them."""
    n = len(model["spins"])
    out = {key: model[key] for key in ("lattice_vectors", "supercell", "field", "k", "n") if key in model}
    sites = [{"pos": model["positions"][i], "spin": model["spins"][i]} for i in range(n)]
    for key, name in (("anisotropy", "aniso"), ("g", "g"), ("form_factors", "ff")):
        for i, site in enumerate(sites if key in model else []):
            site[name] = model[key][i]
    bonds = [{"i": i, "j": j, "dl": dl, "J": J} for i, j, dl, J in model["bonds"]]
    squares = [{"i": i, "j": j, "dl": dl, "B": B} for i, j, dl, B in model.get("biquadratic", [])]
    twins = [{"rot": t.rotation, "weight": t.weight} for t in model.get("twins", [])]
    return out | {"sites": sites, "bonds": bonds, "biquadratic": squares, "twins": twins}


def outcome(case: Case) -> str:
    """"spectrum", "spectrum with complex energies" or the class of the InsmlError. Anything else raises."""
    described = None
    if case.as_dict:
        try:
            described = as_dictionary(case.model)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError):
            described = None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model = SpinModel(**case.model) if described is None else SpinModel.from_dict(described)
            s = model.spectrum(case.q, **case.options)
        except InsmlError as error:
            if "\n" in str(error):
                raise AssertionError(f"a message of several lines: {error}") from error
            return type(error).__name__
    modes = model.n_modes * max(1, len(model.twins))
    shape = (len(np.atleast_2d(np.asarray(case.q, float))), modes)
    assert s.energy.shape == s.intensity.shape == shape, (s.energy.shape, s.intensity.shape, shape)
    lost, general = np.isnan(s.energy), case.options["unstable"] == "general"
    assert not lost.any() or general, "NaN energies"
    assert np.array_equal(lost, np.isnan(s.intensity)), "NaN intensities elsewhere than NaN energies"
    for name, values in (("energy", s.energy[~lost]), ("intensity", s.intensity[~lost])):
        assert np.isfinite(values).all(), f"infinite {name}"
        # a positive mode of an indefinite form may have a negative energy
        assert (values >= 0).all() or (name == "energy" and general), f"negative {name}: {values.min()}"
    if case.options["tensor"]:
        assert np.isfinite(s.tensor[~lost]).all(), "tensor not finite"
    return "spectrum with complex energies" if lost.any() else "spectrum"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one model, with its traceback")
    arguments = parser.parse_args()
    if arguments.only is not None:
        case = random_case(arguments.seed, arguments.only)
        print(case)
        print(outcome(case))
        return
    console = Console()
    counts: Counter[tuple[str, str]] = Counter()
    failures: list[str] = []
    with Progress(console=console) as progress:
        task = progress.add_task("models", total=arguments.count)
        for index in range(arguments.count):
            faulthandler.dump_traceback_later(60, exit=True)
            case = random_case(arguments.seed, index)
            try:
                result = outcome(case)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # a panic of the core is no Exception
                result = "failure"
                failures.append(f"{index}: {case.kind}: {type(error).__name__}: {str(error).partition(chr(10))[0]}")
                console.print(failures[-1], markup=False, highlight=False, soft_wrap=True)
            counts["broken" if "+" in case.kind else case.kind, result] += 1
            progress.update(task, advance=1, description=f"model {index}")
        faulthandler.cancel_dump_traceback_later()
    table = Table("model", "gave", "times", title=f"{arguments.count} models, seed {arguments.seed}")
    for (kind, result), times in sorted(counts.items()):
        table.add_row(kind, result, str(times))
    console.print(table)
    console.print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
