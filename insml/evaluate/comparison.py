"""Networks side by side: the same test images, and the same number of training images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from insml.errors import InsmlError
from insml.evaluate.metrics import correct, paired_difference
from insml.learn.answers import Answers
from insml.learn.ensemble import Network


@dataclass(frozen=True)
class Difference:
    """Of two networks: accuracy of ``first`` minus that of ``second`` on the same images, with its 95 % interval."""

    first: str
    second: str
    value: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


def compare(networks: Mapping[str, Network], answers: Mapping[str, Answers], labels: NDArray[np.int64], *,
            unequal: bool = False, seed: int = 0) -> tuple[Difference, ...]:
    """Differences of the accuracies of every two networks.

    Parameters
    ----------
    networks : by name. answers : of each to the same images, whose labels (n,) are at least 0.
    unequal : whether they may have been trained on different numbers of images.

    Raises
    ------
    InsmlError : as :func:`require_equal_training`, unless ``unequal``; answers of other networks or to other images.
    """
    if not unequal:
        require_equal_training(networks)
    if set(answers) != set(networks):
        raise InsmlError(f"comparison: expected answers of {', '.join(networks)}, found those of {', '.join(answers)}")
    for name, said in answers.items():
        if len(said.probability) != len(labels):
            raise InsmlError(f"comparison: {name}: expected answers to the same {len(labels)} images, "
                             f"found {len(said.probability)}")
    right = {name: correct(answers[name].probability, labels) for name in networks}
    return tuple(Difference(a, b, *paired_difference(right[a], right[b], seed=seed)) for a, b in combinations(networks, 2))


def require_equal_training(networks: Mapping[str, Network]) -> int:
    """The number of images that every network (every member of an ensemble) was trained on.

    More images alone make a network better, so a comparison of anything else has to hold their number.

    Raises
    ------
    InsmlError : different numbers, or a network that does not know its own.
    """
    numbers = {name: network.n_training for name, network in networks.items()}
    found = set(numbers.values())
    number = found.pop() if len(found) == 1 else None
    if number is None:
        told = ", ".join(f"{name} {'an unknown or varying number' if n is None else n}" for name, n in numbers.items())
        raise InsmlError(f"comparison: expected networks trained on equally many images, found {told}")
    return number
