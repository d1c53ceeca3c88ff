"""A candidate spin model: bonds and anisotropy whose entries are linear in named parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from insml.errors import ModelError
from insml.spinwave.model import SpinModel
from insml.spinwave.parameters import Parameter as Direction
from insml.study.expressions import Matrix, matrix_values
from insml.study.structure import MagneticStructure


@dataclass(frozen=True)
class Parameter:
    """``prior``: bounds of the uniform prior, meV. ``reference``: published or expected value, meV; ``error``: its
    standard deviation."""

    name: str
    prior: tuple[float, float]
    reference: float | None = None
    description: str = ""
    error: float | None = None


@dataclass(frozen=True)
class Bond:
    """Energy S_i^T J S_j of one physical bond, from site ``i`` in cell 0 to site ``j`` in magnetic cell ``dl``."""

    i: int
    j: int
    dl: tuple[int, int, int]
    exchange: Matrix


@dataclass(frozen=True)
class Candidate:
    """One possible Hamiltonian: each bond once, J > 0 antiferromagnetic, plus S^T A S for each site with anisotropy."""

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    structure: MagneticStructure
    bonds: tuple[Bond, ...]
    anisotropy: tuple[tuple[int, Matrix], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @property
    def reference(self) -> dict[str, float]:
        """Reference values; the middle of the prior where none is stated."""
        return {p.name: 0.5 * (p.prior[0] + p.prior[1]) if p.reference is None else p.reference
                for p in self.parameters}

    def model(self, values: Mapping[str, float]) -> dict[str, Any]:
        """The model at these parameter values (meV), in the JSON schema that ``SpinModel.from_dict`` reads.

        Raises
        ------
        ModelError
            A parameter is missing, unknown or not finite.
        """
        self.check(values)
        structure = self.structure
        sites = [site.to_model() for site in structure.sites]
        for index, matrix in self.anisotropy:
            sites[index]["aniso"] = matrix_values(matrix, values)
        model: dict[str, Any] = {
            "lattice_vectors": structure.lattice.vectors.tolist(),
            "supercell": list(structure.supercell),
            "sites": sites,
            "bonds": [{"i": b.i, "j": b.j, "dl": list(b.dl), "J": matrix_values(b.exchange, values)}
                      for b in self.bonds],
            "field": list(structure.field),
        }
        if structure.twins:
            model["twins"] = [{"rot": [list(row) for row in t.rotation], "weight": t.weight} for t in structure.twins]
        return model

    def spin_model(self, values: Mapping[str, float] | None = None) -> SpinModel:
        """The model at ``values``, else at the reference values, with the candidate's parameters under their names: what
        :meth:`SpinModel.with_parameters` and :func:`insml.spinwave.gradient.gradient` go by.

        Raises
        ------
        ModelError : as :meth:`model`.
        """
        values = self.reference if values is None else values
        model = SpinModel.from_dict(self.model(values))
        zero = SpinModel.from_dict(self.model(dict.fromkeys(self.names, 0.0)))
        directions = {}
        for name in self.names:
            # entries are linear in the parameters
            unit = SpinModel.from_dict(self.model({n: float(n == name) for n in self.names}))
            exchange = {b: J - J0 for b, ((*_, J), (*_, J0)) in enumerate(zip(unit.bonds, zero.bonds, strict=True))}
            anisotropy = dict(enumerate(unit.anisotropy - zero.anisotropy))
            directions[name] = Direction(values[name], {b: J for b, J in exchange.items() if J.any()}, {},
                                         {i: A for i, A in anisotropy.items() if A.any()})
        return model.replace(parameters=directions)

    def check(self, values: Mapping[str, float]) -> None:
        """Raises ModelError: names that are unknown or missing."""
        expected = f"candidate {self.name}: expected the parameters {', '.join(self.names)}"
        for name in values:
            if name not in self.names:
                near = get_close_matches(name, self.names, 1)
                hint = f" (did you mean {near[0]}?)" if near else ""
                raise ModelError(f"{expected}, found the unknown {name}{hint}")
        for name in self.names:
            if name not in values:
                raise ModelError(f"{expected}, found no {name}")
            if not math.isfinite(values[name]):
                raise ModelError(f"candidate {self.name}: {name}: expected a finite number in meV, "
                                 f"found {values[name]}")
