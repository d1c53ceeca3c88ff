"""What a resolution experiment costs and what came out, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from insml.evaluate.resolution_experiment.cost import Cost
from insml.evaluate.resolution_experiment.figures import shown
from insml.evaluate.resolution_experiment.matrices import Matrix, Result
from insml.evaluate.resolution_experiment.plan import Plan
from insml.report.wording import percent


def render(result: Result) -> RenderableType:
    """A table for each matrix: accuracy, its range, how many answers are wrong with confidence."""
    images = result.images
    stable = ", ".join(f"{name} {percent(share)}" for name, share in result.acceptance.items())
    return Group(
        Text(f"{images['training']} training images ({images['training, to learn from']} to learn from) and "
             f"{images['test']} test images in each arm, {result.plan.seeds} training seeds; stable draws: {stable}"),
        Text("trained on (down), tested on (across): accuracy in %, the range of the seeds, and the share in % that is "
             "wrong with p > 0.95"),
        *(part for m in result.matrices for part in (Text(f"\n{m.title}", "bold"), _table(m))))


def render_cost(cost: Cost, plan: Plan) -> RenderableType:
    """What is left to do, and how long it will take."""
    return Group(*_lines(cost, plan))


def _lines(cost: Cost, plan: Plan) -> Iterator[Text]:
    if cost.images_left:
        each = ", ".join(f"{arm} {one.processor:.2g} s" for arm, one in cost.image.items())
        yield Text(f"{cost.images_left} images to simulate in each of {len(plan.arms)} arms ({each}): "
                   f"{_time(cost.simulating.processor)} of processor time")
    for key, one in cost.training.items():
        augmentation, network, method = key
        yield Text(f"{cost.cells_left[key]} trainings of {network} with {method}, augmentation {augmentation}: "
                   f"{_time(one.processor)} of processor time each")
    yield Text(f"{sum(cost.cells_left.values())} of {len(plan.cells())} trainings left")
    total = cost.simulating + cost.trainings
    yield Text(f"in all about {_time(total.processor)} of processor time, {_time(total.clock)} if this machine stays as "
               "busy as it is now", "bold")


def _time(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _table(matrix: Matrix) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 0), pad_edge=False, show_edge=False)
    table.add_column("trained on")
    for arm in matrix.arms:
        table.add_column(arm, justify="right")
    for a in matrix.arms:
        cells = []
        for b in matrix.arms:
            numbers = matrix.entries[a, b].numbers
            mean, spread = shown("accuracy", numbers["accuracy"])
            spread = spread.replace(" to ", "-")  # six arms on 80 columns
            wrong, _ = shown("confidently_wrong", numbers["confidently_wrong"])
            cells.append(Text(f"{mean}\n{spread}\n{wrong}" if spread else f"{mean}\n{wrong}", "bold" if a == b else ""))
        table.add_row(a, *cells)
    return table
