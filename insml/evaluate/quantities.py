"""What is asked of networks, with what is hoped for, and how it came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.evaluate.metrics import auroc, bootstrap, false_positive_rate
from insml.learn.answers import Answers

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
_DRAWS = 200


@dataclass(frozen=True)
class Quantity:
    """One number of an evaluation.

    value : mean over the networks, ``each`` of theirs. low, high : 95 % bootstrap interval over images of the mean.
    least, most : the target, where there is one. n : images.
    """

    name: str
    value: float
    low: float
    high: float
    each: tuple[float, ...]
    n: int
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the value is in its target; None where there is none."""
        if self.least is None and self.most is None:
            return None
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    @property
    def target(self) -> str:
        """In words, empty where there is none."""
        parts = ([f">= {self.least:g}"] if self.least is not None else []) + (
            [f"<= {self.most:g}"] if self.most is not None else [])
        return ", ".join(parts)


def quantity(name: str, statistic: Callable[[Answers, Labels], float], answers: Sequence[Answers], labels: Labels, *,
             least: float | None = None, most: float | None = None, seed: int = 0) -> Quantity:
    """Of a statistic of the answers to one set of images; labels -1 are left out."""
    known = labels >= 0
    labels = labels[known]
    answers = [take(a, known) for a in answers]
    each = tuple(statistic(a, labels) for a in answers)
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(_DRAWS):
        chosen = rng.integers(len(labels), size=len(labels))
        drawn.append(np.mean([statistic(take(a, chosen), labels[chosen]) for a in answers]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Quantity(name, float(np.mean(each)), float(low), float(high), each, len(labels), least, most)


def mean_of(name: str, values: Sequence[Array], *, least: float | None = None, most: float | None = None) -> Quantity:
    """Of numbers of images (n,), one array per network; NaN are left out."""
    each = tuple(float(np.nanmean(v)) for v in values)
    low, high = bootstrap(np.nanmean(np.stack(values), axis=0), draws=_DRAWS)
    return Quantity(name, float(np.mean(each)), low, high, each, len(values[0]), least, most)


@dataclass(frozen=True)
class Detection:
    """How well strange images are told from usual ones: AUROC and FPR95, each a quantity."""

    auroc: Quantity
    fpr95: Quantity


def detection(name: str, usual: Sequence[Array], strange: Sequence[Array], *, least: float | None = None,
              most: float | None = None, seed: int = 0) -> Detection:
    """Of scores of usual and strange images, one array per network. ``least``: of the area; ``most``: of the rate."""
    n = len(usual[0]) + len(strange[0])
    areas, rates = (tuple(f(u, s) for u, s in zip(usual, strange, strict=True)) for f in (auroc, false_positive_rate))
    rng = np.random.default_rng(seed)
    counts = [np.stack([np.bincount(rng.integers(len(x), size=len(x)), minlength=len(x)) for _ in range(_DRAWS)])
              for x in (usual[0], strange[0])]
    drawn = np.mean([resampled_detection(u, s, *counts) for u, s in zip(usual, strange, strict=True)], axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    return Detection(
        Quantity(f"{name}: AUROC", float(np.mean(areas)), float(low[0]), float(high[0]), areas, n, least),
        Quantity(f"{name}: FPR95", float(np.mean(rates)), float(low[1]), float(high[1]), rates, n, None, most))


def resampled_detection(usual: Array, strange: Array, usual_counts: Labels, strange_counts: Labels) -> Array:
    """(2, draws) AUROC and FPR95 of samples in which image i comes ``counts[draw, i]`` times; sorted once for all."""
    values, where = np.unique(np.concatenate([usual, strange]), return_inverse=True)
    u, s = (_grouped(counts, index, len(values)) for counts, index in
            ((usual_counts, where[: len(usual)]), (strange_counts, where[len(usual):])))
    below = np.cumsum(u, axis=1) - 0.5 * u
    area = (s * below).sum(1) / (u.sum(1) * s.sum(1))
    # from the strangest value down
    u_above, s_above = (np.cumsum(x[:, ::-1], axis=1) for x in (u, s))
    threshold = (s_above >= np.ceil(0.95 * s_above[:, -1:])).argmax(1)
    rate = np.take_along_axis(u_above, threshold[:, None], 1)[:, 0] / u_above[:, -1]
    return np.stack([area, rate])


def _grouped(counts: Labels, index: NDArray[np.intp], n: int) -> Array:
    """(draws, n) sums over images of equal value."""
    order = np.argsort(index, kind="stable")
    present, first = np.unique(index[order], return_index=True)
    out = np.zeros((len(counts), n))
    out[:, present] = np.add.reduceat(counts[:, order], first, axis=1)
    return out


def take(answers: Answers, which: NDArray[np.bool_] | NDArray[np.int64]) -> Answers:
    """Those of some images."""
    return Answers(answers.probability[which], answers.strangeness[which], answers.p_value[which],
                   answers.epistemic[which])
