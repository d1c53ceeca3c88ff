"""Modes of a dispersion under the times of a flight: energies are integrated along a path of times instead of drawn.

rust/insml-core/src/convolution/path.rs does the integrals.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml import _core
from insml.errors import ModelError
from insml.instruments import Delta, DiskSpectrometer
from insml.instruments.distribution import Distribution
from insml.resolution.beam import Spectrometer
from insml.resolution.line_shapes import DampedOscillator, GaussianLine, LorentzianLine
from insml.resolution.sampling import joint_times, quantiles
from insml.spinwave import SpinModel

Array = NDArray[np.float64]

#: (h, k, l), three arrays (m,), to energies and intensities (m, modes).
Dispersion = Callable[[Array, Array, Array], tuple[ArrayLike, ArrayLike]]
Line = GaussianLine | LorentzianLine | DampedOscillator

#: Deviations that are times of the beam.
TIMES = (0, 3)
#: Pieces of a path in which energies are straight.
PIECES = 24
#: Times beyond the quantiles of this are not on a path.
_RARE = 1e-5
#: Points of tables of densities.
_TABLE = 4097
_KINDS = {GaussianLine: "gaussian", LorentzianLine: "lorentzian", DampedOscillator: "oscillator", type(None): "narrow"}


def spin_waves(model: SpinModel, *, form_factor: bool = False) -> Dispersion:
    """Energies (meV) and S_perp of the modes of all twins, weights included."""

    def at(h: Array, k: Array, l: Array) -> tuple[Array, Array]:  # noqa: E741
        found = model.spectrum(np.stack([h, k, l], axis=-1), form_factor=form_factor, tensor=False)
        if not found.domains:
            return found.energy, found.intensity
        return (np.concatenate([d.energy for d in found.domains], axis=1),
                np.concatenate([d.weight * d.intensity for d in found.domains], axis=1))

    return at


def modes_at(dispersion: Dispersion, hkl: Array) -> tuple[Array, Array]:
    """Energies and intensities (m, modes) at hkl (3, ...) of m points, checked."""
    h, k, l = hkl.reshape(3, -1)  # noqa: E741
    energy, strength = (np.asarray(x, float) for x in dispersion(h, k, l))
    if energy.ndim == 1:
        energy, strength = energy[:, None], strength[:, None] if strength.ndim == 1 else strength
    if energy.ndim != 2 or len(energy) != len(h) or strength.shape != energy.shape:
        raise ModelError(f"dispersion: expected energies and intensities ({len(h)}, modes), found shapes {energy.shape} "
                         f"and {strength.shape}")
    if not (np.isfinite(energy).all() and np.isfinite(strength).all()):
        bad = np.flatnonzero(~(np.isfinite(energy) & np.isfinite(strength)).all(axis=1))[0]
        raise ModelError("dispersion: expected finite energies and intensities, found others at (h, k, l) = "
                         f"({h[bad]:g}, {k[bad]:g}, {l[bad]:g})")
    return energy, strength


class BeamTimes:
    """The two times of the beam, deviations 0 and 3, of one run; deltas where they do not contribute."""

    def __init__(self, instrument: Spectrometer, contributions: frozenset[str]) -> None:
        self._joint = None
        if isinstance(instrument, DiskSpectrometer):
            times = instrument.times
            names = ("shape_chopper", "mono_chopper")
            laws: list[Distribution] = [times.shaping, times.mono]
            if "moderator" in contributions and contributions & set(names):
                if not set(names) <= contributions:
                    raise ModelError("modes: expected both shape_chopper and mono_chopper with the moderator that ties "
                                     "their times, found one")
                self._joint = times
        else:
            names, laws = ("moderator", "chopper"), [instrument.moderator.centred(), instrument.chopper]
        self._laws = [law if name in contributions else Delta() for name, law in zip(names, laws, strict=True)]
        #: (2,) standard deviations, s.
        self.sigma = np.array([law.sigma for law in self._laws])

    def drawn(self, u: Array) -> Array:
        """(..., 2) seconds for u (..., 2), as the core draws them."""
        known = _core.probabilities()
        if self._joint is not None:
            table = joint_times(self._joint)
            first = np.interp(u[..., 0], known, quantiles(table.marginal))
            return np.stack([first, table.quantile(u[..., 1], first)], axis=-1)
        return np.stack([np.interp(u[..., i], known, quantiles(law)) for i, law in enumerate(self._laws)], axis=-1)

    def paths(self, at: Array, towards: Array, threads: int) -> tuple[Array, Array, Array]:
        """Paths at + tau towards, both (m, 2): first and last tau (m, 2), probability of each piece of it (m, pieces), tau
        where modes are to be solved (m, 3)."""
        lo, hi = np.full(len(at), -np.inf), np.full(len(at), np.inf)
        for i, law in enumerate(self._laws):
            if law.sigma == 0:
                continue
            ends = quantiles(law)[np.searchsorted(_core.probabilities(), [_RARE, 1 - _RARE])]
            moves = towards[:, i] != 0
            first, last = np.sort((ends[:, None] - at[:, i]) / np.where(moves, towards[:, i], 1.0), axis=0)
            lo, hi = np.where(moves, np.maximum(lo, first), lo), np.where(moves, np.minimum(hi, last), hi)
        # what is drawn is on the path; where nothing contributes it is all there is
        ends = np.stack([np.minimum(lo, 0.0), np.maximum(hi, 0.0)], axis=-1)
        ends[~np.isfinite(ends)] = 0.0
        share, solved = _core.paths(densities=self._densities(), at=np.ascontiguousarray(at),
                                    towards=np.ascontiguousarray(towards), ends=ends, threads=threads)
        return ends, share, solved

    def _densities(self) -> list[tuple[Array, float, float, tuple[float, float], float]]:
        out = [(*_density(law), times, 0.0) for law, times in zip(self._laws, ((1.0, 0.0), (0.0, 1.0)), strict=True)
               if law.sigma > 0]
        if self._joint is not None:
            ratio = self._joint.moderator_to_mono / self._joint.shaping_to_mono
            out.append((*_density(self._joint.moderator), (ratio, 1 - ratio), self._joint.offset))
        return out


def met(line: Line | None, paths: tuple[Array, Array, Array], energy: Array, mode: Array, strength: Array,
        threads: int) -> Array:
    """(m,) sum over modes of intensity times the density with which the neutron's energy meets them, 1/meV.

    paths : as of :meth:`BeamTimes.paths`, probabilities times factors. energy : (m, 2) of the neutron at tau = 0, and its
    change. mode, strength : (3, m, modes) where they were solved.

    Raises
    ------
    ModelError : a line of another kind.
    """
    if type(line) not in _KINDS:
        raise ModelError("line: expected GaussianLine, LorentzianLine, DampedOscillator or None, found "
                         f"{type(line).__name__}; any other shape goes into a function of (h, k, l, E)")
    ends, share, solved = paths
    return _core.met(line=_KINDS[type(line)], fwhm=0.0 if line is None else line.fwhm, ends=ends, solved=solved,
                     share=share, energy=energy, mode=mode, strength=strength, threads=threads)


@lru_cache(maxsize=256)
def _density(law: Distribution) -> tuple[Array, float, float]:
    """Values on even steps, first point, step; s and 1/s."""
    first, last = quantiles(law)[[0, -1]]
    x = np.linspace(first, last, _TABLE)
    return np.ascontiguousarray(law.pdf(x)), float(first), float(x[1] - x[0])
