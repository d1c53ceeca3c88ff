"""Train-by-test matrices of finished cells: what networks that learnt one resolution say of images with another."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.evaluate import metrics
from insml.evaluate.resolution_experiment.arms import ARMS
from insml.evaluate.resolution_experiment.cells import Cells, Told, Trained
from insml.evaluate.resolution_experiment.images import MEASURED, check_equal
from insml.evaluate.resolution_experiment.plan import Cell, Plan
from insml.learn.answers import Answers
from insml.learn.batches import split
from insml.learn.calibration import expected_calibration_error

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

#: By key: in words, and whether it is a share, shown in per cent.
METRICS = {
    "accuracy": ("accuracy", True),
    "ece": ("ECE at the temperature of the training arm", False),
    "confidently_wrong": (f"wrong with p > {metrics.SURE:g}", True),
    "in_distribution": ("in distribution", True),
    "margin": ("mean |log-score difference|", False),
    "epistemic": ("mean epistemic uncertainty", False),
}
#: Of which differences between cells are taken.
_COMPARED = ("accuracy", "confidently_wrong")
_DRAWS = 400
_FORMAT, _VERSION = "insml-resolution-experiment", 1


@dataclass(frozen=True)
class Number:
    """``value``: mean over the seeds, ``each`` of theirs. low, high: 95 % bootstrap interval of the mean, over test
    images."""

    value: float
    low: float
    high: float
    each: tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """Of two cells over the same images, with its paired 95 % bootstrap interval; mean over the seeds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Entry:
    """Trained on one arm and tested on another.

    numbers : by METRICS. ensemble : the same of the mean probability of all seeds; empty with one seed.
    from_own_images : against the same networks on images of the arm they were trained on.
    from_own_networks : against the networks that were trained on the arm of these images. Both empty on the diagonal.
    """

    train: str
    test: str
    numbers: dict[str, Number]
    ensemble: dict[str, float]
    from_own_images: dict[str, Difference]
    from_own_networks: dict[str, Difference]


@dataclass(frozen=True)
class Matrix:
    """Of one network, method and augmentation, on images measured in one way. ``entries`` by (train, test)."""

    augmentation: str
    network: str
    method: str
    images: str
    arms: tuple[str, ...]
    entries: dict[tuple[str, str], Entry]

    @property
    def title(self) -> str:
        return f"{self.network}, {self.method}, augmentation {self.augmentation}, {self.images} images"

    def values(self, metric: str) -> Array:
        """(train, test) of a metric."""
        return np.array([[self.entries[a, b].numbers[metric].value for b in self.arms] for a in self.arms])


@dataclass(frozen=True, eq=False)
class Result:
    """Of a whole experiment. ``acceptance``: share of stable draws by candidate. ``descriptions`` of networks by cell."""

    plan: Plan
    acceptance: dict[str, float]
    matrices: tuple[Matrix, ...]
    descriptions: dict[str, str]

    @property
    def images(self) -> dict[str, int]:
        """How many there are in each arm."""
        plan, classes = self.plan, len(self.plan.study.candidates)
        settings = plan.settings(plan.cells()[0])
        parts = split(np.arange(plan.n * classes) % classes, classes, settings.validation, settings.calibration, 0)
        return {"training": plan.n * classes, "training, to learn from": len(parts.training),
                "training, to watch": len(parts.validation), "training, to calibrate": len(parts.calibration),
                "test": plan.test * classes}

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON has it; the same for the same plan."""
        plan = self.plan
        return {"format": _FORMAT, "version": _VERSION, **{k: v for k, v in plan.header().items() if k not in (
                    "kind", "version", "arms")},
                "title": plan.study.title, "arms": {name: ARMS[name].title for name in plan.arms},
                "images_in_each_arm": self.images, "acceptance": self.acceptance, "sure": metrics.SURE,
                "training_seeds": [plan.seed + s for s in range(plan.seeds)],
                "networks": list(plan.networks), "methods": list(plan.methods), "augmentations": list(plan.augmentations),
                "matrices": [_plain(m) for m in self.matrices], "trainings": self.descriptions}


def matrices(cells: Cells) -> tuple[tuple[Matrix, ...], dict[str, str]]:
    """All of a plan, and the descriptions of the networks by their cells' names.

    Raises
    ------
    InsmlError : arms with other images or numbers of them. FormatError : a damaged cell.
    """
    plan, out, descriptions = cells.plan, [], {}
    for augmentation in plan.augmentations:
        for kind in plan.networks:
            for method in plan.methods:
                each = {arm: [cells.read(Cell(augmentation, kind, method, arm, plan.seed + s)) for s in range(plan.seeds)]
                        for arm in plan.arms}
                for arm, trained in each.items():
                    check_equal({plan.arms[0]: each[plan.arms[0]][0].trained_on} | {arm: trained[0].trained_on})
                    for s, t in enumerate(trained):
                        check_equal(t.tested_on)
                        descriptions[Cell(augmentation, kind, method, arm, plan.seed + s).name] = t.description
                out += [Matrix(augmentation, kind, method, how, plan.arms, _entries(plan, each, how)) for how in MEASURED]
    return tuple(out), descriptions


def _entries(plan: Plan, each: dict[str, list[Trained]], how: str) -> dict[tuple[str, str], Entry]:
    labels = each[plan.arms[0]][0].labels
    pairs = [(a, b) for a in plan.arms for b in plan.arms]
    # (seeds, images) of everything that is a mean over images
    single = {(a, b): _of_images([t.told[b, how] for t in each[a]], labels, each[a][0].ood_threshold) for a, b in pairs}
    out = {}
    for a, b in pairs:
        answers = [t.told[b, how].answers for t in each[a]]
        numbers = {name: Number(float(v.mean()), *metrics.bootstrap(v.mean(0), draws=_DRAWS, seed=plan.seed),
                                tuple(v.mean(1).tolist())) for name, v in single[a, b].items()}
        numbers["ece"] = _calibration(answers, labels, plan.seed)
        together = _ensemble(answers, labels, each[a][0].ood_threshold) if len(answers) > 1 else {}
        others = [{name: Difference(*metrics.paired_difference(single[a, b][name].mean(0), single[other][name].mean(0),
                                                              draws=_DRAWS, seed=plan.seed)) for name in _COMPARED}
                  if a != b else {} for other in ((a, a), (b, b))]
        out[a, b] = Entry(a, b, {name: numbers[name] for name in METRICS}, together, *others)
    return out


def _of_images(told: Sequence[Told], labels: Labels, threshold: float) -> dict[str, Array]:
    return {
        "accuracy": np.stack([metrics.correct(t.answers.probability, labels) for t in told]),
        "confidently_wrong": np.stack([metrics.confidently_wrong(t.answers.probability, labels) for t in told]),
        "in_distribution": np.stack([np.asarray(t.answers.p_value >= threshold, float) for t in told]),
        "margin": np.stack([t.margin for t in told]),
        "epistemic": np.stack([t.answers.epistemic for t in told]),
    }


def _calibration(answers: Sequence[Answers], labels: Labels, seed: int) -> Number:
    each = tuple(expected_calibration_error(a.probability, labels) for a in answers)
    chosen = np.random.default_rng(seed).integers(len(labels), size=(_DRAWS, len(labels)))
    drawn = np.mean([calibration_errors(a.probability, labels, chosen) for a in answers], axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Number(float(np.mean(each)), float(low), float(high), each)


def calibration_errors(probability: Array, labels: Labels, chosen: NDArray[np.int64], bins: int = 15) -> Array:
    """(draws,) :func:`expected_calibration_error` of each row of ``chosen``, (draws, n) numbers of images."""
    gap = probability.max(1) - metrics.correct(probability, labels)
    order = np.argsort(probability.max(1)[chosen], axis=1, kind="stable")
    ordered = np.take_along_axis(gap[chosen], order, axis=1)
    sizes = [len(part) for part in np.array_split(np.arange(chosen.shape[1]), bins)]
    first = np.unique(np.cumsum([0, *sizes[:-1]])[np.array(sizes) > 0])
    # n |mean confidence - mean accuracy| of a bin is the |sum| of the gaps in it
    return np.asarray(np.abs(np.add.reduceat(ordered, first, axis=1)).sum(1) / chosen.shape[1])


def _ensemble(answers: Sequence[Answers], labels: Labels, threshold: float) -> dict[str, float]:
    a = Answers.together(answers)
    return {"accuracy": metrics.accuracy(a.probability, labels), "ece": expected_calibration_error(a.probability, labels),
            "confidently_wrong": float(metrics.confidently_wrong(a.probability, labels).mean()),
            "in_distribution": float((a.p_value >= threshold).mean()), "epistemic": float(a.epistemic.mean())}


def _plain(matrix: Matrix) -> dict[str, Any]:
    return {"augmentation": matrix.augmentation, "network": matrix.network, "method": matrix.method,
            "images": matrix.images, "entries": [dataclasses.asdict(e) for e in matrix.entries.values()]}
