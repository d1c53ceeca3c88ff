"""NXspe: the reduced intensity of one run, detector by energy transfer, as Mantid, Herbert and others write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from insml.errors import FormatError
from insml.io.hdf5 import attribute, dataset, definition, number, numbers, open_hdf5, subgroups, text
from insml.sqw.detectors import DetectorTable

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: At or below this a cell holds the marker of old files for "no data" (-1e30), not an intensity.
NO_DATA = -1e29


class Slab(NamedTuple):
    """Intensity and its standard deviation, both (n_detectors, n_energies); no data is NaN in ``signal``."""

    signal: Array
    error: Array


@dataclass(frozen=True, eq=False)
class Run:
    """One NXspe run. Opening reads only the small arrays; ``signal``, ``error`` and ``mask`` load on first use.

    Attributes
    ----------
    path, entry : file and name of its NXentry.
    version : of the format as the file states it, "1.0" to "1.3"; empty when it does not.
    ei : the fixed energy in meV: a float, the incident energy of a direct-geometry run; or (n_detectors,), the final
        energies of an indirect one.
    psi : goniometer angle in degrees, None when not recorded (NaN). Powder runs may say 0 and mean nothing by it.
    polar, azimuthal : (n_detectors,) degrees. With x along ki and z up the direction of a detector is
        (cos polar, sin polar cos azimuthal, sin polar sin azimuthal).
    polar_width, azimuthal_width : (n_detectors,) as stored: degrees from Mantid, metres from Herbert.
    distance : (n_detectors,) sample to detector in m, or None when missing.
    energy_edges : (n_energies + 1,) bin edges of the energy transfer, meV.
    edges_from_centres : the file holds bin centres; the edges are halfway between them.
    ki_over_kf_scaled : whether the intensity is already multiplied by ki/kf; None when the file does not say.
    instrument, program, run_number : as recorded; empty text or None when not.
    load : gives stored intensities of some detectors and energy bins. table : detectors with numbers and sizes, where the
        data came with a table of their own.
    """

    path: Path
    entry: str
    version: str
    ei: float | Array
    psi: float | None
    polar: Array
    azimuthal: Array
    polar_width: Array | None
    azimuthal_width: Array | None
    distance: Array | None
    energy_edges: Array
    edges_from_centres: bool
    ki_over_kf_scaled: bool | None
    instrument: str
    program: str
    run_number: int | None
    load: Callable[[slice, slice], Slab]
    table: DetectorTable | None = None

    @property
    def n_detectors(self) -> int:
        return self.polar.size

    @property
    def n_energies(self) -> int:
        return self.energy_edges.size - 1

    def read(self, detectors: slice = slice(None)) -> Slab:
        """Intensity and standard deviation of a range of detectors; only that range is read from the file."""
        signal, error = self.load(detectors, slice(None))
        return Slab(np.where((signal <= NO_DATA) | _without_data(signal[:, 0])[:, None], np.nan, signal), error)

    @cached_property
    def _all(self) -> Slab:
        return self.read()

    @property
    def signal(self) -> Array:
        """(n_detectors, n_energies), NaN where there are no data."""
        return self._all.signal

    @property
    def error(self) -> Array:
        """(n_detectors, n_energies) standard deviation of ``signal``."""
        return self._all.error

    @cached_property
    def mask(self) -> BoolArray:
        """(n_detectors,) True for a detector without data. Producers mask whole spectra: the first bin tells."""
        return _without_data(self.load(slice(None), slice(0, 1)).signal[:, 0])


def _without_data(first_bins: Array) -> BoolArray:
    return np.asarray(~np.isfinite(first_bins) | (first_bins <= NO_DATA), bool)


def find_entry(file: Any) -> str | None:
    """Name of the first NXentry with the definition NXSPE (upper or lower case), or None."""
    for entry in subgroups(file, "NXentry"):
        if definition(entry).upper() == "NXSPE":
            return str(entry.name).strip("/")
    return None


def read_nxspe(path: str | Path) -> Run:
    """Open an NXspe file, any version, without reading the intensities.

    Raises
    ------
    FormatError : there is no NXSPE entry, or a field is missing or has a shape that does not fit the others.
    """
    path = Path(path)
    with open_hdf5(path) as file:
        name = find_entry(file)
        if name is None:
            raise FormatError(path, "an NXentry with the definition NXSPE", f"root groups {', '.join(file) or 'none'}")
        entry = file[name]
        data, info = _group(path, entry, "data"), _group(path, entry, "NXSPE_info")
        shape = dataset(path, data, "data", ndim=2).shape
        if dataset(path, data, "error").shape != shape:
            raise FormatError(path, f"shape {shape} like data", f"shape {data['error'].shape}", f"{name}/data/error")
        edges, from_centres = _energy_edges(path, data, shape[1])

        def load(detectors: slice, bins: slice) -> Slab:
            with open_hdf5(path) as again:
                own = again[name]["data"]
                return Slab(*(np.asarray(dataset(path, own, field)[detectors, bins], float) for field in ("data", "error")))

        return Run(
            path=path, load=load, entry=name, version=attribute(entry["definition"], "version"),
            ei=_fixed_energy(path, info, shape[0]), psi=_psi(path, info),
            polar=_per_detector(path, data, "polar", shape[0]),
            azimuthal=_per_detector(path, data, "azimuthal", shape[0]),
            polar_width=_optional(path, data, "polar_width", shape[0]),
            azimuthal_width=_optional(path, data, "azimuthal_width", shape[0]),
            distance=_optional(path, data, "distance", shape[0]),
            energy_edges=edges, edges_from_centres=from_centres,
            ki_over_kf_scaled=bool(number(path, info, "ki_over_kf_scaling")) if "ki_over_kf_scaling" in info else None,
            instrument=text(entry["instrument/name"][()]) if "instrument/name" in entry else "",
            program=_program(entry),
            run_number=int(number(path, entry, "instrument/run_number")) if "instrument/run_number" in entry else None,
        )


def _group(path: Path, entry: Any, name: str) -> Any:
    for group in subgroups(entry):
        if group.name.rsplit("/", 1)[-1] == name:
            return group
    raise FormatError(path, "a group", "none", f"{entry.name.strip('/')}/{name}")


def _per_detector(path: Path, data: Any, name: str, n: int) -> Array:
    values = numbers(path, data, name)
    if values.size != n:
        field = f"{data.name.strip('/')}/{name}"
        raise FormatError(path, f"one value for each of {n} detectors", f"{values.size}", field)
    return values


def _optional(path: Path, data: Any, name: str, n: int) -> Array | None:
    return _per_detector(path, data, name, n) if name in data else None


def _fixed_energy(path: Path, info: Any, n_detectors: int) -> float | Array:
    energy = numbers(path, info, "fixed_energy")
    field = f"{info.name.strip('/')}/fixed_energy"
    if energy.size not in (1, n_detectors):
        raise FormatError(path, f"one energy, or one for each of {n_detectors} detectors", f"{energy.size}", field)
    if not np.all(energy > 0):
        raise FormatError(path, "energies above 0 meV", f"{energy.min():g}", field)
    return float(energy[0]) if energy.size == 1 else energy


def _psi(path: Path, info: Any) -> float | None:
    psi = number(path, info, "psi") if "psi" in info else np.nan
    return psi if np.isfinite(psi) else None


def _energy_edges(path: Path, data: Any, n: int) -> tuple[Array, bool]:
    energy = numbers(path, data, "energy")
    field = f"{data.name.strip('/')}/energy"
    if energy.size not in (n, n + 1) or energy.size < 2:
        raise FormatError(path, f"{n + 1} bin edges or {n} bin centres", f"{energy.size} values", field)
    if not np.all(np.diff(energy) > 0):
        raise FormatError(path, "ascending energy transfers", "values that are not", field)
    if energy.size == n + 1:
        return energy, False
    between = 0.5 * (energy[1:] + energy[:-1])
    return np.concatenate([[2 * energy[0] - between[0]], between, [2 * energy[-1] - between[-1]]]), True


def _program(entry: Any) -> str:
    if "program_name" not in entry:
        return ""
    program = entry["program_name"]
    return f"{text(program[()])} {attribute(program, 'version')}".strip()
