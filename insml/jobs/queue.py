"""Which jobs a Slurm no longer has.

submitit asks sacct, which knows nothing where no accounting is kept: a job that was killed would be waited for for ever.
squeue is there wherever jobs can be sent.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterable

#: Seconds between one question and the next, and after which a job that is still missing has ended: requeued jobs are
#: missing for a moment, and results need some seconds to be seen by other machines.
_ASK, _ENDED = 10.0, 20.0


class Queue:
    """The jobs of this user in squeue."""

    def __init__(self) -> None:
        self._asked = float("-inf")
        self._missing_since: dict[str, float] = {}

    def ended(self, jobs: Iterable[str]) -> set[str]:
        """Those of some jobs ("12", "12_3" in an array) that have left the queue; none where squeue does not answer."""
        waited_for, now = set(jobs), time.monotonic()
        if now - self._asked >= _ASK:
            self._asked = now
            if (queued := _queued()) is None:
                self._missing_since = {}
            else:
                self._missing_since = {job: self._missing_since.get(job, now) for job in waited_for - queued}
        return {job for job, since in self._missing_since.items() if job in waited_for and now - since >= _ENDED}


def _queued() -> set[str] | None:
    try:
        told = subprocess.run(["squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%i"], check=True,
                              capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return set(told.stdout.split())
