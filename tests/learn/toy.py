"""Stacks without physics for tests: one ring per slice, whose radius grows with the slice number.

The rings of the second candidate are wider along the first axis, in the slices DIFFERENT only.
"""

import numpy as np

from insml.datasets import TrainingSet
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec

N_SLICES, SIZE = 12, 20
DIFFERENT = (5, 6, 7)
STRETCH = 1.5


def layout(n_slices: int = N_SLICES, size: int = SIZE) -> MosaicLayout:
    edges = np.linspace(-1, 1, size + 1)
    return MosaicLayout(
        axes=(Axis("h", (1, 0, 0), edges), Axis("k", (0, 1, 0), edges)), third=(0, 0, 1),
        slices=tuple(SliceSpec((5.0 * s, 5.0 * s + 5)) for s in range(n_slices)), grid=(-(-n_slices // 4), 4),
    )


def rings(label: int, growth: float, width: float, n_slices: int = N_SLICES, size: int = SIZE) -> np.ndarray:
    """(n_slices, size, size) clean stack; growth = radius of the last ring, in half tiles."""
    x = layout(n_slices, size).axes[0].centres
    stretch = np.ones(n_slices)
    if label:
        stretch[list(DIFFERENT)] = STRETCH
    radius = np.hypot(x[:, None] / stretch[:, None, None], x[None, :])
    centre = 0.15 + (growth - 0.15) * np.linspace(0, 1, n_slices)[:, None, None]
    return np.exp(-0.5 * ((radius - centre) / width) ** 2).astype(np.float32)


def training_set(n: int, seed: int = 5, n_slices: int = N_SLICES, size: int = SIZE) -> TrainingSet:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    theta = np.stack([rng.uniform(0.7, 1.1, n), rng.uniform(0.06, 0.1, n)], axis=1)
    clean = np.stack([rings(label, *t, n_slices, size) for label, t in zip(labels, theta, strict=True)])
    names = ("growth", "width")
    return TrainingSet(clean, labels, theta, (names, names), ("round", "oval"), layout(n_slices, size), "toy",
                       seed)


def mosaic(signal: np.ndarray, mask: np.ndarray | None = None, **layout_arguments: int) -> Mosaic:
    return Mosaic.from_stack(signal, np.zeros(signal.shape, bool) if mask is None else mask,
                             layout(**layout_arguments))
