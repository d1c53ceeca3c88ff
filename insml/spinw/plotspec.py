"""Pictures of spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.spinw.instrument import sw_instrument
from insml.spinw.neutron import listed
from insml.spinw.options import matlab_style
from insml.spinw.struct import Struct

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
_MODES = {1: "disp", 2: "int", 3: "color", 4: "auto", "fancy": "auto"}


@matlab_style(1, ignored=("legend", "nCol", "maxPatch", "plotf", "imag", "sortMode", "dat", "ddat", "datFormat", "norm"))
def sw_plotspec(spectra: Struct, mode: str | int = "auto", dE: float = 0.0, axLim: Any = "auto",
                aHandle: Axes | None = None, colorbar: bool = True, dashed: bool = False, fontSize: float = 12,
                colormap: Any = "auto", lineStyle: Any = "-", lineWidth: float = 1.0, twin: Any = None, qlabel: Any = None,
                title: Any = True, log: bool = False, x0: Any = None) -> tuple[Figure, Axes]:
    """Dispersion ("disp"), mode intensities ("int"), the binned map ("color"), or map and dispersion ("auto").

    Parameters
    ----------
    dE : FWHM in meV of a Gaussian over the map. axLim : upper limit, or (low, high), of energy or of the colour scale.
    aHandle : axes to draw into. dashed : lines at the corners of the path. twin : 1-based twins whose modes are shown.
    qlabel : names of the corners. x0 : range of the momentum axis, in place of 1/Angstrom along the path.
    """
    kind = _MODES.get(mode, mode)
    if kind not in _MODES.values():
        raise ModelError(f"mode: expected 'disp', 'int', 'color' or 'auto', found {mode!r}")
    powder = np.ndim(spectra.hklA) == 1
    if powder:
        kind = "color"
    if kind in ("int", "color") and "swConv" not in spectra:
        raise ModelError(f"mode {kind!r}: expected a binned spectrum, found no swConv; use sw_egrid first")
    from matplotlib import pyplot

    axes: Any = aHandle if aHandle is not None else pyplot.subplots()[1]
    position, corners, names = _axis(spectra, powder, x0)
    with_map = kind == "color" or (kind == "auto" and "swConv" in spectra)
    if with_map:
        _draw_map(axes, spectra, position, dE, axLim if kind == "color" else "auto", colormap, colorbar, log, fontSize)
    if kind in ("disp", "auto"):
        color = "black" if isinstance(colormap, str) else np.asarray(colormap, float).ravel()[:3] / 255
        styles = [lineStyle] if isinstance(lineStyle, str) else list(lineStyle)
        for t, omega in enumerate(listed(spectra.omega)):
            if twin is None or t + 1 in np.ravel(twin):
                values = np.where(np.asarray(omega).real >= 0, np.asarray(omega).real, np.nan)
                axes.plot(position, values.T, styles[0], color=color, linewidth=lineWidth)
    if kind == "int":
        for part in listed(spectra.swInt):
            axes.plot(position, np.asarray(part).real.T, linewidth=lineWidth)
    if kind != "color" and not isinstance(axLim, str):
        axes.set_ylim(*([0, axLim] if np.ndim(axLim) == 0 else axLim))
    if not powder:
        axes.set_xticks(position[corners], list(qlabel) if qlabel is not None else names)
        for corner in corners if dashed else ():
            axes.axvline(position[corner], color="gray", linestyle="--", linewidth=0.5)
    axes.set_xlabel(r"|Q| ($\mathrm{\AA}^{-1}$)" if powder else "Q (r.l.u.)", fontsize=fontSize)
    axes.set_ylabel("Intensity" if kind == "int" else "Energy transfer (meV)", fontsize=fontSize)
    if title:
        axes.set_title(title if isinstance(title, str) else spectra.get("title", ""), fontsize=fontSize)
    return axes.figure, axes


def _axis(spectra: Struct, powder: bool, x0: Any) -> tuple[Array, list[int], list[str]]:
    """Position of each point in 1/Angstrom, indices of the corners of the path, their names."""
    q = np.asarray(spectra.hklA, float)
    if powder:
        return q, [], []
    if q.ndim != 2:
        raise ModelError(f"sw_plotspec: expected points along a path, 3 x nQ, found shape {q.shape}")
    steps = np.diff(q, axis=1)
    length = np.linalg.norm(steps, axis=0)
    along = np.concatenate([[0.0], np.cumsum(length)])
    unit = steps / np.where(length > 0, length, 1.0)
    turns = [i + 1 for i in range(unit.shape[1] - 1) if unit[:, i] @ unit[:, i + 1] < 1 - 1e-6]
    corners = [0, *turns, q.shape[1] - 1] if q.shape[1] > 1 else [0]
    names = ["(" + " ".join(f"{x:.3g}" for x in np.round(spectra.hkl[:, i], 6) + 0.0) + ")" for i in corners]
    if x0 is not None and along[-1] > 0:
        along = x0[0] + (x0[1] - x0[0]) * along / along[-1]
    return along, corners, names


def _draw_map(axes: Any, spectra: Struct, position: Array, dE: float, limit: Any, colormap: Any, colorbar: bool, log: bool,
              font: float) -> None:
    seen = sw_instrument(spectra, dE=dE, useRaw=False) if dE else spectra
    values = np.asarray(listed(seen.swConv)[0], float)
    values = np.log10(np.where(values > 0, values, np.nan)) if log else values
    edges = np.concatenate([position[:1], (position[1:] + position[:-1]) / 2, position[-1:]])
    picture = axes.pcolormesh(edges, spectra.Evect, values, cmap="inferno_r" if (isinstance(colormap, str)
                              and colormap == "auto") or not isinstance(colormap, str) else colormap)
    if not isinstance(limit, str):
        picture.set_clim(*([0, limit] if np.ndim(limit) == 0 else limit))
    axes.set_ylim(float(spectra.Evect[0]), float(spectra.Evect[-1]))
    if colorbar:
        unit = "mbarn/meV/sr/cell" if spectra.get("norm") else "arb. units"
        axes.figure.colorbar(picture, ax=axes).set_label(f"Intensity ({unit})", fontsize=font)
