"""Detector tables of files of runs."""

from __future__ import annotations

import numpy as np

from insml.io.nxspe import Run
from insml.sqw.detectors import DetectorTable


def detector_table(run: Run) -> DetectorTable:
    """Of a run: numbers 1 to n; widths and heights from the angles they are seen at, as Horace has them.

    Files that Herbert and Horace wrote hold metres in place of the angles. A distance that is missing is 1 m, a size 0.
    """
    n = run.n_detectors
    distance = np.ones(n) if run.distance is None else run.distance
    wide, high = (np.zeros(n) if x is None else x for x in (run.polar_width, run.azimuthal_width))
    if not run.program.lower().startswith(("herbert", "horace")):
        wide = 2 * distance * np.tan(np.radians(wide) / 2)
        high = 2 * distance * np.sin(np.radians(run.polar)) * np.tan(np.radians(high) / 2)
    return DetectorTable(np.arange(1.0, n + 1), distance, run.polar, run.azimuthal, wide, high)
