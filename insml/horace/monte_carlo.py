"""Fits through the resolution of the instrument, pixel by pixel (T. G. Perring's Tobyfit, as Horace has it).

Points are the same at every look of a fit, so that chi^2 is a smooth function of the parameters, and the same for the same
seed. They are Sobol's, scrambled for each pixel: a power of two of them is best.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import ModelError
from insml.horace.multifit import Multifit, _given, _shaped, averaged
from insml.horace.parameters import Bind, Part
from insml.horace.pixel_cut import PixelCut
from insml.instruments import FermiSpectrometer, Ikcarp
from insml.resolution.convolve import Convolution
from insml.resolution.pixels import MeasuredPixels
from insml.resolution.sampling import wanted_contributions
from insml.sqw import Sqw

Array = NDArray[np.float64]

#: Numbers of points that are kept between looks, and that are worked on at a time.
_KEPT, _CHUNK = 1 << 24, 1 << 18

CRYSTAL = ("a", "b", "c", "alpha", "beta", "gamma", "rotation x", "rotation y", "rotation z")
MODERATOR = ("tau_f", "tau_s", "R")


@dataclass(frozen=True, eq=False)
class Tobyfit(Multifit):
    """See :func:`tobyfit`."""

    samples: int = 10
    seed: int = 0
    contributions: frozenset[str] | None = None
    generator: str = "sobol"
    _points: dict[int, Array] = field(default_factory=dict)

    def set_mc_points(self, samples: int) -> Self:
        """Draws for each pixel, 10 at the start as in Horace; 8, 16, 32 ... are best."""
        return self._checked(samples=int(samples))

    def set_mc_seed(self, seed: int) -> Self:
        """Of the draws: two seeds are two independent Monte Carlos."""
        return self._checked(seed=int(seed))

    def set_mc_generator(self, generator: str) -> Self:
        """"sobol", or "random" for comparison."""
        return self._checked(generator=generator)

    def set_mc_contributions(self, *names: str) -> Self:
        """What broadens: "all", "none", names to leave out ("nomosaic", "nosample"), or names to have.

        Of Fermi-chopper instruments: moderator, aperture, chopper, sample, detector_depth, detector_area, energy_bin,
        mosaic; of disks shape_chopper, mono_chopper, horiz_divergence, vert_divergence for the second and third.
        """
        known = wanted_contributions([r for c in self.cuts for r in c.pixels.runs], None)
        if names in (("all",), ()):
            return self._checked(contributions=known)
        if names == ("none",):
            return self._checked(contributions=frozenset())
        out = {n[2:] for n in names if n.startswith("no") and n[2:] in known}
        kept = set(names) - {f"no{n}" for n in out}
        if (out and kept) or kept - known:
            raise ModelError(f"contributions: expected 'all', 'none', names of {sorted(known)} or those with 'no' in "
                             f"front, found {list(names)}")
        return self._checked(contributions=frozenset(known - out if out else kept))

    def set_refine_crystal(self, *, free: ArrayLike | None = None, fix_angdeg: bool = False, fix_alatt_ratio: bool = False,
                           fix_orient: bool = False) -> Self:
        """Lattice (Angstrom, degrees) and a rotation (degrees, about crystal Cartesian axes) become parameters.

        free : for each of a, b, c, alpha, beta, gamma and the three components of the rotation.
        fix_alatt_ratio : b and c follow a.
        """
        lattices = {r.orientation.lattice for c in self.cuts for r in c.pixels.runs}
        if len(lattices) != 1:
            raise ModelError(f"refine_crystal: expected one lattice in all runs, found {len(lattices)}")
        start = lattices.pop()
        kept = np.ones(9, bool) if free is None else np.asarray(free, bool).copy()
        if kept.shape != (9,):
            raise ModelError(f"free: expected nine, found {kept.size}")
        kept[3:6] &= not fix_angdeg
        kept[6:] &= not fix_orient
        pin = [start.a, start.b, start.c, start.alpha, start.beta, start.gamma, 0.0, 0.0, 0.0]
        part = Part(_crystal, np.array(pin), free=kept, names=CRYSTAL)
        new = replace(self, refined=(part,), binds=tuple(b for b in self.binds if b.target[0] != "refine"))
        if fix_alatt_ratio:
            new = replace(new, binds=(*new.binds, *(Bind(("refine", 0, i), ("refine", 0, 0), None) for i in (1, 2))))
        return new

    def set_refine_moderator(self, pin: ArrayLike | None = None, free: ArrayLike | None = None) -> Self:
        """The moderator's pulse becomes an Ikeda-Carpenter function whose tau_f, tau_s (microseconds) and R are parameters.

        pin : starting values; those of the instrument where it has such a pulse. free : tau_f alone where absent.
        """
        instrument = self.cuts[0].pixels.runs[0].instrument
        if not all(isinstance(r.instrument, FermiSpectrometer) for c in self.cuts for r in c.pixels.runs):
            raise ModelError("refine_moderator: expected a Fermi-chopper instrument, found disk choppers")
        if pin is None:
            if not isinstance(instrument, FermiSpectrometer) or not isinstance(instrument.moderator, Ikcarp):
                raise ModelError("pin: expected tau_f, tau_s and R, as the instrument's pulse is of another kind")
            pin = [instrument.moderator.tau_f, instrument.moderator.tau_s, instrument.moderator.r]
        part = Part(_pulse, np.asarray(pin, float), free=np.asarray([1, 0, 0] if free is None else free), names=MODERATOR)
        return replace(self, refined=(part,), binds=tuple(b for b in self.binds if b.target[0] != "refine"))

    def convolution(self, d: int = 0) -> Convolution:
        """Of the pixels of cut ``d``, with the settings of this fit."""
        return self._convolution(self.cuts[d].pixels)

    def _convolution(self, pixels: MeasuredPixels) -> Convolution:
        return Convolution(pixels, samples=self.samples, seed=self.seed, contributions=self.contributions,
                           generator=self.generator)

    def _checked(self, **changes: Any) -> Self:
        new = replace(self, _points={}, **changes)
        new._convolution(self.cuts[0].pixels[:0])
        return new

    def _bins(self, d: int, function: Callable[[Sequence[Array]], Any], refined: list[Array]) -> Array:
        cut = self.cuts[d]
        turn, pixels = _EYE, cut.pixels
        if refined and self.refined[0].function is _crystal:
            turn = _crystal(pixels.runs[0].orientation, refined[0])
        elif refined:
            pixels = _pulse(pixels, refined[0])
        value = np.empty(len(pixels))
        for part, points in self._pieces(d, pixels, keep=pixels is cut.pixels):
            hkl = points[..., :3] if turn is _EYE else points[..., :3] @ turn.T
            found = _shaped(function([*hkl.reshape(-1, 3).T, points[..., 3].ravel()]), (points[..., 3].size,))
            value[part] = found.reshape(points.shape[:2]).mean(axis=1)
        return averaged(cut, value)

    def _pieces(self, d: int, pixels: MeasuredPixels, *, keep: bool) -> Iterator[tuple[slice, Array]]:
        over = self._convolution(pixels)
        step = max(1, _CHUNK // self.samples)
        keep = keep and len(pixels) * self.samples <= _KEPT // len(self.cuts)
        if keep and d not in self._points:
            self._points[d] = np.concatenate([over.points(s, s + step) for s in range(0, len(pixels), step)])
        for start in range(0, len(pixels), step):
            part = slice(start, start + step)
            yield part, self._points[d][part] if keep else over.points(start, start + step)


_EYE = np.eye(3)


def tobyfit(w: PixelCut | Sqw | Sequence[PixelCut | Sqw]) -> Tobyfit:
    """A fit of one or several cuts in which functions in front, S(h, k, l, E, p), are seen through the resolution.

    As in Horace: ``kk = tobyfit(w); kk = kk.set_fun(f, [p]); kk = kk.set_bfun(linear_bg, [c, g]); wfit, fp = kk.fit()``.
    """
    return Tobyfit(*_given(w))


def _crystal(orientation: Orientation, p: Array) -> Array:
    """(3, 3): hkl of the lattice and rotation ``p`` at what is hkl in ``orientation``."""
    from scipy.spatial.transform import Rotation

    new = Orientation(Lattice(*(float(x) for x in p[:6])), orientation.u, orientation.v)
    return np.asarray(np.linalg.solve(new.b, Rotation.from_rotvec(p[6:], degrees=True).as_matrix() @ orientation.b))


def _pulse(pixels: MeasuredPixels, p: Array) -> MeasuredPixels:
    """The same pixels behind a moderator with the pulse ``p``."""
    moderator = Ikcarp(*(float(x) for x in p))
    runs = [replace(r, instrument=replace(r.instrument, moderator=moderator)) for r in pixels.runs
            if isinstance(r.instrument, FermiSpectrometer)]
    return replace(pixels, runs=runs)
