"""Ensembles: networks of several seeds, trained one after the other or side by side.

Two threads of a step wait for each other after each layer, two trainings never do: with a thread each, two networks are
there sooner than one after the other with all threads.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.learn.ensemble import Ensemble
from insml.learn.settings import TrainingSettings
from insml.learn.trained import NETWORK, Progress, cache_folder, folder_of, simulated, train_network
from insml.study import Study

BoolArray = NDArray[np.bool_]
_LOOK = 0.5  # seconds between one look at processes and the next


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
        tasks = {number: _Task(study, data, one, coverage, cache, share) for number, one in missing.items()}
        _side_by_side(tasks, members, processes, say)
    trained = []
    for number, one in enumerate(every):
        def told(what: str, done: int, total: int, number: int = number) -> None:
            say(f"{what}, {number + 1} of {members}", done, total)

        trained.append(train_network(study, data=data, settings=one, coverage=coverage, cache=cache, threads=threads,
                                     progress=told))
    return Ensemble(tuple(trained))


class _Task(NamedTuple):
    study: Study
    data: TrainingSet | None
    settings: TrainingSettings
    coverage: BoolArray | None
    cache: Path
    threads: int


class _Said(NamedTuple):
    number: int
    done: int
    total: int
    failure: str | None = None


def _side_by_side(tasks: Mapping[int, _Task], members: int, processes: int, say: Progress) -> None:
    """Train members into the cache. What runs when one fails, or when this is stopped, ends; it goes on next time."""
    context = multiprocessing.get_context("spawn")
    heard: Queue[_Said] = context.Queue()
    waiting, running = deque(tasks.items()), dict[int, Any]()
    share = [float(number not in tasks) for number in range(members)]
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                number, task = waiting.popleft()
                running[number] = context.Process(target=_train, args=(number, task, heard), daemon=True)
                running[number].start()
            ended = [number for number, process in running.items() if not process.is_alive()]
            for said in _all(heard):
                if said.failure is not None:
                    raise InsmlError(f"network {said.number + 1} of {members}: {said.failure}")
                share[said.number] = said.done / max(1, said.total)
                say(f"training {members} networks, {processes} at a time", int(1000 * sum(share)), 1000 * members)
            for number in ended:
                process = running.pop(number)
                if process.exitcode != 0:
                    raise InsmlError(f"network {number + 1} of {members}: expected a training to the end, found "
                                     f"that its process ended with code {process.exitcode}")
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.join()


def _all(heard: Queue[_Said]) -> list[_Said]:
    """What has been said since, waiting a moment for something."""
    found: list[_Said] = []
    try:
        found.append(heard.get(timeout=_LOOK))
        while True:
            found.append(heard.get_nowait())
    except Empty:
        return found


def _train(number: int, task: _Task, heard: Queue[_Said]) -> None:
    # who interrupts a command interrupts all its processes; the first one ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def told(what: str, done: int, total: int) -> None:
        heard.put(_Said(number, done, total))

    try:
        train_network(task.study, data=task.data, settings=task.settings, coverage=task.coverage, cache=task.cache,
                      threads=task.threads, progress=told)
    except InsmlError as error:
        heard.put(_Said(number, 0, 1, str(error)))


def _end_with_parent() -> None:
    """Who is killed ends nothing, and what it has started must not go on unseen. Checkpoints are whole or not there."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
