"""Lattice and orientation of a crystal from where its Bragg peaks are, and data as they are then (Horace's bragg_positions,
refine_crystal, change_crystal and crystal_pars_correct).

rlu_corr: (h, k, l) of the crystal as it is = rlu_corr @ (h, k, l) of the lattice and orientation supposed before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError, ModelError
from insml.infer.least_squares import minimise
from insml.sqw.cut import cut
from insml.sqw.data import Sqw
from insml.sqw.frame import Frame
from insml.sqw.image import Dnd
from insml.sqw.projection import LineProj, Projection, SphereProj

Array = NDArray[np.float64]

_CUTS = ("along Q", "first across Q", "second across Q")
#: Misorientation moves peaks across Q; the lattice moves them along it, by less.
_ORDER = (1, 2, 0)
_PARAMETERS = ("a", "b", "c", "alpha", "beta", "gamma", "rotation about x", "rotation about y", "rotation about z")
#: Bins with data below which five parameters of a peak are not looked for.
_BINS = 6
#: Standard deviations that a peak must be high.
_HIGH = 5.0
#: Rounds of three cuts within which the centre must come to rest.
_ROUNDS = 10
#: FWHM of a Gaussian of standard deviation 1.
_FWHM = float(np.sqrt(8 * np.log(2)))
#: Step of derivatives, Angstrom and degrees; relative singular value at which parameters are open.
_STEP, _OPEN = 1e-4, 1e-6


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


@dataclass(frozen=True, eq=False)
class CrystalCorrection:
    """A crystal that is not as it was supposed to be.

    Attributes
    ----------
    original, lattice : supposed, and as it is.
    rotation : (3, 3) of Q from the crystal Cartesian frame of before into that of the crystal as it is.
    covariance : (9, 9) of a, b, c (Angstrom), alpha, beta, gamma and small turns about x, y, z of the crystal Cartesian
        frame (degrees); 0 of what was fixed, NaN where nothing says how large.
    residuals : (n, 3) observed less nominal positions, 1/Angstrom, in the frame of the crystal as it is; NaN for peaks left
        out.
    """

    original: Lattice
    lattice: Lattice
    rotation: Array
    covariance: Array
    residuals: Array

    @property
    def errors(self) -> Array:
        """(9,) standard deviations."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    @property
    def rlu_corr(self) -> Array:
        """(3, 3): h, k, l of the crystal as it is, of those supposed."""
        return np.asarray(np.linalg.solve(_b(self.lattice), self.rotation @ _b(self.original)))


def _b(lattice: Lattice) -> Array:
    return Orientation(lattice, (1, 0, 0), (0, 1, 0)).b


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
    nominal = _triples(hkl, "hkl")
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


def _triples(value: ArrayLike, name: str) -> Array:
    found = np.atleast_2d(np.asarray(value, float))
    if found.ndim != 2 or found.shape[1] != 3 or not len(found):
        raise GeometryError(f"{name}: expected shape (n, 3), found {np.shape(value)}")
    return found


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
    b, stands = _b(data.image.lattice), data.runs[0].orientation
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


def refine_crystal(observed: ArrayLike, nominal: ArrayLike, lattice: Lattice, *, fix_lengths: bool = False,
                   fix_angles: bool = False, fix_length_ratios: bool = False, fix_orientation: bool = False,
                   free_lengths: Sequence[bool] = (True, True, True), free_angles: Sequence[bool] = (True, True, True),
                   errors: ArrayLike | None = None) -> CrystalCorrection:
    """Lattice and rotation that bring observed Bragg peaks to their nominal points, by least squares.

    Parameters
    ----------
    observed : (n, 3) r.l.u. of ``lattice``, the one supposed so far; peaks with NaN are left out. nominal : (n, 3).
    fix_lengths, fix_angles, fix_orientation : what stays. fix_length_ratios : a, b and c change by one factor.
    free_lengths, free_angles : which of a, b, c and of alpha, beta, gamma may change.
    errors : (n, 3) standard deviations of observed h, k, l, or their (n, 3, 3) covariance. Without them all positions count
        alike in 1/Angstrom, and the residuals say how well they are known.

    Raises
    ------
    GeometryError : peaks that leave free parameters open, which are named; shapes that do not go together.
    """
    seen, points = _triples(observed, "observed"), _triples(nominal, "nominal")
    if seen.shape != points.shape:
        raise GeometryError(f"observed, nominal: expected as many of both, found {len(seen)} and {len(points)}")
    used = np.asarray(np.isfinite(seen).all(axis=1))
    old = _b(lattice)
    q, h = seen[used] @ old.T, points[used]
    whiten = _whitening(errors, used, old)
    free = [*(bool(f) and not fix_lengths for f in free_lengths), *(bool(f) and not fix_angles for f in free_angles),
            *[not fix_orientation] * 3]
    directions, names = _directions(lattice, free, fix_length_ratios)
    cell = np.array([lattice.a, lattice.b, lattice.c, lattice.alpha, lattice.beta, lattice.gamma])
    turned = np.eye(3) if fix_orientation else _nearest_rotation(q, h @ old.T)

    def crystal(x: Array) -> tuple[Lattice, Array]:
        p = directions @ x
        turn = np.asarray(Rotation.from_rotvec(p[6:], degrees=True).as_matrix()) @ turned
        return Lattice(*(cell + p[:6]).tolist()), turn

    def residuals(x: Array) -> Array:
        new, turn = crystal(x)
        return np.asarray(np.einsum("nij,nj->ni", whiten, q - h @ _b(new).T @ turn).ravel())

    def jacobian(x: Array) -> Array:
        steps = _STEP * np.eye(x.size)
        return np.stack([(residuals(x + s) - residuals(x - s)) / (2 * _STEP) for s in steps], axis=1)

    start = np.zeros(len(names))
    covariance = np.zeros((9, 9))
    if names:
        _determined(jacobian(start), names, len(q))
        found = minimise(residuals, jacobian, start, tolerance=1e-13)
        if not found.converged:
            raise GeometryError("refine_crystal: expected a minimum, found none; do nominal and observed peaks belong "
                                "together?")
        start, spare = found.x, 3 * len(q) - len(names)
        scale = 1.0 if errors is not None else found.chi_squared / spare if spare else np.nan
        covariance = directions @ found.covariance @ directions.T
        covariance[covariance != 0] *= scale
    new, rotation = crystal(start)
    left = np.full(seen.shape, np.nan)
    left[used] = q @ rotation.T - h @ _b(new).T
    return CrystalCorrection(lattice, new, rotation, covariance, left)


def _whitening(errors: ArrayLike | None, used: NDArray[np.bool_], b: Array) -> Array:
    """(n, 3, 3): of differences of Q in standard deviations that do not depend on each other."""
    if errors is None:
        return np.broadcast_to(np.eye(3), (int(used.sum()), 3, 3))
    given = np.asarray(errors, float)
    if given.shape == (len(used), 3):
        given = given[:, :, None] ** 2 * np.eye(3)
    if given.shape != (len(used), 3, 3):
        raise GeometryError(f"errors: expected shape {(len(used), 3)} or {(len(used), 3, 3)}, found {given.shape}")
    try:
        return np.asarray(np.linalg.inv(np.linalg.cholesky(b @ given[used] @ b.T)))
    except np.linalg.LinAlgError:
        raise GeometryError("errors: expected standard deviations above 0 of all observed peaks, found others") from None


def _directions(lattice: Lattice, free: list[bool], one_scale: bool) -> tuple[Array, list[str]]:
    """(9, k) how lattice and rotation change with what is free, and the names of these."""
    if len(free) != 9:
        raise GeometryError(f"free_lengths, free_angles: expected three each, found {len(free) - 3} together")
    if not one_scale:
        return np.eye(9)[:, free], np.array(_PARAMETERS)[free].tolist()
    if not all(free[:3]):
        raise GeometryError("fix_length_ratios: expected a, b and c free, found fixed ones")
    scale = np.array([lattice.a, lattice.b, lattice.c, *[0.0] * 6])[:, None] / lattice.a
    rest, names = _directions(lattice, [False] * 3 + free[3:], False)
    return np.hstack([scale, rest]), ["a, b and c", *names]


def _nearest_rotation(start: Array, end: Array) -> Array:
    """(3, 3) that turns vectors ``start`` (n, 3) to lie as near to ``end`` as can be (Kabsch)."""
    u, _, v = np.linalg.svd(end.T @ start)
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v)


def _determined(jacobian: Array, names: Sequence[str], peaks: int) -> None:
    size = np.linalg.norm(jacobian, axis=0)
    _, s, v = np.linalg.svd(jacobian / np.where(size > 0, size, 1.0))
    rank = int((s > _OPEN * s.max(initial=0.0)).sum())
    if rank < len(names):
        loose = (v[rank:] ** 2).sum(axis=0) > _OPEN
        open_ = ", ".join(n for n, yes in zip(names, loose, strict=True) if yes)
        raise GeometryError(f"refine_crystal: expected peaks that determine all that is free, found {peaks} that leave "
                            f"open {open_}; fix some of these, or add peaks in other directions")


@overload
def change_crystal(data: Sqw, correction: CrystalCorrection) -> Sqw: ...
@overload
def change_crystal(data: Dnd, correction: CrystalCorrection) -> Dnd: ...
def change_crystal(data: Sqw | Dnd, correction: CrystalCorrection) -> Sqw | Dnd:
    """The same data of the crystal as it is. Pixels, bins and axes of the image stay where they are in Q, with other
    h, k, l. u and v of runs become rlu_corr @ u and rlu_corr @ v.

    Raises
    ------
    GeometryError : data of another lattice than the one corrected.
    """
    if not isinstance(data, (Sqw, Dnd)):
        raise GeometryError(f"change_crystal: expected an Sqw or a Dnd, found {type(data).__name__}")
    _same(data.image.lattice, correction.original)
    corr = correction.rlu_corr
    projection = _moved(data.image.projection, correction.original, corr)
    image = replace(data.image, projection=projection, lattice=correction.lattice)
    if isinstance(data, Dnd):
        return image
    matrix = np.eye(4)
    matrix[:3, :3] = corr @ data.to_rlu
    frame = Frame(matrix, np.zeros(4), np.ones(4))
    runs = []
    for run in data.runs:
        u, v = (tuple((corr @ np.asarray(x)).tolist()) for x in (run.orientation.u, run.orientation.v))
        runs.append(replace(run, frame=frame, orientation=replace(run.orientation, lattice=correction.lattice, u=u, v=v)))
    kept = data.kept
    if kept is not None:
        # these blocks of the file say how the crystal was
        blocks = {name: b for name, b in kept.blocks.items() if name[1] not in ("samples", "expdata")}
        kept = replace(kept, blocks=blocks)
    return replace(data, image=image, runs=tuple(runs), kept=kept)


def _same(found: Lattice, expected: Lattice) -> None:
    # as near as float32 of files leaves it
    if not np.allclose(_b(found), _b(expected), rtol=1e-5, atol=1e-5):
        raise GeometryError(f"correction: expected one of the lattice of the data, {found}, found one of {expected}")


def _moved(projection: Projection, lattice: Lattice, corr: Array) -> Projection:
    """The same axes in Q, in r.l.u. of the crystal as it is."""
    if isinstance(projection, LineProj):
        frame = projection.frame(lattice)
        matrix, offset = frame.u_to_rlu.copy(), frame.offset.copy()
        matrix[:3, :3], offset[:3] = corr @ frame.momenta, corr @ frame.offset[:3]
        return replace(LineProj.of_frame(replace(frame, u_to_rlu=matrix, offset=offset)), title=projection.title)
    # lengths in units that change with the lattice become those of u and v, which are made as long
    b, scale = _b(lattice), projection.core(lattice)["scale"]
    round_axes = 1 if isinstance(projection, SphereProj) else 2
    letters = "".join("a" if t == "a" else "p" for t in projection.type[:round_axes]) + projection.type[round_axes:]
    lengths = (scale[0], 1.0) if round_axes == 1 else (scale[1], scale[0])
    u, v = (corr @ np.asarray(x) * (length / np.linalg.norm(b @ np.asarray(x)))
            for x, length in zip((projection.u, projection.v), lengths, strict=True))
    return replace(projection, u=u, v=v, type=letters,
                   offset=[*(corr @ np.asarray(projection.offset[:3])).tolist(), projection.offset[3]])


def crystal_pars_correct(u: ArrayLike, v: ArrayLike, psi: float, omega: float, dpsi: float, gl: float, gs: float,
                         lattice: Lattice, correction: CrystalCorrection) -> Orientation:
    """How the crystal as it is stands, with the same u, v, psi and omega and other dpsi, gl, gs: what to generate the data
    with again. Degrees. The same is said by rlu_corr @ u and rlu_corr @ v with dpsi, gl and gs as they were.

    Raises
    ------
    GeometryError : another lattice than the one corrected.
    """
    _same(lattice, correction.original)
    first, second = (tuple(np.asarray(x, float).tolist()) for x in (u, v))
    before = Orientation(lattice, first, second, psi, omega, dpsi, gl, gs)
    new = replace(before, lattice=correction.lattice)
    # spec_to_cc = axes^T (axis arcs axis^T)^T turn by psi, which is the same before and after
    still = new.axes(new.u, new.v) @ correction.rotation @ replace(before, psi=0.0).spec_to_cc
    axis = Rotation.from_euler("z", omega, degrees=True).as_matrix()
    arcs = axis.T @ still.T @ axis
    # arcs = turn by dpsi about z, by gl about y, by gs about x
    angles = np.degrees([np.arctan2(arcs[1, 0], arcs[0, 0]), np.arcsin(np.clip(-arcs[2, 0], -1, 1)),
                         np.arctan2(arcs[2, 1], arcs[2, 2])])
    return replace(new, **dict(zip(("dpsi", "gl", "gs"), angles.tolist(), strict=True)))
