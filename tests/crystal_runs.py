"""Runs of a small crystal with random counts."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from insml.crystal.lattice import Lattice

LATTICE = Lattice(4.4, 5.5, 6.6, 100.0, 105.0, 110.0)
STANDS = {"u": (1.02, 0.99, 0.02), "v": (0.025, -0.01, 1.04)}
ANGLES = {"psi": [20.0, 45.0, 70.0], "omega": 11.0, "dpsi": 0.3, "gl": 2.0, "gs": [-1.0, 0.5, 1.0]}


def write_run(path: Path, seed: int, ei: float = 40.0, detectors: int = 60, bins: int = 24, scaled: int = 1) -> Path:
    """Random counts; the polar angles spread over the forward directions. Detector 3 has a gap, detector 5 none."""
    rng, where = np.random.default_rng(seed), np.random.default_rng(99)
    signal = rng.normal(1.0, 0.3, (detectors, bins))
    error = rng.uniform(0.1, 0.3, (detectors, bins))
    signal[3, 7], signal[5], error[5] = -1e30, np.nan, 0.0
    polar, azimuth = where.uniform(5, 60, detectors), where.uniform(-180, 180, detectors)
    return write_entry(path, ei, float(seed), np.linspace(-0.1 * ei, 0.8 * ei, bins + 1), polar, azimuth, signal, error,
                       scaled)


def write_entry(path: Path, ei: float, psi: float, energies: np.ndarray, polar: np.ndarray, azimuth: np.ndarray,
                signal: np.ndarray, error: np.ndarray, scaled: int = 1) -> Path:
    """An NXspe file; degrees, meV."""
    detectors = polar.size
    with h5py.File(path, "w") as file:
        entry = file.create_group("run")
        entry.attrs["NX_class"] = np.bytes_("NXentry")
        entry["definition"] = np.array([b"NXSPE"])
        for name, value in {"NXSPE_info/fixed_energy": [ei], "NXSPE_info/psi": [psi],
                            "NXSPE_info/ki_over_kf_scaling": np.array([scaled], np.int32), "data/data": signal,
                            "data/error": error, "data/energy": energies, "data/polar": polar, "data/azimuthal": azimuth,
                            "data/polar_width": np.full(detectors, 0.3), "data/azimuthal_width": np.full(detectors, 0.4),
                            "data/distance": np.full(detectors, 6.0)}.items():
            entry[name] = value
    return path
