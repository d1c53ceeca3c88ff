"""Cuts and generation, with Horace's arguments in Horace's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from insml.crystal.lattice import Lattice
from insml.errors import GeometryError, ModelError
from insml.instruments import DiskSpectrometer, FermiSpectrometer, Sample
from insml.io.detectors import read_par, read_phx
from insml.io.spe import read_spe_run
from insml.io.sqw import write_sqw
from insml.io.text_columns import write_xye
from insml.sqw import CylinderProj, Dnd, LineProj, SphereProj, Sqw
from insml.sqw.accumulate import accumulate
from insml.sqw.cut import cut as _cut
from insml.sqw.dummy import dummy_runs
from insml.sqw.generate import generate
from insml.sqw.symmetry import Symop

line_proj, sphere_proj, cylinder_proj = LineProj, SphereProj, CylinderProj


def ortho_proj(u: ArrayLike, v: ArrayLike, w: ArrayLike | None = None, *, type: str | None = None,
               uoffset: ArrayLike = (0.0, 0.0, 0.0, 0.0), **more: Any) -> LineProj:
    """Straight axes at right angles; ``uoffset`` is the ``offset`` of :class:`line_proj`."""
    return LineProj(u, v, w, type, offset=more.pop("offset", uoffset), **more)


def cut(source: Any, *arguments: Any, **options: Any) -> Any:
    """``cut(w, proj, p1, p2, p3, p4, [operations], "-nopix", filename)``, all after ``w`` as far as wanted.

    As :func:`insml.cut`, whose keywords may be given too.
    """
    given = list(arguments)
    while given and (isinstance(given[-1], (str, Path)) or _operations(given[-1])):
        last = given.pop()
        if _operations(last):
            options["symmetry"] = [last] if isinstance(last, Symop) else last
        elif last == "-nopix":
            options["keep_pixels"] = False
        elif last != "-pix":
            if str(last).startswith("-"):
                raise GeometryError(f"cut: expected -nopix or -pix, found {last!r}")
            options["filename"] = last
    return _cut(source, *given, **options)


def _operations(value: Any) -> bool:
    if isinstance(value, Symop):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and all(_operations(v) for v in value)


def cut_sqw(source: Any, *arguments: Any, **options: Any) -> Any:
    """:func:`cut` of data with pixels.

    Raises
    ------
    GeometryError : data without pixels.
    """
    data = read_horace(source) if isinstance(source, (str, Path)) else source
    if not isinstance(data, Sqw):
        raise GeometryError(f"cut_sqw: expected data with pixels, found {type(data).__name__}")
    return cut(data, *arguments, **options)


def cut_dnd(source: Any, *arguments: Any, **options: Any) -> Any:
    """:func:`cut` of the image alone, whether there are pixels or not."""
    data = read_dnd(source) if isinstance(source, (str, Path)) else source
    return cut(data.image, *arguments, **options)


def read_horace(path: str | Path) -> Sqw | Dnd:
    """An .sqw or .dnd file.

    Raises
    ------
    FormatError : another file.
    """
    from insml.io.sqw import read_sqw

    return read_sqw(path)


def read_sqw(path: str | Path) -> Sqw:
    """An .sqw file.

    Raises
    ------
    FormatError : another file. GeometryError : an image without pixels.
    """
    found = read_horace(path)
    if not isinstance(found, Sqw):
        raise GeometryError(f"{path}: expected data with pixels, found an image")
    return found


def read_dnd(path: str | Path) -> Dnd:
    """The image of an .sqw or .dnd file."""
    found = read_horace(path)
    return found.image


def save(data: Sqw | Dnd, path: str | Path, *, version: int = 4) -> None:
    """Write a file of Horace's version 4, or 2."""
    write_sqw(path, data, version)


def set_instrument(data: Sqw, instrument: Any) -> Sqw:
    """The same data measured with an instrument of :mod:`insml.instruments`, or a function of Ei (meV) that gives it, for
    all runs. Files of version 4 hold those with Fermi choppers.

    Raises
    ------
    ModelError : something else.
    """
    given = [instrument(run.efix) if callable(instrument) else instrument for run in data.runs]
    if not all(isinstance(x, (FermiSpectrometer, DiskSpectrometer)) for x in given):
        raise ModelError(f"instrument: expected one of insml.instruments, found {type(given[0]).__name__}")
    return _equipped(data, "instruments", given)


def set_sample(data: Sqw, sample: Sample) -> Sqw:
    """The same data of a sample of a shape, which files of version 4 hold.

    Raises
    ------
    ModelError : something else.
    """
    if not isinstance(sample, Sample):
        raise ModelError(f"sample: expected insml.instruments.Sample, found {type(sample).__name__}")
    return _equipped(data, "samples", [sample] * len(data.runs))


def _equipped(data: Sqw, name: str, each: list[Any]) -> Sqw:
    found, kept = {**data.equipment, name: each}, data.kept
    if kept is not None:
        # what the file says of it is no longer so
        kept = replace(kept, blocks={k: b for k, b in kept.blocks.items() if k[1] != name})
    return replace(data, load_equipment=lambda: found, kept=kept)


def head(data: Sqw | Dnd | str | Path) -> dict[str, Any]:
    """What an image is: title, lattice, axes and how many pixels."""
    w = read_horace(data) if isinstance(data, (str, Path)) else data
    image = w.image
    cell = image.lattice
    return {"title": image.title, "alatt": [cell.a, cell.b, cell.c], "angdeg": [cell.alpha, cell.beta, cell.gamma],
            "label": list(image.projection.label), "shape": image.shape, "edges": [e.copy() for e in image.axes.all_edges],
            "npixels": len(w.pixels) if isinstance(w, Sqw) else int(image.npix.sum()),
            "nfiles": len(w.runs) if isinstance(w, Sqw) else 0}


def gen_sqw(spe_file: Any, par_file: Any, sqw_file: str | Path | None, efix: Any, emode: int, alatt: Sequence[float],
            angdeg: Sequence[float], u: ArrayLike, v: ArrayLike, psi: Any = None, omega: Any = 0.0, dpsi: Any = 0.0,
            gl: Any = 0.0, gs: Any = 0.0, grid_size: Any = None, pix_db_range: ArrayLike | None = None,
            **options: Any) -> Sqw:
    """An .sqw file of runs; see :func:`insml.sqw.generate.generate`.

    Parameters
    ----------
    spe_file : one or several .nxspe files; or .spe files of the detectors in par_file (.par or .phx), "" or None otherwise.
    efix : meV; None, NaN or [] for what the files say. Angles in degrees. psi : None for what the files say.
    grid_size : one number or four. pix_db_range : (2, 4).
    """
    files, settings = _settings(spe_file, efix, alatt, angdeg, grid_size)
    runs: list[Any] = list(files)
    if par_file not in ("", None, []):
        energies = np.broadcast_to(np.asarray(np.nan if settings["efix"] is None else settings["efix"], float), len(files))
        runs = [read_spe_run(file, par_file, float(ei)) for file, ei in zip(files, energies, strict=True)]
    return generate(runs, sqw_file, u=u, v=v, psi=psi, omega=omega, dpsi=dpsi, gl=gl, gs=gs, emode=emode,
                    limits=pix_db_range, **settings, **options)


def accumulate_sqw(spe_file: Any, par_file: Any, sqw_file: str | Path, efix: Any, emode: int, alatt: Sequence[float],
                   angdeg: Sequence[float], u: ArrayLike, v: ArrayLike, psi: Any, omega: Any = 0.0, dpsi: Any = 0.0,
                   gl: Any = 0.0, gs: Any = 0.0, grid_size: Any = None, pix_db_range: ArrayLike | None = None) -> Sqw:
    """Adds the planned runs that are there by now to a file; arguments as of :func:`gen_sqw`, for all planned runs."""
    if par_file not in ("", None, []):
        raise GeometryError(f"par_file: expected none beside .nxspe files, found {par_file!r}")
    files, settings = _settings(spe_file, efix, alatt, angdeg, grid_size)
    return accumulate(files, sqw_file, u=u, v=v, psi=psi, omega=omega, dpsi=dpsi, gl=gl, gs=gs, emode=emode,
                      limits=pix_db_range, **settings)


def dummy_sqw(en: Any, par_file: str | Path, sqw_file: str | Path | None, efix: Any, emode: int, alatt: Sequence[float],
              angdeg: Sequence[float], u: ArrayLike, v: ArrayLike, psi: Any, omega: Any = 0.0, dpsi: Any = 0.0,
              gl: Any = 0.0, gs: Any = 0.0, grid_size: Any = None, pix_db_range: ArrayLike | None = None,
              **options: Any) -> Sqw:
    """Pixels of runs that nobody measured: the signal of each is psi of its run.

    ``en``: bin boundaries of all runs, or a list of those of each; ``par_file``: .par or .phx. Others as of
    :func:`gen_sqw`.
    """
    table = read_phx(par_file) if Path(par_file).suffix.lower() == ".phx" else read_par(par_file)
    turns = np.atleast_1d(np.asarray(psi, float))
    energies = list(en) if np.ndim(en[0]) else [en] * turns.size
    given = np.ravel(np.asarray(efix, float)).tolist()
    fixed = given * turns.size if len(given) == 1 else given
    if not len(energies) == len(fixed) == turns.size:
        raise GeometryError(f"en, efix: expected one, or one for each of {turns.size} psi, found {len(energies)} and "
                            f"{len(fixed)}")
    _, settings = _settings([], None, alatt, angdeg, grid_size)
    return generate(dummy_runs(energies, table, fixed, turns.tolist()), sqw_file, u=u, v=v, omega=omega, dpsi=dpsi, gl=gl,
                    gs=gs, emode=emode, limits=pix_db_range, **settings, **options)


def save_xye(data: Sqw | Dnd, path: str | Path, null: float = np.nan) -> None:
    """Three columns of text: x, intensity and error of data on one axis; ``null`` where there are no pixels."""
    write_xye(path, data, null=null)


def _settings(spe_file: Any, efix: Any, alatt: Sequence[float], angdeg: Sequence[float],
              grid_size: Any) -> tuple[list[str | Path], dict[str, Any]]:
    if not len(alatt) == len(angdeg) == 3:
        raise GeometryError(f"alatt, angdeg: expected three each, found {alatt} and {angdeg}")
    fixed = None if efix is None or np.size(efix) == 0 or np.isnan(np.asarray(efix, float)).all() else efix
    files = [spe_file] if isinstance(spe_file, (str, Path)) else list(spe_file)
    given = grid_size is not None and np.size(grid_size) > 0
    grid = np.broadcast_to(np.asarray(grid_size, int), 4).tolist() if given else None
    return files, {"lattice": Lattice(*map(float, alatt), *map(float, angdeg)), "efix": fixed, "grid": grid}


__all__ = ["accumulate_sqw", "cut", "cut_dnd", "cut_sqw", "cylinder_proj", "dummy_sqw", "gen_sqw", "head", "line_proj",
           "ortho_proj", "read_dnd", "read_horace", "read_sqw", "save", "save_xye", "set_instrument", "set_sample",
           "sphere_proj"]
