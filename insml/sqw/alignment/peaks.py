"""Where Bragg peaks are, from cuts through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError, ModelError
from insml.infer.least_squares import minimise
from insml.sqw.alignment.vectors import to_cartesian, triples
from insml.sqw.cut import cut
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.projection import LineProj

Array = NDArray[np.float64]

_CUTS = ("along Q", "first across Q", "second across Q")
#: Misorientation moves peaks across Q; the lattice moves them along it, by less.
_ORDER = (1, 2, 0)
#: Bins with data below which five parameters of a peak are not looked for.
_BINS = 6
#: Standard deviations that a peak must be high.
_HIGH = 5.0
#: Rounds of three cuts within which the centre must come to rest.
_ROUNDS = 10
#: FWHM of a Gaussian of standard deviation 1.
_FWHM = float(np.sqrt(8 * np.log(2)))


@dataclass(frozen=True, eq=False)
class BraggPositions:
    """Where Bragg peaks were found; NaN where none was, with ``reasons`` ("" where one was).

    nominal, observed : (n, 3) h, k, l in the lattice of the data. covariance : (n, 3, 3) of observed.
    peaks : (n, 3, 5) along Q, across it in the horizontal plane, across both: height, centre, standard deviation, constant
        and slope; 1/Angstrom, centres from the nominal point.
    cuts : for each peak the three images on one axis that were fitted last, as far as it came.
    """

    nominal: Array
    observed: Array
    covariance: Array
    peaks: Array
    cuts: tuple[tuple[Dnd, ...], ...]
    reasons: tuple[str, ...]

    @property
    def errors(self) -> Array:
        """(n, 3) standard deviations of observed h, k, l."""
        return np.asarray(np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2)))

    @property
    def widths(self) -> Array:
        """(n, 3) FWHM, 1/Angstrom."""
        return np.asarray(_FWHM * self.peaks[:, :, 2])


def bragg_positions(data: Sqw, hkl: ArrayLike, *, radial: float, radial_step: float, transverse: float,
                    transverse_step: float, energy: float, thickness: float | tuple[float, float]) -> BraggPositions:
    """Centres of Bragg peaks, each from three cuts at right angles through it: along Q, across in the horizontal plane, and
    across both.

    First the highest place within ``radial`` by ``transverse`` by ``transverse`` is looked for; then each cut goes through
    the centre that the others have found, until it rests. A peak is a Gaussian on a straight line; its errors are those of
    counting, or larger where the fit is worse than these allow.

    Parameters
    ----------
    hkl : (n, 3) nominal points, r.l.u. radial, transverse : full lengths of cuts. radial_step, transverse_step : of bins.
    thickness : full width integrated over beside a cut; one, or that of cuts along and across. All 1/Angstrom.
    energy : full width about the elastic line, meV.

    Raises
    ------
    GeometryError : lengths that are no lengths, fewer than 6 bins in a cut, a point at Q = 0.
    """
    nominal = triples(hkl, "hkl")
    if not (np.isfinite(nominal).all() and nominal.any(axis=1).all()):
        raise GeometryError(f"hkl: expected finite points other than (0, 0, 0), found {nominal.tolist()}")
    along, across = thickness if isinstance(thickness, tuple) else (thickness, thickness)
    sizes = np.array([[radial, transverse, transverse], [radial_step, transverse_step, transverse_step],
                      [along, across, across]], float)
    if not (np.isfinite(sizes).all() and (sizes > 0).all() and 0 < energy < np.inf):
        raise GeometryError("bragg_positions: expected lengths, steps, thickness and energy above 0, found "
                            f"{sizes[:, :2].tolist()} and {energy}")
    if not (sizes[0] >= (_BINS - 1) * sizes[1]).all():
        raise GeometryError(f"bragg_positions: expected at least {_BINS} bins in each cut, found lengths "
                            f"{sizes[0, :2].tolist()} in steps {sizes[1, :2].tolist()}")
    each = [_located(data, point, sizes, float(energy)) for point in nominal]
    observed, covariance, peaks, cuts, reasons = zip(*each, strict=True)
    return BraggPositions(nominal, np.array(observed), np.array(covariance), np.array(peaks), cuts, reasons)


def _located(data: Sqw, point: Array, sizes: Array, energy: float) -> tuple[Any, ...]:
    """One peak, in the order of :class:`BraggPositions`. ``sizes``: lengths, steps and thickness of the three cuts."""
    lengths, steps, thickness = sizes
    projection = _through(data, point)
    room = lengths / 2 + steps + thickness.max() / 2
    near = cut(data, projection, *([-r, r] for r in room), [-energy / 2, energy / 2])
    centre, errors, peaks = np.zeros(3), np.zeros(3), np.full((3, 5), np.nan)
    images: dict[int, Dnd] = {}

    def image(axis: int, known: Sequence[int]) -> Dnd:
        half = np.array([thickness[axis] if n in known else lengths[n] for n in range(3)]) / 2
        bins: list[Any] = np.stack([centre - half, centre + half], axis=1).tolist()
        bins[axis] = [-lengths[axis] / 2, steps[axis], lengths[axis] / 2]
        images[axis] = cut(near, projection, *bins, [], keep_pixels=False)
        return images[axis]

    def outcome(observed: Array, covariance: Array, reason: str) -> tuple[Any, ...]:
        shown = peaks * np.nan if reason else peaks
        return observed, covariance, shown, tuple(images[n] for n in sorted(images)), reason

    def missing(reason: str) -> tuple[Any, ...]:
        return outcome(np.full(3, np.nan), np.full((3, 3), np.nan), reason)

    for n, axis in enumerate(_ORDER):
        x, y, _ = _filled(image(axis, _ORDER[:n]))
        if x.size < _BINS:
            return missing(f"cut {_CUTS[axis]}: expected data in at least {_BINS} bins, found {x.size}")
        centre[axis] = _start(x, y)[1]
    for _ in range(_ROUNDS):
        before = centre.copy()
        for axis in _ORDER:
            found = _fitted(image(axis, _ORDER))
            if isinstance(found, str):
                return missing(f"cut {_CUTS[axis]}: {found}")
            peaks[axis], errors[axis] = found
            centre[axis] = peaks[axis, 1]
        if (np.abs(centre - before) <= np.maximum(0.1 * steps, errors)).all():
            to_rlu = projection.frame(data.image.lattice).momenta
            return outcome(point + to_rlu @ centre, to_rlu @ np.diag(errors**2) @ to_rlu.T, "")
    return missing(f"expected a centre that rests within {_ROUNDS} rounds of cuts, found none")


def _through(data: Sqw, point: Array) -> LineProj:
    """1/Angstrom along Q of ``point``, across in the horizontal plane, across both; counted from there."""
    b, stands = to_cartesian(data.image.lattice), data.runs[0].orientation
    q, horizontal = b @ point, stands.axes(stands.u, stands.v)
    across = np.cross(horizontal[2], q)
    if np.linalg.norm(across) < 1e-3 * np.linalg.norm(q):
        across = horizontal[0]
    return LineProj(point, np.linalg.solve(b, across), type="aaa", offset=point)


def _filled(image: Dnd) -> tuple[Array, Array, Array]:
    """Centres, mean intensities and their standard deviations of the bins that have pixels."""
    there = image.npix > 0
    variance = image.variance[there]
    known = variance > 0
    # bins without counts have no variance: at least that of the others is assumed; all have one weight where none has any
    variance = np.where(known, variance, variance[known].min() if known.any() else 1.0)
    return image.centres[0][there], image.signal[there], np.sqrt(variance)


def _start(x: Array, y: Array) -> Array:
    """Height, centre, standard deviation, constant and slope from the highest bins."""
    smooth = np.convolve(np.pad(y, 1, mode="edge"), np.full(3, 1 / 3), "valid")
    base, top = float(np.median(y)), int(np.argmax(smooth))
    height = smooth[top] - base
    return np.array([height, x[top], (smooth > base + height / 2).sum() * (x[1] - x[0]) / _FWHM, base, 0.0])


def _fitted(image: Dnd) -> tuple[Array, float] | str:
    """The peak of a cut and the standard deviation of its centre, or why there is none."""
    x, y, error = _filled(image)
    edges, step = image.edges[0], image.edges[0][1] - image.edges[0][0]
    start = _start(x, y) if x.size >= _BINS else np.zeros(5)
    if not start[0] > 0:
        return f"expected a peak in at least {_BINS} bins with data, found none in {x.size}"

    def shape(p: Array) -> tuple[Array, Array]:
        z = (x - p[1]) / p[2]
        return z, np.exp(-0.5 * z**2)

    def residuals(p: Array) -> Array:
        return np.asarray((p[0] * shape(p)[1] + p[3] + p[4] * x - y) / error)

    def jacobian(p: Array) -> Array:
        z, g = shape(p)
        slope = p[0] * g * z / p[2]
        return np.asarray(np.stack([g, slope, slope * z, np.ones_like(x), x], axis=1) / error[:, None])

    try:
        found = minimise(residuals, jacobian, start)
    except ModelError:
        return "expected a peak, found none"
    p = found.x * np.array([1, 1, np.sign(found.x[2]), 1, 1])
    # what counting says is too little where the line is no Gaussian, and nothing where no counts are known
    worse = found.chi_squared / max(x.size - p.size, 1)
    deviation = np.sqrt(np.diag(found.covariance) * (max(worse, 1.0) if image.variance.any() else worse))
    if not (found.converged and np.isfinite(deviation).all()):
        return "expected a Gaussian, found data that do not determine one"
    if not p[0] > _HIGH * deviation[0]:
        return f"expected a peak of at least {_HIGH:g} standard deviations, found {p[0]:.3g} +- {deviation[0]:.2g}"
    if not edges[0] <= p[1] <= edges[-1]:
        return f"expected the centre in the cut, found it at {p[1]:.4g} 1/Angstrom"
    if not step / 2 <= _FWHM * p[2] <= edges[-1] - edges[0]:
        return f"expected a width between half a bin and the cut, found {_FWHM * p[2]:.3g} 1/Angstrom"
    return p, float(deviation[1])
