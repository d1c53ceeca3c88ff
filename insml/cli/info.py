"""``insml info FILE...``: what is in a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from insml.errors import InsmlError

if TYPE_CHECKING:
    from insml.io import Histogram, Image, Run
    from insml.mosaic import Mosaic
    from insml.sqw import Dnd, Sqw

Facts = Iterator[tuple[str, str]]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("info", help="say what is in measured files",
                                   description="Say what is in measured files, judged by their content.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.text import Text

    from insml.cli import BAD_INPUT, complain
    from insml.io import open_any

    console, status = Console(soft_wrap=True, highlight=False), 0
    for file in args.files:
        try:
            kind, facts = _describe(open_any(file))
            lines = list(facts)
        except InsmlError as error:
            console.file.flush()
            complain(error)
            status = BAD_INPUT
            continue
        console.print(Text.assemble((str(file), "bold"), f": {kind}"))
        for name, value in lines:
            console.print(Text.assemble((f"  {name:<15}", "cyan"), value))
    return status


def _describe(content: Run | Histogram | Mosaic | Image | Sqw | Dnd) -> tuple[str, Facts]:
    from insml.io import Histogram, Image, Run
    from insml.sqw import Dnd, Sqw

    if isinstance(content, Sqw):
        return "Horace .sqw, an image with its pixels", _sqw(content)
    if isinstance(content, Dnd):
        return "image of a cut without its pixels", _dnd(content)
    if isinstance(content, Run):
        return f"NXspe {content.version}".strip(), _run(content)
    if isinstance(content, Histogram):
        return f"Mantid MDHistoWorkspace, version {content.version}", _histogram(content)
    if isinstance(content, Image):
        return "image without a layout", _image(content)
    return "mosaic", _mosaic(content)


def _run(run: Run) -> Facts:
    yield "entry", run.entry
    yield "instrument", run.instrument or "not recorded"
    if run.run_number is not None:
        yield "run number", str(run.run_number)
    yield "written by", run.program or "not recorded"
    if isinstance(run.ei, float):
        yield "Ei", f"{run.ei:.6g} meV"
    else:
        yield "Ef", f"{run.ei.min():.6g} to {run.ei.max():.6g} meV over the detectors"
    yield "psi", "not recorded" if run.psi is None else f"{run.psi:.6g} deg"
    yield "detectors", f"{run.n_detectors}, of which {int(run.mask.sum())} masked"
    yield "scattering", f"2theta {run.polar.min():.4g} to {run.polar.max():.4g} deg"
    edges = run.energy_edges
    yield "energy", (f"{edges[0]:.6g} to {edges[-1]:.6g} meV in {run.n_energies} bins"
                     f"{' (edges halfway between stored centres)' if run.edges_from_centres else ''}")
    scaled = {True: "applied", False: "not applied", None: "not stated"}[run.ki_over_kf_scaled]
    yield "ki/kf", scaled


def _histogram(histogram: Histogram) -> Facts:
    if histogram.title:
        yield "title", histogram.title
    for axis in histogram.axes:
        direction = "" if axis.direction is None else f" along [{', '.join(f'{x:g}' for x in axis.direction)}] r.l.u."
        unit = " meV" if axis.kind == "energy" else ""
        yield axis.name, (f"{axis.long_name}: {axis.edges[0]:.6g} to {axis.edges[-1]:.6g}{unit} in {axis.n} "
                          f"bin{'s' * (axis.n > 1)}{direction}")
    yield "coverage", _share(~histogram.mask)
    yield "without events", _share(~histogram.mask & (histogram.num_events == 0))
    cell = histogram.lattice
    yield "lattice", "not recorded" if cell is None else (
        f"{cell.a:g} {cell.b:g} {cell.c:g} Angstrom, {cell.alpha:g} {cell.beta:g} {cell.gamma:g} deg")
    yield "Q", "read as ki - kf" + {None: " (not stated)", "Crystallography": ", stored as kf - ki"}.get(
        histogram.stored_q_convention, "")


def _sqw(w: Sqw) -> Facts:
    yield "pixels", f"{len(w.pixels)}"
    energies = np.concatenate([r.fixed_energy for r in w.runs])
    spread = f"{energies.min():.6g}" + (f" to {energies.max():.6g}" if np.ptp(energies) > 1e-6 else "")
    mode = {0: "elastic", 1: "Ei", 2: "Ef"}[w.runs[0].mode]
    yield "runs", f"{len(w.runs)}, {mode} {spread} meV"
    psi = [r.orientation.psi for r in w.runs]
    yield "psi", f"{min(psi):.6g} to {max(psi):.6g} deg"
    first = w.runs[0].orientation
    yield "u, v", f"[{', '.join(f'{x:g}' for x in first.u)}], [{', '.join(f'{x:g}' for x in first.v)}]"
    yield "detectors", f"{len(w.detectors)}"
    yield from _dnd(w.image)


def _dnd(image: Dnd) -> Facts:
    if image.title:
        yield "title", image.title
    cell = image.lattice
    yield "lattice", f"{cell.a:g} {cell.b:g} {cell.c:g} Angstrom, {cell.alpha:g} {cell.beta:g} {cell.gamma:g} deg"
    yield "projection", type(image.projection).__name__
    for n, (label, edges) in enumerate(zip(image.projection.label, image.axes.all_edges, strict=True)):
        how = f"in {edges.size - 1} bins" if n in image.axes.plotted else "integrated"
        yield f"axis {n + 1}", f"{label}: {edges[0]:.6g} to {edges[-1]:.6g} {how}"


def _mosaic(mosaic: Mosaic) -> Facts:
    layout = mosaic.layout
    if mosaic.title:
        yield "title", mosaic.title
    yield "source", mosaic.source or "not recorded"
    rows, columns = layout.shape
    yield "image", f"{rows} x {columns} pixels, {layout.grid[0]} x {layout.grid[1]} tiles, {len(layout.slices)} slices"
    yield "orientation", f"{layout.orientation[0]} down, {layout.orientation[1]} to the right"
    for axis in layout.axes:
        yield axis.label, (f"{axis.edges[0]:.6g} to {axis.edges[-1]:.6g} in {axis.n} bins along "
                           f"[{', '.join(f'{x:g}' for x in axis.vector)}] r.l.u.")
    energies = np.array([s.energy for s in layout.slices])
    yield "energy", f"{energies.min():.6g} to {energies.max():.6g} meV"
    incident = sorted({s.ei for s in layout.slices if s.ei is not None})
    yield "Ei", ", ".join(f"{ei:g}" for ei in incident) + " meV" if incident else "not recorded"
    yield "coverage", _share(~mosaic.mask)
    yield "variance", "present" if mosaic.variance is not None else "not recorded"


def _image(image: Image) -> Facts:
    rows, columns = image.values.shape
    yield "image", f"{rows} x {columns} pixels"
    finite = np.isfinite(image.values)
    yield "coverage", _share(finite)
    if finite.any():
        yield "values", f"{image.values[finite].min():.6g} to {image.values[finite].max():.6g}"
    yield "layout", "not in the file; a study file gives it"


def _share(chosen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> str:
    return f"{int(chosen.sum())} of {chosen.size} ({100 * chosen.mean():.1f} %)" if chosen.size else "nothing"
