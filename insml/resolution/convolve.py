"""Any function of (h, k, l, E), or any dispersion, seen through an instrument: means over draws of the flight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from insml import _core
from insml.errors import GeometryError, InsmlError, ModelError
from insml.instruments import FermiSpectrometer
from insml.instruments.distribution import Distribution
from insml.resolution.linear_map import linear_map
from insml.resolution.pixels import MeasuredPixels
from insml.resolution.sampling import DIMENSIONS, deviations, true_points, uniform, wanted_contributions
from insml.spinwave import SpinModel

Array = NDArray[np.float64]

#: S(h, k, l, E): four arrays (m,) to one.
Scattering = Callable[[Array, Array, Array, Array], ArrayLike]
#: (h, k, l), three arrays (m,), to energies and intensities (m, modes).
Dispersion = Callable[[Array, Array, Array], tuple[ArrayLike, ArrayLike]]

BOLTZMANN = 0.08617333262  # meV / K
#: Draws that are held at a time.
_CHUNK = 1 << 18
#: Step of group velocities, as a share of the path along which the energy is integrated.
_STEP = 1e-3


class Line(Protocol):
    def quantile(self, u: ArrayLike) -> Array: ...


@dataclass(frozen=True)
class Factors:
    """What multiplies S at the true (Q, E).

    kf_over_ki : of the cross section. temperature : K, Bose factor 1 / (1 - exp(-E / kT)), E for |E| where the function is
    odd in E. form_factor : <j0>^2 of an ion such as "Mn3+".
    """

    kf_over_ki: bool = False
    temperature: float | None = None
    form_factor: str | None = None

    def __post_init__(self) -> None:
        if self.temperature is not None and not self.temperature >= 0:
            raise ModelError(f"temperature: expected kelvin >= 0, found {self.temperature:g}")
        if self.form_factor is not None:
            self._coefficients()

    def _coefficients(self) -> Array:
        from insml.study.form_factors import UnknownIonError, by_ion

        try:
            return np.array(by_ion(str(self.form_factor)))
        except UnknownIonError as error:
            raise ModelError(f"form_factor: expected {error.expected}, found {self.form_factor!r}") from None

    def at(self, points: Array, pixels: MeasuredPixels) -> Array:
        """(n, samples) for points (n, samples, 4)."""
        out = np.ones(points.shape[:2])
        energy = points[..., 3]
        if self.temperature is not None:
            out *= bose(energy, self.temperature)
        for r in pixels.used:
            of, run = pixels.run == r, pixels.runs[r]
            if self.kf_over_ki:
                out[of] *= np.sqrt(np.maximum(1 - energy[of] / run.incident, 0.0))
            if self.form_factor is not None:
                c = self._coefficients()
                s2 = ((points[of][..., :3] @ run.orientation.b.T) ** 2).sum(axis=-1) / (16 * np.pi**2)
                out[of] *= ((c[:-1:2] * np.exp(-c[1:-1:2] * s2[..., None])).sum(axis=-1) + c[-1]) ** 2
        return out


def bose(energy: ArrayLike, temperature: float) -> Array:
    """n(E) + 1 = 1 / (1 - exp(-E / kT)), for both signs of E: negative for E < 0. At T = 0 it is 1 and 0."""
    e = np.asarray(energy, float)
    if temperature == 0:
        return np.where(e > 0, 1.0, 0.0)
    x = e / (BOLTZMANN * temperature)
    return np.asarray(-1 / np.expm1(-np.where(np.abs(x) < 1e-12, 1e-12, x).clip(-700)))


class Convolution:
    """Means of functions over the resolution of measured pixels.

    Parameters
    ----------
    pixels : n of them. samples : draws for each; powers of two are best.
    seed : two of them draw independently; the same seed, pixel and sample are the same draw, whatever else there is.
    contributions : names of what broadens (as :func:`insml.resolution_covariance`), all where absent; () for none.
    generator : "sobol", scrambled for every pixel, or "random" for comparison.
    factors : what multiplies the functions. twins : ((3, 3), weight) each: the function is averaged over hkl @ matrix.

    Raises
    ------
    InsmlError : samples, seed or generator that do not exist. GeometryError : unknown contributions.
    """

    def __init__(self, pixels: MeasuredPixels, *, samples: int = 16, seed: int = 0,
                 contributions: Iterable[str] | None = None, generator: str = "sobol", factors: Factors | None = None,
                 twins: Sequence[tuple[ArrayLike, float]] = (), threads: int = 0) -> None:
        self.pixels, self.samples, self.seed = pixels, int(samples), int(seed)
        self.contributions = wanted_contributions(pixels.runs, contributions)
        self._generator, self._factors, self._threads = generator, factors, threads
        self._twins = [(np.asarray(m, float), float(w)) for m, w in twins] or [(np.eye(3), 1.0)]
        uniform(pixels[:0], self.samples, self.seed, generator=generator)

    def points(self, start: int = 0, stop: int | None = None) -> Array:
        """(pixels, samples, 4) true h, k, l (r.l.u.) and E (meV) of pixels ``start`` to ``stop``."""
        part = self.pixels[start:stop]
        return true_points(part, self._draws(part), self.contributions)

    def mean(self, function: Scattering) -> Array:
        """(n,) mean over the samples of each pixel.

        Raises
        ------
        ModelError : a function that gives another shape than it got, or numbers that are not finite.
        """
        return self._chunks(lambda part: self._scattering(part, function))

    def modes(self, dispersion: Dispersion | SpinModel, line: Line | None = None) -> Array:
        """(n,) mean of sum over modes of intensity times ``line`` (infinitely narrow where None) in energy.

        One of the times of the flight is not drawn but integrated over with its density: that at which the mode is met,
        with the mode straight over it. Of the moderator's and the chopper's time it is for each pixel the one that moves
        energies more; deviations within ``line`` are drawn.

        Raises
        ------
        ModelError : energies and intensities of other shapes than (m, modes); no such time among the contributions.
        """
        of = spin_waves(dispersion) if isinstance(dispersion, SpinModel) else dispersion
        return self._chunks(lambda part: self._met(part, of, line))

    def error(self, function: Scattering, scrambles: int = 4) -> tuple[Array, Array]:
        """Mean and its standard error, both (n,), from independent scrambles with the seeds after the own."""
        if scrambles < 2:
            raise InsmlError(f"scrambles: expected at least 2, found {scrambles}")
        found = np.array([self._seeded(self.seed + i).mean(function) for i in range(scrambles)])
        return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(scrambles)

    def _seeded(self, seed: int) -> Convolution:
        return Convolution(self.pixels, samples=self.samples, seed=seed, contributions=self.contributions,
                           generator=self._generator, factors=self._factors, twins=self._twins, threads=self._threads)

    def _draws(self, part: MeasuredPixels, more: int = 0) -> Array:
        return uniform(part, self.samples, self.seed, generator=self._generator, dimensions=DIMENSIONS + more,
                       threads=self._threads)

    def _chunks(self, one: Callable[[MeasuredPixels], Array]) -> Array:
        step = max(1, _CHUNK // self.samples)
        out = np.empty(len(self.pixels))
        for start in range(0, len(self.pixels), step):
            out[start:start + step] = one(self.pixels[start:start + step])
        return out

    def _weighted(self, value: Array, points: Array, part: MeasuredPixels) -> Array:
        return value if self._factors is None else value * self._factors.at(points, part)

    def _scattering(self, part: MeasuredPixels, function: Scattering) -> Array:
        points = true_points(part, self._draws(part), self.contributions)
        value = np.zeros(points.shape[:2])
        for matrix, weight in self._twins:
            value += weight * evaluate(function, points[..., :3] @ matrix, points[..., 3])
        return np.asarray(self._weighted(value, points, part).mean(axis=1))

    def _met(self, part: MeasuredPixels, dispersion: Dispersion, line: Line | None) -> Array:
        u = self._draws(part, more=1)
        y = deviations(part, u, self.contributions)
        rows, which, densities, density = self._integrated(part)
        each = np.arange(len(part))
        y[each, :, which] = 0.0
        points = true_points(part, u, self.contributions, y)
        # what a second of that time does to (h, k, l, E)
        along = rows[each, :, which]
        reach = np.array([d.sigma for d in densities])[density]
        step = _STEP * reach[:, None, None] * along[:, None, :3]
        shift = 0.0 if line is None else line.quantile(u[..., DIMENSIONS])
        value = np.zeros(points.shape[:2])
        for matrix, weight in self._twins:
            here, strength = _modes_at(dispersion, points[..., :3] @ matrix)
            there, _ = _modes_at(dispersion, (points[..., :3] + step) @ matrix)
            slope = (there - here) / (_STEP * reach[:, None, None]) - along[:, None, 3, None]
            # energy of the mode less that of the neutron, where the time is zero
            apart = here + np.asarray(shift)[..., None] - points[..., 3, None]
            with np.errstate(divide="ignore", invalid="ignore"):
                time = np.where(slope != 0, -apart / slope, np.inf)
                met = np.empty_like(time)
                for d, of in enumerate(densities):
                    met[density == d] = of.pdf(time[density == d]) / np.abs(slope[density == d])
            value += weight * np.where(np.isfinite(met), met * strength, 0.0).sum(axis=-1)
        return np.asarray(self._weighted(value, points, part).mean(axis=1))

    def _integrated(self, part: MeasuredPixels) -> tuple[Array, NDArray[np.intp], list[Distribution], NDArray[np.intp]]:
        """Linear map (n, 4, 11); for each pixel the column of the time integrated over; distributions of mean zero, and for
        each pixel which one its time has."""
        rows = np.empty((len(part), 4, 11))
        which, density = np.empty(len(part), np.intp), np.empty(len(part), np.intp)
        densities: list[Distribution] = []
        for r in part.used:
            of, run = np.flatnonzero(part.run == r), part.runs[r]
            times: dict[int, Distribution] = {}
            if isinstance(run.instrument, FermiSpectrometer):
                if "chopper" in self.contributions:
                    times[3] = run.instrument.chopper
                if "moderator" in self.contributions:
                    times[0] = run.instrument.moderator.centred()
            if not times:
                raise ModelError("modes: expected the time at a Fermi chopper or its moderator among the contributions, "
                                 "found neither; a function of (h, k, l, E) with a line shape needs none")
            sub = part[of]
            rows[of] = linear_map(run.instrument, run.sample, sub.element, sub.energy, run.orientation, ei=run.incident)
            columns = np.array(list(times))
            size = np.abs(rows[of][:, 3, columns]) * np.array([t.sigma for t in times.values()])
            widest = size.argmax(axis=1)
            which[of], density[of] = columns[widest], widest + len(densities)
            densities += times.values()
        return rows, which, densities, density


def convolve(model: Scattering | SpinModel, pixels: MeasuredPixels, *, samples: int = 16, seed: int = 0,
             contributions: Iterable[str] | None = None, generator: str = "sobol", factors: Factors | None = None,
             twins: Sequence[tuple[ArrayLike, float]] = (), line: Line | None = None) -> Array:
    """(n,) mean over the resolution of each pixel: of S(h, k, l, E), or of the modes of a SpinModel with ``line``.

    Options and errors as :class:`Convolution`.
    """
    over = Convolution(pixels, samples=samples, seed=seed, contributions=contributions, generator=generator,
                       factors=factors, twins=twins)
    return over.modes(model, line) if isinstance(model, SpinModel) else over.mean(model)


def convolve_covariance(function: Scattering, hkl: ArrayLike, energy: ArrayLike, covariance: ArrayLike, *,
                        samples: int = 16, seed: int = 0, generator: str = "sobol") -> Array:
    """(n,) mean over a Gaussian of ``covariance`` (4, 4) or (n, 4, 4) in (h, k, l, E) about hkl (n, 3), energy (n,).

    Raises
    ------
    GeometryError : shapes that do not fit, a covariance that is not positive.
    """
    centre = np.concatenate([np.atleast_2d(np.asarray(hkl, float)), np.asarray(energy, float).reshape(-1, 1)], axis=1)
    spread = np.asarray(covariance, float)
    if centre.shape[1:] != (4,) or spread.shape not in ((4, 4), (len(centre), 4, 4)):
        raise GeometryError(f"covariance: expected hkl (n, 3), energy (n,) and (4, 4) or (n, 4, 4), found {spread.shape}")
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
        points = centre[part, None] + ndtri(u) @ root[part].transpose(0, 2, 1)
        out[part] = evaluate(function, points[..., :3], points[..., 3]).mean(axis=1)
    return out


def evaluate(function: Scattering, hkl: Array, energy: Array) -> Array:
    """``function`` at hkl (..., 3) and energy (...), checked."""
    flat = hkl.reshape(-1, 3)
    value = np.asarray(function(flat[:, 0], flat[:, 1], flat[:, 2], energy.ravel()), float)
    if value.shape not in ((), (len(flat),)):
        raise ModelError(f"function: expected one S(Q, E) for each of {len(flat)} points, found shape {value.shape}")
    if not np.isfinite(value).all():
        bad = np.flatnonzero(~np.isfinite(np.broadcast_to(value, len(flat))))[0]
        at = ", ".join(f"{x:g}" for x in (*flat[bad], energy.ravel()[bad]))
        raise ModelError(f"function: expected finite S(Q, E), found another at (h, k, l, E) = ({at})")
    return np.broadcast_to(value, len(flat)).reshape(energy.shape)


def spin_waves(model: SpinModel, *, form_factor: bool = False) -> Dispersion:
    """Energies (meV) and S_perp of the modes of all twins, weights included."""

    def at(h: Array, k: Array, l: Array) -> tuple[Array, Array]:  # noqa: E741
        found = model.spectrum(np.stack([h, k, l], axis=-1), form_factor=form_factor, tensor=False)
        if not found.domains:
            return found.energy, found.intensity
        return (np.concatenate([d.energy for d in found.domains], axis=1),
                np.concatenate([d.weight * d.intensity for d in found.domains], axis=1))

    return at


def _modes_at(dispersion: Dispersion, hkl: Array) -> tuple[Array, Array]:
    flat = hkl.reshape(-1, 3)
    energy, strength = (np.asarray(x, float) for x in dispersion(flat[:, 0], flat[:, 1], flat[:, 2]))
    if energy.ndim == 1:
        energy, strength = energy[:, None], strength[:, None] if strength.ndim == 1 else strength
    if energy.ndim != 2 or len(energy) != len(flat) or strength.shape != energy.shape:
        raise ModelError(f"dispersion: expected energies and intensities ({len(flat)}, modes), found shapes {energy.shape} "
                         f"and {strength.shape}")
    shape = (*hkl.shape[:-1], energy.shape[1])
    return energy.reshape(shape), strength.reshape(shape)
