"""Jobs that a Slurm without accounting has lost are not waited for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from insml import InsmlError
from insml.jobs import executor_of
from insml.jobs import queue as module
from insml.jobs.queue import Queue


@pytest.fixture
def squeue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a squeue that stands first on the path says; it fails where there is no such file."""
    told, folder = tmp_path / "told", tmp_path / "bin"
    folder.mkdir()
    for name in ("squeue", "srun"):  # submitit looks for the latter
        (folder / name).write_text(f"#!/bin/sh\ncat {told}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(module, "_ASK", 0.0)
    return told


def test_what_has_left_the_queue_for_a_while_has_ended(squeue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    queue, jobs = Queue(), ["7_0", "7_1", "7_2"]

    def after(seconds: float, text: str | None) -> set[str]:
        now[0] += seconds
        squeue.unlink(missing_ok=True)
        if text is not None:
            squeue.write_text(text)
        return queue.ended(jobs)

    assert after(0, "7_0\n7_1\n") == set()
    assert after(15, "7_0\n7_2\n") == set()       # the last is back, another is missing
    assert after(15, "7_0\n7_2\n") == set()
    assert after(15, "7_0\n7_2\n8_1\n") == {"7_1"}
    assert after(100, None) == set()              # nobody knows
    assert after(1, "") == set()
    assert after(20, "") == set(jobs)
    assert queue.ended(["7_2"]) == {"7_2"}


@dataclass
class Job:
    """As submitit's, as far as it is asked."""

    job_id: str
    paths: Any
    said: str = ""
    cancelled: list[str] = field(default_factory=list)

    def stderr(self) -> str:
        return self.said

    def exception(self) -> None:
        return None

    def result(self) -> tuple[int, None]:
        return 3, None

    def cancel(self, check: bool = True) -> None:
        assert not check
        self.cancelled.append(self.job_id)


def test_a_job_that_was_killed_is_named(squeue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setattr(module, "_ENDED", 0.0)
    monkeypatch.setattr("insml.jobs.executor._LOOK", 0.0)
    squeue.write_text("5_1\n")
    executor: Any = executor_of("slurm", tmp_path / "logs")
    done, there, gone = (Job(f"5_{n}", SimpleNamespace(result_pickle=tmp_path / f"{n}.pkl", stderr=f"{n}.err"))
                         for n in range(3))
    done.paths.result_pickle.touch()
    gone.said = "starting\nslurmstepd: error: *** JOB 5 CANCELLED\n"
    monkeypatch.setattr(executor._executor, "map_array", lambda *a: [done, there, gone])

    def progress(what: str, finished: int, total: int) -> None:
        if finished == 2:
            there.paths.result_pickle.touch()

    with pytest.raises(InsmlError, match=r"job 5_2: expected a result, found none; .* CANCELLED \(see 2.err"):
        executor.map(int, [(1,)] * 3, progress=progress)
    gone.paths.result_pickle.touch()
    assert executor.map(int, [(1,)] * 3) == [3, 3, 3]

    def stopped(what: str, finished: int, total: int) -> None:
        raise KeyboardInterrupt

    there.paths.result_pickle.unlink()
    with pytest.raises(KeyboardInterrupt):
        executor.map(int, [(1,)] * 3, progress=stopped)
    assert (done.cancelled, there.cancelled, gone.cancelled) == ([], ["5_1"], [])
