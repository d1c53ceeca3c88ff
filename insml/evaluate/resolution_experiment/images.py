"""The images of all arms, in shards: the same parameters in each, and test images as networks see them.

A shard is a run of numbers. Each arm has a file of it, written as soon as it is there and read only if its checksum is
right; the shard is complete when its last arm's file is. Image j is of class j % classes; its parameters depend on
(seed, class, j // classes) alone, its noise on (seed, j): neither on the arm.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.prior import draw_stable
from insml.datasets.store import TrainingSet
from insml.errors import FormatError, InsmlError
from insml.evaluate.resolution_experiment.arms import ARMS
from insml.evaluate.resolution_experiment.plan import Plan
from insml.evaluate.shifts.resimulation import Simulates
from insml.io.atomic import atomic_path
from insml.learn.tensorfile import read_tensors, write_tensors
from insml.learn.threads import workers
from insml.learn.whole import Whole, gathered, seen_whole

#: Called with (what is going on, done, total).
Progress = Callable[[str, int, int], None]

SHARD = 32
#: How test images are measured: not at all, or as in training with full augmentation.
MEASURED = ("clean", "measured")
_KIND, _LARGEST, _HEADER = "images of a resolution experiment", 1000.0, "experiment.json"
_OTHERS = 1 << 24        # test images are of these draws, however many there are to train on
_NOISE = 1 << 41         # beyond every draw of a training


class Images:
    """Of a plan, in a folder.

    Raises
    ------
    InsmlError : the folder holds another experiment.
    """

    def __init__(self, plan: Plan, folder: Path, threads: int = 0) -> None:
        self.plan, self.folder, self.threads = plan, folder, threads or os.cpu_count() or 1
        self.key = hashlib.sha256(json.dumps(plan.header(), sort_keys=True).encode()).hexdigest()
        self._check()

    def _check(self) -> None:
        path = self.folder / _HEADER
        if not path.exists():
            return
        try:
            same = json.loads(path.read_text()) == self.plan.header()
        except (OSError, ValueError) as error:
            raise FormatError(path, "the header of a resolution experiment", str(error)) from None
        if not same:
            raise InsmlError(f"{self.folder}: expected an empty folder or this resolution experiment, found another")

    def _claim(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.folder / _HEADER) as aside:
            aside.write_text(json.dumps(self.plan.header(), indent=1))

    def numbers(self, part: str) -> list[range]:
        """Of the images of each shard of "training" or "test"."""
        whole = (self.plan.n if part == "training" else self.plan.test) * len(self.plan.study.candidates)
        return [range(first, min(first + SHARD, whole)) for first in range(0, whole, SHARD)]

    def path(self, part: str, shard: int, arm: str) -> Path:
        return self.folder / "images" / arm / f"{part}-{shard:05d}.safetensors"

    def missing(self) -> list[tuple[str, int]]:
        """Shards that are not complete."""
        return [(part, s) for part in ("training", "test") for s in range(len(self.numbers(part)))
                if not all(self.path(part, s, arm).exists() for arm in self.plan.arms)]

    def simulate(self, progress: Progress) -> None:
        """All shards that are missing."""
        missing = self.missing()
        total = sum(len(self.numbers(part)) for part in ("training", "test"))
        if missing:
            self._claim()
            made = simulators(self.plan, self.threads)
            for arm in self.plan.arms:
                (self.folder / "images" / arm).mkdir(parents=True, exist_ok=True)
            for done, (part, shard) in enumerate(missing, total - len(missing)):
                progress("simulating shards", done, total)
                self._shard(part, shard, made)
        progress("simulating shards", total, total)

    def _shard(self, part: str, shard: int, made: Sequence[Sequence[Simulates]]) -> None:
        plan, numbers = self.plan, self.numbers(part)[shard]
        candidates = list(plan.study.candidates.values())
        theta = np.full((len(numbers), max(len(c.parameters) for c in candidates)), np.nan)
        stacks = np.empty((len(plan.arms), len(numbers), *plan.study.layout.stack_shape), np.float16)
        attempts = np.empty(len(numbers), np.int64)
        with workers(self.threads) as pool:  # coarse is one thread's work, the others leave some idle
            for row, j in enumerate(numbers):
                label, index = j % len(candidates), j // len(candidates) + (_OTHERS if part == "test" else 0)
                # stable in every arm: arms look for instabilities in places of their own
                draw = draw_stable(candidates[label], label, lambda values, label=label: np.stack(  # type: ignore[misc]
                    list(pool.map(lambda arm: arm[label].stack(values), made))), plan.seed, index)
                largest = draw.stack.max((1, 2, 3), keepdims=True)
                stacks[:, row] = draw.stack / np.where(largest > 0, largest / _LARGEST, 1.0)
                theta[row, : len(draw.values)], attempts[row] = list(draw.values.values()), draw.attempts
        about = {"labels": np.array(numbers) % len(candidates), "theta": theta, "attempts": attempts}
        for arm, own in zip(plan.arms, stacks, strict=True):
            seen = {"clean": own} if part == "training" else self._seen(own, numbers)
            write_tensors(self.path(part, shard, arm), _KIND, {"key": self.key, "numbers": [numbers.start, numbers.stop]},
                          seen | about)

    def _seen(self, stacks: NDArray[Any], numbers: range) -> dict[str, NDArray[Any]]:
        """Test images as networks see them, by how they are measured, and what is folded away of them."""
        form, corruption = self.plan.form, self.plan.corruption("full")
        none = np.zeros(stacks.shape[1:], bool)

        def whole(how: str, row: int) -> Whole:
            image = (np.asarray(stacks[row], np.float32), none) if how == "clean" else \
                corruption.apply(stacks[row], self.plan.seed, _NOISE + numbers[row])
            return seen_whole(form, *image)

        out: dict[str, NDArray[Any]] = {}
        with workers(self.threads) as pool:
            for how in MEASURED:
                out[how], out[f"{how}.odd"] = gathered(list(pool.map(partial(whole, how), range(len(stacks)))))
        return out

    def _read(self, part: str, shard: int, arm: str) -> dict[str, NDArray[Any]]:
        path = self.path(part, shard, arm)
        header, tensors = read_tensors(path, _KIND)
        if header.get("key") != self.key:
            raise FormatError(path, "images of this experiment", "those of another")
        return tensors

    def training(self, arm: str) -> TrainingSet:
        """All of an arm, in memory."""
        study = self.plan.study
        shards = [self._read("training", s, arm) for s in range(len(self.numbers("training")))]
        clean, labels, theta = (np.concatenate([s[name] for s in shards]) for name in ("clean", "labels", "theta"))
        return TrainingSet(clean, labels, theta, tuple(tuple(c.names) for c in study.candidates.values()),
                           tuple(study.candidates), study.layout, study.simulation_digest, self.plan.seed)

    def trained_on(self, arm: str) -> tuple[int, str]:
        """Number and :func:`identity` of all of :meth:`training`, shard by shard."""
        shards = (self._read("training", s, arm) for s in range(len(self.numbers("training"))))
        labels, theta = map(np.concatenate, zip(*((s["labels"], s["theta"]) for s in shards), strict=True))
        return len(labels), identity(labels, theta)

    def test(self, arm: str) -> Iterator[dict[str, NDArray[Any]]]:
        """Shard by shard: labels, theta, and by MEASURED (n, n_slices, m0, m1) as networks see them, and beside each
        "<how>.odd" (n, k)."""
        return (self._read("test", s, arm) for s in range(len(self.numbers("test"))))

    def acceptance(self) -> dict[str, float]:
        """Share of drawn parameter sets that were stable, by candidate."""
        read = [self._read(part, s, self.plan.arms[0]) for part in ("training", "test")
                for s in range(len(self.numbers(part)))]
        labels, attempts = (np.concatenate([r[name] for r in read]) for name in ("labels", "attempts"))
        return {name: float((labels == c).sum() / attempts[labels == c].sum())
                for c, name in enumerate(self.plan.study.candidates)}


def simulators(plan: Plan, threads: int) -> list[list[Simulates]]:
    """By arm and class."""
    return [[ARMS[arm].make(plan.study, name, threads) for name in plan.study.candidates] for arm in plan.arms]


def identity(labels: NDArray[Any], theta: NDArray[Any]) -> str:
    """SHA-256 (hex) of which images they are, whatever the arm."""
    return hashlib.sha256(np.ascontiguousarray(labels, np.int64).tobytes() +
                          np.ascontiguousarray(theta, np.float64).tobytes()).hexdigest()


def check_equal(found: Mapping[str, tuple[int, str]]) -> None:
    """Number and :func:`identity` of images by arm: an arm with more images would win by them.

    Raises
    ------
    InsmlError : they are not the same in all.
    """
    first, *others = found
    for arm in others:
        if found[arm] != found[first]:
            others_of = "" if found[arm][0] != found[first][0] else " of other parameters"
            raise InsmlError(f"resolution experiment: expected the same images in all arms, found {found[first][0]} in "
                             f"{first!r} and {found[arm][0]}{others_of} in {arm!r}")
