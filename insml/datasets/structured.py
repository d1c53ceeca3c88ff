"""Background with structure that subtraction leaves: powder rings, the tail of the elastic line, phonons, spurions.

Rings and tails are the same in all slices of a run but for a fall with energy transfer: aluminium of the cryostat scatters
into rings of constant |Q|, and pulses with tails leave elastic intensity at the lowest energies. Phonons are cones about
points of the tile; spurions are spots that stay in few neighbouring slices: anywhere, or what leaks of strong reflections,
at the same places in all runs and brightest in the lowest slices.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
_CONES = 2                       # of each run
_CONE_WIDTH = (0.03, 0.08)       # sigma, shares of the largest |Q|
_CONE_REACH = (0.3, 1.2)         # |Q| from the tip at the largest energy transfer, shares of the largest
_COMMON_TIPS = 0.5               # share of images whose cones have the same tips in all runs
_SPURIONS = 3                    # of each run
_SPURION_WIDTH = (1.0, 2.5)      # sigma, pixels
_SPURION_STAY = (0.1, 0.3)       # sigma, shares of the largest energy transfer
_REFLECTIONS = 0.5               # share of images whose spots are those of reflections


@dataclass(frozen=True)
class StructuredBackground:
    """Amplitudes relative to a slice's level, times a factor that they have in common.

    rings : (lo, hi) of powder rings, of either sign for what was subtracted too much; uniform, one per ring.
    tail : (lo, hi) of the elastic tail in the lowest slice of a run; uniform, one per run.
    cones : (lo, hi) of phonons with linear dispersion, hollow, alike in all slices; uniform, one per cone.
    spurions : (lo, hi) of spots; uniform, one per spot.
    amount : (lo, hi) of the factor; uniform, one per image.
    """

    rings: tuple[float, float] = (0.0, 0.0)
    tail: tuple[float, float] = (0.0, 0.0)
    cones: tuple[float, float] = (0.0, 0.0)
    spurions: tuple[float, float] = (0.0, 0.0)
    amount: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        for name, (lo, hi) in asdict(self).items():
            if not 0 <= lo <= hi < np.inf:
                raise InsmlError(f"structured background: {name}: expected an ascending pair from 0 on, "
                                 f"found {lo, hi}")

    def to_dict(self) -> dict[str, Any]:
        return {name: list(pair) for name, pair in asdict(self).items()}

    def draw(self, rng: np.random.Generator, placement: Placement, q: Float32, level: Float32) -> Float32:
        """Intensity (n_slices, n0, n1).

        Parameters
        ----------
        q : (n0, n1) 1/Angstrom, that of ``placement`` or mirrored as the stack is. level : (n_slices,).
        """
        # own generators: amplitudes of one kind change no place of another
        of_cones, of_spurions, of_amount = rng.spawn(3)
        out = self._rings_and_tail(rng, placement, q, level)
        if self.cones[1] > 0:
            out += self._cones(of_cones, placement, level)
        if self.spurions[1] > 0:
            out += self._spurions(of_spurions, placement, level)
        out *= np.float32(of_amount.uniform(*self.amount))
        return out

    def _rings_and_tail(self, rng: np.random.Generator, placement: Placement, q: Float32, level: Float32) -> Float32:
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
        shapes = _gaussian((q.reshape(-1) - middle[..., None]) / sigma[..., None])
        run = placement.index
        weights = strength[run] * np.exp(-placement.depth[:, None] / decay[run]) * level[:, None]
        out = np.empty((len(run), q.size), np.float32)
        for number, members in enumerate(placement.members):
            out[members] = weights[members].astype(np.float32) @ shapes[number]
        return out.reshape(placement.shape)

    def _cones(self, rng: np.random.Generator, placement: Placement, level: Float32) -> Float32:
        runs, n0, n1 = placement.runs, *placement.q.shape
        largest = float(placement.q.max())
        tips = rng.random((runs, _CONES, 2)) * (n0, n1)
        if rng.random() < _COMMON_TIPS:
            tips[:] = tips[0]
        width = _log_uniform(rng, _CONE_WIDTH, (runs, _CONES)).astype(np.float32) * np.float32(largest)
        height = rng.uniform(*self.cones, (runs, _CONES))
        reach = rng.uniform(*_CONE_REACH, (runs, _CONES)) * largest
        # |Q| from a tip, with the tile's largest step for a pixel
        away = placement.pixel * np.hypot(np.arange(n0)[:, None] - tips[..., 0, None, None],
                                          np.arange(n1) - tips[..., 1, None, None])
        away = away.astype(np.float32) / width[..., None, None]
        out = np.empty(placement.shape, np.float32)
        for run, members in enumerate(placement.members):
            surface = placement.share[members, None] * (reach[run] / width[run])
            shapes = _gaussian(away[run] - surface.astype(np.float32)[..., None, None])
            shapes *= (height[run] * level[members, None]).astype(np.float32)[..., None, None]
            out[members] = shapes.sum(1)
        return out

    def _spurions(self, rng: np.random.Generator, placement: Placement, level: Float32) -> Float32:
        (n0, n1), shape = placement.q.shape, (placement.runs, _SPURIONS)
        place = rng.random((*shape, 2)) * (n0, n1)
        width = _log_uniform(rng, _SPURION_WIDTH, shape)
        height, where, stay = rng.uniform(*self.spurions, shape), rng.random(shape), rng.uniform(*_SPURION_STAY, shape)
        if rng.random() < _REFLECTIONS:
            place[:], width[:], where[:] = place[0], width[0], 0
        run, energy = placement.index, placement.share
        strength = height[run] * np.exp(-0.5 * ((energy[:, None] - where[run]) / stay[run]) ** 2) * level[:, None]
        down, across = (np.exp(-0.5 * ((np.arange(n) - place[..., axis, None]) / width[..., None]) ** 2)
                        for axis, n in enumerate((n0, n1)))
        rows = (strength[..., None] * down[run]).astype(np.float32)
        return np.asarray(np.matmul(rows.swapaxes(1, 2), across.astype(np.float32)[run]))


def _gaussian(x: Float32) -> Float32:
    """exp(-x^2 / 2), in place."""
    np.square(x, out=x)
    x *= np.float32(-0.5)
    return np.exp(x, out=x)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float], shape: tuple[int, int]
                 ) -> NDArray[np.float64]:
    return np.asarray(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]), shape)))
