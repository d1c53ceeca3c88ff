"""Least energy over structures that follow from a few numbers, such as a canting angle or a wave vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave.classical import ClassicalEnergy
from insml.spinwave.structure import MagneticStructure

if TYPE_CHECKING:
    from insml.spinwave.model import SpinModel

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Planar:
    """All spins in one plane (SpinW's gm_planard): x = (phi_1, ..., kx, ky, kz, n_theta, n_phi), degrees and r.l.u.

    ``lengths`` (n,) are those of the sites of the magnetic cell; phi as in :meth:`MagneticStructure.planar`.
    """

    lengths: Array
    supercell: tuple[int, int, int] = (1, 1, 1)

    @property
    def names(self) -> tuple[str, ...]:
        return (*(f"phi{i + 1}" for i in range(len(self.lengths))), "kx", "ky", "kz", "n_theta", "n_phi")

    @property
    def bounds(self) -> Array:
        return np.array([(0.0, 360.0)] * len(self.lengths) + _FRAME_BOUNDS)

    def __call__(self, x: Array) -> MagneticStructure:
        k, n = _frame(x, self.supercell)
        flat = MagneticStructure.planar(x[:-5], self.lengths, self.supercell, n=n)
        return flat if k is None else MagneticStructure(self.supercell, flat.spins, k, n)


@dataclass(frozen=True, eq=False)
class Spherical:
    """Every spin free (SpinW's gm_spherical3d): x = (theta_1, phi_1, ..., kx, ky, kz, n_theta, n_phi), degrees, r.l.u."""

    lengths: Array
    supercell: tuple[int, int, int] = (1, 1, 1)

    @property
    def names(self) -> tuple[str, ...]:
        angles = (f"{angle}{i + 1}" for i in range(len(self.lengths)) for angle in ("theta", "phi"))
        return (*angles, "kx", "ky", "kz", "n_theta", "n_phi")

    @property
    def bounds(self) -> Array:
        return np.array([(0.0, 180.0), (0.0, 360.0)] * len(self.lengths) + _FRAME_BOUNDS)

    def __call__(self, x: Array) -> MagneticStructure:
        k, n = _frame(x, self.supercell)
        return MagneticStructure(
            self.supercell, MagneticStructure.spherical(x[:-5:2], x[1:-5:2], self.lengths, self.supercell).spins,
            k, None if k is None else n)


_FRAME_BOUNDS = [(0.0, 1.0), (0.0, 1.0), (0.0, 1.0), (0.0, 180.0), (0.0, 360.0)]


@dataclass(frozen=True, eq=False)
class Minimum:
    """The best structure found: numbers ``x`` (and their ``names``, if they have some), ``energy`` in meV per spin.

    ``energies`` (runs,) are what the separate runs ended at, ``evaluations`` how often the energy was computed.
    """

    model: SpinModel
    x: Array
    names: tuple[str, ...]
    energy: float
    energies: Array
    evaluations: int


def minimise(model: SpinModel, constraint: Callable[[Array], MagneticStructure], *, x0: ArrayLike | None = None,
             bounds: ArrayLike | Mapping[str, tuple[float, float]] | None = None, runs: int = 1, seed: int = 0) -> Minimum:
    """Least energy of the structures ``constraint`` makes of numbers x (SpinW's optmagstr).

    Wave vectors are compared in the rotating frame, with couplings averaged about n (see ``classical``).

    Parameters
    ----------
    constraint : x (nx,) to a structure with the supercell of the model; :class:`Planar`, :class:`Spherical` or your own.
    x0 : where the first run starts; at random within the bounds where None.
    bounds : (nx, 2), or by name for constraints with ``names``; equal bounds fix a number. The constraint's own bounds
        say only where random starts lie: its angles and wave vectors are periodic.
    runs : searches from random starts, of which the best counts. seed : of those starts.

    Raises
    ------
    ModelError : neither x0 nor bounds, shapes that do not fit, or a best structure whose n the couplings do not respect.
    """
    from scipy.optimize import minimize

    names = tuple(getattr(constraint, "names", ()))
    limits, held = _limits(constraint, names, bounds)
    start = None if x0 is None else np.asarray(x0, float)
    if limits is None and runs > 1:
        raise ModelError("minimise: expected bounds for more than one run, found none")
    if limits is not None:
        low, scale = limits[:, 0], limits[:, 1] - limits[:, 0]
    elif start is not None:
        low, scale = np.zeros(start.size), np.maximum(np.abs(start.ravel()), 1.0)
    else:
        raise ModelError("minimise: expected x0 or bounds, found neither")
    if start is not None and start.shape != low.shape:
        raise ModelError(f"x0: expected {len(low)} numbers, found shape {start.shape}")
    free = np.flatnonzero(scale > 0)
    plain, count, rng = ClassicalEnergy.plain(model), 0, np.random.default_rng(seed)

    def place(u: Array) -> Array:
        x = np.array(low)
        x[free] += scale[free] * u
        return x

    def value(u: Array) -> float:
        nonlocal count
        count += 1
        structure = constraint(place(u))
        if structure.spins.shape != model.spins.shape or structure.supercell != model.supercell:
            raise ModelError(f"constraint: expected {len(model.spins)} spins in supercell {model.supercell}, found "
                             f"{len(structure.spins)} in {structure.supercell}")
        frame = plain if structure.k is None or structure.n is None else plain.turning(structure.k, structure.n)
        return frame.total(structure.spins) / len(model.spins)

    ends: list[tuple[float, Array]] = []
    box = None if limits is None else [(0.0, 1.0) if held[i] else (-np.inf, np.inf) for i in free]
    for run in range(max(runs, 1)):
        u = rng.random(len(free)) if start is None or run > 0 else (start - low)[free] / scale[free]
        if len(free):
            # a simplex is not held at a symmetric point where the slope vanishes; the gradient then makes it precise
            corners = np.vstack([u, u + np.diag(np.where(u > 0.8, -0.15, 0.15))])
            u = minimize(value, u, method="Nelder-Mead", bounds=box,
                         options={"initial_simplex": corners, "xatol": 1e-4, "fatol": 1e-9, "maxfev": 400 * len(free)}).x
            u = minimize(value, u, method="L-BFGS-B", jac="3-point", bounds=box,
                         options={"ftol": 1e-15, "gtol": 1e-10}).x
        ends.append((value(u), u))
    best = place(min(ends, key=lambda end: end[0])[1])
    structure = constraint(best).settled()
    found = model.replace(spins=structure.spins, k=structure.k, n=structure.n)
    final = ClassicalEnergy.of(found).total(found.spins) / len(found.spins)
    return Minimum(found, best, names, final, np.array([end for end, _ in ends]), count)


def _limits(constraint: object, names: tuple[str, ...],
            bounds: ArrayLike | Mapping[str, tuple[float, float]] | None) -> tuple[Array | None, list[bool]]:
    """Bounds of every number, and which of them may not be left."""
    own = getattr(constraint, "bounds", None)
    if bounds is None or isinstance(bounds, Mapping):
        limits = None if own is None else np.array(own, float)
        for name, pair in (bounds or {}).items():
            if name not in names or limits is None:
                raise ModelError(f"bounds: expected {', '.join(names) or 'a constraint that has names'}, found {name!r}")
            limits[names.index(name)] = pair
    else:
        limits = np.array(bounds, float)
    if limits is None:
        return None, []
    if (limits.ndim != 2 or limits.shape[1] != 2 or not np.isfinite(limits).all()
            or (limits[:, 0] > limits[:, 1]).any()):
        raise ModelError(f"bounds: expected finite pairs low <= high, found {limits.tolist()}")
    if isinstance(bounds, Mapping):
        return limits, [name in bounds for name in names]
    return limits, [bounds is not None or not names] * len(limits)


def _frame(x: Array, supercell: tuple[int, int, int]) -> tuple[Array | None, Array]:
    """k (None where the supercell holds it) and n of the last five numbers."""
    theta, phi = np.radians(x[-2:])
    n = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    turns = x[-5:-2] * np.array(supercell)
    return (None if np.abs(turns - np.rint(turns)).max() < 1e-9 else x[-5:-2]), n
