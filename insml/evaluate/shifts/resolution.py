"""R: widths of the resolution other than supposed, in energy and in momentum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from insml._core import ForwardImage
from insml.datasets.conditions import Condition, has_instrument, simulator
from insml.datasets.corrupt import Corruption
from insml.evaluate.shifts.family import CleanImages, Family, Shifted, check_kinds, draw
from insml.evaluate.shifts.resimulation import Simulates, resimulated
from insml.instrument_simulation import InstrumentSimulator, instrument_of
from insml.instruments import FermiPulse, FermiSpectrometer, Ikcarp
from insml.instruments.detector import BlockDetector
from insml.resolution.forward import forward_image
from insml.resolution.mosaic import MosaicInstrument
from insml.simulation import Simulator
from insml.study import Study

KINDS = ("narrower", "wider")
_FACTORS = {"narrower": (0.9, 0.75, 0.5, 0.25, 0.0), "wider": (1.1, 1.3, 1.6, 2.0, 3.0)}
#: Pulses and boxes have no zero width; this is below the step of any grid.
_SHARPEST = 1e-3


@dataclass(frozen=True)
class Resolution(Family):
    """All widths times a factor, narrower for one half of the images and wider for the other, drawn for each.

    Through a whole instrument: pulses, aperture, sample, mosaic, detectors and energy bins; otherwise the stated
    widths.
    """

    letter: ClassVar[str] = "R"
    title: ClassVar[str] = "resolution"
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        check_kinds(self.letter, self.kinds, KINDS)

    def _images(self, study: Study, base: CleanImages, severity: int, seed: int, corruption: Corruption,
                threads: int) -> Shifted:
        drawn = [str(draw(seed, i, self.letter).choice(self.kinds)) for i in range(len(base))]
        factors = [_FACTORS[kind][severity - 1] for kind in drawn]
        clean = with_widths(study, base, factors, threads)
        return Shifted(clean, corruption, base.labels.copy(), tuple(f"widths x{f:g}" for f in factors))


def with_widths(study: Study, base: CleanImages, factors: list[float], threads: int = 0) -> NDArray[np.float32]:
    """Images simulated again, all widths of image i times ``factors[i]``."""
    names = list(study.candidates)
    return resimulated(base, factors, lambda factor, condition, label: with_all_widths(
        study, names[label], condition, factor, threads))


def with_all_widths(study: Study, candidate: str, condition: Condition, factor: float, threads: int = 0) -> Simulates:
    """What simulates a candidate under a condition with all widths times a factor."""
    if not has_instrument(study):
        return _Scaled(simulator(study, candidate, condition, threads), factor)
    prepared = _prepared(study, replace(condition, turn=0.0, tilt=0.0), factor)
    return InstrumentSimulator(study, candidate, prepared=prepared, turn=condition.turn, tilt=condition.tilt,
                               threads=threads)


@lru_cache(maxsize=4)
def _prepared(study: Study, condition: Condition, factor: float) -> ForwardImage:
    return forward_image(_sharpened(instrument_of(study), condition, max(factor, _SHARPEST)), study.layout, cells=2)


@dataclass(frozen=True)
class _Scaled:
    simulator: InstrumentSimulator | Simulator
    factor: float

    def stack(self, values: Mapping[str, float] | None = None) -> NDArray[np.float64]:
        assert isinstance(self.simulator, Simulator), "studies without an instrument have Gaussian widths"
        return self.simulator.stack(values, widths=(self.factor, self.factor))


def _sharpened(instrument: MosaicInstrument, condition: Condition, factor: float) -> MosaicInstrument:
    a, b, c = (x * factor for x in instrument.sample.size)
    sample = replace(instrument.sample, size=(a, b, c), mosaic_fwhm=condition.mosaic_fwhm * factor or None)
    settings = {ei: _setting(s, condition.widths * factor, factor) for ei, s in instrument.settings.items()}
    return replace(instrument, settings=settings, sample=sample, energy_bin=instrument.energy_bin * factor)


def _setting(setting: FermiSpectrometer, pulses: float, sizes: float) -> FermiSpectrometer:
    moderator, chopper, detector = setting.moderator, setting.chopper, setting.detector
    if isinstance(moderator, Ikcarp) and isinstance(chopper, FermiPulse):
        moderator = replace(moderator, tau_f=moderator.tau_f * pulses, tau_s=moderator.tau_s * pulses)
        chopper = replace(chopper, opening=chopper.opening * pulses)
    if isinstance(detector, BlockDetector):
        detector = replace(detector, diameter=detector.diameter * sizes, height=detector.height * sizes,
                           width=None if detector.width is None else detector.width * sizes)
    return replace(setting, moderator=moderator, chopper=chopper, detector=detector,
                   aperture_width=setting.aperture_width * sizes, aperture_height=setting.aperture_height * sizes)
