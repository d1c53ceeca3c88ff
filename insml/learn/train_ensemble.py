"""Ensembles: networks of several seeds, trained one after the other or side by side."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.learn.ensemble import Ensemble
from insml.learn.settings import TrainingSettings
from insml.learn.side_by_side import Told, side_by_side
from insml.learn.trained import NETWORK, Progress, cache_folder, folder_of, simulated, train_network
from insml.study import Study

BoolArray = NDArray[np.bool_]


def train_ensemble(
    study: Study,
    members: int,
    *,
    data: TrainingSet | None = None,
    settings: TrainingSettings | None = None,
    coverage: BoolArray | None = None,
    cache: Path | None = None,
    threads: int = 0,
    processes: int = 1,
    progress: Progress | None = None,
) -> Ensemble:
    """So many of :func:`insml.learn.trained.train_network`, with the seed of the settings and those after it.

    Each member is kept, and goes on after an interruption, as a network by itself. Seeds also divide the images anew, so
    members differ in what they were trained on as well.

    Parameters
    ----------
    processes : members that are trained at once, in processes of their own that share ``threads``; each holds the images. A
        script that asks for more than one needs ``if __name__ == "__main__"`` around what it does.

    Raises
    ------
    InsmlError : fewer than two members, or no process. Others as :func:`insml.learn.trained.train_network`.
    """
    for what, least, found in (("networks", 2, members), ("processes", 1, processes)):
        if found < least:
            raise InsmlError(f"ensemble: {what}: expected at least {least}, found {found}")
    say = progress or (lambda what, done, total: None)
    first = settings or TrainingSettings(epochs=study.training.epochs, seed=study.training.seed)
    every = [replace(first, seed=first.seed + number) for number in range(members)]
    if processes > 1:
        cache = cache or cache_folder()
        missing = {number: one for number, one in enumerate(every)
                   if not (folder_of(study, one, data, coverage, cache) / NETWORK).exists()}
        if missing and data is None:
            simulated(study, cache / "images", threads, say)
        # of all members, those that are there, too: another number of threads makes another network
        share = max(1, (threads or os.cpu_count() or 1) // min(processes, members))
        jobs = {f"network {number + 1} of {members}": _Member(study, data, one, coverage, cache, share)
                for number, one in missing.items()}
        side_by_side(jobs, processes, lambda done: say(f"training {members} networks, {processes} at a time",
                                                       int(1000 * (members - len(jobs) + done)), 1000 * members))
    trained = []
    for number, one in enumerate(every):
        def told(what: str, done: int, total: int, number: int = number) -> None:
            say(f"{what}, {number + 1} of {members}", done, total)

        trained.append(train_network(study, data=data, settings=one, coverage=coverage, cache=cache, threads=threads,
                                     progress=told))
    return Ensemble(tuple(trained))


@dataclass(frozen=True)
class _Member:
    """What a process of its own does: train one into the cache."""

    study: Study
    data: TrainingSet | None
    settings: TrainingSettings
    coverage: BoolArray | None
    cache: Path
    threads: int

    def __call__(self, told: Told) -> None:
        train_network(self.study, data=self.data, settings=self.settings, coverage=self.coverage, cache=self.cache,
                      threads=self.threads, progress=lambda what, done, total: told(done, total))
