"""Tiles of one or more mosaics drawn to scale on a matplotlib figure, the way the images themselves run.

All tiles of a panel share one Axes whose unit is the width of a tile: sixty Axes would take seconds to draw.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from insml.mosaic import MosaicLayout
from insml.report.wording import window

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Limits = Sequence[tuple[float, float]]

#: No detector.
MASKED = "#c8c8c8"
DPI = 130

_LABEL, _TICK, _TITLE = 7.5, 7.0, 10.0  # font sizes, points
_GAP, _LABEL_GAP = 0.08, 0.19  # inches between tiles across and down
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.72, 0.32, 0.50, 0.46  # inches around the tiles of a panel
_HEAD, _FOOT, _LINE, _BAR = 0.46, 0.24, 0.14, 0.80  # inches for heading, caption (margin, line), colour bar


@dataclass(frozen=True, eq=False)
class Panel:
    """One image of the layout's shape; ``limits`` are the colours' ends for each slice.

    ``overlay`` is a second image drawn on top with its own map and limits, transparent where small.
    """

    title: str
    image: Array
    limits: Limits
    cmap: Colormap
    overlay: Array | None = None
    overlay_cmap: Colormap | None = None
    overlay_limits: tuple[float, float] = (0.0, 1.0)
    masked: str = MASKED


@dataclass(frozen=True)
class ColourBar:
    label: str
    cmap: Colormap
    limits: tuple[float, float]
    ticks: dict[float, str] | None = None
    extend: str = "neither"


def tile_figure(layout: MosaicLayout, mask: BoolArray, panels: Sequence[Panel], bar: ColourBar, heading: str,
                caption: str) -> Figure:
    """Panels beside each other, or below each other where a mosaic is wider than high."""
    rows, columns = layout.grid
    aspect = _aspect(layout)
    side_by_side = columns <= 1.3 * rows * aspect
    across, down = (len(panels), 1) if side_by_side else (1, len(panels))
    width = float(np.clip(10.5 / (columns * across), 1.0, 2.4))
    height = width * aspect
    panel_width = _LEFT + columns * width + (columns - 1) * _GAP + _RIGHT
    panel_height = _TOP + rows * height + (rows - 1) * _LABEL_GAP + _BOTTOM
    full_width = across * panel_width + _BAR
    lines = textwrap.wrap(f"{caption} Arrows point to rising values of the axes.",
                          int((full_width - _LEFT) * 72 / (0.58 * _LABEL)))
    full_height = _HEAD + down * panel_height + _FOOT + _LINE * len(lines)
    figure = Figure(figsize=(full_width, full_height), dpi=DPI, facecolor="white")

    for i, panel in enumerate(panels):
        left = (i % across) * panel_width + _LEFT
        bottom = full_height - _HEAD - (i // across + 1) * panel_height + _BOTTOM
        axes = figure.add_axes((left / full_width, bottom / full_height,
                                (panel_width - _LEFT - _RIGHT) / full_width,
                                (panel_height - _TOP - _BOTTOM) / full_height))
        _draw(axes, layout, mask, panel, aspect, _GAP / width, _LABEL_GAP / width)

    bar_height = min(3.0, panel_height - _TOP - _BOTTOM)
    axes = figure.add_axes(((full_width - _BAR + 0.02) / full_width,
                            (full_height - _HEAD - _TOP - bar_height) / full_height,
                            0.13 / full_width, bar_height / full_height))
    drawn = figure.colorbar(ScalarMappable(Normalize(*bar.limits), bar.cmap), cax=axes, extend=bar.extend)
    drawn.set_label(bar.label, fontsize=_LABEL)
    if bar.ticks is not None:
        drawn.set_ticks(list(bar.ticks), labels=list(bar.ticks.values()))
    drawn.ax.tick_params(labelsize=_TICK)

    figure.text(_LEFT / full_width, 1 - 0.28 / full_height, cut(heading, full_width - _LEFT, 13), fontsize=12,
                fontweight="bold", va="center")
    figure.text(_LEFT / full_width, 0.6 * _FOOT / full_height, "\n".join(lines), fontsize=_LABEL, color="#444444",
                va="bottom")
    return figure


def _aspect(layout: MosaicLayout) -> float:
    """Height over width of a drawn tile: true to r.l.u. within reason."""
    spans = {a.label: float((a.edges[-1] - a.edges[0]) * np.linalg.norm(a.vector)) for a in layout.axes}
    down, across = (spans[o[1:]] for o in layout.orientation)
    return float(np.clip(down / across, 0.5, 2.0))


def _draw(axes: Axes, layout: MosaicLayout, mask: BoolArray, panel: Panel, height: float, gap: float,
          label_gap: float) -> None:
    rows, columns = layout.grid
    cmap = panel.cmap.with_extremes(bad=panel.masked)
    ei_of_row = _ei_rows(layout)
    for s, spec in enumerate(layout.slices):
        r, c = divmod(s, columns)
        x, y = c * (1 + gap), r * (height + label_gap)
        extent = (x, x + 1, y + height, y)
        tile = layout.tile(s)
        shown = np.ma.masked_array(panel.image[tile], mask[tile] | ~np.isfinite(panel.image[tile]))
        low, high = panel.limits[s]
        axes.imshow(shown, cmap=cmap, vmin=low, vmax=high, extent=extent, aspect="auto", interpolation="nearest")
        if panel.overlay is not None:
            top = np.ma.masked_array(panel.overlay[tile], mask[tile])
            axes.imshow(top, cmap=panel.overlay_cmap, vmin=panel.overlay_limits[0], vmax=panel.overlay_limits[1],
                        extent=extent, aspect="auto", interpolation="nearest")
        axes.plot([x, x + 1, x + 1, x, x], [y, y, y + height, y + height, y], color="#555555", lw=0.5, clip_on=False)
        if mask[tile].all():
            axes.text(x + 0.5, y + height / 2, "no data", fontsize=_LABEL, ha="center", va="center", color="#555555")
        label = f"{window(spec)} meV"
        if ei_of_row is None and spec.ei is not None:
            label = f"Ei {spec.ei:g}: {label}"
        axes.text(x + 0.5, y - 0.15 * label_gap, label, fontsize=_LABEL, ha="center", va="bottom")
        if c == 0:
            _ticks_down(axes, layout, y, height)
        if s + columns >= len(layout.slices):
            _ticks_across(axes, layout, x, y + height)

    width, bottom = columns + (columns - 1) * gap, rows * height + (rows - 1) * label_gap
    axes.set_xlim(0, width)
    axes.set_ylim(bottom, 0)
    axes.set_axis_off()
    unit = label_gap / _LABEL_GAP  # one inch
    axes.text(width / 2, bottom + 0.33 * unit, _axis_title(layout, 1), fontsize=_LABEL + 1, ha="center", va="center")
    axes.text(-0.52 * unit, bottom / 2, _axis_title(layout, 0), fontsize=_LABEL + 1, ha="center", va="center",
              rotation=90)
    axes.text(0, -0.38 * unit, cut(panel.title, width * unit, _TITLE), fontsize=_TITLE, ha="left", va="center")
    if ei_of_row is not None and len(set(ei_of_row)) > 1:
        for r, ei in enumerate(ei_of_row):
            axes.text(width + 0.14 * unit, r * (height + label_gap) + height / 2, f"Ei {ei:g} meV",
                      fontsize=_LABEL + 0.5, ha="center", va="center", rotation=270)


def cut(text: str, inches: float, points: float) -> str:
    """Text that fits; what is too long loses its middle."""
    room = max(8, int(inches * 72 / (0.6 * points)))
    return text if len(text) <= room else f"{text[: room // 3]} ... {text[len(text) - (room - room // 3 - 5):]}"


def _ei_rows(layout: MosaicLayout) -> list[float] | None:
    """Incident energy of each row of tiles, or None where a row has none or several."""
    out = []
    for r in range(-(-len(layout.slices) // layout.grid[1])):
        eis = {s.ei for s in layout.slices[r * layout.grid[1] : (r + 1) * layout.grid[1]]}
        ei = eis.pop()
        if eis or ei is None:
            return None
        out.append(ei)
    return out


def _positions(layout: MosaicLayout, direction: int) -> list[tuple[float, str]]:
    """Ticks of one image direction: share of the tile from its top or left, and text. Away from the corners."""
    sign, label = layout.orientation[direction][0], layout.orientation[direction][1:]
    edges = next(a for a in layout.axes if a.label == label).edges
    low, high = float(edges[0]), float(edges[-1])
    values: list[float] = []
    for bins in (3, 4, 6):
        values = [float(v) for v in MaxNLocator(bins, steps=[1, 2, 5, 10]).tick_values(low, high)
                  if 0.1 < (v - low) / (high - low) < 0.9]
        if len(values) >= 2:
            break
    shares = np.interp(values, edges, np.arange(edges.size) / (edges.size - 1))
    return [(float(1 - f if sign == "-" else f), f"{v:g}") for f, v in zip(shares, values, strict=True)]


def _ticks_across(axes: Axes, layout: MosaicLayout, x: float, bottom: float) -> None:
    for share, text in _positions(layout, 1):
        axes.annotate(text, (x + share, bottom), xytext=(0, -4), textcoords="offset points", fontsize=_TICK,
                      ha="center", va="top", annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "lw": 0.5, "shrinkA": 0, "shrinkB": 0})


def _ticks_down(axes: Axes, layout: MosaicLayout, y: float, height: float) -> None:
    for share, text in _positions(layout, 0):
        axes.annotate(text, (0, y + share * height), xytext=(-4, 0), textcoords="offset points", fontsize=_TICK,
                      ha="right", va="center", annotation_clip=False,
                      arrowprops={"arrowstyle": "-", "lw": 0.5, "shrinkA": 0, "shrinkB": 0})


def _axis_title(layout: MosaicLayout, direction: int) -> str:
    """Name, direction and an arrow to rising values. Text along the vertical reads upwards."""
    sign, label = layout.orientation[direction][0], layout.orientation[direction][1:]
    axis = next(a for a in layout.axes if a.label == label)
    text = f"{label} along [{', '.join(f'{x:g}' for x in axis.vector)}]  (r.l.u.)"
    forwards = (sign == "+") == (direction == 1)
    return f"{text}  →" if forwards else f"←  {text}"
