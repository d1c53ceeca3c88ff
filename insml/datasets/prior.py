"""Parameters drawn from a study's priors, restricted to sets whose magnetic structure is stable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from insml.errors import InsmlError, UnstableStructureError
from insml.study import Candidate

Array = NDArray[np.float64]

MOST_ATTEMPTS = 200


@dataclass(frozen=True, eq=False)
class Draw:
    """A stable set: ``values`` by name, the ``stack`` it was simulated to, and how many draws it took."""

    values: dict[str, float]
    stack: Array
    attempts: int


def near_references(candidate: Candidate, errors: float) -> Candidate:
    """The candidate with priors of so many errors either side of its references, cut at its own.

    Raises
    ------
    InsmlError : a parameter without reference or error, or no positive number of errors.
    """
    if not errors > 0:
        raise InsmlError(f"parameters near the references: expected a positive number of errors, found {errors}")
    narrowed = []
    for p in candidate.parameters:
        if p.reference is None or p.error is None:
            raise InsmlError(f"{candidate.name}: {p.name}: expected a reference and its error in the study, to draw "
                             f"near it, found {p.reference} and {p.error}")
        low, high = p.reference - errors * p.error, p.reference + errors * p.error
        narrowed.append(replace(p, prior=(max(low, p.prior[0]), min(high, p.prior[1]))))
    return replace(candidate, parameters=tuple(narrowed))


def draw_stable(candidate: Candidate, class_index: int, simulate: Callable[[dict[str, float]], Array], seed: int,
                index: int) -> Draw:
    """Image ``index`` of the candidate: uniform draws from the priors until one is stable.

    The numbers depend on (seed, class_index, index) alone, so any order and any division of the work gives the same.

    Raises
    ------
    InsmlError : no stable set within 200 draws.
    """
    low = np.array([p.prior[0] for p in candidate.parameters])
    high = np.array([p.prior[1] for p in candidate.parameters])
    rng = np.random.default_rng([seed, class_index, index])
    for attempt in range(1, MOST_ATTEMPTS + 1):
        values = dict(zip(candidate.names, rng.uniform(low, high).tolist(), strict=True))
        try:
            return Draw(values, simulate(values), attempt)
        except UnstableStructureError:
            continue
    raise InsmlError(f"{candidate.name}: expected priors that allow a stable magnetic structure, found none in "
                     f"{MOST_ATTEMPTS} draws")
