"""The whole experiment; what is finished is kept, so that it may be stopped at any time."""

from __future__ import annotations

from pathlib import Path

from insml.evaluate.resolution_experiment.cells import Cells
from insml.evaluate.resolution_experiment.images import Images, Progress, check_equal, identity
from insml.evaluate.resolution_experiment.matrices import Result, matrices
from insml.evaluate.resolution_experiment.plan import Plan


def run_experiment(plan: Plan, folder: str | Path, *, threads: int = 0, progress: Progress | None = None) -> Result:
    """Simulate, train, test and compare, in ``folder``; stopped and called again it goes on where it was.

    Parameters
    ----------
    threads : 0 for one per core. Images do not depend on it; trainings do in their last bits.

    Raises
    ------
    InsmlError : the folder holds another experiment; arms with other images. FormatError : a file that is damaged.
    """
    say = progress or (lambda what, done, total: None)
    images = Images(plan, Path(folder), threads)
    cells = Cells(images, threads)
    images.simulate(say)
    missing = cells.missing()
    total, done = len(plan.cells()), len(plan.cells()) - len(missing)
    seen: dict[str, tuple[int, str]] = {}
    for arm in plan.arms:
        own = [cell for cell in missing if cell.arm == arm]
        if not own:
            continue
        data = images.training(arm)
        seen[arm] = len(data), identity(data.labels, data.theta)
        check_equal(seen)
        for cell in own:
            say("trainings", done, total)
            cells.run(cell, data, lambda step, steps, message: say("steps of this training", step, steps))
            done += 1
    say("trainings", total, total)
    say("comparing", 0, 0)
    made, descriptions = matrices(cells)
    return Result(plan, cells.threads, images.acceptance(), made, descriptions)
