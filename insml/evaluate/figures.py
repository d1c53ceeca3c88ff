"""The pictures of an evaluation, as matplotlib Figure objects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from insml.evaluate.evaluation import Evaluation, Step
from insml.evaluate.metrics import correct, risk_and_coverage
from insml.evaluate.quantities import Quantity
from insml.evaluate.shifts import FAMILIES, SEVERITIES
from insml.report.tiles import DPI

_ACCURACY, _DETECTION = "#0072B2", "#D55E00"
_BINS = 15


def figures(evaluation: Evaluation) -> Iterator[tuple[str, str, Figure]]:
    """(name, caption, figure), in reading order."""
    if evaluation.steps:
        yield "shifts", ("Accuracy and detection (AUROC of the density score against unshifted images) by severity; bands "
                         "are 95 % intervals. Where accuracy falls, detection should be high."), _shifts(evaluation)
    yield "reliability", ("Images as measured, one line per network: confidence and accuracy in bins of equal numbers of "
                          "images, and the error among the most confident images by their share."), _reliability(evaluation)


def _shifts(evaluation: Evaluation) -> Figure:
    letters = list(dict.fromkeys(s.letter for s in evaluation.steps))
    columns = min(4, len(letters))
    rows = -(-len(letters) // columns)
    figure = Figure(figsize=(3.0 * columns + 0.4, 2.6 * rows + 0.5), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for ax, letter in zip(axes, letters, strict=False):
        steps = [s for s in evaluation.steps if s.letter == letter]
        known = [s for s in steps if s.accuracy is not None]
        if known:
            _band(ax, known, [s.accuracy for s in known if s.accuracy is not None], _ACCURACY, "accuracy", "o")
        _band(ax, steps, [s.detection["density"].auroc for s in steps], _DETECTION, "AUROC", "s")
        ax.axhline(0.95, color="#999999", lw=0.7, ls="--")
        ax.set_title(f"{letter}: {FAMILIES[letter].title}", fontsize=10)
        ax.set_xticks(SEVERITIES)
        ax.set_xlabel("severity", fontsize=9)
        ax.set_ylim(0.3, 1.02)
        ax.tick_params(labelsize=8)
    for ax in axes[len(letters):]:
        ax.set_axis_off()
    axes[0].legend(fontsize=8, loc="lower left", frameon=False)
    return figure


def _band(ax: Axes, steps: list[Step], values: list[Quantity], colour: str, label: str, marker: str) -> None:
    x = [s.severity for s in steps]
    ax.fill_between(x, [q.low for q in values], [q.high for q in values], color=colour, alpha=0.2, lw=0)
    ax.plot(x, [q.value for q in values], color=colour, marker=marker, ms=4, lw=1.3, label=label)


def _reliability(evaluation: Evaluation) -> Figure:
    figure = Figure(figsize=(8.4, 3.6), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0.5, 1], [0.5, 1], color="#999999", lw=0.7, ls="--")
    for answers in evaluation.usual:
        confidence = answers.probability.max(1)
        hit = correct(answers.probability, evaluation.labels)
        parts = [p for p in np.array_split(np.argsort(confidence, kind="stable"), _BINS) if len(p)]
        left.plot([confidence[p].mean() for p in parts], [hit[p].mean() for p in parts], "o-", ms=3, lw=0.9,
                  color=_ACCURACY)
        risk, coverage = risk_and_coverage(hit, 1 - confidence)
        right.plot(coverage, risk, lw=1.0, color=_ACCURACY)
    left.set(xlabel="confidence", ylabel="accuracy")
    right.set(xlabel="share of images, most confident first", ylabel="error", ylim=(0, None))
    return figure
