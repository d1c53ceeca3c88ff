"""Magnetic structures of a few numbers: SpinW's gm_* functions.

Each takes the spin lengths M0 and numbers x and returns S (3, n), k (3,) and n (3,); x ends with kx, ky, kz in r.l.u. and
the polar angles of n. Angles are in rad, those of functions whose name ends in d in degrees.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave.minimise import Planar, Spherical
from insml.spinwave.structure import MagneticStructure

Array = NDArray[np.float64]
Numbers = tuple[Array, Array, Array]
Constraint = Callable[[Array, Array], Any]


def gm_planard(M0: ArrayLike, x: ArrayLike) -> Numbers:
    """Spins in the plane normal to n; x = (phi_1, ..., kx, ky, kz, n_theta, n_phi), degrees."""
    values = _values(x, 6)
    n = _normal(values)
    return MagneticStructure.planar(values[:-5], M0, n=n).spins.T.copy(), values[-5:-2], n


def gm_planar(M0: ArrayLike, x: ArrayLike) -> Numbers:
    """:func:`gm_planard` with angles in rad."""
    return gm_planard(M0, _degrees(x))


def gm_spherical3dd(M0: ArrayLike, x: ArrayLike) -> Numbers:
    """Any spins; x = (theta_1, phi_1, ..., kx, ky, kz, n_theta, n_phi), degrees."""
    values = _values(x, 7)
    return MagneticStructure.spherical(values[:-5:2], values[1:-5:2], M0).spins.T.copy(), values[-5:-2], _normal(values)


def gm_spherical3d(M0: ArrayLike, x: ArrayLike) -> Numbers:
    """:func:`gm_spherical3dd` with angles in rad."""
    return gm_spherical3dd(M0, _degrees(x))


class Search:
    """A gm function as what insml.spinwave.minimise takes: names, bounds, and numbers to a structure."""

    def __init__(self, function: Constraint | str, lengths: Array, supercell: tuple[int, int, int]) -> None:
        self.function = named(function)
        self.lengths, self.supercell = lengths, supercell
        self.names: tuple[str, ...] = ()
        if self.function in _NATIVE:
            frame_of, degrees = _NATIVE[self.function]
            frame = frame_of(lengths, supercell)
            wave = [name[0] == "k" for name in frame.names]
            unit = "deg" if degrees else "rad"
            self.names = tuple(f"{_SPINW.get(name, name.capitalize())}_{'rlu' if is_k else unit}"
                               for name, is_k in zip(frame.names, wave, strict=True))
            self.bounds = np.where(np.array(wave)[:, None] | degrees, frame.bounds, np.radians(frame.bounds))

    def __call__(self, x: Array) -> MagneticStructure:
        return structure(self.function(self.lengths, x), self.supercell)


_SPINW = {"kx": "kx", "ky": "ky", "kz": "kz", "n_theta": "nTheta", "n_phi": "nPhi"}
_NATIVE: dict[Constraint, tuple[Any, bool]] = {
    gm_planar: (Planar, False), gm_planard: (Planar, True),
    gm_spherical3d: (Spherical, False), gm_spherical3dd: (Spherical, True),
}
_FUNCTIONS = {f.__name__: f for f in _NATIVE}


def named(function: Constraint | str) -> Constraint:
    """A constraint given by itself or by its name."""
    if isinstance(function, str):
        if function.lstrip("@") not in _FUNCTIONS:
            raise ModelError(f"func: expected a function or one of {', '.join(_FUNCTIONS)}, found {function!r}")
        return _FUNCTIONS[function.lstrip("@")]
    return function


def structure(numbers: Numbers, supercell: tuple[int, int, int]) -> MagneticStructure:
    """What a constraint returned, as a native structure."""
    spins, k, n = (np.asarray(v, float) for v in numbers)
    turns = k.ravel() * np.array(supercell)
    if np.abs(turns - np.rint(turns)).max() < 1e-9:
        return MagneticStructure(supercell, spins.T)
    return MagneticStructure(supercell, spins.T, k.ravel(), n.ravel())


def _values(x: ArrayLike, least: int) -> Array:
    values = np.asarray(x, float).ravel()
    if len(values) < least:
        raise ModelError(f"x: expected angles, kx, ky, kz and the two angles of n, found {len(values)} numbers")
    return values


def _degrees(x: ArrayLike) -> Array:
    values = np.degrees(np.asarray(x, float).ravel())
    values[-5:-2] = np.asarray(x, float).ravel()[-5:-2]
    return np.asarray(values)


def _normal(values: Array) -> Array:
    theta, phi = np.radians(values[-2:])
    return np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
