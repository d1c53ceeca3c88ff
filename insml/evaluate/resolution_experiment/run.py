"""The whole experiment; what is finished is kept, so that it may be stopped at any time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from insml.evaluate.resolution_experiment.cells import THREADS, Cells
from insml.evaluate.resolution_experiment.images import Images, Progress, check_equal
from insml.evaluate.resolution_experiment.matrices import Result, matrices
from insml.evaluate.resolution_experiment.plan import Cell, Plan
from insml.learn.side_by_side import Told, side_by_side


def run_experiment(plan: Plan, folder: str | Path, *, threads: int = 0, progress: Progress | None = None) -> Result:
    """Simulate, train, test and compare, in ``folder``; stopped and called again it goes on where it was.

    Parameters
    ----------
    threads : 0 for one per core. So many trainings run side by side, in processes of their own: where it is not 1, a script
        needs ``if __name__ == "__main__"`` around what it does. Nothing that comes out depends on it.

    Raises
    ------
    InsmlError : the folder holds another experiment; arms with other images. FormatError : a file that is damaged.
    """
    say = progress or (lambda what, done, total: None)
    images = Images(plan, Path(folder), threads)
    cells = Cells(images)
    images.simulate(say)
    missing = cells.missing()
    if missing:
        check_equal({arm: images.trained_on(arm) for arm in plan.arms})
    jobs = {f"trainings {'-'.join(kind)}": _Trainings(plan, Path(folder), tuple(group))
            for kind, group in groupby(missing, lambda cell: (cell.augmentation, cell.network, cell.method, cell.arm))}
    side_by_side(jobs, images.threads, lambda done: say("trainings", int(1000 * done), 1000 * len(jobs)))
    say("comparing", 0, 0)
    made, descriptions = matrices(cells)
    return Result(plan, images.acceptance(), made, descriptions)


@dataclass(frozen=True)
class _Trainings:
    """What a process of its own does: trainings on one arm's images that differ in their seeds."""

    plan: Plan
    folder: Path
    cells: tuple[Cell, ...]

    def __call__(self, told: Told) -> None:
        images = Images(self.plan, self.folder, THREADS)
        cells, data = Cells(images), images.training(self.cells[0].arm)
        for number, cell in enumerate(self.cells):
            def step(done: int, total: int, message: str, number: int = number) -> None:
                # one more, for its answers
                told(number * (total + 1) + done, len(self.cells) * (total + 1))

            cells.run(cell, data, step)
            told(number + 1, len(self.cells))
