"""N: more or fewer counts than the experiment had."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from insml.datasets.corrupt import Corruption
from insml.errors import InsmlError
from insml.evaluate.shifts.family import CleanImages, Family, Shifted
from insml.study import Study

_COUNTS = (4.0, 1.0, 0.5, 0.25, 0.1)
#: Relative noise at a pixel as bright as its slice's level, in the manganite's measured image: 0.15 to 0.3.
MEASURED_NOISE = 0.21


@dataclass(frozen=True)
class Counts(Family):
    """Poisson counts, 4, 1, 1/2, 1/4 and 1/10 times those of an experiment whose relative noise is ``noise``."""

    letter: ClassVar[str] = "N"
    title: ClassVar[str] = "counts"
    noise: float = MEASURED_NOISE

    def __post_init__(self) -> None:
        if not 0 < self.noise < np.inf:
            raise InsmlError(f"shift N: noise: expected a positive number, found {self.noise}")

    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted:
        factor = _COUNTS[severity - 1]
        noise = self.noise / float(np.sqrt(factor))
        changed = replace(corruption, relative_noise=(noise, noise), poisson=1.0)
        said = (f"counts x{factor:g}",) * len(base)
        return Shifted(base.clean.astype(np.float32), changed, base.labels.copy(), said)
