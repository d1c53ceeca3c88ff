"""What a measurement does to a clean simulated stack, and the standard form in which networks see both.

Noise, background, masks and scales are not stored: they are drawn when an image is read, by a generator that is
addressed by (seed, index). The result depends on nothing else, so neither on batch order, threads nor workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import InsmlError

Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_FIELD_KNOTS = 5         # knots per axis of the smooth random fields that shape backgrounds and holes
_MIN_PIXELS = 16         # a slice with fewer detectors says nothing about itself
_CLIP = 8.0              # bound of standardised values
_SHOULDER, _PEAK = 0.84, 0.97  # quantiles that measure noise and signal of a slice
_PEAK_HEIGHT = 8.0       # at most this many units lie between median and _PEAK before stabilising


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
    hot_pixels : mean number of broken pixels per image, 5 to 50 levels bright.
    slice_dropout : share of slices that were not measured at all.
    """

    relative_noise: tuple[float, float] = (0.1, 0.6)
    background: tuple[float, float] = (0.0, 0.5)
    scale_jitter: float = 0.2
    mask_fraction: tuple[float, float] = (0.0, 0.3)
    masks: BoolArray | None = None
    mirror: tuple[bool, bool] = (False, False)
    transpose: bool = False
    clip_probability: float = 0.5
    hot_pixels: float = 3.0
    slice_dropout: float = 0.02

    def __post_init__(self) -> None:
        for name, low, high in (("relative_noise", 0.0, np.inf), ("background", 0.0, np.inf),
                                ("mask_fraction", 0.0, 0.95)):
            lo, hi = getattr(self, name)
            if not low <= lo <= hi <= high or (name == "relative_noise" and lo == 0 < hi):
                raise InsmlError(f"corruption: {name}: expected an ascending pair from {low} to {high}, found {lo, hi}")
        if self.masks is not None and np.ndim(self.masks) != 4:
            raise InsmlError(f"corruption: masks: expected shape (n, slices, n0, n1), "
                             f"found {np.shape(self.masks)}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the masks by their content's digest."""
        import dataclasses
        import hashlib

        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if self.masks is not None:
            plain["masks"] = hashlib.sha256(np.packbits(self.masks).data).hexdigest()
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
        clean = self._reorient(np.asarray(clean, np.float32), rng)
        ns, n0, n1 = clean.shape
        level = self._levels(clean, rng)
        low, high = self.background
        background = _scaled(rng.uniform(low, high, (ns,)), level) * _smooth_backgrounds(rng, clean.shape)
        signal = clean * np.exp(self.scale_jitter * rng.standard_normal((ns, 1, 1), np.float32))
        # What was subtracted is gone from the mean but not from the noise.
        subtracted = _scaled(rng.uniform(0.02, 0.02 + high, (ns,)), level)
        lo, hi = self.relative_noise
        relative = np.float32(np.exp(rng.uniform(np.log(lo), np.log(hi)))) if hi > 0 else np.float32(0)
        signal += background
        counts = np.maximum(signal, 0) + subtracted
        signal += relative * np.sqrt(level[:, None, None] * counts) * rng.standard_normal(clean.shape, np.float32)
        if rng.random() < self.clip_probability:
            np.maximum(signal, 0, out=signal)
        mask = self._mask(rng, clean.shape)
        hot = rng.integers(0, signal.size, rng.poisson(self.hot_pixels))
        signal.reshape(-1)[hot] = level[hot // (n0 * n1)] * rng.uniform(5, 50, hot.size)
        signal[mask] = 0
        return signal, mask

    def _reorient(self, clean: Float32, rng: np.random.Generator) -> Float32:
        draw = rng.random(3) < 0.5
        axes = tuple(axis for axis, allowed, drawn in zip((1, 2), self.mirror, draw[:2], strict=True)
                     if allowed and drawn)
        clean = np.flip(clean, axes)
        return clean.swapaxes(1, 2) if self.transpose and draw[2] else clean

    @staticmethod
    def _levels(clean: Float32, rng: np.random.Generator) -> Float32:
        """(n_slices,) intensity that noise and background are measured in."""
        total = clean.sum((1, 2), dtype=np.float64)
        own = np.divide(np.square(clean).sum((1, 2), dtype=np.float64), total, out=np.zeros_like(total),
                        where=total > 0)
        if not own.any():
            return np.ones(len(own), np.float32)
        common = own[own > 0].mean()
        # A slice without signal still counts something.
        own = np.maximum(own, 0.02 * common)
        shared = rng.random()
        return np.asarray(own ** (1 - shared) * common**shared, np.float32)

    def _mask(self, rng: np.random.Generator, shape: tuple[int, ...]) -> BoolArray:
        ns, n0, n1 = shape
        fraction = rng.uniform(*self.mask_fraction)
        if self.masks is not None and rng.random() < 0.5:
            flips = tuple(axis for axis in (1, 2) if rng.random() < 0.5)
            mask = np.flip(self.masks[rng.integers(len(self.masks))], flips).copy()
        elif fraction > 0:
            field = _smooth_field(rng, shape) + 2 * _smooth_field(rng, (1, n0, n1))
            cut = int((1 - fraction) * n0 * n1)
            threshold = np.partition(field.reshape(ns, -1), min(cut, n0 * n1 - 1), axis=1)[:, min(cut, n0 * n1 - 1)]
            mask = field > threshold[:, None, None]
            mask |= (rng.random((ns, n0, 1)) < 0.05 * fraction) | (rng.random((ns, 1, n1)) < 0.05 * fraction)
        else:
            mask = np.zeros(shape, bool)
        mask |= rng.random((ns, 1, 1)) < self.slice_dropout
        return np.asarray(mask)


def _scaled(relative: NDArray[np.float64], level: Float32) -> Float32:
    return np.asarray(relative * level, np.float32)[:, None, None]


@lru_cache(maxsize=8)
def _interpolation(n: int) -> Float32:
    """(n, knots) smooth weights from knots to pixels (cosine between neighbours)."""
    position = np.linspace(0, _FIELD_KNOTS - 1, n)
    distance = np.abs(position[:, None] - np.arange(_FIELD_KNOTS))
    weights = np.where(distance < 1, 0.5 + 0.5 * np.cos(np.pi * distance), 0)
    return np.asarray(weights, np.float32)


def _smooth_field(rng: np.random.Generator, shape: tuple[int, ...]) -> Float32:
    """Random field (n, n0, n1) of about unit size that varies over a quarter of a tile."""
    n, n0, n1 = shape
    knots = rng.standard_normal((n, _FIELD_KNOTS, _FIELD_KNOTS), np.float32)
    return np.asarray(_interpolation(n0) @ knots @ _interpolation(n1).T)


def _smooth_backgrounds(rng: np.random.Generator, shape: tuple[int, ...]) -> Float32:
    """(n, n0, n1) shapes of about unit size: constant, paraboloid about a point in or near the tile, irregular."""
    n, n0, n1 = shape
    weight = rng.standard_normal((3, n, 1, 1), np.float32) / np.float32(np.sqrt(3))
    centre = rng.uniform(-0.25, 1.25, (2, n, 1, 1)).astype(np.float32)
    u = np.linspace(0, 1, n0, dtype=np.float32)[:, None] - centre[0]
    v = np.linspace(0, 1, n1, dtype=np.float32)[None, :] - centre[1]
    return np.asarray(weight[0] + weight[1] * (u * u + v * v) + weight[2] * _smooth_field(rng, shape))


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
    ns = len(signal)
    flat = np.where(mask, np.inf, signal).reshape(ns, -1)
    ordered = np.sort(flat, axis=1)
    n = np.count_nonzero(~mask.reshape(ns, -1), axis=1)
    usable = n >= min(_MIN_PIXELS, flat.shape[1])

    def quantile(q: float) -> NDArray[Any]:
        position = q * np.maximum(n - 1, 0)
        low = position.astype(int)
        high = np.minimum(low + 1, np.maximum(n - 1, 0))
        rows = np.arange(ns)
        a, b = (np.where(usable, ordered[rows, k], 0) for k in (low, high))
        return np.asarray(a + (b - a) * (position - low))

    centre = quantile(0.5)
    scale = np.maximum(quantile(_SHOULDER) - centre, (quantile(_PEAK) - centre) / _PEAK_HEIGHT)
    z = np.where(mask | ~usable[:, None, None], 0, signal - centre[:, None, None])
    # Few bright pixels on an exactly flat floor: any multiple of their mean deviation keeps the invariances.
    mean_deviation = np.abs(z).sum((1, 2)) / np.maximum(n, 1)
    scale = np.where(scale > 0, scale, mean_deviation)
    # Rounding noise of a constant slice is not signal.
    smallest = np.finfo(signal.dtype if signal.dtype.kind == "f" else float).eps * 8 * np.abs(centre)
    z /= np.where(scale > smallest, scale, np.inf)[:, None, None]
    y = 2 * np.sign(z) * (np.sqrt(1 + np.abs(z)) - 1)
    return np.asarray(np.clip(y, -_CLIP, _CLIP), np.float32)
