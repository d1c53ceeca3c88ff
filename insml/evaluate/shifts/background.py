"""B: more background than a subtraction leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from insml.datasets.corrupt import Corruption
from insml.datasets.placement import Placement
from insml.datasets.structured import StructuredBackground
from insml.evaluate.shifts.family import CleanImages, Family, Shifted, check_kinds
from insml.study import Study

KINDS = ("residual", "rings", "tail", "cones", "spurions", "salt")
#: Residual background of measured mosaics relative to a slice's level.
MEASURED_LEVEL = 0.3
_FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)
_SALT = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)   # share of pixels


@dataclass(frozen=True)
class Background(Family):
    """1/2, 1, 2, 4 and 8 times the measured level, of all kinds at once: residual smooth background, powder rings,
    elastic tail, phonon-like cones, spurions; and broken pixels, a share of 1e-4 to 1e-2."""

    letter: ClassVar[str] = "B"
    title: ClassVar[str] = "background"
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        check_kinds(self.letter, self.kinds, KINDS)

    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted:
        factor = _FACTORS[severity - 1]
        level = factor * MEASURED_LEVEL
        rings, tail, cones, spurions = ((level, level) if kind in self.kinds else (0.0, 0.0)
                                        for kind in KINDS[1:5])
        changed = replace(
            corruption, placement=Placement.of(study.lattice, study.layout),
            structured=StructuredBackground(rings, tail, cones, spurions),
            background=(level, level) if "residual" in self.kinds else corruption.background)
        said = f"background x{factor:g}" if set(self.kinds) != {"salt"} else ""
        if "salt" in self.kinds:
            share = _SALT[severity - 1]
            changed = replace(changed, hot_pixels=share * float(np.prod(study.layout.stack_shape)))
            said = ", ".join(filter(None, (said, f"salt {share:g}")))
        return Shifted(base.clean.astype(np.float32), changed, base.labels.copy(), (said,) * len(base))
