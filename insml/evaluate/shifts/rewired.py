"""Candidates of other physics, made from a study's own: bonds weakened, turned round or added, and other orders.

Strengths are values of further parameters, so that one candidate serves every image and every severity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from insml.evaluate.shifts.order import ferromagnetic, neel, shells
from insml.study import Bond, Candidate, MagneticStructure, Parameter
from insml.study.expressions import Linear, Matrix, add, antisymmetric, matrix_values, scalar_matrix
from insml.study.neighbours import NeighbourTable

Array = NDArray[np.float64]
Values = Mapping[str, float]

_WEAKEST = 0.1         # of a bond that is weakened: chains that touch nowhere have modes without energy
_FURTHER, _DM = 0.25, 0.3  # of the largest exchange, at full strength
_SMALLEST = 0.05       # of the largest exchange, for each shell of another order
_STRONG = 0.1          # of the largest exchange: weaker bonds may change their sign and nobody sees it
_MOST_SHELLS = 12


@dataclass(frozen=True, eq=False)
class Rewired:
    """A candidate, and the meV of its further parameters for an image's own values at a strength of 0 to 1.

    share : whether strength is the share of the sample that is so, the rest being as it was.
    labelled : whether the image's label is still right.
    """

    candidate: Candidate
    extras: Callable[[Values, float], dict[str, float]]
    share: bool = False
    labelled: bool = False


def chains(candidate: Candidate, rng: np.random.Generator) -> Rewired | None:
    """Bonds between antiparallel spins fade: ferromagnetic chains remain. None where no bond holds chains."""
    del rng
    at_reference = [_isotropic(b.exchange, candidate.reference) for b in candidate.bonds]
    sides = [_alignment(candidate.structure, b) for b in candidate.bonds]
    if not any(s > 0 and e < 0 for s, e in zip(sides, at_reference, strict=True)):
        return None
    chosen = [n for n, s in enumerate(sides) if s < 0]
    return _changed(candidate, chosen, weakest=_WEAKEST - 1) if chosen else None


def bond(candidate: Candidate, rng: np.random.Generator) -> Rewired | None:
    """Bonds of one direction change their sign, one set of equivalent ones out of all that are not weak."""
    kinds: dict[tuple[str, ...], list[int]] = {}
    for n, b in enumerate(candidate.bonds):
        kinds.setdefault(_direction(candidate.structure, b), []).append(n)
    at = candidate.reference
    sizes = {k: abs(_isotropic(candidate.bonds[members[0]].exchange, at)) for k, members in kinds.items()}
    keys = sorted(k for k, size in sizes.items() if size > _STRONG * _largest(candidate, at))
    if len(kinds) < 2:
        return None
    return _changed(candidate, kinds[keys[rng.integers(len(keys))]], weakest=-2.0)


def further(candidate: Candidate, rng: np.random.Generator) -> Rewired | None:
    """The nearest shell that has no bonds gets some, of the sign that holds the order."""
    del rng
    structure = candidate.structure
    table = NeighbourTable(structure.cell, structure.positions)
    used = {_key(b) for b in candidate.bonds}
    for number in range(1, _MOST_SHELLS + 1):
        pairs = table.shell(number).pairs
        signs = [_side(structure, p.i, p.j) for p in pairs]
        if any(p.key in used for p in pairs) or not any(signs):
            continue
        new = tuple(Bond(p.i, p.j, p.dl, scalar_matrix(Linear(0.0, (("further", -float(s)),))))
                    for p, s in zip(pairs, signs, strict=True) if s)
        return _with(candidate, candidate.bonds + new, candidate.structure,
                     lambda v, w: {"further": w * _FURTHER * _largest(candidate, v)})
    return None


def dzyaloshinskii(candidate: Candidate, rng: np.random.Generator) -> Rewired | None:
    """Dzyaloshinskii-Moriya vectors along the moments on the shortest bonds. None if moments are not collinear."""
    del rng
    structure = candidate.structure
    n = np.array(structure.sites[0].spin) / np.linalg.norm(structure.sites[0].spin)
    if any(np.linalg.norm(np.cross(n, s.spin)) > 1e-6 for s in structure.sites):
        return None
    nearest = shells(candidate)[0]
    bonds = list(candidate.bonds)
    for k in nearest:
        b = bonds[k]
        # one sense for all: from lower to higher along the first axis that tells
        way = next((float(np.sign(x)) for x in _displacement(structure, b) if abs(x) > 1e-6), 1.0)
        x, y, z = (Linear(0.0, (("dm", way * float(c)),)) if c else Linear() for c in n)
        bonds[k] = replace(b, exchange=add(b.exchange, antisymmetric((x, y, z))))
    made = _with(candidate, tuple(bonds), structure, lambda v, w: {"dm": w * _DM * _largest(candidate, v)})
    return replace(made, labelled=True)


def ferromagnet(candidate: Candidate, rng: np.random.Generator) -> Rewired | None:
    """All moments parallel."""
    del rng
    return _reordered(candidate, ferromagnetic(candidate.structure))


def antiferromagnet(candidate: Candidate, rng: np.random.Generator) -> Rewired | None:
    """Each moment opposite to its nearest neighbours. None where these form triangles."""
    del rng
    structure = neel(candidate)
    return None if structure is None else _reordered(candidate, structure)


def domains(candidate: Candidate, strength: float, rng: np.random.Generator) -> Rewired | None:
    """One twin takes over that share of the others."""
    twins = candidate.structure.twins
    if len(twins) < 2:
        return None
    winner = int(rng.integers(len(twins)))
    weights = [t.weight + strength * (1 - t.weight) if k == winner else t.weight * (1 - strength)
               for k, t in enumerate(twins)]
    kept = tuple(replace(t, weight=w) for t, w in zip(twins, weights, strict=True) if w > 0)
    changed = replace(candidate, structure=replace(candidate.structure, twins=kept))
    return Rewired(changed, lambda v, w: {}, labelled=True)


def _with(candidate: Candidate, bonds: tuple[Bond, ...], structure: MagneticStructure,
          extras: Callable[[Values, float], dict[str, float]], share: bool = False) -> Rewired:
    """A candidate with further parameters; at their reference, full strength, its symmetry is that of any."""
    added = tuple(Parameter(name, (min(x, 0.0) - 1, max(x, 0.0) + 1), x)
                  for name, x in extras(candidate.reference, 1.0).items())
    made = replace(candidate, bonds=bonds, structure=structure, parameters=candidate.parameters + added)
    return Rewired(made, extras, share)


def _changed(candidate: Candidate, chosen: list[int], weakest: float) -> Rewired:
    """The isotropic part of chosen bonds times 1 + strength * weakest."""
    bonds, names = list(candidate.bonds), dict[Matrix, str]()
    for k in chosen:
        matrix = bonds[k].exchange
        name = names.setdefault(matrix, f"change_{len(names)}")
        bonds[k] = replace(bonds[k], exchange=add(matrix, scalar_matrix(Linear(0.0, ((name, 1.0),)))))
    return _with(candidate, tuple(bonds), candidate.structure,
                 lambda v, w: {name: w * weakest * _isotropic(m, v) for m, name in names.items()})


def _reordered(candidate: Candidate, structure: MagneticStructure) -> Rewired | None:
    """The same bonds, each shell with the mean size of its exchange and the signs that hold another order."""
    if all(_side(structure, b.i, b.j) == _alignment(candidate.structure, b) for b in candidate.bonds):
        return None
    groups = shells(candidate)
    bonds = list(candidate.bonds)
    for number, members in enumerate(groups):
        for k in members:
            sign = -float(_side(structure, bonds[k].i, bonds[k].j))
            term = Linear(0.0, ((f"shell_{number}", sign),)) if sign else Linear()
            bonds[k] = replace(bonds[k], exchange=scalar_matrix(term))

    def extras(values: Values, strength: float) -> dict[str, float]:
        del strength
        least = _SMALLEST * _largest(candidate, values)
        sizes = [[abs(_isotropic(candidate.bonds[k].exchange, values)) for k in g] for g in groups]
        return {f"shell_{n}": max(float(np.mean(s)), least) for n, s in enumerate(sizes)}

    return _with(candidate, tuple(bonds), structure, extras, share=True)


def _key(b: Bond) -> tuple[int, int, tuple[int, int, int]]:
    back = (-b.dl[0], -b.dl[1], -b.dl[2])
    return min((b.i, b.j, b.dl), (b.j, b.i, back))


def _isotropic(matrix: Matrix, values: Values) -> float:
    return float(np.trace(matrix_values(matrix, values))) / 3


def _largest(candidate: Candidate, values: Values) -> float:
    return max(abs(_isotropic(b.exchange, values)) for b in candidate.bonds)


def _side(structure: MagneticStructure, i: int, j: int) -> int:
    """1 for parallel spins, -1 for antiparallel, 0 for a right angle."""
    product = float(np.dot(structure.sites[i].spin, structure.sites[j].spin))
    return 0 if abs(product) < 1e-9 else int(np.sign(product))


def _alignment(structure: MagneticStructure, b: Bond) -> int:
    return _side(structure, b.i, b.j)


def _displacement(structure: MagneticStructure, b: Bond) -> Array:
    at = structure.positions
    return np.asarray((at[b.j] + b.dl - at[b.i]) @ structure.cell)


def _direction(structure: MagneticStructure, b: Bond) -> tuple[str, ...]:
    """What bonds have in common that a layer's symmetry carries into each other: labels of the ends, and the
    displacement but for the sign of its third component."""
    ends = (structure.sites[b.i].label, structure.sites[b.j].label)
    x, y, z = _displacement(structure, b)
    if ends[0] > ends[1] or (ends[0] == ends[1] and (x, y) < (0.0, 0.0)):
        ends, x, y = (ends[1], ends[0]), -x, -y
    return (*ends, f"{x:.3f}", f"{y:.3f}", f"{abs(z):.3f}")
