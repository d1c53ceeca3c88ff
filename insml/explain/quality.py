"""How good a network's maps are on many images whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from insml.errors import InsmlError
from insml.explain.activation import Score
from insml.explain.attributions import attribute
from insml.explain.faithfulness.baselines import edges, random_ranks
from insml.explain.faithfulness.curves import Areas, areas, pixel_ranks, slice_ranks
from insml.explain.faithfulness.pointing import pointing, rank_correlation, recall, truth_set
from insml.explain.faithfulness.randomisation import blocks_from_the_top, cascade, fresh_method
from insml.explain.rival import Rivals
from insml.explain.subject import Subject

if TYPE_CHECKING:
    from insml.learn.classifier import Classifier

Array = NDArray[np.float64]
#: Signal and mask (n_slices, n0, n1) as measured, as ``Corruption.apply`` gives them.
Image = tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class SaliencyQuality:
    """Of n images, against the log-likelihood ratio between the true candidate and its nearest rival.

    Attributes
    ----------
    pointing : (n,) 1 where the map's largest slice is in the truth set, which carries 80 % of the positive ratio.
    recall : (n,) of the truth set by the three largest slices.
    spearman : (n,) rank correlation of the map's slices with the ratio, over slices with detectors.
    randomised : (n,) |rank correlation| of the map's pixels with those of the network whose top blocks are random.
    control : (n,) ``spearman`` of that network: what a map has of the ratio without having learned anything.
    right : (n,) whether the network scores the true candidate above the rival.
    """

    pointing: Array
    recall: Array
    spearman: Array
    randomised: Array
    control: Array
    right: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FaithfulnessAreas:
    """Of n images: areas of deletion and insertion in the order of the map (n,), of edges (n,), and at random (n, draws).

    The score is the probability of the true candidate against the rival.
    """

    maps: tuple[Areas, ...]
    edges: tuple[Areas, ...]
    random: tuple[tuple[Areas, ...], ...]

    def column(self, name: str, which: str = "maps") -> Array:
        """(n,) of "deletion" or "insertion"; (n, draws) for "random"."""
        rows = getattr(self, which)
        return np.array([[getattr(a, name) for a in row] if which == "random" else getattr(row, name) for row in rows])


def saliency_quality(classifier: Classifier, images: Sequence[Image], truths: Rivals, *, method: str = "layercam",
                     layer: str | None = None, exchanged: Sequence[NDArray[Any]] | None = None, blocks: int = 2,
                     seed: int = 0) -> SaliencyQuality:
    """Pointing, recall, rank correlation and randomisation of a method's maps.

    What is explained is the margin of the true candidate against the rival, whichever of the two the network prefers.

    Parameters
    ----------
    images : n measured stacks. truths : of the clean images behind them, in the same order.
    method, layer : see :func:`insml.explain.attributions.attribute`.
    exchanged : n stacks with the rival's signal in place of the own, for "counterfactual"
        (:func:`insml.explain.counterfactual.exchanged_known`).
    blocks : so many blocks from the top are re-initialised, with other weights for each image: those drawn from ``seed``
        and the seeds after it. One draw for all would say how it happens to look at the candidates' difference.
    """
    rows = []
    for number, (subject, ratio) in enumerate(_subjects(classifier, images, truths, exchanged)):
        maps, _ = attribute(subject, method, layer)
        values, used = maps.sum((1, 2)), subject.covered
        truth = truth_set(np.where(used, ratio, 0))
        chosen = blocks_from_the_top(subject.method, subject.score, subject.x)[:blocks]
        *_, random = cascade(subject.method, fresh_method(classifier, seed + number), chosen)
        other, _ = attribute(replace(subject, method=random), method, layer)
        covered = ~subject.mask
        rows.append((pointing(values, truth), recall(values, truth), rank_correlation(values[used], ratio[used]),
                     abs(rank_correlation(maps[covered], other[covered])),
                     rank_correlation(other.sum((1, 2))[used], ratio[used]), subject.margin > 0))
    first, found, spearman, randomised, control, right = np.array(rows, float).reshape(-1, 6).T
    return SaliencyQuality(first, found, spearman, randomised, control, right > 0)


def faithfulness_areas(classifier: Classifier, images: Sequence[Image], truths: Rivals, *, method: str = "layercam",
                       layer: str | None = None, by: str = "slice", draws: int = 20, seed: int = 0) -> FaithfulnessAreas:
    """Deletion and insertion in the order of a method's maps, of an edge detector, and at random.

    Parameters
    ----------
    by : "slice", whole slices go in the order of their sums; "pixel", a fiftieth of all pixels at a time.
    draws : random orders of each image. The rest as of :func:`saliency_quality`.
    """
    if by not in ("slice", "pixel"):
        raise InsmlError(f"by: expected slice or pixel, found {by!r}")

    def ranks(values: Array, subject: Subject) -> NDArray[np.int64]:
        if by == "pixel":
            return pixel_ranks(values, subject.mask)
        return slice_ranks(values.sum((1, 2)), subject.covered, subject.mask.shape[1:])

    own, detector, random = [], [], []
    for number, (subject, _) in enumerate(_subjects(classifier, images, truths)):
        score, x = _probability(subject, classifier.temperature), subject.x
        order = ranks(attribute(subject, method, layer)[0], subject)
        own.append(areas(score, x, order))
        detector.append(areas(score, x, ranks(edges(x[0].numpy(), subject.mask), subject)))
        rng = np.random.default_rng([seed, number])
        random.append(tuple(areas(score, x, random_ranks(order, rng)) for _ in range(draws)))
    return FaithfulnessAreas(tuple(own), tuple(detector), tuple(random))


def _subjects(classifier: Classifier, images: Sequence[Image], truths: Rivals,
              exchanged: Sequence[NDArray[Any]] | None = None) -> list[tuple[Subject, Array]]:
    others = [None] * len(images) if exchanged is None else exchanged
    if len(images) != len(truths.labels):
        raise InsmlError(f"saliency: expected a truth for each image, found {len(images)} images and {len(truths.labels)} "
                         "truths")
    if len(images) != len(others):
        raise InsmlError(f"saliency: expected an exchanged stack for each of {len(images)} images, found {len(others)}")
    return [(Subject.of(classifier, *image, (int(label), int(rival)), other), ratio)
            for image, label, rival, ratio, other in
            zip(images, truths.labels, truths.rivals, truths.ratio, others, strict=True)]


def _probability(subject: Subject, temperature: float) -> Score:
    def score(x: Tensor) -> Tensor:
        return torch.sigmoid(subject.score(x) / temperature)

    return score
