"""Detector tables: of runs, and of .par and .phx files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError
from insml.io.atomic import atomic_path
from insml.io.nxspe import Run
from insml.sqw.detectors import DetectorTable

Array = NDArray[np.float64]


def detector_table(run: Run) -> DetectorTable:
    """Of a run: numbers 1 to n; widths and heights from the angles they are seen at, as Horace has them.

    Files that Herbert and Horace wrote hold metres in place of the angles. A distance that is missing is 1 m, a size 0.
    """
    if run.table is not None:
        return run.table
    n = run.n_detectors
    distance = np.ones(n) if run.distance is None else run.distance
    wide, high = (np.zeros(n) if x is None else x for x in (run.polar_width, run.azimuthal_width))
    if not run.program.lower().startswith(("herbert", "horace")):
        wide = 2 * distance * np.tan(np.radians(wide) / 2)
        high = 2 * distance * np.sin(np.radians(run.polar)) * np.tan(np.radians(high) / 2)
    return DetectorTable(np.arange(1.0, n + 1), distance, run.polar, run.azimuthal, wide, high)


def read_par(path: str | Path) -> DetectorTable:
    """A .par file: distance (m), two-theta, minus the azimuth (degrees), width, height (m), number (1 to n where absent).

    Raises
    ------
    FormatError : another number of detectors than the first line says, or lines without five or six numbers.
    """
    rows = _rows(Path(path), (5, 6))
    number = rows[:, 5] if rows.shape[1] == 6 else np.arange(1.0, len(rows) + 1)
    return DetectorTable(number, rows[:, 0], rows[:, 1], -rows[:, 2], rows[:, 3], rows[:, 4])


def read_phx(path: str | Path) -> DetectorTable:
    """A .phx file: distance (m), nothing, two-theta, azimuth and the angles that width and height are seen at (degrees),
    number (1 to n where absent).

    Raises
    ------
    FormatError : as :func:`read_par`, for six or seven numbers.
    """
    rows = _rows(Path(path), (6, 7))
    number = rows[:, 6] if rows.shape[1] == 7 else np.arange(1.0, len(rows) + 1)
    wide, high = (2 * rows[:, 0] * np.tan(np.radians(rows[:, n]) / 2) for n in (4, 5))
    return DetectorTable(number, rows[:, 0], rows[:, 2], rows[:, 3], wide, high)


def write_par(path: str | Path, table: DetectorTable) -> None:
    """A .par file with Horace's sign of the azimuth, four decimals."""
    columns = (table.distance, table.two_theta, -table.azimuth, table.width, table.height)
    with atomic_path(path) as aside, aside.open("w", newline="\n") as file:
        file.write(f"{len(table):8d}\n")
        for number, *values in zip(table.number, *columns, strict=True):
            file.write("".join(f"{x:10.4f}" for x in values) + f"{int(number):10d}\n")


def _rows(path: Path, widths: tuple[int, ...]) -> Array:
    try:
        lines = [line.split() for line in path.read_text("latin-1").splitlines() if line.strip()]
    except OSError as error:
        raise FormatError(path, "a readable file", error.strerror or str(error)) from None
    if not lines or len(lines[0]) != 1 or not lines[0][0].isdigit():
        raise FormatError(path, "a number of detectors in the first line", " ".join(lines[0])[:40] if lines else "nothing")
    count = int(lines[0][0])
    if count != len(lines) - 1 or not count:
        raise FormatError(path, f"{count} detectors, as the first line says", f"{len(lines) - 1}")
    if len(lines[1]) not in widths or any(len(line) != len(lines[1]) for line in lines[1:]):
        raise FormatError(path, f"{' or '.join(map(str, widths))} numbers in each line", f"{len(lines[1])} in the first")
    try:
        rows = np.array(lines[1:], float)
    except ValueError as error:
        raise FormatError(path, "numbers", str(error)) from None
    if not np.isfinite(rows).all():
        raise FormatError(path, "finite numbers", "others")
    return rows
