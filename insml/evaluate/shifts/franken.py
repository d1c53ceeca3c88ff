"""K: images put together of what does not belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.parts import parts_of
from insml.errors import InsmlError
from insml.evaluate.shifts.family import CleanImages, Family, Float32, Shifted, check_kinds, draw
from insml.evaluate.shifts.materials import MATERIALS, material_slices
from insml.study import Study

KINDS = ("models", "materials")


@dataclass(frozen=True)
class Franken(Family):
    """1/6 to 5/6 of the incident energies from elsewhere: each from another image, of another candidate, or from
    another material in closed form. Fewer than six incident energies are cut into parts of neighbouring slices. No
    candidate is right."""

    letter: ClassVar[str] = "K"
    title: ClassVar[str] = "franken"
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        check_kinds(self.letter, self.kinds, KINDS)

    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted:
        if "models" in self.kinds and len(set(base.labels.tolist())) < 2:
            raise InsmlError(f"shift K: models: expected images of two candidates, found {len(base)} of "
                             f"{len(set(base.labels.tolist()))}")
        parts = parts_of(study.layout)
        number = int(parts.max()) + 1
        if number < 2:
            raise InsmlError("shift K: expected at least two slices to put together, found one")
        clean, variants = base.clean.astype(np.float32), []
        known: dict[tuple[str, int], Float32] = {}
        for i, stack in enumerate(clean):
            rng = draw(seed, i, self.letter)
            order, kinds = rng.permutation(number), rng.choice(self.kinds, number)
            others = np.flatnonzero(base.labels != base.labels[i])
            images = rng.choice(others, number) if "models" in self.kinds else others
            names = [rng.permutation(list(MATERIALS)) for _ in range(number)]
            said = []
            for part in order[: min(max(1, round(severity * number / 6)), number - 1)]:
                where = np.flatnonzero(parts == part)
                if kinds[part] == "models":
                    donor = base.clean[images[part]][where].astype(np.float32)
                    said.append("another image")
                else:
                    name, donor = _shining(study, names[part].tolist(), where, int(part), known)
                    said.append(name)
                own, other = float(stack[where].sum()), float(donor.sum())
                stack[where] = donor * np.float32(own / other if own > 0 and other > 0 else 1.0)
            variants.append(", ".join(said))
        return Shifted(clean, corruption, np.full(len(base), -1, np.int64), tuple(variants))


def _shining(study: Study, names: list[str], where: NDArray[np.int64], part: int,
             known: dict[tuple[str, int], Float32]) -> tuple[str, Float32]:
    """The first material with intensity in half of the slices; the last where none has."""
    for name in names:
        if (name, part) not in known:
            known[name, part] = material_slices(study, name, where).astype(np.float32)
        donor = known[name, part]
        if np.count_nonzero(donor.max((1, 2)) > 1e-3 * donor.max()) > 0.5 * len(where):
            break
    return name, donor
