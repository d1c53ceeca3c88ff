"""T: wrong physics in the same bands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import ClassVar

import numpy as np

from insml.datasets.conditions import simulator
from insml.datasets.corrupt import Corruption
from insml.errors import InsmlError, ModelError
from insml.evaluate.shifts import rewired
from insml.evaluate.shifts.family import CleanImages, Family, Float32, Shifted, check_kinds, draw
from insml.evaluate.shifts.resimulation import Simulates
from insml.evaluate.shifts.rewired import Rewired
from insml.study import Candidate, Study

Make = Callable[[Candidate, np.random.Generator], Rewired | None]

_MADE: dict[str, Make] = {
    "chains": rewired.chains, "bond": rewired.bond, "further": rewired.further, "dm": rewired.dzyaloshinskii,
    "ferromagnet": rewired.ferromagnet, "antiferromagnet": rewired.antiferromagnet}
KINDS = ("twins", *_MADE)


@dataclass(frozen=True)
class Topology(Family):
    """One kind for each image, drawn from those that its candidate allows, at severity / 5 of its full strength.

    Of most no candidate is right; labels are -1.

    twins : one domain takes over, fully at the end; labels stay right.
    dm : Dzyaloshinskii-Moriya vectors, small because large ones turn the order into a spiral; labels stay right.
    chains : bonds between antiparallel spins fade. bond : the bonds of one direction change their sign.
    further : a shell without bonds gets some.
    ferromagnet, antiferromagnet : that share of the sample has another order.

    Where the order is unstable, the strength is that of the next lower severity, and in the end another kind is
    taken; ``variants`` tell.
    """

    letter: ClassVar[str] = "T"
    title: ClassVar[str] = "topology"
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        check_kinds(self.letter, self.kinds, KINDS)

    def candidates(self, study: Study, severity: int, seed: int) -> dict[tuple[int, str], Rewired]:
        """What stands for each candidate (by number) and kind that applies to it."""
        out = {}
        for label, candidate in enumerate(study.candidates.values()):
            for kind in self.kinds:
                rng = np.random.default_rng([seed, label, KINDS.index(kind), ord(self.letter)])
                made = (rewired.domains(candidate, severity / 5, rng) if kind == "twins"
                        else _MADE[kind](candidate, rng))
                if made is not None:
                    named = replace(made.candidate, name=f"{candidate.name}, {kind}")
                    out[label, kind] = replace(made, candidate=named)
        return out

    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted:
        made = self.candidates(study, severity, seed)
        orders = []
        for i, label in enumerate(base.labels):
            possible = [k for k in self.kinds if (int(label), k) in made]
            if not possible:
                raise InsmlError(f"shift T: expected kinds that apply to {study.name}, "
                                 f"{list(study.candidates)[label]}, found none among {', '.join(self.kinds)}")
            orders.append([str(k) for k in draw(seed, i, self.letter).permutation(possible)])
        changed = replace(study, candidates={r.candidate.name: r.candidate for r in made.values()})
        clean = np.empty(base.clean.shape, np.float32)
        variants, labels = [""] * len(base), np.full(len(base), -1, np.int64)
        left = list(range(len(base)))
        while left:
            # images of one simulator one after the other; those that a kind did not suit go on to their next
            first = {c: n for n, c in reversed(list(enumerate(base.conditions)))}
            key = {i: (first[base.conditions[i]], int(base.labels[i]), orders[i].pop(0)) for i in left}
            refused = []
            in_turn = sorted(left, key=lambda i: (key[i], i))
            for (condition, label, kind), group in groupby(in_turn, key=key.__getitem__):
                what = made[label, kind]
                simulates = simulator(changed, what.candidate.name, base.conditions[condition], threads)
                for i in group:
                    found = _strongest(what, simulates, base, i, severity)
                    if found is None:
                        refused.append(i)
                        continue
                    clean[i], strength = found
                    variants[i] = f"{kind} x{strength:g}"
                    labels[i] = label if what.labelled else -1
            if any(not orders[i] for i in refused):
                raise InsmlError(f"shift T: expected a stable structure for every image, found none for images "
                                 f"{[i for i in refused if not orders[i]]} among {', '.join(self.kinds)}")
            left = refused
        return Shifted(clean, corruption, labels, tuple(variants))


def _strongest(what: Rewired, simulates: Simulates, base: CleanImages, i: int, severity: int
               ) -> tuple[Float32, float] | None:
    """Image i at the largest strength that is stable, of those of this and lower severities; and that strength."""
    for step in range(severity, 0, -1):
        strength = step / 5
        try:
            stack = simulates.stack({**base.values[i], **what.extras(base.values[i], strength)})
        except ModelError:
            # unstable, or modes that the instrument's simulation cannot resolve
            if what.share:
                return None
            continue
        if what.share:
            own = base.clean[i].astype(np.float64)
            stack = (1 - strength) * own + strength * stack * (own.sum() / stack.sum())
        return stack.astype(np.float32), strength
    return None
