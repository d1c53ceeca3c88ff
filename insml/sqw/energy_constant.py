"""Which E / k^2 the pixels of a file were made with."""

from __future__ import annotations

import numpy as np

from insml.sqw.data import Sqw
from insml.sqw.run import DIRECT

#: meV Angstrom^2: hbar^2 / 2 m, and what Horace up to version 3 wrote pixels with.
ENERGY_OF_K2, LEGACY = 2.072124624737861, 2.07
#: Pixels that are looked at; how near |Q| of one of the constants must be, relative: they differ by 5e-4.
_LOOKED_AT, _NEAR = 2000, 1e-4


def energy_of_k2(data: Sqw) -> float:
    """Of the two constants the one that gives |Q| of pixels from their runs, detectors and energies; today's where neither
    does, or nothing says so."""
    if not len(data.pixels) or not len(data.detectors):
        return ENERGY_OF_K2
    pixels = data.pixels.read(0, min(len(data.pixels), _LOOKED_AT)).astype(float)
    runs = {run.id: run for run in data.runs if run.mode == DIRECT}
    order = np.argsort(data.detectors.number)
    row = order[np.searchsorted(data.detectors.number, pixels[:, 5], sorter=order).clip(max=len(order) - 1)]
    known = np.isin(pixels[:, 4], list(runs)) & (data.detectors.number[row] == pixels[:, 5])
    pixels, row = pixels[known], row[known]
    fixed = np.array([runs[int(n)].efix for n in pixels[:, 4]])
    inelastic = pixels[:, 3] < fixed
    pixels, row, fixed = pixels[inelastic], row[inelastic], fixed[inelastic]
    length = np.linalg.norm(pixels[:, :3], axis=1)
    ki, kf = np.sqrt(fixed), np.sqrt(fixed - pixels[:, 3])
    # of E / k^2 = 1
    unit = np.sqrt(ki**2 + kf**2 - 2 * ki * kf * np.cos(np.radians(data.detectors.two_theta[row])))
    used = unit > 0.1 * ki
    if not used.any():
        return ENERGY_OF_K2
    ratio = float(np.median(length[used] / unit[used]))
    return LEGACY if abs(ratio * np.sqrt(LEGACY) - 1) < _NEAR else ENERGY_OF_K2
