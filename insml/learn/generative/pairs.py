"""Spoilt images beside what they would be without noise, background and holes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.store import TrainingSet
from insml.learn.batches import Address, Loader
from insml.learn.form import Form

Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
#: (channels, n_slices, m0, m1) that a network is fitted to, of a measured stack, its mask and the clean stack.
Example = Callable[[NDArray[Any], BoolArray, NDArray[Any]], Float32]

_EMPTY = 11  # third word of the address of the draw whether an image is emptied


def noiseless(corruption: Corruption) -> Corruption:
    """What is left of a corruption without noise, background, holes and broken pixels: mirrors, displacements and
    scales.

    At the same address it makes the same draws for these, so both results show the same thing in the same units.
    """
    return replace(corruption, relative_noise=(0.0, 0.0), background=(0.0, 0.0), mask_fraction=(0.0, 0.0),
                   masks=None, clip_probability=0.0, unknown_mask=0.0, hot_pixels=0.0, slice_dropout=(0.0, 0.0),
                   poisson=0.0, structured=None, tubes=(0.0, 0.0))


#: Nothing happens to an image.
UNSPOILT = noiseless(Corruption(scale_jitter=0.0))


class PairLoader(Loader):
    """Examples in place of spoilt images. ``empty`` : share of images whose signal is taken out before."""

    def __init__(self, data: TrainingSet, corruption: Corruption, form: Form, seed: int, executor: Executor,
                 example: Example, empty: float) -> None:
        super().__init__(data, corruption, form, seed, executor)
        self.example, self.empty, self.quiet = example, empty, noiseless(corruption)
        self._most //= 4  # as large as so many stacks

    def _image(self, address: Address) -> Float32:
        image, counter = address
        clean = self.data.clean[image]
        if np.random.default_rng([self.seed, counter, _EMPTY]).random() < self.empty:
            clean = np.zeros_like(clean)
        signal, mask = self.corruption.apply(clean, self.seed, counter)
        return self.example(signal, mask, self.quiet.apply(clean, self.seed, counter)[0])
