"""Any function of (h, k, l, E), or any dispersion, seen through an instrument: means over draws of the flight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from insml import _core
from insml.errors import GeometryError, InsmlError, ModelError
from insml.resolution.factors import Factors, bose
from insml.resolution.linear_map import linear_map
from insml.resolution.modes import PIECES, TIMES, BeamTimes, Dispersion, Line, met, modes_at, spin_waves
from insml.resolution.pixels import MeasuredPixels
from insml.resolution.sampling import (
    DIMENSION,
    checked_draws,
    true_points,
    uniform,
    wanted_contributions,
)
from insml.spinwave import SpinModel

__all__ = ["Convolution", "Dispersion", "Factors", "Line", "Scattering", "bose", "convolve", "convolve_covariance",
           "spin_waves"]

Array = NDArray[np.float64]

#: S(h, k, l, E): four arrays (m,) to one.
Scattering = Callable[[Array, Array, Array, Array], ArrayLike]

#: Draws that are held at a time, of functions and of modes.
_CHUNK, _CHUNK_MODES = 1 << 18, 1 << 15


class Convolution:
    """Means of functions over the resolution of measured pixels.

    Parameters
    ----------
    pixels : n of them. samples : draws for each; powers of two are best.
    seed : two of them draw independently; the same seed, pixel and sample are the same draw, whatever else there is.
    contributions : names of what broadens (as :func:`insml.resolution_covariance`), all where absent; () for none.
    generator : "sobol", scrambled for every pixel, or "random" for comparison.
    factors : what multiplies the functions. twins : ((3, 3), weight) each: the function is averaged over hkl @ matrix.
    threads : of the draws; 0: one per core.

    Raises
    ------
    InsmlError : samples, seed or generator that do not exist. GeometryError : unknown contributions, twins of other shapes.
    """

    def __init__(self, pixels: MeasuredPixels, *, samples: int = 16, seed: int = 0,
                 contributions: Iterable[str] | None = None, generator: str = "sobol", factors: Factors | None = None,
                 twins: Sequence[tuple[ArrayLike, float]] = (), threads: int = 0) -> None:
        self.pixels, self.samples, self.seed = pixels, int(samples), int(seed)
        self.contributions = wanted_contributions(pixels.runs, contributions)
        self._generator, self._factors, self._threads = generator, factors, threads
        self._twins = [(np.asarray(m, float), float(w)) for m, w in twins]
        if any(m.shape != (3, 3) for m, _ in self._twins):
            raise GeometryError("twins: expected ((3, 3), weight) each, found other shapes")
        checked_draws(self.samples, self.seed, generator)

    def points(self, start: int = 0, stop: int | None = None) -> Array:
        """(pixels, samples, 4) true h, k, l (r.l.u.) and E (meV) of pixels ``start`` to ``stop``."""
        return np.moveaxis(self._drawn(self.pixels[start:stop]), 0, -1)

    def mean(self, function: Scattering) -> Array:
        """(n,) mean over the samples of each pixel.

        Raises
        ------
        ModelError : a function that gives another shape than it got, or numbers that are not finite.
        """
        return self._chunks(_CHUNK, lambda part: self._scattering(part, function))

    def modes(self, dispersion: Dispersion | SpinModel, line: Line | None = None) -> Array:
        """(n,) mean of the sum over modes of intensity times ``line`` (infinitely narrow where None) in energy.

        Energies are not left to chance: from each draw on, the two times of the beam (moderator and chopper, or the two
        disks) change together, in the direction in which the energy changes most, and over that path the line is integrated
        with the density of the times. Modes are solved at three places of it and are straight between them.

        Raises
        ------
        ModelError : energies and intensities of other shapes than (m, modes) or not finite; no line and neither of the
        times among the contributions, or one disk of two with the moderator.
        """
        of = spin_waves(dispersion) if isinstance(dispersion, SpinModel) else dispersion
        return self._chunks(_CHUNK_MODES, lambda part: self._met(part, of, line))

    def error(self, function: Scattering, scrambles: int = 4) -> tuple[Array, Array]:
        """Mean and its standard error, both (n,), from independent scrambles, of seeds from the own on."""
        return self._spread(lambda over: over.mean(function), scrambles)

    def modes_error(self, dispersion: Dispersion | SpinModel, line: Line | None = None, scrambles: int = 4
                    ) -> tuple[Array, Array]:
        """As :meth:`error`, of :meth:`modes`."""
        return self._spread(lambda over: over.modes(dispersion, line), scrambles)

    def _spread(self, mean: Callable[[Convolution], Array], scrambles: int) -> tuple[Array, Array]:
        if scrambles < 2:
            raise InsmlError(f"scrambles: expected at least 2, found {scrambles}")
        found = np.array([mean(self._seeded(self.seed + i)) for i in range(scrambles)])
        return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(scrambles)

    def _seeded(self, seed: int) -> Convolution:
        return Convolution(self.pixels, samples=self.samples, seed=seed, contributions=self.contributions,
                           generator=self._generator, factors=self._factors, twins=self._twins, threads=self._threads)

    def _drawn(self, part: MeasuredPixels) -> Array:
        return true_points(part, self.samples, self.seed, self.contributions, generator=self._generator,
                           threads=self._threads)

    def _chunks(self, draws: int, one: Callable[[MeasuredPixels], Array]) -> Array:
        step = max(1, draws // self.samples)
        out = np.empty(len(self.pixels))
        # run by run, as each has tables of its own
        order = np.argsort(self.pixels.run, kind="stable") if len(self.pixels.used) > 1 else None
        for start in range(0, len(self.pixels), step):
            part = slice(start, start + step) if order is None else order[start:start + step]
            out[part] = one(self.pixels[part])
        return out

    def _turned(self, points: Array) -> Iterable[tuple[float, Array]]:
        """Weights of twins and the (4, ...) that they see."""
        if not self._twins:
            yield 1.0, points
        for m, weight in self._twins:
            h, k, l = points[:3]  # noqa: E741
            # not a matrix product, whose last bits depend on how many points there are
            yield weight, np.stack([*(m[0, j] * h + m[1, j] * k + m[2, j] * l for j in range(3)), points[3]])

    def _scattering(self, part: MeasuredPixels, function: Scattering) -> Array:
        points = self._drawn(part)
        value = np.zeros(points.shape[1:])
        for weight, seen in self._turned(points):
            value += weight * evaluate(function, seen)
        if self._factors is not None:
            value *= self._factors.at(points, part)
        return np.asarray(value.mean(axis=1))

    def _met(self, part: MeasuredPixels, dispersion: Dispersion, line: Line | None) -> Array:
        points = self._drawn(part)
        own = [DIMENSION[t] for t in TIMES]
        u = uniform(part, self.samples, self.seed, generator=self._generator, dimensions=1 + max(own),
                    threads=self._threads)[..., own]
        shape = u.shape[:2]
        ends, share, solved = (np.empty((*shape, n)) for n in (2, PIECES, 3))
        # (4, n) what a unit of tau does to (h, k, l, E)
        rate = np.empty((4, len(part)))
        for r in part.used:
            of, run = np.flatnonzero(part.run == r), part.runs[r]
            times, sub = BeamTimes(run.instrument, self.contributions), part[of]
            if line is None and not times.sigma.any():
                raise ModelError("modes: expected a line, or a time of the beam (moderator, chopper, disks) among the "
                                 "contributions, found neither")
            rows = linear_map(run.instrument, run.sample, sub.element, sub.energy, run.orientation, ei=run.incident)
            # the direction in which energy changes most, with times in their standard deviations
            steep = times.sigma * rows[:, 3, TIMES]
            towards = times.sigma * steep / np.maximum(np.linalg.norm(steep, axis=1, keepdims=True), 1e-300)
            found = times.paths(times.drawn(u[of]).reshape(-1, 2), np.repeat(towards, self.samples, axis=0), self._threads)
            for all_runs, one in zip((ends, share, solved), found, strict=True):
                all_runs[of] = one.reshape(len(of), self.samples, -1)
            rate[:, of] = (rows[:, :, TIMES] * towards[:, None]).sum(axis=2).T
        return self._along(part, points, (ends, share, solved), rate[..., None], dispersion, line)

    def _along(self, part: MeasuredPixels, points: Array, paths: tuple[Array, Array, Array], rate: Array,
               dispersion: Dispersion, line: Line | None) -> Array:
        ends, share, solved = paths
        factors = self._factors or Factors()
        if self._factors is not None:
            middle = ends[..., :1] + (ends[..., 1:] - ends[..., :1]) * ((np.arange(PIECES) + 0.5) / PIECES)
            share = share * factors.of_energy(points[3][..., None] + rate[3][..., None] * middle, part)
        flat = ends.reshape(-1, 2), share.reshape(-1, PIECES), solved.reshape(-1, 3)
        energy = np.stack([points[3], np.broadcast_to(rate[3], points[3].shape)], axis=-1).reshape(-1, 2)
        value = np.zeros(points.shape[1:])
        for twin in zip(*(self._turned(points + rate * solved[..., i]) for i in range(3)), strict=True):
            found = [modes_at(dispersion, seen[:3]) for _, seen in twin]
            mode, strength = (np.stack(x) for x in zip(*found, strict=True))
            value += twin[0][0] * met(line, flat, energy, mode, strength, self._threads).reshape(value.shape)
        return np.asarray((value * factors.of_q(points, part)).mean(axis=1))


def convolve(model: Scattering | SpinModel, pixels: MeasuredPixels, *, samples: int = 16, seed: int = 0,
             contributions: Iterable[str] | None = None, generator: str = "sobol", factors: Factors | None = None,
             twins: Sequence[tuple[ArrayLike, float]] = (), line: Line | None = None) -> Array:
    """(n,) mean over the resolution of each pixel: of S(h, k, l, E), or of the modes of a SpinModel with ``line``.

    Options and errors as :class:`Convolution`.
    """
    over = Convolution(pixels, samples=samples, seed=seed, contributions=contributions, generator=generator,
                       factors=factors, twins=twins)
    if isinstance(model, SpinModel):
        return over.modes(model, line)
    if line is not None:
        raise ModelError("line: expected none with a function of (h, k, l, E), which has its own; a dispersion goes to "
                         "Convolution(pixels).modes, found one")
    return over.mean(model)


def convolve_covariance(function: Scattering, hkl: ArrayLike, energy: ArrayLike, covariance: ArrayLike, *,
                        samples: int = 16, seed: int = 0, generator: str = "sobol") -> Array:
    """(n,) mean over a Gaussian of ``covariance`` (4, 4) or (n, 4, 4) in (h, k, l, E) about hkl (n, 3), energy (n,).

    Raises
    ------
    GeometryError : shapes that do not fit, a covariance that is not positive. InsmlError, ModelError : as
    :class:`Convolution`.
    """
    checked_draws(samples, seed, generator)
    q, e, spread = (np.asarray(x, float) for x in (hkl, energy, covariance))
    q, e = np.atleast_2d(q), np.atleast_1d(e)
    if q.ndim != 2 or q.shape[1] != 3 or e.shape != q.shape[:1] or spread.shape not in ((4, 4), (len(q), 4, 4)):
        raise GeometryError("covariance: expected hkl (n, 3), energy (n,) and (4, 4) or (n, 4, 4), found shapes "
                            f"{q.shape}, {e.shape} and {spread.shape}")
    centre = np.concatenate([q, e[:, None]], axis=1)
    values, vectors = np.linalg.eigh(spread)
    if not (values >= -1e-9 * values.max(axis=-1, keepdims=True)).all():
        raise GeometryError("covariance: expected eigenvalues >= 0, found negative ones")
    root = np.broadcast_to(vectors * np.sqrt(values.clip(0))[..., None, :], (len(centre), 4, 4))
    out = np.empty(len(centre))
    step = max(1, _CHUNK // samples)
    for start in range(0, len(centre), step):
        part = slice(start, start + step)
        number = np.arange(start, min(start + step, len(centre)), dtype=np.uint64)
        u = _core.draws(seed=seed, pixels=number, samples=samples, dimensions=4, sobol=generator == "sobol", threads=0)
        normal = ndtri(u)
        points = np.stack([centre[part, i, None] + sum(root[part, i, j, None] * normal[..., j] for j in range(4))
                           for i in range(4)])
        out[part] = evaluate(function, points).mean(axis=1)
    return out


def evaluate(function: Scattering, points: Array) -> Array:
    """``function`` at h, k, l, E, points (4, ...), checked; (...)."""
    h, k, l, e = points.reshape(4, -1)  # noqa: E741
    value = np.asarray(function(h, k, l, e), float)
    if value.shape not in ((), e.shape):
        raise ModelError(f"function: expected one S(Q, E) for each of {len(e)} points, found shape {value.shape}")
    if not np.isfinite(value).all():
        bad = np.flatnonzero(~np.isfinite(np.broadcast_to(value, e.shape)))[0]
        at = ", ".join(f"{x[bad]:g}" for x in (h, k, l, e))
        raise ModelError(f"function: expected finite S(Q, E), found another at (h, k, l, E) = ({at})")
    return np.broadcast_to(value, e.shape).reshape(points.shape[1:])
