"""Why a network answers as it does: a table on the terminal, pictures and JSON in a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from insml.answer import Account
from insml.errors import InsmlError
from insml.io.atomic import atomic_path
from insml.report.figures import overlay_figure
from insml.report.results import plain
from insml.report.slices import account_rows
from insml.report.tiles import ColourBar, Panel, tile_figure
from insml.report.wording import percent

FORMAT, VERSION = "insml-explanation", 1

_EXTREMES = 99.5  # percentile of |log-likelihood ratio| of a pixel at which colours end


def render_account(account: Account) -> RenderableType:
    """What was explained, and a row for each slice, legible on 80 columns."""
    found, network = account.explanation, account.classification
    heads, rows = account_rows(account)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    known = "in distribution" if network.in_distribution else "OUT OF DISTRIBUTION"
    said = f"{found.winner} {percent(network.probabilities[found.winner])}, {known} (p = {network.ood_p_value:.3g})"
    return Group(Text(said, "bold"), Text(_question(account)), Text(), table)


def _question(account: Account) -> str:
    found = account.explanation
    where = f" at the layer {found.layer!r} ({found.sharing})" if found.layer else ""
    return (f"Explained: log odds {found.log_odds:.3f} of {found.winner!r} against {found.runner_up!r}, by {found.method}"
            f"{where}.")


def write_account(account: Account, out: str | Path) -> tuple[Path, ...]:
    """``explanation.json``, ``explanation.png`` and, with fits, ``likelihood_ratio.png`` in a directory, which is made
    where needed; each file appears complete or not at all.

    Raises
    ------
    InsmlError : ``out`` cannot be a directory.
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InsmlError(f"{out}: expected a directory or a new name for the explanation, found a file") from None
    figures = {"explanation": explanation_figure(account)}
    if account.ratio_map is not None:
        figures["likelihood_ratio"] = ratio_figure(account)
    for name, figure in figures.items():
        with atomic_path(out / f"{name}.png") as aside:
            figure.savefig(aside)
    text = json.dumps(account_results(account), indent=1, allow_nan=False, ensure_ascii=False)
    with atomic_path(out / "explanation.json") as aside:
        aside.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return (out / "explanation.json", *(out / f"{name}.png" for name in figures))


def account_results(account: Account) -> dict[str, Any]:
    """Everything but the maps. Energies in meV; slices in the order of the mosaic."""
    found, ratio = account.explanation, account.ratio
    slices = [{
        "energy": list(spec.energy), "ei": spec.ei, "value": found.slices[s], "share": found.shares[s],
        "drop": account.drops[s], "log_likelihood_ratio": None if ratio is None else ratio[s],
    } for s, spec in enumerate(account.mosaic.layout.slices)]
    whole: dict[str, Any] = plain({
        "format": FORMAT, "version": VERSION, "study": account.study_title, "source": account.mosaic.source,
        "winner": found.winner, "runner_up": found.runner_up, "log_odds": found.log_odds, "method": found.method,
        "layer": found.layer or None, "sharing": found.sharing or None, "network": account.classification.to_dict(),
        "slices": slices,
    })
    return whole


def explanation_figure(account: Account) -> Figure:
    """The mosaic under what speaks for the winner."""
    found, layout = account.explanation, account.mosaic.layout
    title = f"what speaks for '{found.winner}' against '{found.runner_up}': {found.method}"
    title += f" at '{found.layer}'" if found.layer else ""
    return overlay_figure(account.mosaic, layout.assemble(np.maximum(found.maps, 0)), title, found.method,
                          account.study_title)


def ratio_figure(account: Account) -> Figure:
    """The log-likelihood ratio of the two best fits, pixel by pixel."""
    found, mosaic = account.explanation, account.mosaic
    assert account.ratio_map is not None, "only drawn where there are fits"
    image, cmap = mosaic.layout.assemble(account.ratio_map), colormaps["RdBu_r"]
    end = float(np.percentile(np.abs(image[~mosaic.mask]), _EXTREMES)) if not mosaic.mask.all() else 0.0
    limits = (-(end or 1.0), end or 1.0)
    panel = Panel(f"log-likelihood ratio of the best fits, '{found.winner}' to '{found.runner_up}'", image,
                  [limits] * len(mosaic.layout.slices), cmap)
    bar = ColourBar("log-likelihood ratio of a pixel", cmap, limits, extend="both")
    return tile_figure(mosaic.layout, mosaic.mask, [panel], bar, account.study_title,
                       f"Red: speaks for '{found.winner}', blue: for '{found.runner_up}'. Grey: no detector.")
