"""The spectrometers that come with insml. Their numbers, with sources, are in the TOML files beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from insml.errors import GeometryError
from insml.instruments.family import load_disk, load_fermi
from insml.instruments.spectrometer import DiskSpectrometer, FermiSpectrometer

_HERE = Path(__file__).parent
MAPS = load_fermi(_HERE / "maps.toml")
MERLIN = load_fermi(_HERE / "merlin.toml")
LET = load_disk(_HERE / "let.toml")

T = TypeVar("T")


def maps(ei: float, frequency: float, package: str = "S", version: int = 1, moderator_ei: float | None = None
         ) -> FermiSpectrometer:
    """MAPS at ``ei`` (meV), chopper ``package`` "S", "A" or "B" at ``frequency`` (Hz).

    ``version`` : 1 before the guide of 2017, 2 with it. ``moderator_ei`` : see :meth:`FermiInstrument.setting`.
    """
    return _version("MAPS", MAPS, version).setting(ei, frequency, package, moderator_ei=moderator_ei)


def merlin(ei: float, frequency: float, package: str = "S", moderator_ei: float | None = None) -> FermiSpectrometer:
    """MERLIN at ``ei`` (meV), chopper ``package`` "S", "A", "B" or "G" (gadolinium) at ``frequency`` (Hz)."""
    return MERLIN[1].setting(ei, frequency, package, moderator_ei=moderator_ei)


def let(ei: float, frequency5: float, frequency3: float, *, slot5_mm: float, divergence_sigma: tuple[float, float],
        mode: int = 1, version: int = 2) -> DiskSpectrometer:
    """LET at ``ei`` (meV), choppers 5 and 3 at these frequencies (Hz), slot of chopper 5 in millimetres.

    ``divergence_sigma`` : standard deviations at the sample, horizontal and vertical, degrees. The guide's, from
    simulation, grow with wavelength: 0.606 and 0.783 at 8.04 meV (version 2). A measured profile goes in with
    ``dataclasses.replace(..., horizontal_divergence=Tabulated(...))``.
    ``mode`` : 1 high resolution (chopper 1 at half of ``frequency5``), 2 high flux (half of ``frequency3``).
    ``version`` : 1 to autumn 2016 (slot 10 mm), 2 from autumn 2017 (15, 20 or 31 mm).
    """
    if mode not in (1, 2):
        raise GeometryError(f"LET mode: expected 1 (high resolution) or 2 (high flux), found {mode}")
    shaping = 0.5 * (frequency5 if mode == 1 else frequency3)
    return _version("LET", LET, version).setting(ei, shaping, frequency5, 1e-3 * slot5_mm,
                                                 divergence_sigma=divergence_sigma)


def _version(name: str, versions: Mapping[int, T], version: int) -> T:
    if version not in versions:
        raise GeometryError(f"{name} version: expected one of {sorted(versions)}, found {version}")
    return versions[version]
