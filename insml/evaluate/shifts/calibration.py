"""C: energies, lattice and orientation other than supposed: bins see what lies beside them, simulated exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from insml.datasets.conditions import Condition, has_instrument, simulator
from insml.datasets.corrupt import Corruption
from insml.evaluate.shifts.family import CleanImages, Family, Shifted, check_kinds, draw
from insml.evaluate.shifts.resimulation import Simulates, resimulated
from insml.instrument_simulation import in_plane
from insml.study import Candidate, Study, Twin

KINDS = ("energy", "angle", "q-scale")
_ENERGY = (0.0025, 0.005, 0.01, 0.02, 0.04)   # of Ei
_ANGLE = (0.1, 0.25, 0.5, 1.0, 2.0)           # degrees in the plane of the image
_SCALE = (0.002, 0.005, 0.01, 0.02, 0.03)     # of Q


@dataclass(frozen=True)
class Calibration(Family):
    """An offset in energy, a turn in the plane and a wrong scale of Q at once, each of its own sign."""

    letter: ClassVar[str] = "C"
    title: ClassVar[str] = "calibration"
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        check_kinds(self.letter, self.kinds, KINDS)

    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted:
        most = [steps[severity - 1] if kind in self.kinds else 0.0
                for kind, steps in zip(KINDS, (_ENERGY, _ANGLE, _SCALE), strict=True)]
        signs = [tuple(int(s) for s in draw(seed, i, self.letter).choice([-1, 1], 3)) for i in range(len(base))]
        names, changed = list(study.candidates), {}

        def make(sign: tuple[int, ...], condition: Condition, label: int) -> Simulates:
            energy, angle, scale = (s * m for s, m in zip(sign, most, strict=True))
            if (energy, scale, angle) not in changed:
                changed[energy, scale, angle] = beside(study, energy, angle, scale)
            if has_instrument(study):
                condition = replace(condition, turn=condition.turn + angle)
            return simulator(changed[energy, scale, angle], names[label], condition, threads)

        clean = resimulated(base, signs, make)
        variants = tuple(", ".join(f"{k} {s * m:+g}" for k, s, m in zip(KINDS, sign, most, strict=True) if m)
                         for sign in signs)
        return Shifted(clean, corruption, base.labels.copy(), variants)


def beside(study: Study, energy: float, angle: float, scale: float) -> Study:
    """The study with bins that lie elsewhere.

    Parameters
    ----------
    energy : offset as a share of Ei, of the largest energy without. scale : of both momentum axes, 0.01 for 1 %.
    angle : degrees by which the crystal is turned, where images go through no instrument (which turns it itself).
    """
    layout = study.layout
    largest = max(abs(e) for s in layout.slices for e in s.energy)
    slices = []
    for s in layout.slices:
        offset = energy * (largest if s.ei is None else s.ei)
        slices.append(replace(s, energy=(s.energy[0] + offset, s.energy[1] + offset)))
    first, second = (replace(a, edges=a.edges * (1 + scale)) for a in layout.axes)
    moved = replace(layout, slices=tuple(slices), axes=(first, second))
    if has_instrument(study) or angle == 0:
        return replace(study, layout=moved)
    turn = in_plane(study, angle)
    turned = {name: _turned(c, turn) for name, c in study.candidates.items()}
    return replace(study, layout=moved, candidates=turned)


def _turned(candidate: Candidate, turn: NDArray[np.float64]) -> Candidate:
    twins = []
    for twin in candidate.structure.twins or (Twin(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), 1.0),):
        (a, b, c), (d, e, f), (g, h, i) = (turn @ np.array(twin.rotation)).tolist()
        twins.append(Twin(((a, b, c), (d, e, f), (g, h, i)), twin.weight))
    return replace(candidate, structure=replace(candidate.structure, twins=tuple(twins)))
