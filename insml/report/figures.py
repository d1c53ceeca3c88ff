"""The figures of a report, as matplotlib Figure objects (nothing global, no display).

Maps: viridis for intensity, red-blue around 0 for differences; both keep their order for colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from insml.answer import Answer, ModelFit
from insml.errors import InsmlError
from insml.mosaic import Mosaic
from insml.report.evidence import contrasts, ranking
from insml.report.tiles import DPI, ColourBar, Panel, cut, tile_figure
from insml.report.wording import window

Array = NDArray[np.float64]

#: Colours of the candidates in study order (Okabe and Ito), for all kinds of colour vision.
CANDIDATE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
#: Ends of the colours of (data - fit) / sigma.
SIGMAS = 5.0

_PERCENTILES = (1.0, 99.0)
_INTENSITY = colormaps["viridis"]
#: Transparent to dark orange, over data that are pale enough to let it show.
_SALIENCY = LinearSegmentedColormap.from_list(
    "saliency", [(0.0, (0.95, 0.55, 0.1, 0.0)), (0.35, (0.9, 0.42, 0.0, 0.65)), (1.0, (0.62, 0.16, 0.0, 0.95))])
_PALE = LinearSegmentedColormap.from_list("pale", ["#ffffff", "#7a7a7a"])
_PALE_MASKED = "#cfe2f3"
_SCALE = "Colours of each tile run from its 1st to its 99th percentile"
_GREY = "Grey: no detector."


def figures(answer: Answer) -> Iterator[tuple[str, str, Figure]]:
    """(name, caption, figure) one by one, in reading order; the name is that of a file without its suffix.

    Raises
    ------
    GeometryError : a best fit or saliency map has other slices or bins than the mosaic.
    InsmlError : there are fits, but the mosaic has no variance.
    """
    yield "mosaic", "The measured mosaic.", mosaic_figure(answer)
    for name, fit in answer.fits.items():
        yield f"best_fit_{name}", f"Data and the best fit of '{name}'.", best_fit_figure(answer, fit)
    if answer.fits:
        yield "difference", "What each best fit leaves over, in standard deviations.", difference_figure(answer)
    if answer.classification is not None:
        yield "saliency", f"Where the network found '{answer.classification.winner}'.", saliency_figure(answer)
    if answer.fits or answer.classification is not None:
        yield "slices", "Slice by slice: fits and network.", slices_figure(answer)


def difference(answer: Answer, fit: ModelFit) -> Array:
    """(data - best fit) / sigma in the orientation of the answer's mosaic; NaN where masked."""
    mosaic = answer.mosaic
    if mosaic.variance is None:
        raise InsmlError(f"{mosaic.source or 'mosaic'}: expected a variance for the difference of data and fit, "
                         "found none")
    known = ~mosaic.mask & (mosaic.variance > 0)
    sigma = np.sqrt(np.where(known, mosaic.variance, 1.0))
    return np.where(known, (mosaic.values - best_fit(answer, fit)) / sigma, np.nan)


def best_fit(answer: Answer, fit: ModelFit) -> Array:
    """The best fit as an image in the orientation of the answer's mosaic."""
    return answer.mosaic.layout.assemble(fit.best_fit.stack)


def mosaic_figure(answer: Answer) -> Figure:
    mosaic = answer.mosaic
    panel = Panel(_source(answer), mosaic.values, _limits(mosaic), _INTENSITY)
    return tile_figure(mosaic.layout, mosaic.mask, [panel], _intensity_bar(), answer.study_title,
                       f"{_SCALE}. {_GREY}")


def best_fit_figure(answer: Answer, fit: ModelFit) -> Figure:
    mosaic, limits = answer.mosaic, _limits(answer.mosaic)
    title = f"best fit: {answer.candidate_titles.get(fit.name, fit.name)}, reduced chi2 {fit.reduced_chi2:.2f}"
    panels = [Panel("data", mosaic.values, limits, _INTENSITY), Panel(title, best_fit(answer, fit), limits, _INTENSITY)]
    return tile_figure(mosaic.layout, mosaic.mask, panels, _intensity_bar(), answer.study_title,
                       f"{_SCALE} in the data, the same for both. {_GREY}")


def difference_figure(answer: Answer) -> Figure:
    layout = answer.mosaic.layout
    cmap = colormaps["RdBu_r"]
    limits = [(-SIGMAS, SIGMAS)] * len(layout.slices)
    panels = [Panel(f"data minus {name}, reduced chi2 {fit.reduced_chi2:.2f}", difference(answer, fit), limits, cmap)
              for name, fit in answer.fits.items()]
    bar = ColourBar("(data - best fit) / sigma", cmap, (-SIGMAS, SIGMAS), extend="both")
    return tile_figure(layout, answer.mosaic.mask, panels, bar, answer.study_title,
                       f"Red: more intensity in the data than in the fit. {_GREY}")


def saliency_figure(answer: Answer) -> Figure:
    network, layout = answer.classification, answer.mosaic.layout
    assert network is not None
    saliency = layout.assemble(layout.split(network.saliency))  # refuses another shape
    return overlay_figure(answer.mosaic, saliency, f"what speaks for '{network.winner}' to the network", "saliency",
                          answer.study_title)


def overlay_figure(mosaic: Mosaic, image: Array, title: str, what: str, heading: str) -> Figure:
    """An image >= 0 of the mosaic's shape in orange over the pale data; ``what`` it shows, in a word."""
    top = float(image[~mosaic.mask].max(initial=0.0)) or 1.0
    panel = Panel(title, mosaic.values, _limits(mosaic), _PALE, image, _SALIENCY, (0.0, top), _PALE_MASKED)
    return tile_figure(mosaic.layout, mosaic.mask, [panel], ColourBar(what, _SALIENCY, (0.0, top)), heading,
                       f"Orange: {what}, one scale for all tiles. Grey: the data, darker where stronger. "
                       "Pale blue: no detector.")


def slices_figure(answer: Answer) -> Figure:
    """Bars for each slice: chi2 differences, reduced chi2, saliency. Slices of one Ei stand together."""
    layout, network = answer.mosaic.layout, answer.classification
    x, groups = _bar_positions(answer)
    differences = contrasts(answer)
    count = bool(differences) + bool(answer.fits) + (network is not None)
    few = len(layout.slices) <= 24
    width, top, panel, bottom = 11.0, 0.75 if len(groups) > 1 else 0.6, 1.9, 0.85 if few else 0.65
    height = top + count * panel + (count - 1) * 0.35 + bottom
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    colours = {name: CANDIDATE_COLOURS[i % len(CANDIDATE_COLOURS)] for i, name in enumerate(answer.candidate_titles)}
    all_axes = []
    for i in range(count):
        low = bottom + (count - 1 - i) * (panel + 0.35)
        all_axes.append(figure.add_axes((0.85 / width, low / height, (width - 1.05) / width, panel / height)))
    remaining = iter(all_axes)
    if differences:
        axes, best = next(remaining), ranking(answer)[0]
        bar = 0.8 / len(differences)
        for i, (name, values) in enumerate(differences.items()):
            offset = (i - (len(differences) - 1) / 2) * bar
            axes.bar(x + offset, values, bar, color=[colours[best if v > 0 else name] for v in values])
        axes.axhline(0, color="black", lw=0.7)
        axes.set_ylabel(f"chi2 - chi2({best})")
        _title(axes, "How much each slice prefers one fit to the other")
        _legend(axes, [Patch(color=colours[name], label=f"speaks for {name}") for name in (best, *differences)])
    if answer.fits:
        axes = next(remaining)
        for (name, fit), marker in zip(answer.fits.items(), "os^Dv<>" * len(answer.fits), strict=False):
            pixels = fit.pixels_per_slice.astype(float)
            ratio = np.divide(fit.chi2_per_slice, pixels, out=np.full(pixels.size, np.nan), where=pixels > 0)
            axes.plot(x, ratio, marker, ms=4, color=colours[name], mfc="none", mew=1.2, label=name)
        axes.axhline(1, color="black", lw=0.7, ls=":")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("chi2 / pixel")
        _title(axes, "How well each slice is described (1: within errors)")
        _legend(axes)
    if network is not None:
        axes = next(remaining)
        axes.bar(x, network.slice_saliency, 0.8, color="#7f7f7f")
        axes.set_ylabel("mean saliency")
        _title(axes, f"Where the network found '{network.winner}'")
    labels = [window(s) if few else f"{0.5 * sum(s.energy):.3g}" for s in layout.slices]
    for axes in all_axes:
        axes.set_xlim(x[0] - 0.8, x[-1] + 0.8)
        axes.tick_params(labelsize=8)
        axes.yaxis.label.set_fontsize(9)
        axes.set_xticks(x, labels if axes is all_axes[-1] else [""] * x.size, rotation=60 if few else 90,
                        fontsize=7.5 if few else 6.5, ha="right" if few else "center",
                        rotation_mode="anchor" if few else "default")
        axes.spines[["top", "right"]].set_visible(False)
        for edge in groups[1:]:
            axes.axvline(edge[0] - 0.9, color="#aaaaaa", lw=0.6)
    if len(groups) > 1:
        for start, end, ei in groups:
            all_axes[0].annotate(f"Ei {ei:g} meV", (0.5 * (start + end), 1), xycoords=("data", "axes fraction"),
                                 xytext=(0, 18), textcoords="offset points", ha="center", fontsize=8)
    all_axes[-1].set_xlabel("energy transfer of the slice (meV)" if few else
                            "middle of the slice's energy window (meV)", fontsize=9)
    figure.text(0.85 / width, 1 - 0.22 / height, cut(answer.study_title, width - 1.0, 13), fontsize=12,
                fontweight="bold", va="center")
    return figure


def _bar_positions(answer: Answer) -> tuple[Array, list[tuple[float, float, float]]]:
    """Place of each slice, with a gap where Ei changes, and (first, last, ei) of each such group."""
    x, groups, at = [], list[tuple[float, float, float]](), 0.0
    for s, spec in enumerate(answer.mosaic.layout.slices):
        ei = np.nan if spec.ei is None else spec.ei
        new = not groups or (ei != groups[-1][2] and spec.ei is not None)
        at += 0.0 if s == 0 else 1.8 if new else 1.0
        groups = [*groups, (at, at, ei)] if new else [*groups[:-1], (groups[-1][0], at, ei)]
        x.append(at)
    return np.array(x), groups


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=9, pad=4)


def _legend(axes: Axes, handles: Sequence[Artist] | None = None) -> None:
    axes.legend(handles=handles, fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.97), ncols=4,
                borderpad=0.1, handletextpad=0.4)


def _source(answer: Answer) -> str:
    eis = {s.ei for s in answer.mosaic.layout.slices}
    ei = eis.pop() if len(eis) == 1 else None
    parts = (answer.mosaic.title, answer.mosaic.source, "" if ei is None else f"Ei {ei:g} meV")
    return ", ".join(p for p in parts if p)


def _intensity_bar() -> ColourBar:
    return ColourBar("intensity, percentiles of the tile", _INTENSITY, (0.0, 1.0), {0.0: "1st", 1.0: "99th"})


def _limits(mosaic: Mosaic) -> list[tuple[float, float]]:
    """Robust range of each slice's data."""
    out = []
    for values, mask in zip(mosaic.stack, mosaic.stack_mask, strict=True):
        low, high = np.percentile(values[~mask], _PERCENTILES) if not mask.all() else (0.0, 1.0)
        out.append((float(low), float(high if high > low else low + 1.0)))
    return out
