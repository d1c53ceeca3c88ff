"""Splits of a training set, and its images as a network sees them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.learn.form import Form
from insml.learn.whole import Whole, gathered, seen_whole

Indices = NDArray[np.int64]
Address = tuple[int, int]  # (image, counter of its draw)
_WATCHED, _CALIBRATING = 150, 300  # images of each class; more are worth more in training
_EPOCHS_A_DRAW = 2  # spoiling an image costs as much as learning from it;
_MANY = 2000        # fewer images need every draw there can be
_ROOM = 3 << 29     # bytes of spoilt images, half of them kept for the next epoch
_HELD_OUT = 1 << 40  # draws beyond every epoch's


@dataclass(frozen=True, eq=False)
class Split:
    """Disjoint image numbers. ``calibration`` is seen neither by the optimiser nor by the feature density."""

    training: Indices
    validation: Indices
    calibration: Indices


def split(labels: NDArray[np.int64], classes: int, validation: float, calibration: float, seed: int) -> Split:
    """Shares of each class's images, at least two for every purpose; at most 150 to watch and 300 to calibrate by."""
    rng = np.random.default_rng([seed, 0])
    parts: tuple[list[Indices], list[Indices], list[Indices]] = ([], [], [])
    for c in range(classes):
        images = rng.permutation(np.flatnonzero(labels == c))
        n_validation, n_calibration = (min(max(2, round(share * len(images))), most)
                                       for share, most in ((validation, _WATCHED), (calibration, _CALIBRATING)))
        if len(images) - n_validation - n_calibration < 2:
            raise InsmlError(f"training set: expected at least 6 images of each candidate, and some left beside "
                             f"validation and calibration, found {len(images)} of candidate {c}")
        for part, chosen in zip(parts, np.split(images, [n_validation, n_validation + n_calibration]), strict=True):
            part.append(chosen)
    validation_part, calibration_part, training_part = (np.sort(np.concatenate(part)) for part in parts)
    return Split(training_part, validation_part, calibration_part)


def epoch_order(images: Indices, seed: int, epoch: int) -> Indices:
    """The order of an epoch, a function of (seed, epoch) only."""
    return np.random.default_rng([seed, 1, epoch]).permutation(images)


class Loader:
    """Corrupted images in the form networks see. What is drawn depends on (seed, address) only, neither on threads nor on
    what is kept.

    Images are made many at a time, by all threads of ``executor``, and then used: two threads that spoil images beside two
    that multiply matrices wait for each other. Beside one thread they do not: ``ahead`` images are made while those before
    are used.
    """

    def __init__(self, data: TrainingSet, corruption: Corruption, form: Form, seed: int, executor: Executor,
                 ahead: bool = False) -> None:
        self.data, self.corruption, self.form, self.seed, self.executor = data, corruption, form, seed, executor
        self.ahead = ahead
        self._stacks: dict[Address, Future[NDArray[np.float32]]] = {}
        self._most = _ROOM // (4 * math.prod(form.layout.stack_shape))

    def epoch(self, epoch: int, batches: Sequence[Indices]) -> Iterator[tuple[NDArray[np.float32], Indices]]:
        """Stacks and image numbers, batch by batch. Two epochs of many images see the same draws, which are kept as far as
        half the room goes."""
        again = _EPOCHS_A_DRAW if len(self.data) >= _MANY else 1
        draw = epoch // again
        last = (epoch + 1) // again != draw
        self._stacks = {a: stack for a, stack in self._stacks.items() if a[1] // len(self.data) == draw}
        for n, batch in enumerate(batches):
            wanted = self._addresses(draw, [batch])
            if any(address not in self._stacks for address in wanted):
                missing = [a for a in self._addresses(draw, batches[n:]) if a not in self._stacks]
                made = missing[:max(len(wanted), self._most - len(self._stacks))]
                self._stacks.update((address, self.executor.submit(self._image, address)) for address in made)
                if not self.ahead:
                    wait(self._stacks.values())
            images = [self._stacks[address].result() for address in wanted]
            if last or len(self._stacks) > self._most // 2:
                for address in wanted:
                    del self._stacks[address]
            yield np.stack(images), batch

    def held_out(self, images: Indices, draw: int) -> NDArray[np.float32]:
        """Draw number ``draw`` of images, one that no epoch uses."""
        return np.stack(list(self.executor.map(self._image, self._beyond(images, draw))))

    def held_out_whole(self, parts: Iterable[tuple[Indices, int]]) -> Iterator[Whole]:
        """:meth:`held_out` of images and draws, one after the other, with :func:`insml.learn.oddness.oddness`, (n, k)."""
        making: deque[list[Future[Whole]]] = deque()
        for images, draw in parts:
            making.append([self.executor.submit(self._whole, address) for address in self._beyond(images, draw)])
            if len(making) > self.ahead:
                yield gathered([one.result() for one in making.popleft()])
        for rest in making:
            yield gathered([one.result() for one in rest])

    def _beyond(self, images: Indices, draw: int) -> list[Address]:
        counter = _HELD_OUT + draw * len(self.data)
        return [(int(i), counter + int(i)) for i in images]

    def _addresses(self, draw: int, batches: Sequence[Indices]) -> list[Address]:
        return [(int(i), draw * len(self.data) + int(i)) for batch in batches for i in batch]

    def _image(self, address: Address) -> NDArray[np.float32]:
        return self.form(*self._measured(address))

    def _whole(self, address: Address) -> Whole:
        return seen_whole(self.form, *self._measured(address))

    def _measured(self, address: Address) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        image, counter = address
        return self.corruption.apply(self.data.clean[image], self.seed, counter)
