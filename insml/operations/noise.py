"""Noise as a measurement would have it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.operations.pages import Page, rewritten
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd

Array = NDArray[np.float64]


def noisify(data: Sqw | Dnd, noise: float | str = 0.1, *, seed: int = 0, filename: str | Path | None = None) -> Any:
    """Signals with noise added, and its variance added to theirs.

    Parameters
    ----------
    noise : standard deviation of Gaussian noise, as a part of the largest signal (of a pixel, where there are pixels); or
        "poisson": signals are counts, become whole numbers drawn with their value as the mean, and their variances that
        mean. Counts below 0 become 0.
    seed : of the draws, which depend on it and the place of a pixel alone.

    Raises
    ------
    GeometryError : another noise.
    """
    if isinstance(noise, str):
        if noise != "poisson":
            raise GeometryError(f"noise: expected a part of the largest signal or 'poisson', found {noise!r}")
    elif not noise >= 0:
        raise GeometryError(f"noise: expected a part of the largest signal >= 0, found {noise}")
    if isinstance(data, Dnd):
        there = data.npix > 0
        largest = float(np.abs(data.signal[there]).max(initial=0.0))
        signal, variance = _drawn(data.signal, data.variance, noise, largest, np.random.default_rng(seed))
        return replace(data, load=lambda: (np.where(there, signal, data.signal), np.where(there, variance, data.variance),
                                           data.npix))
    largest = 0.0
    if not isinstance(noise, str):
        from insml.io.sqw.write import limits

        largest = float(np.abs(limits(data.pixels.source, len(data.pixels))[:, 7]).max())

    def change(page: Page) -> None:
        rng = np.random.default_rng([seed, page.first])
        page.pixels[:, 7], page.pixels[:, 8] = _drawn(page.pixels[:, 7].astype(float), page.pixels[:, 8].astype(float),
                                                      noise, largest, rng)

    return rewritten(data, change, filename=filename)


def _drawn(signal: Array, variance: Array, noise: float | str, largest: float, rng: np.random.Generator
           ) -> tuple[Array, Array]:
    if noise == "poisson":
        mean = np.where(signal > 0, signal, 0.0)
        return rng.poisson(mean).astype(float), mean
    sigma = float(noise) * largest
    return signal + sigma * rng.standard_normal(signal.shape), variance + sigma**2
