"""What all families of shifts have in common: the images they start from, what they hand back, severities.

A family makes images that differ from those a network was trained on in one known way, five severities of it.
Labels stay known, because every image comes from the study's own simulation; where a change leaves no candidate
that is right, the label is -1. What is drawn for an image depends on (seed, number of the image) alone, not on
severity, so that severities of a family and the images without shift can be compared in pairs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from insml.datasets.conditions import Condition
from insml.datasets.corrupt import Corruption
from insml.datasets.shards import DataSet
from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.study import Study

Float32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True, eq=False)
class CleanImages:
    """Images without shift. ``conditions`` : of each image, under which it was simulated."""

    clean: NDArray[np.floating[Any]]
    labels: NDArray[np.int64]
    values: tuple[dict[str, float], ...]
    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        found = {len(self.clean), len(self.labels), len(self.values), len(self.conditions)}
        if len(found) != 1:
            raise InsmlError("clean images: expected as many stacks as labels, values and conditions, "
                             f"found {sorted(found)}")

    @classmethod
    def of(cls, data: TrainingSet, conditions: Sequence[Condition] | None = None) -> CleanImages:
        """Images of a set that was simulated under ``conditions``; None for those the study states."""
        n = len(data)
        return cls(data.clean, data.labels, tuple(data.parameters(i) for i in range(n)),
                   (Condition(),) * n if conditions is None else tuple(conditions))

    @classmethod
    def read(cls, data: DataSet, images: TrainingSet | None = None) -> CleanImages:
        """All images of a set of shards, with the conditions that it states. ``images``: those, where they were read."""
        conditions = data.plan.conditions
        drawn = [conditions[c] for r in data.records for c in r["condition"]]
        return cls.of(data.read() if images is None else images, drawn)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: Sequence[int] | NDArray[np.int64]) -> CleanImages:
        """Some of the images."""
        return CleanImages(self.clean[which], self.labels[which], tuple(self.values[i] for i in which),
                           tuple(self.conditions[i] for i in which))


class Measurement(Protocol):
    """What a measurement does to a clean stack; a Corruption, or one with something added."""

    def apply(self, clean: NDArray[Any], seed: int, index: int) -> tuple[Float32, BoolArray]: ...


class Shifted(NamedTuple):
    """Shifted images.

    clean : (n, n_slices, n0, n1) float32, in any units. corruption : what is to be applied to them.
    labels : (n,) int64, -1 where no candidate is right. variants : (n,) what was done to each image, in words.
    """

    clean: Float32
    corruption: Measurement
    labels: NDArray[np.int64]
    variants: tuple[str, ...]


class Family(ABC):
    """A family of shifts. ``letter`` and ``title`` name it in reports."""

    letter: ClassVar[str]
    title: ClassVar[str]

    def images(self, study: Study, base: CleanImages | TrainingSet, severity: int, seed: int, *,
               corruption: Corruption, threads: int = 0) -> Shifted:
        """Shifted images, as many as ``base`` has and in its order.

        Parameters
        ----------
        base : images of the study without shift. severity : 1 (mild) to 5. seed : of what the family draws.
        corruption : what is applied to images without shift; the family changes it where that is its shift.
        threads : of simulations, 0 for one per core.

        Raises
        ------
        InsmlError : images of another layout, no such severity, or a family that does not apply to the study.
        """
        base = base if isinstance(base, CleanImages) else CleanImages.of(base)
        if severity not in SEVERITIES:
            raise InsmlError(f"severity: expected one of {list(SEVERITIES)}, found {severity}")
        if base.clean.shape[1:] != study.layout.stack_shape:
            raise InsmlError(f"shift {self.letter}: expected images of shape {study.layout.stack_shape} for "
                             f"{study.name}, found {base.clean.shape[1:]}")
        return self._images(study, base, severity, seed, corruption, threads)

    @abstractmethod
    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted: ...


def draw(seed: int, index: int, letter: str) -> np.random.Generator:
    """What a family draws for an image."""
    return np.random.default_rng([seed, index, ord(letter)])


def check_kinds(letter: str, kinds: tuple[str, ...], known: tuple[str, ...]) -> None:
    """Raises InsmlError: a kind of shift that the family does not have, or none at all."""
    if not kinds or not set(kinds) <= set(known):
        raise InsmlError(f"shift {letter}: kinds: expected some of {', '.join(known)}, "
                         f"found {', '.join(kinds) or 'none'}")
