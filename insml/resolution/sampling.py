"""Draws of a neutron's flight, and the true (h, k, l, E) they lead to: the Monte Carlo of Tobyfit.

Source: T. G. Perring's Tobyfit; Horace's tobyfit_DGfermi_resconv and tobyfit_DGdisk_resconv. Draws are addressed by (seed,
pixel, sample, dimension) (rust/insml-core/src/sobol.rs), so that they depend on nothing else; flights are followed in
rust/insml-core/src/convolution/flight.rs.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.errors import GeometryError, InsmlError
from insml.instruments import ChopperTimes, FermiSpectrometer, Gaussian, TubeDetector
from insml.instruments.conditional import JointTable
from insml.instruments.detector import TOBYFIT_DEPTH, across
from insml.instruments.distribution import Distribution
from insml.resolution.beam import contribution_columns
from insml.resolution.linear_map import linear_map, time_bin, wavevectors
from insml.resolution.pixels import MeasuredPixels, ResolutionRun

Array = NDArray[np.float64]

GENERATORS = ("sobol", "random")
DEVIATIONS = 11
#: Dimension of the draws for each deviation, then for the three angles of a mosaic. Those that matter most come first, as
#: Sobol's sequence is best there.
DIMENSION = (0, 10, 11, 1, 6, 4, 7, 3, 8, 9, 2, 5, 12, 13)
DIMENSIONS = 14


def wanted_contributions(runs: Iterable[ResolutionRun], contributions: Iterable[str] | None) -> frozenset[str]:
    """Names to count, all where ``contributions`` is None. Raises GeometryError: names that no instrument has."""
    known = {"mosaic"}.union(*(contribution_columns(r.instrument) for r in runs))
    wanted = known if contributions is None else set(contributions)
    if unknown := wanted - known:
        raise GeometryError(f"contributions: expected names of {sorted(known)}, found {sorted(unknown)}")
    return frozenset(wanted)


def checked_draws(samples: int, seed: int, generator: str) -> None:
    """Raises InsmlError: no samples, a seed that is not of 64 bits, an unknown generator."""
    if generator not in GENERATORS:
        raise InsmlError(f"generator: expected one of {', '.join(GENERATORS)}, found {generator!r}")
    for name, value, least in (("samples", samples, 1), ("seed", seed, 0)):
        if value < least:
            raise InsmlError(f"{name}: expected at least {least}, found {value}")
    for name, value, bits in (("samples", samples, 32), ("seed", seed, 64)):
        if value >= 2**bits:
            raise InsmlError(f"{name}: expected less than 2^{bits}, found {value}")


def uniform(pixels: MeasuredPixels, samples: int, seed: int, *, generator: str = "sobol", dimensions: int = DIMENSIONS,
            threads: int = 0) -> Array:
    """(n, samples, dimensions) in (0, 1). Errors as :func:`checked_draws`."""
    checked_draws(samples, seed, generator)
    assert pixels.number is not None
    return _core.draws(seed=seed, pixels=pixels.number, samples=samples, dimensions=dimensions,
                       sobol=generator == "sobol", threads=threads)


def true_points(pixels: MeasuredPixels, samples: int, seed: int, contributions: frozenset[str], *, generator: str = "sobol",
                threads: int = 0) -> Array:
    """(4, n, samples) true h, k, l (r.l.u.) and E (meV): the pixel's own, moved by what happened in flight.

    Errors as :func:`checked_draws`.
    """
    checked_draws(samples, seed, generator)
    draws = (seed, samples, generator == "sobol", threads)
    if len(pixels.used) == 1:
        return _one_run(pixels, pixels.runs[pixels.used[0]], set(contributions), draws)
    out = np.empty((4, len(pixels), samples))
    for r in pixels.used:
        of = np.flatnonzero(pixels.run == r)
        out[:, of] = _one_run(pixels[of], pixels.runs[r], set(contributions), draws)
    return out


def _one_run(pixels: MeasuredPixels, run: ResolutionRun, names: set[str], draws: tuple[int, int, bool, int]) -> Array:
    instrument, element = run.instrument, pixels.element
    columns = contribution_columns(instrument)
    kept = {c for name in names & set(columns) for c in columns[name]}
    _, kf = wavevectors(run.incident, pixels.energy)
    full = np.zeros((len(pixels), DEVIATIONS))
    times = None
    if isinstance(instrument, FermiSpectrometer):
        tables: dict[int, Distribution] = {0: instrument.moderator.centred(), 3: instrument.chopper}
        full[:, 1:3] = instrument.aperture_width, instrument.aperture_height
    else:
        tables = {1: instrument.horizontal_divergence, 2: instrument.vertical_divergence, 0: instrument.times.shaping,
                  3: instrument.times.mono}
        if "moderator" in names and kept & {0, 3}:
            # the moderator is what ties the two
            times = joint_times(instrument.times)
            tables[0] = times.marginal
            del tables[3]
    if run.sample.shape == "cuboid":
        full[:, 4:7] = run.sample.size
    tube = None
    width, height = np.asarray(element.width), np.asarray(element.height)
    full[:, 9] = height
    if element.kind == "block":
        full[:, 7], full[:, 8] = TOBYFIT_DEPTH * width, width
    elif kept & {7, 8}:
        tube = (_arrays(across()), *_tubes(width, height, kf, element.tube_angle))
    full[:, 10] = time_bin(kf, element.distance, pixels.energy_width)
    rows = linear_map(instrument, run.sample, element, pixels.energy, run.orientation, ei=run.incident)
    dropped = [c for c in range(DEVIATIONS) if c not in kept]
    full[:, dropped] = 0.0
    rows[:, :, dropped] = 0.0
    mosaic = None
    if "mosaic" in names and np.any(run.sample.mosaic_sigma):
        frame = run.orientation.axes(run.sample.x_axis, run.sample.y_axis) @ run.orientation.b
        mosaic = (run.sample.mosaic_sigma.tolist(), quantiles(Gaussian(1.0)), frame, np.asarray(np.linalg.inv(frame)))
    assert pixels.number is not None
    seed, samples, sobol, threads = draws
    return _core.flights(
        seed=seed, samples=samples, sobol=sobol, threads=threads, pixels=pixels.number, dimensions=DIMENSION,
        centre=np.column_stack([pixels.hkl, pixels.energy]), rows=rows, full=full,
        quantiles=[(c, quantiles(tables[c])) for c in tables if c in kept or (c == 0 and times)],
        times=None if times is None else _arrays(times), tube=tube, mosaic=mosaic)


def _tubes(width: Array, height: Array, kf: Array, angle: float) -> tuple[Array, Array]:
    """Diameter in absorption lengths and inner radius (m) of the tube of each pixel."""
    alpha, radius = np.empty(len(kf)), np.empty(len(kf))
    kinds, which = np.unique(np.stack([width, height], axis=-1), axis=0, return_inverse=True)
    for n, (diameter, length) in enumerate(kinds):
        of = which.ravel() == n
        tube = TubeDetector(float(diameter), float(length))
        alpha[of], radius[of] = tube.mean_free_paths(kf[of], angle), tube.inner_radius
    return alpha, radius


def _arrays(table: JointTable) -> tuple[Array, Array, Array, Array]:
    return table.s, table.x, table.density, table.rows


@lru_cache(maxsize=64)
def joint_times(times: ChopperTimes) -> JointTable:
    """Time at the monochromating chopper given that at the shaping one."""
    s, t = (np.linspace(*pulse.support, 385) for pulse in (times.shaping, times.mono))
    return JointTable(s, t, times.pdf(s[:, None], t))


@lru_cache(maxsize=512)
def quantiles(of: Distribution) -> Array:
    """(4097,) at the probabilities of the core: 64 for each halving towards either end."""
    return np.ascontiguousarray(of.quantile(_core.probabilities()))
