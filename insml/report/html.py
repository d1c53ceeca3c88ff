"""An answer as one HTML page that needs no other file."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from insml.answer import Answer, ModelFit
from insml.report import markup
from insml.report.evidence import ranking
from insml.report.slices import slice_rows
from insml.report.wording import closeness, familiarity, fit_quality, percent, score, verdict, with_error
from insml.study import Study


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
                     f'<p class="small">Epistemic uncertainty {network.epistemic:.3f}; {score(network)}, '
                     f"p-value {network.ood_p_value:.3g}. {escape(network.network)}</p>")
    parts += [_fit(answer.fits[name], answer.candidate_titles.get(name, name), study) for name in ranking(answer)]
    heads, rows = slice_rows(answer)
    parts += ["<h2>Slice by slice</h2>", markup.table(heads, rows, numbers=3), "<h2>Figures</h2>"]
    for name, (caption, png) in figures.items():
        parts.append(markup.figure(name, caption, png))
    if answer.provenance:
        parts += ["<h2>Provenance</h2>", markup.table(("", ""), ((k, v) for k, v in answer.provenance.items()), numbers=0)]
    return markup.document(answer.study_title, "\n".join(parts))


def _probabilities(answer: Answer) -> str:
    network = answer.classification

    def share(probabilities: dict[str, float] | None, name: str) -> str:
        return "-" if probabilities is None or name not in probabilities else percent(probabilities[name])

    rows = [(name, title, share(network.probabilities if network else None, name),
             f"{network.kernels[name]:.3f}" if network and name in network.kernels else "-",
             share(answer.fit_probabilities, name))
            for name, title in answer.candidate_titles.items()]
    return markup.table(("candidate", "", "network", "kernel", "fit"), rows, numbers=3)


def _fit(fit: ModelFit, title: str, study: Study | None) -> str:
    told = {} if study is None else {p.name: p for p in study.candidates[fit.name].parameters}
    rows = []
    for name, value in fit.parameters.items():
        prior = f"{told[name].prior[0]:g} to {told[name].prior[1]:g}" if told else ""
        meaning = told[name].description if told else ""
        rows.append((name, meaning, "at bound" if name in fit.at_bound else "", prior,
                     with_error(value, fit.errors[name])))
    state = "" if fit.converged else f" Not converged: {escape(fit.message)}."
    return (f"<h2>Fit: {escape(title)}</h2>" + markup.table(("parameter", "", "", "prior range", "meV"), rows, numbers=2)
            + f"<p>Reduced chi2 {fit.reduced_chi2:.3f} ({fit.dof} degrees of freedom): "
              f"{fit_quality(fit.reduced_chi2)}. Log evidence {fit.log_evidence:.1f}.{state} Errors are 1 sigma.</p>")
