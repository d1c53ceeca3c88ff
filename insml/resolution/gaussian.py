"""Instrument resolution as Gaussian widths on the axes of a mosaic.

Two descriptions: widths stated by the user, and the direct-geometry energy width of a Fermi-chopper instrument with
momentum widths from its beam divergences. Both reduce to :class:`SliceWidths`, one per slice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.errors import GeometryError
from insml.instruments import MAPS, MERLIN, FermiInstrument, Sample
from insml.mosaic import MosaicLayout

Array = NDArray[np.float64]

FWHM_PER_SIGMA = float(2 * np.sqrt(2 * np.log(2)))


@dataclass(frozen=True)
class SliceWidths:
    """Standard deviations for one slice.

    ``sigma_axes``: along momentum axis 0 and 1, in units of the axis vector (r.l.u.).
    ``sigma_energy``: polynomial in energy transfer E, lowest order first: meV, meV/meV, ...
    """

    sigma_axes: tuple[float, float]
    sigma_energy: tuple[float, ...]

    def energy_sigma(self, energy: Array | float) -> Array:
        return np.asarray(np.polynomial.polynomial.polyval(np.asarray(energy, float), np.array(self.sigma_energy)))


class Broadening(Protocol):
    """Anything that gives each slice of a layout its Gaussian widths."""

    def widths(self, lattice: Lattice, layout: MosaicLayout) -> list[SliceWidths]: ...

    def describe(self) -> str: ...


@dataclass(frozen=True)
class GaussianBroadening:
    """Widths as the user states them.

    energy_fwhm : polynomial coefficients of the FWHM in energy transfer (meV), lowest order first.
    q_fwhm : FWHM along the two momentum axes, in units of their vectors (r.l.u.).
    """

    energy_fwhm: tuple[float, ...]
    q_fwhm: tuple[float, float]

    def widths(self, lattice: Lattice, layout: MosaicLayout) -> list[SliceWidths]:
        del lattice
        one = SliceWidths(
            (self.q_fwhm[0] / FWHM_PER_SIGMA, self.q_fwhm[1] / FWHM_PER_SIGMA),
            tuple(c / FWHM_PER_SIGMA for c in self.energy_fwhm),
        )
        return [one] * len(layout.slices)

    def describe(self) -> str:
        return f"Gaussian, energy FWHM polynomial {self.energy_fwhm} meV, Q FWHM {self.q_fwhm} r.l.u."


#: Of fields that images with Gaussian widths, which networks learn from, do not depend on.
NOT_SIMULATED = {"simulated": False}
INSTRUMENTS = {"maps": MAPS, "merlin": MERLIN}


@dataclass(frozen=True)
class DirectGeometry:
    """Widths of a Fermi-chopper spectrometer, beam and two momentum axes across it.

    instrument, version, package : which machine and slit package. frequency : chopper Hz for each Ei (meV).
    sample_width : metres, for the Gaussian widths. crystal : the sample as a whole instrument sees it; None for a cube of
    ``sample_width`` along the beam and ``horizontal``. horizontal : r.l.u., with the beam the horizontal plane; None for
    the first momentum axis. energy_bin : full width of the detectors' bins as a share of Ei. two_theta : scattering angles
    (degrees) between which there are detectors; None for all.
    """

    instrument: str
    version: int
    package: str
    frequency: dict[float, float]
    sample_width: float = 0.01
    crystal: Sample | None = field(default=None, metadata=NOT_SIMULATED)
    horizontal: tuple[float, float, float] | None = field(default=None, metadata=NOT_SIMULATED)
    energy_bin: float = field(default=0.0, metadata=NOT_SIMULATED)
    two_theta: tuple[float, float] | None = field(default=None, metadata=NOT_SIMULATED)

    def __post_init__(self) -> None:
        if self.instrument not in INSTRUMENTS:
            raise GeometryError(f"instrument: expected one of {sorted(INSTRUMENTS)}, found {self.instrument!r}")
        versions = INSTRUMENTS[self.instrument]
        if self.version not in versions:
            raise GeometryError(f"{self.instrument} version: expected one of {sorted(versions)}, found {self.version}")
        for ei, frequency in self.frequency.items():
            self.machine.chopper_sigma(ei, self.package, frequency)

    @property
    def machine(self) -> FermiInstrument:
        return INSTRUMENTS[self.instrument][self.version]

    def widths(self, lattice: Lattice, layout: MosaicLayout) -> list[SliceWidths]:
        """One width per slice: Q at the slice's middle; energy as a polynomial fitted over the Ei's slices."""
        out = []
        lengths = [float(np.linalg.norm(lattice.reciprocal @ np.asarray(a.vector))) for a in layout.axes]
        for spec in layout.slices:
            if spec.ei is None or spec.ei not in self.frequency:
                raise GeometryError(f"resolution: expected a chopper frequency for {spec.label}, "
                                    f"found Ei = {sorted(self.frequency)}")
            lo, hi = spec.energy
            # a little beyond the slice: modes outside leak in
            grid = np.linspace(lo - 0.2 * (hi - lo), min(hi + 0.2 * (hi - lo), 0.98 * spec.ei), 9)
            fwhm = self.machine.energy_fwhm(grid, spec.ei, self.package, self.frequency[spec.ei],
                                            sample_width=self.sample_width)
            polynomial = np.polynomial.polynomial.polyfit(grid, fwhm / FWHM_PER_SIGMA, 2)
            q = float(self.machine.q_sigma(0.5 * (lo + hi), spec.ei, sample_width=self.sample_width))
            out.append(SliceWidths((q / lengths[0], q / lengths[1]), tuple(float(c) for c in polynomial)))
        return out

    def sample(self, beam: tuple[float, float, float], horizontal: tuple[float, float, float]) -> Sample:
        """The crystal, or the cube that stands for it."""
        return self.crystal or Sample((self.sample_width,) * 3, beam, horizontal)

    def describe(self) -> str:
        runs = ", ".join(f"{ei:g} meV / {f:g} Hz" for ei, f in self.frequency.items())
        return f"{self.machine.name}, chopper {self.package}: {runs}; Gaussian in h, k and E"
