"""A resolution experiment as files: JSON, one HTML page that needs no other file, and figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from insml.evaluate.resolution_experiment.arms import ARMS
from insml.evaluate.resolution_experiment.figures import matrix_figure, shown
from insml.evaluate.resolution_experiment.matrices import METRICS, Difference, Entry, Matrix, Result
from insml.io.atomic import atomic_path
from insml.report.markup import document, figure, table
from insml.report.wording import percent

_NAME = "resolution_experiment"


def write_result(result: Result, folder: str | Path) -> tuple[Path, ...]:
    """``resolution_experiment.json`` and ``.html``, and a figure for each matrix."""
    out = Path(folder)
    files = [out / f"{_NAME}.json", out / f"{_NAME}.html"]
    with atomic_path(files[0]) as aside:
        aside.write_text(json.dumps(result.to_dict(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    parts = list(_introduction(result))
    for matrix in result.matrices:
        name = re.sub(r"[^\w.=-]+", "_", f"matrix-{matrix.title}")
        with atomic_path(out / f"{name}.png") as aside:
            matrix_figure(matrix).savefig(aside, metadata={"Title": matrix.title})
        files.append(out / f"{name}.png")
        parts += [f"<h2>{escape(matrix.title)}</h2>", figure(name, matrix.title, files[-1].read_bytes()),
                  f"<details><summary>Number by number</summary>{_numbers(matrix)}</details>"]
    with atomic_path(files[1]) as aside:
        aside.write_text(document(f"Resolution experiment: {result.plan.study.title}", "\n".join(parts)), encoding="utf-8")
    return tuple(files)


def _introduction(result: Result) -> Iterator[str]:
    plan, images = result.plan, result.images
    yield f"<h1>Resolution experiment: {escape(plan.study.title)}</h1>"
    yield (f"<p>Networks were trained on {images['training']} images of each arm ({images['training, to learn from']} to "
           f"learn from, {images['training, to watch']} to watch, {images['training, to calibrate']} to calibrate with) "
           f"and tested on {images['test']} others, {plan.seeds} training seeds each. Parameters, pixels and noise are the "
           "same in all arms.</p>")
    yield table(("arm", ""), [(name, ARMS[name].title) for name in plan.arms], numbers=0)
    stable = ", ".join(f"{name} {percent(share)}" for name, share in result.acceptance.items())
    yield (f"<p>Parameters are uniform draws from the priors where the magnetic structure is stable: {escape(stable)}. "
           "Probabilities are calibrated at the temperature that suits held-out images of the training's own arm.</p>")


def _numbers(matrix: Matrix) -> str:
    heads = ("trained on", "tested on", *(title for title, _ in METRICS.values()), "accuracy from own images",
             "accuracy from own networks", "ensemble accuracy")
    return table(heads, map(_row, matrix.entries.values()), numbers=len(heads) - 2)


def _row(entry: Entry) -> tuple[str, ...]:
    numbers = []
    for metric, number in entry.numbers.items():
        factor = 100 if METRICS[metric][1] else 1
        numbers.append(f"{shown(metric, number)[0]} ({factor * number.low:.3g} to {factor * number.high:.3g})")
    return (entry.train, entry.test, *numbers, _difference(entry.from_own_images.get("accuracy")),
            _difference(entry.from_own_networks.get("accuracy")),
            f"{100 * entry.ensemble['accuracy']:.1f}" if entry.ensemble else "-")


def _difference(found: Difference | None) -> str:
    return "-" if found is None else f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
