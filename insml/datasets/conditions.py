"""How the crystal and the spectrometer of an experiment differ from what a study states.

A sample put together of several crystals has a mosaic of degrees; it never stands quite as supposed; and pulses are longer
or shorter than their models. Images are blurred and turned by it before any neutron is counted, and exchange parameters
that are fitted without it bend to make up for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from insml import _core
from insml.instrument_simulation import InstrumentSimulator, instrument_of
from insml.instruments import FermiPulse, FermiSpectrometer, Ikcarp
from insml.resolution import DirectGeometry, SliceWidths
from insml.resolution.forward import forward_image
from insml.simulation import Simulator
from insml.study import Kinematic, Study

#: Images of a set are simulated under so many conditions: preparing one costs as much as two images.
CONDITIONS = 32
#: Share without mosaic, largest mosaic (degrees FWHM), sigma of the turn (degrees), factors of widths, sigma of the tilt.
_PERFECT, _MOSAIC, _TURN, _WIDTHS, _TILT = 0.25, 3.0, 0.4, (0.85, 1.3), 0.4
_PREPARED = 40
_FWHM = float(np.sqrt(8 * np.log(2)))


@dataclass(frozen=True)
class Condition:
    """``mosaic_fwhm``: degrees, isotropic. ``turn``: degrees in the plane of the image. ``widths``: factor of the widths in
    energy (pulses of moderator and chopper, or the stated FWHM). ``tilt``: each twin has exp(tilt) times more of the
    sample, against the one before it, than the study states; 0.4 makes 60 : 40 of equal shares."""

    mosaic_fwhm: float = 0.0
    turn: float = 0.0
    widths: float = 1.0
    tilt: float = 0.0


def draw_conditions(seed: int, count: int = CONDITIONS) -> tuple[Condition, ...]:
    """The conditions of a data set; a quarter is without mosaic."""
    out = []
    for n in range(count):
        rng = np.random.default_rng([seed, 1 << 20, n])
        perfect, mosaic = rng.random() < _PERFECT, rng.uniform(0, _MOSAIC)
        turn, widths = rng.normal(0, _TURN), np.exp(rng.uniform(*np.log(_WIDTHS)))
        tilt = float(rng.normal(0, _TILT))
        out.append(Condition(0.0 if perfect else float(mosaic), float(turn), float(widths), tilt))
    return tuple(out)


def has_instrument(study: Study) -> bool:
    """Whether images go through a whole instrument; Gaussian widths are stated otherwise."""
    return isinstance(study.broadening, DirectGeometry) and isinstance(study.third, Kinematic)


def simulator(study: Study, candidate: str, condition: Condition, threads: int = 0) -> InstrumentSimulator | Simulator:
    """What simulates a candidate under a condition. For a study of Gaussian widths a mosaic is a broadening in Q, that of
    half the way to the edge of the image, and there is no turn."""
    if has_instrument(study):
        prepared = _prepared(_Preparation(study.simulation_digest, condition.mosaic_fwhm, condition.widths, study))
        return InstrumentSimulator(study, candidate, prepared=prepared, turn=condition.turn, tilt=condition.tilt,
                                   threads=threads)
    return Simulator(study, candidate, widths=_wider(study, condition), tilt=condition.tilt, threads=threads)


def _wider(study: Study, condition: Condition) -> list[SliceWidths]:
    # a rotation moves points along one axis by their distance on the other
    reach = np.array([0.5 * float(np.abs(a.edges).max()) for a in study.layout.axes])[::-1]
    blur = np.radians(condition.mosaic_fwhm) / _FWHM * reach
    return [SliceWidths((float(np.hypot(w.sigma_axes[0], blur[0])), float(np.hypot(w.sigma_axes[1], blur[1]))),
                        tuple((condition.widths * np.asarray(w.sigma_energy)).tolist()))
            for w in study.broadening.widths(study.lattice, study.layout)]


@dataclass(frozen=True)
class _Preparation:
    """Equal for equal contents, so that every shard of a set, which reads the study anew, finds what others prepared."""

    digest: str
    mosaic_fwhm: float
    widths: float
    study: Study = field(compare=False)


@lru_cache(maxsize=_PREPARED)
def _prepared(what: _Preparation) -> _core.ForwardImage:
    instrument = instrument_of(what.study)
    settings = {ei: _longer(s, what.widths) for ei, s in instrument.settings.items()}
    sample = replace(instrument.sample, mosaic_fwhm=what.mosaic_fwhm or None)
    return forward_image(replace(instrument, settings=settings, sample=sample), what.study.layout, cells=2)


def _longer(setting: FermiSpectrometer, factor: float) -> FermiSpectrometer:
    """The same with pulses longer by a factor."""
    moderator, chopper = setting.moderator, setting.chopper
    if not (isinstance(moderator, Ikcarp) and isinstance(chopper, FermiPulse)):
        return setting
    return replace(setting, moderator=replace(moderator, tau_f=moderator.tau_f * factor, tau_s=moderator.tau_s * factor),
                   chopper=replace(chopper, opening=chopper.opening * factor))
