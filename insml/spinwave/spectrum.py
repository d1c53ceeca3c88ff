"""Energies and intensities of spin waves at a list of wave vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError

Array = NDArray[np.float64]
Tensor = NDArray[np.complex128]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Spin wave modes with E > 0 at a list of wave vectors.

    Attributes
    ----------
    q : (nq, 3) r.l.u. of the chemical cell.
    energy : (nq, nmode) meV, ascending for a single domain; in a rotating frame ascending in each of the blocks Q - k, Q,
        Q + k, which follow one another.
    intensity : (nq, nmode) S_perp = sum_ab (delta_ab - Qhat_a Qhat_b) S^ab per chemical cell, no Bose factor. At Q = 0
        the direction of the next non-zero point in the list is used, else x.
    weight : share of the sample this domain has.
    domains : one spectrum per twin, empty for a single domain. With twins ``energy`` lists the modes of all domains
        one after the other and ``intensity`` carries their weights.
    lattice_vectors : (3, 3) rows a, b, c of the chemical cell, Cartesian Angstrom.
    """

    q: Array
    energy: Array
    intensity: Array
    weight: float = 1.0
    domains: tuple[Spectrum, ...] = ()
    lattice_vectors: Array = field(default_factory=lambda: np.eye(3))
    _tensor: Callable[[], Tensor] | Tensor | None = None

    @cached_property
    def tensor(self) -> Tensor:
        """(nq, nmode, 3, 3) S^ab = conj(amp_a) amp_b in Cartesian axes of the crystal; worked out when first asked for."""
        if self._tensor is None:
            raise ModelError("spectrum: expected one made by SpinModel.spectrum, which knows S^ab, found energies and "
                             "intensities alone")
        return self._tensor() if callable(self._tensor) else self._tensor
