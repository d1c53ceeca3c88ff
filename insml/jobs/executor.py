"""What runs the pieces of some work: this process, or jobs that submitit sends to a cluster."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from insml.errors import InsmlError
from insml.jobs.queue import Queue

#: Called with what is done, how many pieces of it, and of how many.
Progress = Callable[[str, int, int], None]

#: Seconds between one look at jobs and the next.
_LOOK = 1.0


class Executor(Protocol):
    """Runs a function on each of some tasks."""

    def map(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], what: str = "running",
            progress: Progress | None = None) -> list[Any]:
        """``[function(*task) for task in tasks]``. ``what``: said to ``progress``.

        Raises
        ------
        InsmlError : what a task raises.
        """


class LocalExecutor:
    """One after the other in this process; each uses all its cores."""

    def map(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], what: str = "running",
            progress: Progress | None = None) -> list[Any]:
        out = []
        for n, task in enumerate(tasks):
            if progress is not None:
                progress(what, n, len(tasks))
            out.append(function(*task))
        if progress is not None:
            progress(what, len(tasks), len(tasks))
        return out


class SubmititExecutor:
    """An array of jobs by submitit (``pip install 'insml[jobs]'``).

    Parameters
    ----------
    folder : where jobs keep what they were asked, what they found and what they said; all machines must see it.
    cluster : "slurm"; "local" for processes of this machine.
    options : submitit's, such as timeout_min, cpus_per_task, mem_gb, slurm_partition, slurm_array_parallelism.

    Raises
    ------
    InsmlError : submitit is not installed, or knows no such cluster or option.
    """

    def __init__(self, folder: str | Path, cluster: str = "slurm", **options: Any) -> None:
        try:
            import submitit
        except ImportError:
            raise InsmlError("jobs: expected submitit, found none; pip install 'insml[jobs]' has it") from None
        self._folder, self._queue = Path(folder), Queue() if cluster == "slurm" else None
        try:
            self._executor = submitit.AutoExecutor(folder=self._folder, cluster=cluster)
            self._executor.update_parameters(**options)
        except (RuntimeError, ValueError, NameError, TypeError, AssertionError) as error:
            raise InsmlError(f"jobs: expected a cluster and options of submitit, found {cluster!r} with {options} "
                             f"({' '.join(str(error).split())})") from None

    def map(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], what: str = "running",
            progress: Progress | None = None) -> list[Any]:
        if not tasks:
            return []
        try:
            jobs = self._executor.map_array(_guarded, [function] * len(tasks), tasks)
        except (OSError, RuntimeError) as error:
            raise InsmlError(f"jobs: expected to submit {len(tasks)}, found: {error}") from None
        waiting, ended = list(jobs), set[str]()
        try:
            while waiting:
                waiting, ended = self._look(waiting, ended)
                if progress is not None:
                    progress(what, len(jobs) - len(waiting), len(jobs))
                if waiting:
                    time.sleep(_LOOK)
        except BaseException:
            # what nobody waits for need not run
            for job in waiting:
                job.cancel(check=False)
            raise
        return [self._result(job, job.job_id in ended) for job in jobs]

    def _look(self, waiting: list[Any], ended: set[str]) -> tuple[list[Any], set[str]]:
        """The jobs that are still to be waited for, and those that have ended without a result."""
        if self._queue is None:
            return [job for job in waiting if not job.done()], ended
        waiting = [job for job in waiting if not job.paths.result_pickle.exists()]
        ended = ended | self._queue.ended(job.job_id for job in waiting)
        return [job for job in waiting if job.job_id not in ended], ended

    def _result(self, job: Any, ended: bool) -> Any:
        if ended and not job.paths.result_pickle.exists():
            said = (job.stderr() or "").strip().splitlines() or ["nothing"]
            raise InsmlError(f"job {job.job_id}: expected a result, found none; the job has ended and said: "
                             f"{said[-1].strip()} (see {job.paths.stderr})")
        died = job.exception()
        if died is not None:
            said = next((line for line in str(died).splitlines() if line.strip()), type(died).__name__)
            raise InsmlError(f"job {job.job_id}: expected a result, found: {said.strip()} (see {job.paths.stderr})")
        value, error = job.result()
        if error is not None:
            raise InsmlError(f"job {job.job_id}: {error} (see {job.paths.stderr})")
        return value


def _guarded(function: Callable[..., Any], task: tuple[Any, ...]) -> tuple[Any, str | None]:
    """What a task gives, or what it raises, in words: not all errors can be sent from one process to another."""
    try:
        return function(*task), None
    except InsmlError as error:
        return None, str(error)
    except Exception as error:
        traceback.print_exc()
        return None, f"{type(error).__name__}: {error}"


def executor_of(name: str, folder: str | Path, **options: Any) -> Executor:
    """"local": this process; "slurm": a cluster; "processes": jobs on this machine.

    Raises
    ------
    InsmlError : another name; as :class:`SubmititExecutor`.
    """
    if name == "local":
        return LocalExecutor()
    if name in ("slurm", "processes"):
        return SubmititExecutor(folder, "slurm" if name == "slurm" else "local", **options)
    raise InsmlError(f"executor: expected local, slurm or processes, found {name!r}")
