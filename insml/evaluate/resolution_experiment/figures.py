"""Matrices as heat maps with their numbers."""

from __future__ import annotations

from textwrap import fill

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from insml.evaluate.resolution_experiment.matrices import METRICS, Matrix, Number
from insml.report.tiles import DPI

_CELL, _GAP, _LEFT, _TOP, _BOTTOM, _COLUMNS = 0.62, 0.6, 1.1, 0.3, 1.0, 3
#: Colours, and from where to where they run; None for the largest value. Bright is good where there is good and bad.
_COLOURS: dict[str, tuple[str, float, float | None]] = {
    "accuracy": ("viridis", 0.5, 1.0), "ece": ("viridis_r", 0.0, 0.5), "confidently_wrong": ("viridis_r", 0.0, 0.5),
    "in_distribution": ("Blues", 0.0, 1.0), "margin": ("Blues", 0.0, None), "epistemic": ("Blues", 0.0, 1.0)}


def matrix_figure(matrix: Matrix) -> Figure:
    """A heat map for each metric, trained on down, tested on across."""
    side = _CELL * len(matrix.arms)
    rows = -(-len(METRICS) // _COLUMNS)
    width, height = _LEFT + _COLUMNS * (side + _GAP), _TOP + rows * (side + _GAP) + _BOTTOM
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    for n, metric in enumerate(METRICS):
        row, column = divmod(n, _COLUMNS)
        low = _BOTTOM + (rows - 1 - row) * (side + _GAP)
        axes = figure.add_axes(((_LEFT + column * (side + _GAP)) / width, low / height, side / width, side / height))
        _heat_map(axes, matrix, metric)
        title, share = METRICS[metric]
        axes.set_title(fill(title + ", %" * share, max(17, int(13 * side))), fontsize=9)
        _labels(axes, matrix, first=column == 0, last=row == rows - 1)
    figure.text(0.1 / width, 1 - 0.2 / height, matrix.title, fontsize=11, fontweight="bold", va="center")
    figure.text(0.1 / width, 0.15 / height, "Mean over seeds, below it their range; outlined: resolution of the training.",
                fontsize=8, va="center")
    return figure


def shown(metric: str, number: Number) -> tuple[str, str]:
    """Mean and range, of shares in per cent."""
    _, share = METRICS[metric]

    def text(value: float) -> str:
        return f"{100 * value:.1f}" if share else f"{value:.3f}" if value < 1 else f"{value:.3g}"

    return text(number.value), f"{text(min(number.each))} to {text(max(number.each))}" if len(number.each) > 1 else ""


def _heat_map(axes: Axes, matrix: Matrix, metric: str) -> None:
    name, low, high = _COLOURS[metric]
    values = matrix.values(metric)
    scale = Normalize(low, float(values.max()) or 1.0 if high is None else high, clip=True)
    colours = colormaps[name](scale(values))
    axes.imshow(colours, interpolation="nearest")
    luminance = colours[..., :3] @ (0.299, 0.587, 0.114)
    for (i, j), light in np.ndenumerate(luminance):
        mean, spread = shown(metric, matrix.entries[matrix.arms[i], matrix.arms[j]].numbers[metric])
        colour = "black" if light > 0.55 else "white"
        axes.text(j, i - (0.12 if spread else 0), mean, ha="center", va="center", fontsize=8, color=colour)
        axes.text(j, i + 0.26, spread, ha="center", va="center", fontsize=4.8, color=colour)
        if i == j:
            axes.add_patch(Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, fill=False, edgecolor=colour, lw=1.0))


def _labels(axes: Axes, matrix: Matrix, *, first: bool, last: bool) -> None:
    at = range(len(matrix.arms))
    axes.set_xticks(at, matrix.arms if last else [""] * len(at), rotation=45, ha="right", rotation_mode="anchor",
                    fontsize=8)
    axes.set_yticks(at, matrix.arms if first else [""] * len(at), fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if first:
        axes.set_ylabel("trained on", fontsize=8)
    if last:
        axes.set_xlabel("tested on", fontsize=8)
