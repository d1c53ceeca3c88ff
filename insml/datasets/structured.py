"""Background with structure that subtraction leaves: powder rings and the tail of the elastic line.

Both are the same in all slices of a run but for a fall with energy transfer: aluminium of the cryostat scatters
into rings of constant |Q|, and pulses with tails leave elastic intensity at the lowest energies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.placement import Placement
from insml.errors import InsmlError

Float32 = NDArray[np.float32]

_RINGS = 2                       # of each run
_RING_WIDTH = (0.5, 2.0)         # sigma, pixels
_RING_DECAY, _TAIL_DECAY = (0.05, 1.0), (0.03, 0.15)  # of intensity with energy transfer, shares of Ei
_TAIL_REACH = (0.3, 2.0)         # sigma about Q = 0, shares of the largest |Q|


@dataclass(frozen=True)
class StructuredBackground:
    """Amplitudes relative to a slice's level.

    rings : (lo, hi) of powder rings, of either sign for what was subtracted too much; uniform, one per ring.
    tail : (lo, hi) of the elastic tail in the lowest slice of a run; uniform, one per run.
    """

    rings: tuple[float, float] = (0.0, 0.0)
    tail: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("rings", "tail"):
            lo, hi = getattr(self, name)
            if not 0 <= lo <= hi < np.inf:
                raise InsmlError(f"structured background: {name}: expected an ascending pair from 0 on, "
                                 f"found {lo, hi}")

    def to_dict(self) -> dict[str, Any]:
        return {"rings": list(self.rings), "tail": list(self.tail)}

    def draw(self, rng: np.random.Generator, placement: Placement, q: Float32, level: Float32) -> Float32:
        """Intensity (n_slices, n0, n1).

        Parameters
        ----------
        q : (n0, n1) 1/Angstrom, that of ``placement`` or mirrored as the stack is. level : (n_slices,).
        """
        runs, largest = placement.runs, float(placement.q.max())
        centre = rng.uniform(0, largest, (runs, _RINGS))
        width = rng.uniform(*_RING_WIDTH, (runs, _RINGS)) * placement.pixel
        sign = np.where(rng.random((runs, _RINGS)) < 0.5, -1.0, 1.0)
        strength = np.concatenate([sign * rng.uniform(*self.rings, (runs, _RINGS)),
                                   rng.uniform(*self.tail, (runs, 1))], axis=1)
        reach = rng.uniform(*_TAIL_REACH, (runs, 1)) * largest
        decay = np.concatenate([_log_uniform(rng, _RING_DECAY, (runs, _RINGS)),
                                _log_uniform(rng, _TAIL_DECAY, (runs, 1))], axis=1)
        middle = np.concatenate([centre, np.zeros((runs, 1))], 1).astype(np.float32)
        sigma = np.concatenate([width, reach], 1).astype(np.float32)
        shapes = (q.reshape(-1) - middle[..., None]) / sigma[..., None]
        np.square(shapes, out=shapes)
        shapes *= np.float32(-0.5)
        np.exp(shapes, out=shapes)
        run = placement.index
        weights = strength[run] * np.exp(-placement.depth[:, None] / decay[run]) * level[:, None]
        out = np.matmul(weights.astype(np.float32)[:, None], shapes[run])
        return np.asarray(out.reshape(placement.shape))


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float], shape: tuple[int, int]
                 ) -> NDArray[np.float64]:
    return np.asarray(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]), shape)))
