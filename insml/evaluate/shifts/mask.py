"""M: detectors missing that no mask of the training had missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.coverage import missing_tubes
from insml.datasets.parts import runs_of
from insml.datasets.placement import Placement
from insml.errors import InsmlError
from insml.evaluate.shifts.family import BoolArray, CleanImages, Family, Float32, Shifted, check_kinds, draw
from insml.study import Study

KINDS = ("tubes", "bank", "row", "transposed")
_TUBES = (0.01, 0.03, 0.10, 0.25, 0.25)
_FROM = {"tubes": 1, "bank": 4, "row": 5, "transposed": 3}  # first severity
_BANK = (0.2, 0.35)  # share of the tile


@dataclass(frozen=True)
class Mask(Family):
    """1, 3, 10, 25 and 25 % of the tubes; from severity 4 on a bank, in all slices; at 5 all slices of one
    incident energy (one row of the mosaic where there is one energy). From severity 3 on, where measured coverages
    are known and tiles are square, also one of these with its axes exchanged.

    One kind alone acts from its severity on, without the others.
    """

    letter: ClassVar[str] = "M"
    title: ClassVar[str] = "mask"
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        check_kinds(self.letter, self.kinds, KINDS)

    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted:
        square = base.clean.shape[2] == base.clean.shape[3]
        known = corruption.masks is not None and square
        if self.kinds == ("transposed",) and not known:
            raise InsmlError("shift M: transposed: expected a corruption with masks of measured coverages and "
                             f"square tiles, found {'no ' if corruption.masks is None else ''}masks and tiles of "
                             f"{base.clean.shape[2]} x {base.clean.shape[3]}")
        kinds = tuple(k for k in self.kinds if severity >= _FROM[k] and (k != "transposed" or known))
        tubes = _TUBES[severity - 1] if "tubes" in kinds else 0.0
        said = ", ".join(f"{tubes:.0%} tubes" if k == "tubes" else k for k in kinds) or "none"
        made = Uncovered(corruption, Placement.of(study.lattice, study.layout), rows_of(study), tubes, kinds, seed)
        return Shifted(base.clean.astype(np.float32), made, base.labels.copy(), (said,) * len(base))


@dataclass(frozen=True, eq=False)
class Uncovered:
    """A corruption, and more pixels without detector: those of (``own_seed``, index), whatever seed that has.

    tubes : share of a tile. rows : (n_slices,) what is lost at once when a row is. kinds : as Mask has them.
    """

    corruption: Corruption
    placement: Placement
    rows: NDArray[np.int64]
    tubes: float
    kinds: tuple[str, ...]
    own_seed: int

    def missing(self, index: int) -> BoolArray:
        """(n_slices, n0, n1) True where there is no detector, beside what the corruption takes."""
        rng = draw(self.own_seed, index, Mask.letter)
        shape = self.placement.shape
        row, bank, known = (np.random.default_rng(s) for s in rng.integers(1 << 62, size=3))
        out = missing_tubes(rng, self.tubes, self.placement)
        if "bank" in self.kinds:
            out |= _bank(bank, shape[1:])
        if "row" in self.kinds:
            out[self.rows == row.choice(np.unique(self.rows))] = True
        if "transposed" in self.kinds and self.corruption.masks is not None:
            masks = self.corruption.masks
            out |= masks[known.integers(len(masks))].swapaxes(1, 2)
        return out

    def apply(self, clean: NDArray[Any], seed: int, index: int) -> tuple[Float32, BoolArray]:
        signal, mask = self.corruption.apply(clean, seed, index)
        mask = mask | self.missing(index)
        np.copyto(signal, 0, where=mask)
        return signal, mask


def rows_of(study: Study) -> NDArray[np.int64]:
    """(n_slices,) number of the incident energy; of the mosaic's row where there is one energy alone."""
    groups = runs_of(study.layout)
    return groups if groups.max() > 0 else np.arange(len(groups)) // study.layout.grid[1]


def _bank(rng: np.random.Generator, shape: tuple[int, ...]) -> BoolArray:
    """(n0, n1) True beyond a straight line, on one side of the tile."""
    u, v = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * u + np.sin(angle) * v
    return np.asarray(along > np.quantile(along, 1 - rng.uniform(*_BANK)))
