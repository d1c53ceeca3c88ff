"""The arms of the experiment: the same parameters through resolutions that are right, nearly right and wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml import coarse_covariance
from insml.datasets.conditions import Condition, has_instrument, simulator
from insml.errors import InsmlError
from insml.evaluate.shifts.resimulation import Simulates
from insml.evaluate.shifts.resolution import with_all_widths
from insml.instrument_simulation import InstrumentSimulator
from insml.study import Study


@dataclass(frozen=True)
class Arm:
    """``make(study, candidate, threads)`` simulates; ``instrument``: whether a study needs one for it."""

    title: str
    make: Callable[[Study, str, int], Simulates]
    instrument: bool = False


@dataclass(frozen=True)
class _Coarse:
    study: Study
    candidate: str

    def stack(self, values: Mapping[str, float] | None = None) -> NDArray[np.float64]:
        return coarse_covariance.stack(self.study, self.candidate, values)


def _widths(factor: float) -> Callable[[Study, str, int], Simulates]:
    return lambda study, candidate, threads: with_all_widths(study, candidate, Condition(), factor, threads)


#: By name, in the order of the matrices.
ARMS: dict[str, Arm] = {
    "accurate": Arm("the resolution the study states",
                    lambda study, candidate, threads: simulator(study, candidate, Condition(), threads)),
    "covariance": Arm("Gaussians of the instrument's covariance", lambda study, candidate, threads: InstrumentSimulator(
        study, candidate, evaluation="covariance", threads=threads), instrument=True),
    "coarse": Arm("coarse covariance, as published", lambda study, candidate, threads: _Coarse(study, candidate),
                  instrument=True),
    "none": Arm("no resolution", _widths(0.0)),
    "half": Arm("widths in Q and E halved", _widths(0.5)),
    "double": Arm("widths in Q and E doubled", _widths(2.0)),
}


def arms_of(study: Study) -> tuple[str, ...]:
    """Those that apply to a study."""
    return tuple(name for name, arm in ARMS.items() if has_instrument(study) or not arm.instrument)


def check_arms(study: Study, names: Sequence[str]) -> None:
    """Raises InsmlError: no arm, one twice, or one that does not apply."""
    known = arms_of(study)
    wrong = [name for name in names if name not in known] or [name for name in names if list(names).count(name) > 1]
    if wrong or not names:
        without = "" if has_instrument(study) else ", which states no instrument"
        raise InsmlError(f"arms: expected some of {', '.join(known)}, each once, for {study.name}{without}, "
                         f"found {', '.join(wrong) or 'none'}")
