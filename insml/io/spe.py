"""ASCII runs: .spe with the intensities, .par or .phx with the detectors."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError, GeometryError
from insml.io.detectors import read_par, read_phx
from insml.io.nxspe import Run, Slab

Array = NDArray[np.float64]

#: Numbers in a line, and characters of each: they may touch.
_PER_LINE, _WIDTH = 8, 10


class Spe(NamedTuple):
    """``signal`` and ``error`` (n_detectors, n_energies), as stored; ``energy_edges`` (n_energies + 1,) meV. The grid of
    angles is not kept: it is mostly zero, and detectors come with a file of their own."""

    signal: Array
    error: Array
    energy_edges: Array


def read_spe(path: str | Path) -> Spe:
    """A .spe file.

    Raises
    ------
    FormatError : fewer numbers than the first line says, or what are no numbers.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FormatError(path, "a readable file", error.strerror or str(error)) from None
    lines = raw.splitlines()
    first = lines[0].split() if lines else []
    if len(first) != 2 or not all(x.isdigit() for x in first):
        raise FormatError(path, "numbers of detectors and of energies in the first line", repr(b" ".join(first)[:40]))
    detectors, energies = (int(x) for x in first)
    # each number takes two bytes at least
    if not detectors or not energies or 4 * detectors * energies > len(raw):
        raise FormatError(path, f"{detectors} detectors with {energies} energies", f"{len(raw)} bytes", "first line")
    titles = [n for n, line in enumerate(lines) if line.startswith(b"#")]
    if len(titles) != 2 * detectors + 2:
        raise FormatError(path, f"{2 * detectors + 2} titles (###)", f"{len(titles)}")
    numeric = [line for line in lines[titles[1]:] if not line.startswith(b"#")]
    sizes = [energies + 1] + [energies] * (2 * detectors)
    values = _columns(numeric, sizes)
    if values is None:
        values = _words(path, numeric, sum(sizes))
    edges, rest = np.split(values, [energies + 1])
    if not (np.diff(edges) > 0).all():
        raise FormatError(path, "ascending energies", "others", "Energy Grid")
    both = rest.reshape(detectors, 2, energies)
    return Spe(both[:, 0].copy(), both[:, 1].copy(), edges)


def _columns(lines: list[bytes], sizes: list[int]) -> Array | None:
    """All numbers of blocks of columns; None where lines are not such columns."""
    counts = [-(-n // _PER_LINE) for n in sizes]
    if sum(counts) > len(lines) or any(line.strip() for line in lines[sum(counts):]):
        return None
    width = _PER_LINE * _WIDTH
    padded = b"".join(line[:width].ljust(width) for line in lines[:sum(counts)])
    if any(line[width:].strip() for line in lines):
        return None
    cells = np.frombuffer(padded, f"S{_WIDTH}")
    # the last line of a block is not full
    last = np.cumsum(counts) * _PER_LINE
    keep = np.ones(cells.size, bool)
    for end, n, lines_of in zip(last, sizes, counts, strict=True):
        keep[end - (lines_of * _PER_LINE - n):end] = False
    if any(cell.strip() for cell in cells[~keep]):
        return None
    try:
        return np.asarray(cells[keep].astype(float))
    except ValueError:
        return None


def _words(path: Path, lines: list[bytes], count: int) -> Array:
    words = b" ".join(lines).split()
    if len(words) != count:
        raise FormatError(path, f"{count} numbers", f"{len(words)}")
    try:
        return np.array(words).astype(float)
    except ValueError as error:
        raise FormatError(path, "numbers", str(error)) from None


@lru_cache(maxsize=1)
def _read_last(path: Path) -> Spe:
    """Many runs are planned together; the intensities of one are held at a time."""
    return read_spe(path)


def read_spe_run(spe: str | Path, detectors: str | Path, ei: float, psi: float | None = None) -> Run:
    """A run of a .spe and a .par or .phx file (by its name).

    Parameters
    ----------
    ei : incident energy, meV. psi : degrees, None where it is given later.

    Raises
    ------
    FormatError : damaged files. GeometryError : another number of detectors, an energy that is not positive.
    """
    path = Path(spe)
    found = _read_last(path)
    table = read_phx(detectors) if Path(detectors).suffix.lower() == ".phx" else read_par(detectors)
    if len(table) != len(found.signal):
        raise GeometryError(f"{detectors}: expected the {len(found.signal)} detectors of {path}, found {len(table)}")
    if not (np.isfinite(ei) and ei > 0):
        raise GeometryError(f"ei: expected meV, found {ei}")

    def load(rows: slice, bins: slice) -> Slab:
        again = _read_last(path)
        return Slab(again.signal[rows, bins], again.error[rows, bins])

    return Run(path=path, entry="", version="", ei=float(ei), psi=psi, polar=table.two_theta, azimuthal=table.azimuth,
               polar_width=None, azimuthal_width=None, distance=table.distance, energy_edges=found.energy_edges,
               edges_from_centres=False, ki_over_kf_scaled=True, instrument="", program="", run_number=None, load=load,
               table=table)
