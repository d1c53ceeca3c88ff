"""What a measurement does to a clean simulated stack, and the standard form in which networks see both.

Noise, background, masks and scales are not stored: they are drawn when an image is read, by a generator that is
addressed by (seed, index). The result depends on nothing else, so neither on batch order, threads nor workers.
Displacements, slopes, structured background, counts, tubes and slices have generators of their own at the same address:
with them or without, all else is equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.datasets import smooth_fields
from insml.datasets.counting import add_counting_noise
from insml.datasets.coverage import missing_tubes, patches
from insml.datasets.displacement import Displacement
from insml.datasets.placement import Placement
from insml.datasets.structured import StructuredBackground
from insml.errors import InsmlError
from insml.gaps import zero_regions

Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_DISPLACEMENT, _STRUCTURED, _COUNTS, _TUBES, _SLICES, _SLOPE = range(1, 7)  # what has a generator of its own


@dataclass(frozen=True, eq=False)
class Corruption:
    """Distribution of what separates a measured stack from a clean one.

    Intensities below are relative to a slice's *level*, its intensity-weighted mean intensity sum(I^2) / sum(I), which
    is how bright its bright pixels are.

    Attributes
    ----------
    relative_noise : (lo, hi) of the noise sigma at a pixel as bright as the level; log-uniform, one per image. The
        noise is that of counts: variance = relative_noise^2 * level * (signal + residual + subtracted background), so
        dim pixels have less noise but a larger relative one. Between "each slice has the same relative noise" and "all
        slices count alike" an exponent is drawn for each image.
    background : (lo, hi) of the residual smooth background of a slice (constant, |Q|^2-like and irregular, of either
        sign); uniform, one per slice.
    scale_jitter : sigma of ln(intensity scale) of each slice, relative to its background and noise.
    mask_fraction : (lo, hi) share of pixels without detector; uniform, one per image. Holes are patches, partly common
        to all slices, and single rows and columns.
    masks : (n, n_slices, n0, n1) bool, True without detector: known coverages (the measured mosaic's, other runs'). For
        half of the images one of them replaces the random patches, mirrored at random so that it is not learnt.
    mirror : whether an image may be mirrored along each axis; only right where the candidates have the symmetry.
    transpose : whether the two axes may be exchanged; as ``mirror``, and needs n0 == n1.
    clip_probability : share of images whose negative intensities were set to zero.
    unknown_mask : share of the images with clipped negatives that come without a mask, so that regions of exact
        zeros are taken for it (``insml.gaps``).
    hot_pixels : mean number of broken pixels per image, 5 to 50 levels bright.
    slice_dropout : (lo, hi) share of slices that were not measured at all; uniform, one per image.
    poisson : share of images with noise of whole counts, skewed where they are few, in place of Gaussian noise of the same
        variance.
    pixel_shift : the image lies up to so many pixels (at most 1) beside its bins, along each axis; uniform.
    slope : sigma of ln(intensity) at the edges of a tile against its middle, along each axis, the same in all slices: a
        sample that shields itself.
    placement : which slices are of one run (incident energy), and |Q|; needed by what follows.
    energy_shift : slices of a run hold up to such a share of the next one, above or below; uniform, one per run.
    run_jitter : sigma of ln(intensity scale) of each run.
    structured : powder rings, elastic tails, phonons and spurions, or None.
    tubes : (lo, hi) share of a tile that is lost to missing detector tubes, in all slices of a run; uniform, one
        per image.
    """

    relative_noise: tuple[float, float] = (0.1, 0.6)
    background: tuple[float, float] = (0.0, 0.5)
    scale_jitter: float = 0.2
    mask_fraction: tuple[float, float] = (0.0, 0.3)
    masks: BoolArray | None = None
    mirror: tuple[bool, bool] = (False, False)
    transpose: bool = False
    clip_probability: float = 0.5
    unknown_mask: float = 0.0
    hot_pixels: float = 3.0
    slice_dropout: tuple[float, float] = (0.02, 0.02)
    poisson: float = 0.0
    pixel_shift: float = 0.0
    slope: float = 0.0
    placement: Placement | None = None
    energy_shift: float = 0.0
    run_jitter: float = 0.0
    structured: StructuredBackground | None = None
    tubes: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name, low, high in (("relative_noise", 0.0, np.inf), ("background", 0.0, np.inf),
                                ("mask_fraction", 0.0, 0.95), ("tubes", 0.0, 0.95), ("slice_dropout", 0.0, 1.0)):
            lo, hi = getattr(self, name)
            if not low <= lo <= hi <= high or (name == "relative_noise" and lo == 0 < hi):
                raise InsmlError(f"corruption: {name}: expected an ascending pair from {low} to {high}, found {lo, hi}")
        if self.masks is not None and np.ndim(self.masks) != 4:
            raise InsmlError(f"corruption: masks: expected shape (n, slices, n0, n1), "
                             f"found {np.shape(self.masks)}")
        for name, most in (("unknown_mask", 1.0), ("poisson", 1.0), ("pixel_shift", 1.0), ("energy_shift", 1.0),
                           ("slope", np.inf), ("run_jitter", np.inf)):
            if not 0 <= getattr(self, name) <= most:
                raise InsmlError(f"corruption: {name}: expected from 0 to {most:g}, found {getattr(self, name)}")
        if self.placement is None and self._of_runs:
            raise InsmlError("corruption: placement: expected one for energy_shift, run_jitter, structured or tubes, "
                             "found none")

    @property
    def _of_runs(self) -> bool:
        return self.energy_shift > 0 or self.run_jitter > 0 or self.structured is not None or self.tubes[1] > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values; masks and placement by their contents' digests."""
        import dataclasses
        import hashlib

        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if self.masks is not None:
            plain["masks"] = hashlib.sha256(np.packbits(self.masks).data).hexdigest()
        if self.placement is not None:
            plain["placement"] = self.placement.digest
        if self.structured is not None:
            plain["structured"] = self.structured.to_dict()
        return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}

    def apply(self, clean: NDArray[Any], seed: int, index: int) -> tuple[Float32, BoolArray]:
        """One measurement-like version of a clean stack.

        Parameters
        ----------
        clean : (n_slices, n0, n1) intensity >= 0.
        seed, index : address of the draw; equal addresses give equal results, other ones independent results.

        Returns
        -------
        signal, mask : (n_slices, n0, n1) float32, 0 where masked; bool, True without detector.
        """
        rng = np.random.default_rng([seed, index])
        placement = self.placement
        if placement is not None and placement.shape != clean.shape:
            raise InsmlError(f"corruption: placement: expected one of the stack's shape {clean.shape}, "
                             f"found {placement.shape}")
        displacement = self._displacement(len(clean), rng, _own(seed, index, _DISPLACEMENT))
        stack = displacement.apply(np.asarray(clean))
        ns, n0, n1 = stack.shape
        if self.slope > 0:
            along = self.slope * _own(seed, index, _SLOPE).standard_normal(2)
            u, v = (x * np.linspace(-1, 1, n) for x, n in zip(along, (n0, n1), strict=True))
            stack *= np.exp(u[:, None] + v).astype(np.float32)
        level = self._levels(stack, rng)
        low, high = self.background
        amplitude = (rng.uniform(low, high, (ns,)) * level).astype(np.float32)
        signal = smooth_fields.backgrounds(rng, stack.shape, amplitude)
        signal += stack * np.exp(self.scale_jitter * rng.standard_normal((ns, 1, 1), np.float32))
        if self.structured is not None and placement is not None:
            q = displacement.turned(placement.q[None])[0]
            self.structured.add(signal, _own(seed, index, _STRUCTURED), placement, q, level)
        # What was subtracted is gone from the mean but not from the noise.
        subtracted = (rng.uniform(0.02, 0.02 + high, (ns,)) * level).astype(np.float32)
        self._count(signal, subtracted, level, rng, _own(seed, index, _COUNTS))
        clipped = rng.random() < self.clip_probability
        if clipped:
            np.maximum(signal, 0, out=signal)
        mask = self._mask(rng, signal.shape, float(_own(seed, index, _SLICES).uniform(*self.slice_dropout)))
        if self.tubes[1] > 0 and placement is not None:
            own = _own(seed, index, _TUBES)
            mask |= displacement.turned(missing_tubes(own, own.uniform(*self.tubes), placement))
        hot = rng.integers(0, signal.size, rng.poisson(self.hot_pixels))
        signal.reshape(-1)[hot] = level[hot // (n0 * n1)] * rng.uniform(5, 50, hot.size)
        np.copyto(signal, 0, where=mask)
        if clipped and rng.random() < self.unknown_mask:
            mask = zero_regions(signal)
        return signal, mask

    def _displacement(self, ns: int, rng: np.random.Generator, own: np.random.Generator) -> Displacement:
        draw = rng.random(3) < 0.5
        first, second = (own.uniform(-self.pixel_shift, self.pixel_shift, 2) if self.pixel_shift > 0 else (0.0, 0.0))
        other, share, scale = np.arange(ns), np.zeros(ns, np.float32), np.ones(ns, np.float32)
        placement = self.placement
        if placement is not None and self.energy_shift > 0:
            of_runs = own.uniform(-self.energy_shift, self.energy_shift, placement.runs).astype(np.float32)
            share = of_runs[placement.index]
            other, share = np.where(share > 0, placement.neighbours[1], placement.neighbours[0]), np.abs(share)
        if placement is not None and self.run_jitter > 0:
            scale = np.exp(self.run_jitter * own.standard_normal(placement.runs, np.float32))[placement.index]
        return Displacement((self.mirror[0] and bool(draw[0]), self.mirror[1] and bool(draw[1])),
                            self.transpose and bool(draw[2]), (float(first), float(second)), other, share, scale)

    def _count(self, signal: Float32, subtracted: Float32, level: Float32, rng: np.random.Generator,
               own: np.random.Generator) -> None:
        """Counting noise, added to ``signal`` from a generator of its own."""
        lo, hi = self.relative_noise
        if hi > 0:
            relative = np.float32(np.exp(rng.uniform(np.log(lo), np.log(hi))))
            add_counting_noise(signal, subtracted, relative * relative * level, own, whole=own.random() < self.poisson)

    @staticmethod
    def _levels(clean: Float32, rng: np.random.Generator) -> Float32:
        """(n_slices,) intensity that noise and background are measured in."""
        flat = clean.reshape(len(clean), -1)
        total = flat.sum(1, dtype=np.float64)
        own = np.divide(np.einsum("ij,ij->i", flat, flat), total, out=np.zeros_like(total), where=total > 0)
        if not own.any():
            return np.ones(len(own), np.float32)
        common = own[own > 0].mean()
        # A slice without signal still counts something.
        own = np.maximum(own, 0.02 * common)
        shared = rng.random()
        return np.asarray(own ** (1 - shared) * common**shared, np.float32)

    def _mask(self, rng: np.random.Generator, shape: tuple[int, ...], slices: float) -> BoolArray:
        fraction = rng.uniform(*self.mask_fraction)
        if self.masks is not None and rng.random() < 0.5:
            flips = tuple(axis for axis in (1, 2) if rng.random() < 0.5)
            mask = np.flip(self.masks[rng.integers(len(self.masks))], flips).copy()
        elif fraction > 0:
            mask = patches(rng, fraction, shape)
        else:
            mask = np.zeros(shape, bool)
        mask |= rng.random((shape[0], 1, 1)) < slices
        return np.asarray(mask)


def _own(seed: int, index: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, index], spawn_key=(purpose,)))


def standardise(signal: NDArray[Any], mask: BoolArray) -> Float32:
    """The form in which a network sees a stack, simulated or measured.

    Per slice, over the pixels with detector: z = (signal - median) / scale, then the variance-stabilising
    y = 2 sign(z) (sqrt(1 + |z|) - 1) (linear near the median, a square root far above it), clipped to +-8.
    ``scale`` = max(q84 - q50, (q97 - q50) / 8), from the upper half only, so that negatives that were set to zero
    change little; no quantile moves by more than one rank for one hot pixel.

    The result does not change when a slice is multiplied by a positive number, or when a constant is added to it, or
    with whatever stands in masked pixels. Masked pixels become 0, the median; a slice with fewer than 16 detectors, or
    with no spread at all, becomes 0.

    Parameters
    ----------
    signal : (n_slices, n0, n1), finite where not masked.
    mask : the same shape, True without detector.

    Returns
    -------
    (n_slices, n0, n1) float32
    """
    if signal.shape != mask.shape or signal.ndim != 3:
        raise InsmlError(f"stack: expected signal and mask of one shape (slices, n0, n1), "
                         f"found {signal.shape} and {mask.shape}")
    return _core.standardise(as_floats(signal), np.ascontiguousarray(mask))


def as_floats(signal: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """As the core takes intensities: contiguous, single precision where they are, otherwise double."""
    return np.ascontiguousarray(signal, np.float32 if signal.dtype == np.float32 else np.float64)
