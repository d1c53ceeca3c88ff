"""Which slices belong together: what can be missing, or from elsewhere, at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.mosaic import MosaicLayout

_PARTS = 6  # at least, as far as there are slices


def runs_of(layout: MosaicLayout) -> NDArray[np.int64]:
    """(n_slices,) number of the run (the incident energy) of each slice, from 0; slices without Ei are of one run."""
    runs = list(dict.fromkeys(s.ei for s in layout.slices))
    return np.array([runs.index(s.ei) for s in layout.slices])


def in_order(runs: NDArray[np.int64], energy: NDArray[np.floating]) -> list[NDArray[np.int64]]:
    """Slices of each run, ascending in energy; both (n_slices,)."""
    order = np.argsort(energy, kind="stable")
    return [order[runs[order] == run] for run in range(int(runs.max()) + 1)]


def parts_of(layout: MosaicLayout) -> NDArray[np.int64]:
    """(n_slices,) number of the part each slice belongs to: an incident energy, or where there are fewer than six,
    neighbours in energy within one."""
    runs = in_order(runs_of(layout), np.array([sum(s.energy) for s in layout.slices]))
    pieces = -(-_PARTS // len(runs))
    out, first = np.zeros(len(layout.slices), np.int64), 0
    for members in runs:
        number = min(pieces, len(members))
        out[members] = first + np.arange(len(members)) * number // len(members)
        first += number
    return out
