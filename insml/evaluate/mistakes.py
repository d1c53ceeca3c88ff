"""Clean images that are taken for another candidate's: where candidates meet, or what networks have not learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from insml.datasets.store import TrainingSet
from insml.learn.answers import Answers


@dataclass(frozen=True)
class Mistake:
    """image : number in the test. candidate, parameters (meV): what it was simulated from. taken_for : the other candidate,
    of that mean probability of the networks."""

    image: int
    candidate: str
    parameters: dict[str, float]
    taken_for: str
    probability: float


def mistakes(images: TrainingSet, answers: Sequence[Answers]) -> tuple[Mistake, ...]:
    """Of the answers of networks to clean images, the surest first."""
    probability = Answers.together(answers).probability
    taken = probability.argmax(1)
    wrong = np.flatnonzero(taken != images.labels)
    found = [Mistake(int(i), images.candidates[images.labels[i]], images.parameters(int(i)), images.candidates[taken[i]],
                     float(probability[i, taken[i]])) for i in wrong]
    return tuple(sorted(found, key=lambda m: -m.probability))
