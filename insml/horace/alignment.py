"""Where Bragg peaks are and what crystal that makes, with Horace's arguments in Horace's order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.lattice import Lattice
from insml.errors import GeometryError
from insml.horace.cuts import read_horace, read_sqw
from insml.sqw import Dnd, Sqw
from insml.sqw import alignment as _alignment
from insml.sqw.alignment import BraggPositions, CrystalCorrection

Array = NDArray[np.float64]

#: Horace's words for what is done here in any case, and those for what is not.
_DONE, _OTHER = ("bin_absolute", "gaussian"), ("bin_relative", "outer", "inner")


def bragg_positions(data: Sqw | str | Path, rlu_expected: ArrayLike, radial_cut_length: float, radial_bin_width: float,
                    radial_thickness: float, trans_cut_length: float, trans_bin_width: float, trans_thickness: float,
                    energy_window: float, *words: str) -> tuple[Array, Array, tuple[tuple[Dnd, ...], ...], BraggPositions]:
    """``rlu_actual, widths, wcut, wpeak``: (n, 3) h, k, l; (n, 3) FWHM in 1/Angstrom; the cuts; everything with its errors.

    Lengths are full widths in 1/Angstrom (``bin_absolute``), the window is in meV; peaks are fitted with a Gaussian on a
    straight line (``gaussian``; Horace's own default takes the centre at half height). A row is NaN where no peak was
    found, and ``wpeak.reasons`` says why.

    Raises
    ------
    GeometryError : another of Horace's words; lengths that are none.
    """
    for word in words:
        if word not in _DONE:
            known = f"; {word} is not supported" if word in _OTHER else ""
            raise GeometryError(f"bragg_positions: expected {' or '.join(_DONE)}, found {word!r}{known}")
    given = read_sqw(data) if isinstance(data, (str, Path)) else data
    found = _alignment.bragg_positions(given, rlu_expected, radial=radial_cut_length, radial_step=radial_bin_width,
                                       transverse=trans_cut_length, transverse_step=trans_bin_width, energy=energy_window,
                                       thickness=(radial_thickness, trans_thickness))
    return found.observed, found.widths, found.cuts, found


def bragg_positions_view(wcut: tuple[tuple[Dnd, ...], ...], wpeak: BraggPositions) -> Any:
    """A figure of all cuts with the peaks that were fitted; one row a peak, the reason where there is none."""
    import matplotlib.pyplot as plt

    fig, grid = plt.subplots(len(wcut), 3, figsize=(9, 2.2 * len(wcut)), squeeze=False, layout="constrained")
    for row, point, cuts, peaks, reason in zip(grid, wpeak.nominal, wcut, wpeak.peaks, wpeak.reasons, strict=True):
        for ax, image, peak, name in zip(row, cuts, peaks, ("along Q", "across Q", "across both"), strict=False):
            there, x = image.npix > 0, image.centres[0]
            ax.errorbar(x[there], image.signal[there], np.sqrt(image.variance[there]), fmt="o", ms=3, color="k", lw=1)
            if np.isfinite(peak).all():
                line = np.linspace(image.edges[0][0], image.edges[0][-1], 300)
                ax.plot(line, peak[0] * np.exp(-0.5 * ((line - peak[1]) / peak[2]) ** 2) + peak[3] + peak[4] * line, "r-")
                ax.axvline(peak[1], color="r", lw=0.7, ls=":")
            ax.set_title(f"{_text(point)} {name}", fontsize=8)
            ax.tick_params(labelsize=7)
        if reason:
            row[0].set_xlabel(reason, fontsize=7, color="r", loc="left")
    for ax in grid[-1]:
        ax.set_xlabel(r"from the nominal point ($\mathrm{\AA}^{-1}$)", fontsize=8)
    return fig


def _text(point: Array) -> str:
    return "(" + ", ".join(f"{float(x):g}" for x in point) + ")"


def refine_crystal(rlu_actual: ArrayLike, alatt: ArrayLike, angdeg: ArrayLike, rlu_expected: ArrayLike, *words: str,
                   fix_lattice: bool = False, fix_alatt: bool = False, fix_angdeg: bool = False,
                   fix_alatt_ratio: bool = False, fix_orient: bool = False, free_alatt: ArrayLike = (True, True, True),
                   free_angdeg: ArrayLike = (True, True, True)) -> CrystalCorrection:
    """Lattice and rotation; ``fix_...`` also as words after the others, as in MATLAB.

    See :func:`insml.sqw.alignment.refine_crystal`, which also takes the errors of positions.
    """
    switches = {"fix_lattice": fix_lattice, "fix_alatt": fix_alatt, "fix_angdeg": fix_angdeg,
                "fix_alatt_ratio": fix_alatt_ratio, "fix_orient": fix_orient}
    for word in words:
        if word not in switches:
            raise GeometryError(f"refine_crystal: expected {', '.join(switches)}, found {word!r}")
        switches[word] = True
    return _alignment.refine_crystal(
        rlu_actual, rlu_expected, _lattice(alatt, angdeg), fix_lengths=switches["fix_lattice"] or switches["fix_alatt"],
        fix_angles=switches["fix_lattice"] or switches["fix_angdeg"], fix_length_ratios=switches["fix_alatt_ratio"],
        fix_orientation=switches["fix_orient"], free_lengths=np.ravel(free_alatt).astype(bool).tolist(),
        free_angles=np.ravel(free_angdeg).astype(bool).tolist())


def change_crystal(data: Sqw | Dnd | str | Path, alignment_info: CrystalCorrection) -> Sqw | Dnd:
    """The data of the crystal as it is. A file stays as it was: ``save`` writes what this gives."""
    given = read_horace(data) if isinstance(data, (str, Path)) else data
    return _alignment.change_crystal(given, alignment_info)


def crystal_pars_correct(u: ArrayLike, v: ArrayLike, alatt: ArrayLike, angdeg: ArrayLike, omega: float, dpsi: float,
                         gl: float, gs: float,
                         alignment_info: CrystalCorrection) -> tuple[Array, Array, float, float, float]:
    """``alatt, angdeg, dpsi, gl, gs`` to generate the data with again. Degrees."""
    found = _alignment.crystal_pars_correct(u, v, 0.0, omega, dpsi, gl, gs, _lattice(alatt, angdeg), alignment_info)
    cell = found.lattice
    return (np.array([cell.a, cell.b, cell.c]), np.array([cell.alpha, cell.beta, cell.gamma]), found.dpsi, found.gl,
            found.gs)


def _lattice(alatt: ArrayLike, angdeg: ArrayLike) -> Lattice:
    cell = np.concatenate([np.ravel(np.asarray(alatt, float)), np.ravel(np.asarray(angdeg, float))])
    if cell.size != 6:
        raise GeometryError(f"alatt, angdeg: expected three numbers each, found {alatt!r} and {angdeg!r}")
    return Lattice(*cell.tolist())
