"""An evaluation as files: JSON with every number, figures, one HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from insml import _core
from insml.evaluate import wording
from insml.evaluate.evaluation import Evaluation
from insml.evaluate.figures import figures
from insml.evaluate.quantities import Quantity
from insml.io.atomic import atomic_path
from insml.report.markup import document, figure, table

_MISTAKES = 100  # on the page


def write_evaluation(evaluation: Evaluation, folder: str | Path, provenance: Mapping[str, str]) -> tuple[Path, ...]:
    """evaluation.json, evaluation.html and figures in ``folder``; each appears whole or not at all."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    provenance = {"insml": _core.__version__, **provenance}
    pictures, written = [], []
    for name, caption, drawn in figures(evaluation):
        path = out / f"{name}.png"
        with atomic_path(path) as aside:
            drawn.savefig(aside, metadata={"Title": caption})
        pictures.append(figure(name, caption, path.read_bytes()))
        written.append(path)
    found = results(evaluation) | {"provenance": dict(provenance)}
    for path, text in ((out / "evaluation.json", json.dumps(found, indent=1, allow_nan=False) + "\n"),
                       (out / "evaluation.html", _page(evaluation, pictures, provenance))):
        with atomic_path(path) as aside:
            aside.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return tuple(written)


def results(evaluation: Evaluation) -> dict[str, Any]:
    """Every number, as JSON has it."""
    return {
        "study": evaluation.study, "networks": list(evaluation.networks),
        "quantities": [_plain(q) for q in evaluation.quantities],
        "shifts": [{"family": s.letter, "severity": s.severity,
                    "accuracy": None if s.accuracy is None else _plain(s.accuracy), "loud": s.loud,
                    "detection": {name: {"auroc": _plain(d.auroc), "fpr95": _plain(d.fpr95)}
                                  for name, d in s.detection.items()},
                    "variants": [asdict(v) for v in s.variants]} for s in evaluation.steps],
        "mistakes": [asdict(m) for m in evaluation.mistakes],
    }


def _plain(q: Quantity) -> dict[str, Any]:
    return {**asdict(q), "met": q.met}


def _page(evaluation: Evaluation, pictures: list[str], provenance: Mapping[str, str]) -> str:
    missed = any(not q.met for q in wording.targets(evaluation))
    parts = [f"<h1>Networks on trial: {escape(evaluation.study)}</h1>",
             f'<div class="{"verdict none" if missed else "verdict"}">{escape(wording.verdict(evaluation))}</div>',
             *(f'<p class="small">{escape(n)}</p>' for n in evaluation.networks),
             table(wording.quantity_heads(evaluation), map(wording.quantity_row, evaluation.quantities), 4)]
    if evaluation.steps:
        parts += ["<h2>Shifts</h2>", f"<p>{escape(wording.loudness(evaluation))}</p>",
                  table(wording.STEP_HEADS, map(wording.step_row, evaluation.steps), 5)]
        if any(s.variants for s in evaluation.steps):
            parts.append(table(wording.VARIANT_HEADS, wording.variant_rows(evaluation.steps), 4))
    if evaluation.mistakes:
        parts += ["<h2>Mistakes</h2>", f"<p>{escape(wording.mistaken(evaluation))}</p>",
                  table(wording.MISTAKE_HEADS, map(wording.mistake_row, evaluation.mistakes[:_MISTAKES]), 4)]
    parts += ["<h2>Figures</h2>", *pictures, "<h2>Provenance</h2>", table(("", ""), provenance.items(), 0)]
    return document(f"Networks on trial: {evaluation.study}", "\n".join(parts))
