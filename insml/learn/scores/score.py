"""What scores have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from insml.learn.record import Record

Array = NDArray[np.float64]


class Score(ABC):
    """A way to say how strange images are."""

    kind: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, known: Record, labels: NDArray[np.int64], classes: int) -> Self:
        """To what a network says of images it was trained on."""

    @abstractmethod
    def __call__(self, record: Record) -> Array:
        """(n,) larger for stranger images."""
