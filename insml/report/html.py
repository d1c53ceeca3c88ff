"""An answer as one HTML page that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape

from insml.answer import Answer, ModelFit
from insml.report.evidence import ranking
from insml.report.slices import slice_rows
from insml.report.wording import closeness, familiarity, fit_quality, percent, verdict, with_error
from insml.study import Study

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
.verdict, .warnings { border-left: .4rem solid #2a7f3f; background: #f2f8f3; padding: .6rem 1rem }
.verdict.none { border-color: #b58900; background: #fdf8e6 }
.warnings { border-color: #b3261e; background: #fcf0ef; margin-top: 1rem }
.verdict strong { font-size: 1.4rem }
table { border-collapse: collapse; margin: .8rem 0 }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd }
td.number { text-align: right; font-variant-numeric: tabular-nums }
figure { margin: 1.5rem 0 } img { max-width: 100%; height: auto } figcaption, .small { color: #555; font-size: .9rem }
"""


def page(answer: Answer, figures: Mapping[str, tuple[str, bytes]], study: Study | None = None) -> str:
    """The page. ``figures``: caption and PNG bytes by name; they are embedded."""
    network = answer.classification
    parts = [
        f"<h1>{escape(answer.study_title)}</h1>",
        f'<div class="verdict{"" if answer.verdict else " none"}"><strong>{escape(verdict(answer))}</strong><br>'
        f"{escape(answer.reason)}<br><span class=\"small\">{escape(answer.mosaic.source)}</span></div>",
    ]
    if answer.warnings:
        notes = "".join(f"<li>{escape(note)}</li>" for note in answer.warnings)
        parts.append(f'<div class="warnings"><b>Warnings</b><ul>{notes}</ul></div>')
    parts += ["<h2>Probabilities</h2>", _probabilities(answer)]
    if network is not None:
        parts.append(f"<p>{escape(closeness(network))} {escape(familiarity(network))}</p>"
                     f'<p class="small">Epistemic uncertainty {network.epistemic:.3f}; out-of-distribution score '
                     f"{network.ood_score:.4g}, p-value {network.ood_p_value:.3g}. {escape(network.network)}</p>")
    parts += [_fit(answer.fits[name], answer.candidate_titles.get(name, name), study) for name in ranking(answer)]
    heads, rows = slice_rows(answer)
    parts += ["<h2>Slice by slice</h2>", _table(heads, rows, numbers=3), "<h2>Figures</h2>"]
    for name, (caption, png) in figures.items():
        data = base64.b64encode(png).decode("ascii")
        parts.append(f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
                     f"<figcaption>{escape(caption)} ({escape(name)}.png)</figcaption></figure>")
    if answer.provenance:
        parts += ["<h2>Provenance</h2>", _table(("", ""), ((k, v) for k, v in answer.provenance.items()), numbers=0)]
    body = "\n".join(parts)
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(answer.study_title)}</title>'
            f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n")


def _probabilities(answer: Answer) -> str:
    network = answer.classification

    def share(probabilities: dict[str, float] | None, name: str) -> str:
        return "-" if probabilities is None or name not in probabilities else percent(probabilities[name])

    rows = [(name, title, share(network.probabilities if network else None, name),
             f"{network.kernels[name]:.3f}" if network and name in network.kernels else "-",
             share(answer.fit_probabilities, name))
            for name, title in answer.candidate_titles.items()]
    return _table(("candidate", "", "network", "kernel", "fit"), rows, numbers=3)


def _fit(fit: ModelFit, title: str, study: Study | None) -> str:
    told = {} if study is None else {p.name: p for p in study.candidates[fit.name].parameters}
    rows = []
    for name, value in fit.parameters.items():
        prior = f"{told[name].prior[0]:g} to {told[name].prior[1]:g}" if told else ""
        meaning = told[name].description if told else ""
        rows.append((name, meaning, "at bound" if name in fit.at_bound else "", prior,
                     with_error(value, fit.errors[name])))
    state = "" if fit.converged else f" Not converged: {escape(fit.message)}."
    return (f"<h2>Fit: {escape(title)}</h2>" + _table(("parameter", "", "", "prior range", "meV"), rows, numbers=2)
            + f"<p>Reduced chi2 {fit.reduced_chi2:.3f} ({fit.dof} degrees of freedom): "
              f"{fit_quality(fit.reduced_chi2)}. Log evidence {fit.log_evidence:.1f}.{state} Errors are 1 sigma.</p>")


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]], numbers: int) -> str:
    """``numbers``: so many last columns are numbers."""
    first = len(heads) - numbers
    lines = ["<table>"]
    if any(heads):
        lines.append("<tr>" + "".join(f"<th>{escape(h)}</th>" for h in heads) + "</tr>")
    for row in rows:
        cells = (f'<td class="number">{escape(c)}</td>' if i >= first else f"<td>{escape(c)}</td>"
                 for i, c in enumerate(row))
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "".join([*lines, "</table>"])
