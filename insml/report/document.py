"""A report as files: figures, HTML, JSON and NeXus in one directory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from insml.answer import Answer
from insml.errors import InsmlError
from insml.io.atomic import atomic_path
from insml.io.nexus import write_mosaic
from insml.report.figures import best_fit, difference, figures
from insml.report.html import page
from insml.report.results import results
from insml.study import Study

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ReportFiles:
    """What was written. ``figures`` by name (mosaic, best_fit_<candidate>, difference, saliency, slices)."""

    html: Path
    json: Path
    nexus: Path
    figures: dict[str, Path]

    @property
    def all(self) -> tuple[Path, ...]:
        return (self.html, self.json, self.nexus, *self.figures.values())


def write_report(answer: Answer, out: str | Path, *, console: Console, study: Study | None = None) -> ReportFiles:
    """Write an answer to the directory ``out``, which is made where needed; each file appears complete or not at all.

    Parameters
    ----------
    console : shows what is being done while it is done.
    study : the study the answer is about; adds prior ranges and the meaning of parameters.

    Raises
    ------
    InsmlError : ``out`` cannot be a directory; there are fits, but the mosaic has no variance.
    GeometryError : a best fit or saliency map has other slices or bins than the mosaic.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InsmlError(f"{out}: expected a directory or a new name for the report, found a file") from None
    files = ReportFiles(out / "report.html", out / "report.json", out / "report.nxs", {})
    drawn: dict[str, tuple[str, bytes]] = {}
    with console.status("drawing the figures") as status:
        for name, caption, figure in figures(answer):
            status.update(f"drawing {name}")
            path = out / f"{name}.png"
            with atomic_path(path) as aside:
                figure.savefig(aside, metadata={"Title": caption})
            drawn[name] = (caption, path.read_bytes())
            files.figures[name] = path
        status.update("writing the results")
        found = results(answer, study)
        _write_text(files.json, json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
        write_mosaic(files.nexus, answer.mosaic, auxiliary=_images(answer), results=found)
        _write_text(files.html, page(answer, drawn, study))
    return files


def _images(answer: Answer) -> dict[str, Array]:
    """Images that go beside the data into the NeXus file, where names hold no hyphen."""
    out: dict[str, Array] = {}
    for name, fit in answer.fits.items():
        out[f"best_fit_{name.replace('-', '_')}"] = best_fit(answer, fit)
        out[f"difference_{name.replace('-', '_')}"] = difference(answer, fit)
    if answer.classification is not None:
        out["saliency"] = answer.classification.saliency
    return out


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")
