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

from insml import _core
from insml.datasets.placement import Placement
from insml.errors import InsmlError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

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

    def add(self, signal: Float32, rng: np.random.Generator, placement: Placement, q: Float32, level: Float32) -> None:
        """Draw one background, and add it to a stack.

        Parameters
        ----------
        signal : (n_slices, n0, n1), contiguous.
        q : (n0, n1) 1/Angstrom, that of ``placement`` or mirrored as the stack is. level : (n_slices,).
        """
        # own generators: amplitudes of one kind change no place of another
        of_cones, of_spurions, of_amount = rng.spawn(3)
        arcs, cones = _arcs(self, rng, placement), _cones(self, of_cones, placement)
        spots = _spots(self, of_spurions, placement)
        factor = level * np.float32(of_amount.uniform(*self.amount))
        share = placement.share.astype(np.float32)
        _core.add_structure(signal, q=np.ascontiguousarray(q), run=placement.index, share=share,
                            arcs=arcs.times(factor), cones=cones.times(factor), spots=spots.times(factor))


@dataclass(frozen=True, eq=False)
class _Shapes:
    """shapes : (runs, n, ...) where they lie. strength : (n_slices, n) relative to the slice's level."""

    shapes: Float64
    strength: Float64

    def times(self, factor: Float32) -> tuple[Float32, Float32]:
        return self.shapes.astype(np.float32), (self.strength * factor[:, None]).astype(np.float32)


def _arcs(amplitudes: StructuredBackground, rng: np.random.Generator, placement: Placement) -> _Shapes:
    """Rings and tail: middle and sigma in |Q|."""
    runs, largest = placement.runs, float(placement.q.max())
    centre = rng.uniform(0, largest, (runs, _RINGS))
    width = rng.uniform(*_RING_WIDTH, (runs, _RINGS)) * placement.pixel
    sign = np.where(rng.random((runs, _RINGS)) < 0.5, -1.0, 1.0)
    strength = np.concatenate([sign * rng.uniform(*amplitudes.rings, (runs, _RINGS)),
                               rng.uniform(*amplitudes.tail, (runs, 1))], axis=1)
    reach = rng.uniform(*_TAIL_REACH, (runs, 1)) * largest
    decay = np.concatenate([_log_uniform(rng, _RING_DECAY, (runs, _RINGS)),
                            _log_uniform(rng, _TAIL_DECAY, (runs, 1))], axis=1)
    middle, sigma = np.concatenate([centre, np.zeros((runs, 1))], 1), np.concatenate([width, reach], 1)
    run = placement.index
    return _Shapes(np.stack([middle, sigma], -1), strength[run] * np.exp(-placement.depth[:, None] / decay[run]))


def _cones(amplitudes: StructuredBackground, rng: np.random.Generator, placement: Placement) -> _Shapes:
    """Tip, sigma, and distance of the surface from the tip at the largest energy transfer, in pixels: those of the tile's
    largest step of |Q|."""
    n = _CONES if amplitudes.cones[1] > 0 else 0
    runs = placement.runs
    in_pixels = float(placement.q.max()) / placement.pixel
    tips = rng.random((runs, n, 2)) * placement.q.shape
    if rng.random() < _COMMON_TIPS:
        tips[:] = tips[0]
    width = _log_uniform(rng, _CONE_WIDTH, (runs, n)) * in_pixels
    height = rng.uniform(*amplitudes.cones, (runs, n))
    reach = rng.uniform(*_CONE_REACH, (runs, n)) * in_pixels
    return _Shapes(np.concatenate([tips, width[..., None], reach[..., None]], -1), height[placement.index])


def _spots(amplitudes: StructuredBackground, rng: np.random.Generator, placement: Placement) -> _Shapes:
    """Place and sigma in pixels."""
    shape = (placement.runs, _SPURIONS if amplitudes.spurions[1] > 0 else 0)
    place = rng.random((*shape, 2)) * placement.q.shape
    width = _log_uniform(rng, _SPURION_WIDTH, shape)
    height, where, stay = rng.uniform(*amplitudes.spurions, shape), rng.random(shape), rng.uniform(*_SPURION_STAY, shape)
    if rng.random() < _REFLECTIONS:
        place[:], width[:], where[:] = place[0], width[0], 0
    run = placement.index
    course = np.exp(-0.5 * ((placement.share[:, None] - where[run]) / stay[run]) ** 2)
    return _Shapes(np.concatenate([place, width[..., None]], -1), height[run] * course)


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float], shape: tuple[int, int]) -> Float64:
    return np.asarray(np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]), shape)))
