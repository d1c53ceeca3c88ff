"""An evaluation on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from insml.evaluate import wording
from insml.evaluate.evaluation import Evaluation


def render(evaluation: Evaluation) -> RenderableType:
    """The whole of it."""
    parts: list[RenderableType] = [Text(evaluation.study, "bold"), *map(Text, evaluation.networks)]
    parts.append(_table(wording.quantity_heads(evaluation), [wording.quantity_row(q) for q in evaluation.quantities], 3))
    if evaluation.steps:
        parts += [_table(wording.STEP_HEADS, [wording.step_row(s) for s in evaluation.steps], 2),
                  Text(wording.loudness(evaluation))]
    parts.append(Text(wording.mistaken(evaluation)))
    return Group(*parts, Text(wording.verdict(evaluation), "bold"))


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]], numbers_from: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for i, head in enumerate(heads):
        # names may fold, numbers may not
        table.add_column(head, justify="left" if i < numbers_from else "right", no_wrap=i > 0)
    for row in rows:
        table.add_row(*row)
    return table
