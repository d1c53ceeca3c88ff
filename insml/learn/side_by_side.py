"""Trainings side by side, in processes of their own.

Two threads of a step wait for each other after each layer, two trainings never do: with a thread each, two networks are
there sooner than one after the other with all threads.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any, NamedTuple

from insml.errors import InsmlError

#: Called with (steps done, steps in all).
Told = Callable[[int, int], None]
#: What one process does; it must survive pickling.
Job = Callable[[Told], None]
_LOOK = 0.5  # seconds between one look at processes and the next


def side_by_side(jobs: Mapping[str, Job], processes: int, progress: Callable[[float], None]) -> None:
    """Do all jobs, so many at once. What runs when one fails, or when this is stopped, ends.

    Parameters
    ----------
    jobs : by name.
    processes : 1 for this process alone. A script that asks for more needs ``if __name__ == "__main__"`` around what it
        does.
    progress : called with how many are done, parts of those that run included.

    Raises
    ------
    InsmlError : no process; what a job raised, with its name in front, or that its process ended before.
    """
    if processes < 1:
        raise InsmlError(f"side by side: processes: expected at least 1, found {processes}")
    if processes == 1:
        for number, job in enumerate(jobs.values()):
            job(lambda done, total, number=number: progress(number + done / max(1, total)))  # type: ignore[misc]
        return
    context = multiprocessing.get_context("spawn")
    heard: Queue[_Said] = context.Queue()
    waiting, running = deque(jobs.items()), dict[str, Any]()
    share = dict.fromkeys(jobs, 0.0)
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                name, job = waiting.popleft()
                running[name] = context.Process(target=_do, args=(name, job, heard), daemon=True)
                running[name].start()
            ended = [name for name, process in running.items() if not process.is_alive()]
            for said in _all(heard):
                if said.failure is not None:
                    raise InsmlError(f"{said.name}: {said.failure}")
                share[said.name] = said.done / max(1, said.total)
                progress(sum(share.values()))
            for name in ended:
                process = running.pop(name)
                if process.exitcode != 0:
                    raise InsmlError(f"{name}: expected a training to the end, found that its process ended with code "
                                     f"{process.exitcode}")
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.join()


class _Said(NamedTuple):
    name: str
    done: int
    total: int
    failure: str | None = None


def _all(heard: Queue[_Said]) -> list[_Said]:
    """What has been said since, waiting a moment for something."""
    found: list[_Said] = []
    try:
        found.append(heard.get(timeout=_LOOK))
        while True:
            found.append(heard.get_nowait())
    except Empty:
        return found


def _do(name: str, job: Job, heard: Queue[_Said]) -> None:
    # who interrupts a command interrupts all its processes; the first one ends the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        job(lambda done, total: heard.put(_Said(name, done, total)))
    except InsmlError as error:
        heard.put(_Said(name, 0, 1, str(error)))


def _end_with_parent() -> None:
    """Who is killed ends nothing, and what it has started must not go on unseen. Checkpoints are whole or not there."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
