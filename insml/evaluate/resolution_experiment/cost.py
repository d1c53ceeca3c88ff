"""What an experiment will take, from an image of each arm and some steps of each training, measured here and now."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from insml.datasets.prior import draw_stable
from insml.datasets.store import TrainingSet
from insml.evaluate.resolution_experiment.cells import THREADS, Cells
from insml.evaluate.resolution_experiment.images import Images, Progress, simulators
from insml.evaluate.resolution_experiment.plan import Cell, Plan
from insml.learn.train import train

_STEPS = 6
#: Of an image that is only looked at, in units of one that is trained on.
_LOOK = 0.4


@dataclass(frozen=True)
class Time:
    """Seconds on the clock, as busy as the machine is, and of its processors."""

    clock: float = 0.0
    processor: float = 0.0

    @classmethod
    def now(cls) -> Time:
        return cls(time.perf_counter(), time.process_time())

    def __add__(self, other: Time) -> Time:
        return Time(self.clock + other.clock, self.processor + other.processor)

    def __sub__(self, other: Time) -> Time:
        return Time(self.clock - other.clock, self.processor - other.processor)

    def __mul__(self, factor: float) -> Time:
        return Time(self.clock * factor, self.processor * factor)


@dataclass(frozen=True)
class Cost:
    """``image`` by arm; ``training`` of one cell by (augmentation, network, method), with their numbers that are left;
    ``processes`` : cells that are trained at once."""

    image: dict[str, Time]
    training: dict[tuple[str, str, str], Time]
    images_left: int
    cells_left: dict[tuple[str, str, str], int]
    processes: int

    @property
    def simulating(self) -> Time:
        return sum(self.image.values(), Time()) * self.images_left

    @property
    def trainings(self) -> Time:
        one = sum((each * self.cells_left[key] for key, each in self.training.items()), Time())
        # a training by itself has another core to spoil images on
        return Time(max(one.clock, one.processor) / self.processes, one.processor)


def estimate(images: Images, progress: Progress = lambda what, done, total: None) -> Cost:
    """Of what is missing; nothing is kept of what is done to find out."""
    plan, cells = images.plan, Cells(images)
    count = sum(len(images.numbers(part)[shard]) for part, shard in images.missing())
    image = _images(plan, images.threads) if count else {}
    kinds = {key: list(group) for key, group in groupby(sorted(cells.missing(), key=_kind), _kind)}
    training = {}
    for done, (key, group) in enumerate(kinds.items()):
        progress("estimating", done, len(kinds))
        training[key] = _training(plan, group[0])
    return Cost(image, training, count, {key: len(group) for key, group in kinds.items()},
                images.threads)


def _kind(cell: Cell) -> tuple[str, str, str]:
    return cell.augmentation, cell.network, cell.method


def _images(plan: Plan, threads: int) -> dict[str, Time]:
    """Of an image of each arm, the mean over the candidates; preparing instruments is done before."""
    made, out = simulators(plan, threads), {}
    drawn = [draw_stable(c, label, made[0][label].stack, plan.seed, 0).values
             for label, c in enumerate(plan.study.candidates.values())]
    for arm, each in zip(plan.arms, made, strict=True):
        for simulator, values in zip(each, drawn, strict=True):
            simulator.stack(values)
        begun = Time.now()
        for simulator, values in zip(each, drawn, strict=True):
            simulator.stack(values)
        out[arm] = (Time.now() - begun) * (1 / len(drawn))
    return out


class _Enough(Exception):
    pass


def _training(plan: Plan, cell: Cell) -> Time:
    """Of a training, from some steps on images of noise."""
    study, classes = plan.study, len(plan.study.candidates)
    settings = plan.settings(cell)
    # so many that what is left to train on is the steps and no more
    per_class = -(-round(_STEPS * settings.batch / (1 - settings.validation - settings.calibration) * 1.05) // classes)
    rng = np.random.default_rng(0)
    labels = np.arange(per_class * classes) % classes
    names = tuple(tuple(c.names) for c in study.candidates.values())
    noise = TrainingSet(rng.random((len(labels), *study.layout.stack_shape), np.float32).astype(np.float16), labels,
                        rng.random((len(labels), max(map(len, names)))), names, tuple(study.candidates), study.layout,
                        study_digest="", seed=0)
    seen: list[Time] = []

    def step(done: int, total: int, message: str) -> None:
        seen.append(Time.now())
        if len(seen) == _STEPS:
            raise _Enough

    with suppress(_Enough):
        train(noise, plan.corruption(cell.augmentation), replace(settings, epochs=1), progress=step, threads=THREADS)
    per_image = (seen[-1] - seen[0]) * (1 / (len(seen) - 1) / settings.batch)
    n = plan.n * classes
    trained = n * (1 - settings.validation - settings.calibration) * settings.epochs
    looked_at = n * (settings.validation * settings.epochs + settings.draws * (1 - settings.validation))
    tested = 2 * plan.test * classes * len(plan.arms)
    return per_image * (trained + _LOOK * (looked_at + tested))
