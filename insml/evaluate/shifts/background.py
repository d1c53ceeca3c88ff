"""B: background that no subtraction of the training left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.placement import Placement
from insml.datasets.structured import StructuredBackground
from insml.evaluate.shifts.family import CleanImages, Family, Shifted, check_kinds
from insml.study import Study

Float32 = NDArray[np.float32]

KINDS = ("residual", "rings", "tail", "cones", "spurions", "salt")
#: Residual background of measured mosaics relative to a slice's level.
MEASURED_LEVEL = 0.3
_FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)
_SALT = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)   # share of pixels
_CONES = (2, 0.05)                       # of each run; sigma, shares of the largest |Q|
_SPURIONS = (3, 1.5)                     # in each run; sigma, pixels
_DEPTH = (0.3, 1.2)                      # |Q| a cone reaches at the largest transfer, shares of the largest


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
            structured=Spurious(rings, tail, cones, spurions),
            background=(level, level) if "residual" in self.kinds else corruption.background)
        said = f"background x{factor:g}" if set(self.kinds) != {"salt"} else ""
        if "salt" in self.kinds:
            share = _SALT[severity - 1]
            changed = replace(changed, hot_pixels=share * float(np.prod(study.layout.stack_shape)))
            said = ", ".join(filter(None, (said, f"salt {share:g}")))
        return Shifted(base.clean.astype(np.float32), changed, base.labels.copy(), (said,) * len(base))


@dataclass(frozen=True)
class Spurious(StructuredBackground):
    """Rings and tail, and what training has not: cones of phonons and spurions. Amplitudes as there.

    cones : of linear dispersion about any point of the tile, hollow, the same width at each energy.
    spurions : spots that stay at one place in few neighbouring slices of a run.
    """

    cones: tuple[float, float] = (0.0, 0.0)
    spurions: tuple[float, float] = (0.0, 0.0)

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "cones": list(self.cones), "spurions": list(self.spurions)}

    def draw(self, rng: np.random.Generator, placement: Placement, q: Float32, level: Float32) -> Float32:
        # own generators: amplitudes of one kind change no place of another
        first, second, third = (np.random.default_rng(s) for s in rng.integers(1 << 62, size=3))
        out = super().draw(first, placement, q, level)
        largest, (n0, n1) = float(placement.q.max()), q.shape
        rows, columns = np.arange(n0)[:, None], np.arange(n1)
        for run in range(placement.runs):
            members = np.flatnonzero(placement.index == run)
            energy = placement.energy[members] / placement.energy[members].max()
            for _ in range(_CONES[0]):
                centre, height = second.random(2) * (n0, n1), second.uniform(*self.cones)
                reach = second.uniform(*_DEPTH) * energy[:, None, None] * largest
                # |Q| from the cone's tip, with the tile's largest step for a pixel
                away = placement.pixel * np.hypot(rows - centre[0], columns - centre[1])
                out[members] += (height * level[members, None, None]
                                 * np.exp(-0.5 * ((away - reach) / (_CONES[1] * largest)) ** 2)).astype(np.float32)
            for _ in range(_SPURIONS[0]):
                place, height = third.random(2) * (n0, n1), third.uniform(*self.spurions)
                where, lasts = third.random(), third.uniform(0.1, 0.3)
                spot = np.exp(-0.5 * ((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / _SPURIONS[1] ** 2)
                near = np.exp(-0.5 * ((energy - where) / lasts) ** 2) * level[members]
                out[members] += (height * near[:, None, None] * spot).astype(np.float32)
        return out
