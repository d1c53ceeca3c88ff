"""Trainings of an experiment, each kept with what it says of every arm's test images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.store import TrainingSet
from insml.errors import FormatError
from insml.evaluate.resolution_experiment.images import MEASURED, Images, identity
from insml.evaluate.resolution_experiment.plan import Cell
from insml.learn.answers import Answers
from insml.learn.classifier import Classifier
from insml.learn.record import Record
from insml.learn.tensorfile import read_tensors, write_tensors
from insml.learn.train import train

THREADS = 1  # of a training
_KIND = "answers of a resolution experiment"
_FIELDS = ("probability", "strangeness", "p_value", "epistemic")


@dataclass(frozen=True, eq=False)
class Told:
    """What one network says of one arm's test images. ``margin``: (n,) log score of the winner above that of the next."""

    answers: Answers
    margin: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished cell.

    trained_on, tested_on : number and :func:`identity` of the images, the latter by arm. labels : (n,) of test images.
    told : by (arm, how measured). ood_threshold : p-values below it are out of distribution.
    """

    trained_on: tuple[int, str]
    tested_on: dict[str, tuple[int, str]]
    labels: NDArray[np.int64]
    told: dict[tuple[str, str], Told]
    description: str
    ood_threshold: float


class Cells:
    """The cells of an experiment in a folder.

    A cell is one thread's work: with so many cells two at a time are done sooner than one by two threads, and a cell is the
    same bit for bit on any number of them.
    """

    def __init__(self, images: Images) -> None:
        self.images, self.plan, self.folder = images, images.plan, images.folder / "cells"

    def _path(self, cell: Cell) -> Path:
        return self.folder / cell.name / "answers.safetensors"

    def missing(self) -> list[Cell]:
        return [cell for cell in self.plan.cells() if not self._path(cell).exists()]

    def run(self, cell: Cell, data: TrainingSet, progress: Callable[[int, int, str], None]) -> None:
        """Train it, or go on where it stopped; ask it about all test images; keep both."""
        folder = self.folder / cell.name
        folder.mkdir(parents=True, exist_ok=True)
        network, checkpoint = folder / "network.safetensors", folder / "checkpoint.safetensors"
        if network.exists():
            classifier = Classifier.load(network)
        else:
            trained = train(data, self.plan.corruption(cell.augmentation), self.plan.settings(cell), checkpoint=checkpoint,
                            progress=progress, threads=THREADS)
            classifier = replace(trained, study_digest=self.plan.study.digest)
            classifier.save(network)
        self._ask(cell, classifier, data)
        checkpoint.unlink(missing_ok=True)

    def _ask(self, cell: Cell, classifier: Classifier, data: TrainingSet) -> None:
        tensors: dict[str, NDArray[Any]] = {}
        tested: dict[str, tuple[int, str]] = {}
        for arm in self.plan.arms:
            records: dict[str, list[Record]] = {how: [] for how in MEASURED}
            labels, theta = [], []
            for shard in self.images.test(arm):
                labels.append(shard["labels"])
                theta.append(shard["theta"])
                for how in MEASURED:
                    records[how].append(classifier.record(shard[how], shard[f"{how}.odd"]))
            tested[arm] = len(truth := np.concatenate(labels)), identity(truth, np.concatenate(theta))
            tensors["labels"] = truth
            for how in MEASURED:
                record = Record.joined(records[how])
                answers = classifier.answers(record)
                ordered = np.sort(record.scores, axis=1)
                tensors |= {f"{arm}.{how}.{name}": getattr(answers, name) for name in _FIELDS}
                tensors[f"{arm}.{how}.margin"] = ordered[:, -1] - ordered[:, -2]
        header = {"key": self.images.key, "trained_on": [len(data), identity(data.labels, data.theta)], "tested_on": tested,
                  "description": classifier.description, "ood_threshold": classifier.ood_threshold}
        write_tensors(self._path(cell), _KIND, header, tensors)

    def read(self, cell: Cell) -> Trained:
        """Raises FormatError: damaged, or of another experiment."""
        path = self._path(cell)
        header, tensors = read_tensors(path, _KIND)
        if header.get("key") != self.images.key:
            raise FormatError(path, "answers of this experiment", "those of another")
        told = {(arm, how): Told(Answers(*(tensors[f"{arm}.{how}.{name}"] for name in _FIELDS)),
                                 tensors[f"{arm}.{how}.margin"]) for arm in self.plan.arms for how in MEASURED}
        tested = {arm: (int(n), str(digest)) for arm, (n, digest) in header["tested_on"].items()}
        count, digest = header["trained_on"]
        return Trained((count, digest), tested, tensors["labels"], told, header["description"], header["ood_threshold"])
