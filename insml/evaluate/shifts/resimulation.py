"""Images simulated again with something changed: same parameters, same conditions.

An image costs what it costs in a data set (manganite: half a CPU-second), and every change of the instrument or of
the bins what preparing them costs (one and a half to two), once for each condition among the images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from insml.datasets.conditions import Condition
from insml.evaluate.shifts.family import CleanImages

Key = TypeVar("Key", str, float, tuple[int, ...])
Float32 = NDArray[np.float32]


class Simulates(Protocol):
    def stack(self, values: Mapping[str, float] | None = None) -> NDArray[np.float64]: ...


def resimulated(base: CleanImages, keys: Sequence[Key], make: Callable[[Key, Condition, int], Simulates]
                ) -> Float32:
    """All images again, image i by ``make(keys[i], its condition, its label)``, made once for all alike."""
    out = np.empty(base.clean.shape, np.float32)
    first = {c: n for n, c in reversed(list(enumerate(base.conditions)))}
    order = sorted((first[base.conditions[i]], keys[i], int(base.labels[i]), i) for i in range(len(base)))
    for (condition, key, label), group in groupby(order, key=lambda item: item[:3]):
        simulator = make(key, base.conditions[condition], label)
        for *_, i in group:
            out[i] = simulator.stack(base.values[i])
    return out
