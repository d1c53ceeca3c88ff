"""An answer for the terminal: legible on 80 columns, and without colour."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from insml.answer import Answer, Classification
from insml.report.evidence import decisive_by_chi2, decisive_by_saliency, ranking
from insml.report.slices import slice_rows
from insml.report.wording import closeness, familiarity, fit_quality, percent, score, verdict, with_error
from insml.study import Study

#: How many of the slices that decided are listed.
TOP_SLICES = 5

_VALUE = "value ± 1 sigma (meV)"


def render(answer: Answer, study: Study | None = None) -> RenderableType:
    """The whole report as one rich renderable. ``study`` adds the prior ranges of the parameters."""
    parts: list[RenderableType] = [_verdict(answer)]
    if answer.warnings:
        parts.append(_warnings(answer.warnings))
    parts += [_heading("Probabilities"), _probabilities(answer)]
    if answer.classification is not None:
        parts += [_heading("How far to trust the network"), *_trust(answer.classification)]
    for name in ranking(answer):
        parts += [_heading(f"Fit of {name}"), *_fit(answer, name, study)]
    if decisive_by_chi2(answer, 1) or decisive_by_saliency(answer, 1):
        parts += [_heading("Slices that decided"), *_slices(answer)]
    return Group(*parts)


def _heading(text: str) -> RenderableType:
    return Group(Text(""), Rule(Text(text, "bold"), align="left", style="dim"))


def _verdict(answer: Answer) -> RenderableType:
    colour = "yellow" if answer.verdict is None else "green"
    body = Text.assemble((verdict(answer), f"bold {colour}"), f"\n{answer.reason}")
    source = answer.mosaic.source or answer.mosaic.title
    if source:
        body.append(f"\n{source}", "dim")
    return Panel(body, title=Text(answer.study_title), title_align="left", border_style=colour)


def _warnings(notes: tuple[str, ...]) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for note in notes:
        table.add_row(Text("!", "bold red"), Text(note))
    return Panel(table, title="Warnings", title_align="left", border_style="red")


def _table(*columns: str, numbers_from: int = 1) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i >= numbers_from else "left")
    return table


def _probabilities(answer: Answer) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("candidate")
    for witness in ("network", "fit"):
        table.add_column(witness, justify="right")
        table.add_column("", width=14)
    network = None if answer.classification is None else answer.classification.probabilities
    for name in answer.candidate_titles:
        table.add_row(Text(name), *_share(network, name), *_share(answer.fit_probabilities, name))
    return table


def _share(probabilities: dict[str, float] | None, name: str) -> tuple[RenderableType, RenderableType]:
    if probabilities is None or name not in probabilities:
        return Text("-"), Text("")
    return Text(percent(probabilities[name])), ProgressBar(total=1.0, completed=probabilities[name], width=14,
                                                           complete_style="cyan", finished_style="cyan")


def _trust(network: Classification) -> list[RenderableType]:
    table = _table("kernel of", *network.kernels)
    table.add_row("(1 typical, 0 unlike any)", *(f"{k:.3f}" for k in network.kernels.values()))
    known = "green" if network.in_distribution else "bold red"
    return [
        table,
        Text(closeness(network)),
        Text(familiarity(network), known),
        Text(f"epistemic uncertainty {network.epistemic:.3f}; {score(network)}, "
             f"p-value {network.ood_p_value:.3g}, limit {network.ood_threshold:g}", "dim"),
        Text(f"network: {network.network}", "dim"),
    ]


def _fit(answer: Answer, name: str, study: Study | None) -> list[RenderableType]:
    fit = answer.fits[name]
    told = {} if study is None else {p.name: p for p in study.candidates[name].parameters}
    columns = ("parameter", _VALUE, "prior range", "") if told else ("parameter", _VALUE, "")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in (_VALUE, "prior range") else "left", no_wrap=column != "")
    for parameter, value in fit.parameters.items():
        flag = Text("at bound" if parameter in fit.at_bound else "", "bold red")
        row: list[RenderableType] = [Text(parameter), Text(with_error(value, fit.errors[parameter]))]
        if told:
            low, high = told[parameter].prior
            row.append(Text(f"{low:g} to {high:g}"))
            if told[parameter].description:
                flag = Text.assemble(flag, ", " if flag else "", (told[parameter].description, "dim"))
        table.add_row(*row, flag)
    state = "converged" if fit.converged else f"not converged: {fit.message}"
    return [
        table,
        Text(f"reduced chi2 {fit.reduced_chi2:.3f}: {fit_quality(fit.reduced_chi2)}"),
        Text(f"chi2 {fit.chi2:.1f}, {fit.dof} degrees of freedom, log evidence {fit.log_evidence:.1f}, {state}", "dim"),
    ]


def _slices(answer: Answer) -> list[RenderableType]:
    """The slices that decided for the fits or for the network, side by side."""
    chosen = {*decisive_by_chi2(answer, TOP_SLICES), *decisive_by_saliency(answer, TOP_SLICES)}
    heads, rows = slice_rows(answer)
    by_fit = decisive_by_chi2(answer, len(rows)) or decisive_by_saliency(answer, len(rows))
    table = _table(*heads)
    for s in sorted(chosen, key=lambda s: by_fit.index(s) if s in by_fit else len(rows)):
        table.add_row(*map(Text, rows[s]))
    return [table]
