"""The magnetic structure that all candidates of a study share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.study.form_factors import FormFactor

Array = NDArray[np.float64]
Vector = tuple[float, float, float]
Matrix3 = tuple[Vector, Vector, Vector]


@dataclass(frozen=True)
class Site:
    """One magnetic ion.

    ``position`` in fractions of the magnetic cell, each in [0, 1). ``spin``: classical vector, Cartesian, length S.
    ``g`` None stands for 2. ``form_factor``: [a1 b1 ... a5 b5 c] or None.
    """

    label: str
    position: Vector
    spin: Vector
    g: Matrix3 | None = None
    form_factor: FormFactor | None = None

    def to_model(self) -> dict[str, Any]:
        """The site in the JSON model schema, without anisotropy."""
        site: dict[str, Any] = {"label": self.label, "pos": list(self.position), "spin": list(self.spin)}
        if self.g is not None:
            site["g"] = [list(row) for row in self.g]
        if self.form_factor is not None:
            site["ff"] = list(self.form_factor)
        return site


@dataclass(frozen=True)
class Twin:
    """One domain: Cartesian orthogonal matrix (rotation or reflection) and its share of the sample."""

    rotation: Matrix3
    weight: float


@dataclass(frozen=True)
class MagneticStructure:
    """Sites of the magnetic cell, which is ``supercell`` chemical cells; field in Tesla, Cartesian.

    ``twins`` is empty for one domain; otherwise the weights sum to 1.
    """

    lattice: Lattice
    supercell: tuple[int, int, int]
    sites: tuple[Site, ...]
    field: Vector = (0.0, 0.0, 0.0)
    twins: tuple[Twin, ...] = ()

    @property
    def cell(self) -> Array:
        """(3, 3) rows: the magnetic cell vectors, Cartesian Angstrom."""
        return np.asarray(self.lattice.vectors * np.array(self.supercell, float)[:, None])

    @property
    def positions(self) -> Array:
        """(n, 3) fractions of the magnetic cell."""
        return np.array([s.position for s in self.sites])
