"""Plots with Horace's habits: markers, errors and lines on one axis, colours on two; limits and styles afterwards.

A new plot clears the figure of its kind, or opens one where that was kept (:func:`keep_figure`). Each function gives the
figure and its axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError
from insml.sqw import Dnd, Sqw
from insml.sqw.labels import axis_label, caption

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

_KEPT: set[int] = set()
_STYLE: dict[str, Any] = {"color": "black", "marker": "o", "markersize": 5.0, "linestyle": "-", "linewidth": 1.0}


def plot(w: Any, **style: Any) -> tuple[Figure, Axes]:
    """Markers with errors joined by a line on one axis, :func:`da` on two; ``style`` goes to matplotlib.

    Raises
    ------
    GeometryError : data with another number of plotted axes; :func:`insml.horace.section` and cuts have fewer.
    """
    return (da if _dimensions(w) == 2 else dd)(w, **style)


def plotover(w: Any, **style: Any) -> tuple[Figure, Axes]:
    """:func:`plot` into the current figure."""
    return (pa if _dimensions(w) == 2 else pd)(w, **style)


def _one(what: str, over: bool) -> Callable[..., tuple[Figure, Axes]]:
    def draw(w: Any, **style: Any) -> tuple[Figure, Axes]:
        return _drawn(w, what, over, style)

    draw.__doc__ = f"{'Overplot' if over else 'Plot'} the {what} of data on one axis, or of a list of them."
    return draw


dd, dp, dm, dl, de, dh = (_one(x, False) for x in ("data", "points", "markers", "line", "errors", "histogram"))
pd, pp, pm, pl, pe, ph = (_one(x, True) for x in ("data", "points", "markers", "line", "errors", "histogram"))
#: Over whatever the current figure shows, such as a dispersion on a map.
pdoc, ppoc, pmoc, ploc, peoc, phoc = pd, pp, pm, pl, pe, ph


def _drawn(w: Any, what: str, over: bool, style: dict[str, Any]) -> tuple[Figure, Axes]:
    if _dimensions(w) != 1:
        raise GeometryError(f"plot: expected data on one axis, found {_dimensions(w)}")
    figure, ax = current_figure() if over else fresh_figure("Horace 1D plot")
    each = w if isinstance(w, (list, tuple)) else [w]
    for one in each:
        image = one.image
        there = image.npix > 0
        x, y, error = image.centres[0][there], image.signal[there], np.sqrt(image.variance[there])
        chosen = {**_STYLE, **style}
        if what == "histogram":
            full = np.where(image.npix > 0, image.signal, np.nan)
            ax.stairs(full, image.edges[0], color=chosen["color"], linewidth=chosen["linewidth"])
            continue
        if what not in ("data", "line"):
            chosen["linestyle"] = "none"
        if what in ("line", "errors"):
            chosen["marker"] = "none"
        if what in ("data", "points", "errors"):
            ax.errorbar(x, y, error, capsize=0, **chosen)
        else:
            ax.plot(x, y, **chosen)
    if not over:
        image = each[0].image
        ax.set_xlabel(axis_label(image, image.axes.plotted[0]))
        ax.set_ylabel("Intensity")
        ax.set_title(caption(image), fontsize="small")
    return figure, ax


def da(w: Any, **style: Any) -> tuple[Figure, Axes]:
    """Colours of data on two axes; bins without pixels stay blank. ``style`` goes to matplotlib's pcolormesh."""
    figure, ax = fresh_figure("Horace area plot")
    _area(w.image, figure, ax, style, bar=True)
    return figure, ax


def pa(w: Any, **style: Any) -> tuple[Figure, Axes]:
    """:func:`da` into the current figure."""
    figure, ax = current_figure()
    _area(w.image, figure, ax, style, bar=False)
    return figure, ax


def _area(image: Dnd, figure: Figure, ax: Axes, style: dict[str, Any], bar: bool) -> None:
    if image.ndim != 2:
        raise GeometryError(f"plot: expected data on two axes, found {image.ndim}")
    values = np.ma.masked_where((image.npix == 0) | ~np.isfinite(image.signal), image.signal)
    first, second = image.axes.order
    if first == 1:
        values = values.T
    mesh = ax.pcolormesh(image.edges[first], image.edges[second], values.T,
                         **{"cmap": "viridis", "rasterized": True, **style})
    if bar:
        figure.colorbar(mesh, ax=ax, label="Intensity")
        ax.set_xlabel(axis_label(image, image.axes.plotted[first]))
        ax.set_ylabel(axis_label(image, image.axes.plotted[second]))
        ax.set_title(caption(image), fontsize="small")


def lx(low: float | None = None, high: float | None = None) -> None:
    """Limits along x of the current plot; those of the data where none are given."""
    _limits("x", low, high)


def ly(low: float | None = None, high: float | None = None) -> None:
    """Limits along y."""
    _limits("y", low, high)


def lz(low: float | None = None, high: float | None = None) -> None:
    """Limits of colours."""
    for mesh in _meshes():
        if low is None and high is None:
            mesh.autoscale()
        else:
            mesh.set_clim(low, high)


def _limits(axis: str, low: float | None, high: float | None) -> None:
    _, ax = current_figure()
    if low is None and high is None:
        ax.autoscale(axis=axis)  # type: ignore[arg-type]
    else:
        getattr(ax, f"set_{axis}lim")(low, high)


def _scale(axis: str, kind: str) -> Callable[[], None]:
    def change() -> None:
        _, ax = current_figure()
        getattr(ax, f"set_{axis}scale")(kind)

    change.__doc__ = f"A {kind} scale along {axis} of the current plot."
    return change


linx, liny, logx, logy = _scale("x", "linear"), _scale("y", "linear"), _scale("x", "log"), _scale("y", "log")


def linz() -> None:
    """Colours linear in intensity."""
    from matplotlib.colors import Normalize

    for mesh in _meshes():
        mesh.set_norm(Normalize(*mesh.get_clim()))


def logz() -> None:
    """Colours logarithmic in intensity."""
    from matplotlib.colors import LogNorm

    for mesh in _meshes():
        values = np.ma.masked_less_equal(mesh.get_array(), 0).compressed()
        if not values.size:
            raise GeometryError("logz: expected intensities above 0, found none")
        mesh.set_norm(LogNorm(float(values.min()), float(values.max())))


def acolor(colour: str) -> None:
    """Colour of the lines and markers of following plots."""
    _STYLE["color"] = {"r": "red", "b": "blue", "k": "black", "g": "green", "m": "magenta"}.get(colour, colour)


def amark(*values: Any) -> None:
    """Marker and its size of following plots: ``amark("s", 4)``."""
    for value in values:
        _STYLE["marker" if isinstance(value, str) else "markersize"] = value


def aline(*values: Any) -> None:
    """Style and width of the lines of following plots: ``aline("--", 2)``."""
    for value in values:
        _STYLE["linestyle" if isinstance(value, str) else "linewidth"] = value


def keep_figure() -> None:
    """The current figure stays; the next plot opens another."""
    figure, _ = current_figure()
    _KEPT.add(int(figure.number))


def _dimensions(w: Any) -> int:
    first = w[0] if isinstance(w, (list, tuple)) and w else w
    if not isinstance(first, (Sqw, Dnd)):
        raise GeometryError(f"plot: expected data of a cut, found {type(first).__name__}")
    if first.ndim not in (1, 2):
        raise GeometryError(f"plot: expected data on one or two axes, found {first.ndim}")
    return first.ndim


def fresh_figure(name: str) -> tuple[Figure, Axes]:
    import matplotlib.pyplot as plt

    for number in plt.get_fignums():
        if number not in _KEPT and plt.figure(number).get_label() == name:
            figure = plt.figure(number)
            figure.clear()
            return figure, figure.add_subplot()
    # closed figures leave numbers that others take
    _KEPT.intersection_update(plt.get_fignums())
    figure = plt.figure(layout="constrained")
    figure.set_label(name)
    return figure, figure.add_subplot()


def current_figure() -> tuple[Figure, Axes]:
    import matplotlib.pyplot as plt

    figure = plt.gcf()
    return figure, figure.axes[0] if figure.axes else figure.add_subplot()


def _meshes() -> Sequence[Any]:
    from matplotlib.collections import QuadMesh

    figure, _ = current_figure()
    # the bar of colours is a mesh of its own
    found = [mesh for ax in figure.axes if ax.get_label() != "<colorbar>" for mesh in ax.collections
             if isinstance(mesh, QuadMesh)]
    if not found:
        raise GeometryError("lz: expected a plot with colours, found none")
    return found


__all__ = ["acolor", "aline", "amark", "da", "dd", "de", "dh", "dl", "dm", "dp", "keep_figure",
           "linx", "liny", "linz", "logx", "logy", "logz", "lx", "ly", "lz", "pa", "pd", "pdoc", "pe", "peoc", "ph", "phoc",
           "pl", "ploc", "plot", "plotover", "pm", "pmoc", "pp", "ppoc"]
