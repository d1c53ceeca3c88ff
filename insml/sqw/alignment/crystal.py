"""The lattice and the rotation that bring Bragg peaks to where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from insml.crystal.lattice import Lattice
from insml.errors import GeometryError
from insml.infer.least_squares import minimise
from insml.sqw.alignment.vectors import to_cartesian, triples

Array = NDArray[np.float64]

_PARAMETERS = ("a", "b", "c", "alpha", "beta", "gamma", "rotation about x", "rotation about y", "rotation about z")
#: Step of derivatives, Angstrom and degrees; relative singular value at which parameters are open.
_STEP, _OPEN = 1e-4, 1e-6


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
        return np.asarray(np.linalg.solve(to_cartesian(self.lattice), self.rotation @ to_cartesian(self.original)))


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
    seen, points = triples(observed, "observed"), triples(nominal, "nominal")
    if seen.shape != points.shape:
        raise GeometryError(f"observed, nominal: expected as many of both, found {len(seen)} and {len(points)}")
    used = np.asarray(np.isfinite(seen).all(axis=1))
    old = to_cartesian(lattice)
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
        return np.asarray(np.einsum("nij,nj->ni", whiten, q - h @ to_cartesian(new).T @ turn).ravel())

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
    left[used] = q @ rotation.T - h @ to_cartesian(new).T
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
