"""S: intensities that are not on one scale, between incident energies and across a tile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from insml.datasets.corrupt import Corruption
from insml.datasets.placement import Placement
from insml.evaluate.shifts.family import CleanImages, Family, Shifted, check_kinds, draw
from insml.study import Study

KINDS = ("run", "form factor", "slope")
_FACTORS = (1.1, 1.3, 1.6, 2.0, 3.0)


@dataclass(frozen=True)
class Scale(Family):
    """A factor f of 1.1 to 3, up or down: each incident energy by f; a fall with |Q|^2 by f from the middle to the
    farthest corner, as of a wrong form factor; a slope by f across the tile, as of self-shielding."""

    letter: ClassVar[str] = "S"
    title: ClassVar[str] = "scale"
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        check_kinds(self.letter, self.kinds, KINDS)

    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted:
        placement, factor = Placement.of(study.lattice, study.layout), _FACTORS[severity - 1]
        n0, n1 = placement.q.shape
        u, v = np.linspace(-0.5, 0.5, n0)[:, None], np.linspace(-0.5, 0.5, n1)
        clean = base.clean.astype(np.float32)
        for i, stack in enumerate(clean):
            rng = draw(seed, i, self.letter)
            power = np.zeros(placement.shape)
            runs, fall, angle = rng.choice([-1, 1], placement.runs), rng.choice([-1, 1]), rng.uniform(0, 2 * np.pi)
            if "run" in self.kinds:
                power += runs[placement.index, None, None]
            if "form factor" in self.kinds:
                power += fall * (placement.q / placement.q.max()) ** 2
            if "slope" in self.kinds:
                along = np.cos(angle) * u + np.sin(angle) * v
                power += along / np.ptp(along)
            stack *= factor**power
        return Shifted(clean, corruption, base.labels.copy(), (f"scales x{factor:g}",) * len(base))
