"""Which slices belong together: what can be missing, or from elsewhere, at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.mosaic import MosaicLayout

_PARTS = 6  # at least, as far as there are slices


def parts_of(layout: MosaicLayout) -> NDArray[np.int64]:
    """(n_slices,) number of the part each slice belongs to: an incident energy, or where there are fewer than six,
    neighbours in energy within one."""
    runs: dict[float | None, list[int]] = {}
    for number, s in enumerate(layout.slices):
        runs.setdefault(s.ei, []).append(number)
    pieces = -(-_PARTS // len(runs))
    out, first = np.zeros(len(layout.slices), np.int64), 0
    for members in runs.values():
        ordered = sorted(members, key=lambda number: sum(layout.slices[number].energy))
        number = min(pieces, len(ordered))
        out[ordered] = first + np.arange(len(ordered)) * number // len(ordered)
        first += number
    return out
