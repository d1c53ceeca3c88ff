"""Draws of a neutron's flight, and the true (h, k, l, E) they lead to: the Monte Carlo of Tobyfit.

Source: T. G. Perring's Tobyfit; Horace's tobyfit_DGfermi_resconv and tobyfit_DGdisk_resconv. Draws are addressed by (seed,
pixel, sample, dimension) (rust/insml-core/src/sobol.rs), so that they depend on nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from insml import _core
from insml.errors import GeometryError, InsmlError
from insml.instruments import DiskSpectrometer, FermiSpectrometer, TubeDetector
from insml.instruments.detector import TOBYFIT_DEPTH
from insml.instruments.distribution import Distribution
from insml.resolution.beam import contribution_columns
from insml.resolution.linear_map import linear_map, time_bin, wavevectors
from insml.resolution.pixels import MeasuredPixels, ResolutionRun

Array = NDArray[np.float64]

GENERATORS = ("sobol", "random")
DEVIATIONS = 11
#: Dimension of the draws for each deviation: those that matter most come first, as Sobol's sequence is best there.
_DIMENSION = (0, 10, 11, 1, 6, 4, 7, 3, 8, 9, 2)
_MOSAIC = (5, 12, 13)
DIMENSIONS = 14


def wanted_contributions(runs: Iterable[ResolutionRun], contributions: Iterable[str] | None) -> frozenset[str]:
    """Names to count, all where ``contributions`` is None. Raises GeometryError: names that no instrument has."""
    known = {"mosaic"}.union(*(contribution_columns(r.instrument) for r in runs))
    wanted = known if contributions is None else set(contributions)
    if unknown := wanted - known:
        raise GeometryError(f"contributions: expected names of {sorted(known)}, found {sorted(unknown)}")
    return frozenset(wanted)


def uniform(pixels: MeasuredPixels, samples: int, seed: int, *, generator: str = "sobol", dimensions: int = DIMENSIONS,
            threads: int = 0) -> Array:
    """(n, samples, dimensions) in (0, 1).

    Raises
    ------
    InsmlError : no samples, an unknown generator, a negative seed.
    """
    if generator not in GENERATORS:
        raise InsmlError(f"generator: expected one of {', '.join(GENERATORS)}, found {generator!r}")
    for name, value, least in (("samples", samples, 1), ("seed", seed, 0)):
        if value < least:
            raise InsmlError(f"{name}: expected at least {least}, found {value}")
    assert pixels.number is not None
    return _core.draws(seed=seed, pixels=pixels.number, samples=samples, dimensions=dimensions,
                       sobol=generator == "sobol", threads=threads)


def deviations(pixels: MeasuredPixels, u: Array, contributions: frozenset[str]) -> Array:
    """(n, samples, 11) of the flight for draws u (n, samples, >= 14), zero for what does not contribute; s, m, rad."""
    out = np.zeros((*u.shape[:2], DEVIATIONS))
    for r in pixels.used:
        of = np.flatnonzero(pixels.run == r)
        out[of] = _one_run(pixels[of], pixels.runs[r], u[of], contributions)
    return out


def true_points(pixels: MeasuredPixels, u: Array, contributions: frozenset[str], y: Array | None = None) -> Array:
    """(n, samples, 4) true h, k, l (r.l.u.) and E (meV): the pixel's own plus what the flight's deviations ``y`` do."""
    y = deviations(pixels, u, contributions) if y is None else y
    out = np.empty((*u.shape[:2], 4))
    for r in pixels.used:
        of, run = np.flatnonzero(pixels.run == r), pixels.runs[r]
        part = pixels[of]
        moved = y[of] @ linear_map(run.instrument, run.sample, part.element, part.energy, run.orientation,
                                   ei=run.incident).transpose(0, 2, 1)
        moved[..., :3] += part.hkl[:, None]
        moved[..., 3] += part.energy[:, None]
        if "mosaic" in contributions and np.any(run.sample.mosaic_sigma):
            moved[..., :3] = _turned(run, moved[..., :3], u[of][..., _MOSAIC])
        out[of] = moved
    return out


def _one_run(pixels: MeasuredPixels, run: ResolutionRun, u: Array, contributions: frozenset[str]) -> Array:
    out = np.zeros((*u.shape[:2], DEVIATIONS))
    columns = contribution_columns(run.instrument)
    kept = [c for name in contributions & set(columns) for c in columns[name]]
    own = [u[..., d] for d in _DIMENSION]
    instrument = run.instrument
    if isinstance(instrument, FermiSpectrometer):
        out[..., 0] = _quantiles(instrument.moderator, own[0]) - instrument.moderator.mean
        out[..., 3] = _quantiles(instrument.chopper, own[3])
        out[..., 1] = instrument.aperture_width * (own[1] - 0.5)
        out[..., 2] = instrument.aperture_height * (own[2] - 0.5)
    else:
        _disk_times(instrument, own, out, contributions)
        out[..., 1] = _quantiles(instrument.horizontal_divergence, own[1])
        out[..., 2] = _quantiles(instrument.vertical_divergence, own[2])
    if run.sample.shape == "cuboid":
        out[..., 4:7] = (np.stack(own[4:7], axis=-1) - 0.5) * np.asarray(run.sample.size)
    _, kf = wavevectors(run.incident, pixels.energy)
    out[..., 7:10] = _absorbed(pixels, kf, np.stack(own[7:10], axis=-1))
    out[..., 10] = time_bin(kf, pixels.element.distance, pixels.energy_width)[:, None] * (own[10] - 0.5)
    out[..., [c for c in range(DEVIATIONS) if c not in kept]] = 0.0
    return out


def _disk_times(instrument: DiskSpectrometer, own: list[Array], out: Array, contributions: frozenset[str]) -> None:
    times = instrument.times
    if "moderator" in contributions:
        out[..., (0, 3)] = times.sample(np.stack([own[0], own[3]], axis=-1))
    else:
        # the moderator is what ties the two
        out[..., 0], out[..., 3] = times.shaping.quantile(own[0]), times.mono.quantile(own[3])


def _absorbed(pixels: MeasuredPixels, kf: Array, u: Array) -> Array:
    """(n, samples, 3) in the detector's frame. The mean depth of a tube stays in, as in Horace."""
    width, height = (np.asarray(x)[:, None] for x in (pixels.element.width, pixels.element.height))
    if pixels.element.kind == "block":
        return np.asarray((u - 0.5) * np.stack([TOBYFIT_DEPTH * width, width, height], axis=-1))
    out = np.empty_like(u)
    kinds, which = np.unique(np.concatenate([width, height], axis=1), axis=0, return_inverse=True)
    for n, (diameter, length) in enumerate(kinds):
        of = which.ravel() == n
        tube = TubeDetector(float(diameter), float(length))
        out[of] = tube.sample(u[of], kf[of][:, None], pixels.element.tube_angle)
    return out


def _turned(run: ResolutionRun, hkl: Array, u: Array) -> Array:
    """What crystallites turned by X about the sample's axes see: Q turned by -X, exactly."""
    frame = run.orientation.axes(run.sample.x_axis, run.sample.y_axis) @ run.orientation.b
    q = hkl @ frame.T
    turn = -run.sample.mosaic_sigma * ndtri(u)
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    axis = turn / np.maximum(angle, 1e-300)
    # Rodrigues
    q = (q * np.cos(angle) + np.cross(axis, q) * np.sin(angle)
         + axis * (axis * q).sum(axis=-1, keepdims=True) * (1 - np.cos(angle)))
    return np.asarray(np.linalg.solve(frame, q.reshape(-1, 3).T).T.reshape(hkl.shape))


def _quantiles(of: Distribution, u: Array) -> Array:
    known, x = _table(of)
    return np.interp(u, known, x)


@lru_cache(maxsize=512)
def _table(of: Distribution) -> tuple[Array, Array]:
    """Quantiles at 4096 probabilities, 64 for each halving towards either end."""
    near = np.concatenate([2.0**-e * (1 + np.arange(64) / 64) for e in range(33, 1, -1)] + [[0.5]])
    u = np.concatenate([near, 1 - near[-2::-1]])
    return u, of.quantile(u)
