"""Writing NXspe 1.3, as Horace and Mantid accept it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from insml.io.hdf5 import new_hdf5
from insml.io.nxspe import Run


def write_nxspe(path: str | Path, run: Run) -> None:
    """Write a run; the file is complete or not there. Detectors without data are NaN with error 0.

    Widths of a run with a detector table are written as the angles they are seen at.

    Raises
    ------
    InsmlError : there is no such directory.
    """

    polar_width, azimuthal_width = run.polar_width, run.azimuthal_width
    metres = run.program.lower().startswith(("herbert", "horace"))
    if run.table is not None or metres:
        width, height = (run.table.width, run.table.height) if run.table is not None else (polar_width, azimuthal_width)
        distance = run.distance if run.distance is not None else np.ones(run.n_detectors)
        across = distance * np.sin(np.radians(run.polar))
        polar_width = None if width is None else np.degrees(2 * np.arctan2(width, 2 * distance))
        azimuthal_width = None if height is None else np.degrees(2 * np.arctan2(height, 2 * across))
    with new_hdf5(path) as file:
        # Horace takes the entry for one only without further attributes
        entry = _group(file, "run" if not run.entry else run.entry, "NXentry")
        entry["definition"] = np.array([b"NXSPE"])
        entry["definition"].attrs["version"] = "1.3"
        entry["program_name"] = np.array([b"insml"])
        info = _group(entry, "NXSPE_info", "NXcollection")
        info["fixed_energy"] = np.atleast_1d(np.asarray(run.ei, float))
        info["fixed_energy"].attrs["units"] = "meV"
        info["psi"] = np.array([np.nan if run.psi is None else run.psi])
        info["psi"].attrs["units"] = "degrees"
        info["ki_over_kf_scaling"] = np.array([run.ki_over_kf_scaled is not False], np.int32)
        data = _group(entry, "data", "NXdata")
        signal, error = run.read()
        data["data"] = signal
        data["data"].attrs["signal"] = np.int32(1)
        data["data"].attrs["axes"] = "polar:energy"
        data["error"] = np.where(np.isnan(signal), 0.0, error)
        data["energy"] = run.energy_edges
        data["energy"].attrs["units"] = "meV"
        for name, values in (("polar", run.polar), ("azimuthal", run.azimuthal), ("polar_width", polar_width),
                             ("azimuthal_width", azimuthal_width), ("distance", run.distance)):
            if values is not None:
                data[name] = values
        instrument = _group(entry, "instrument", "NXinstrument")
        instrument["name"] = np.array([(run.instrument or "unknown").encode()])
        if run.run_number is not None:
            instrument["run_number"] = np.array([run.run_number], np.int32)
        fermi = _group(instrument, "fermi", "NXfermi_chopper")
        fermi["energy"] = np.array([float(np.mean(run.ei))])


def _group(parent: Any, name: str, kind: str) -> Any:
    group = parent.create_group(name)
    group.attrs["NX_class"] = np.bytes_(kind)
    return group
