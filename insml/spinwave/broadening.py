"""Instrumental widths, what a neutron can reach, and broadening along |Q|."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.instruments.fermi import wavevector

if TYPE_CHECKING:
    from insml.spinwave.binning import BinnedSpectrum
    from insml.spinwave.powder import PowderSpectrum

    Map = TypeVar("Map", BinnedSpectrum, PowderSpectrum)

Array = NDArray[np.float64]
Width = float | Sequence[float] | Array | Callable[[Array], ArrayLike]
"""Full width at half maximum as a number, a polynomial of energy (highest power first), a table (n, 2) of energy and
width, between which lines are drawn and whose ends hold beyond it, or a function of energy."""

SIGMA = 1 / np.sqrt(8 * np.log(2))
"""Standard deviation of a Gaussian over its full width at half maximum."""


def energy_fwhm(width: Width, energy: Array) -> Array:
    """The full width in meV at each energy transfer.

    Raises
    ------
    GeometryError : a width that is negative or not finite anywhere in ``energy``, or a table out of order.
    """
    if callable(width):
        value = np.broadcast_to(np.asarray(width(energy), float), energy.shape)
    else:
        given = np.asarray(width, float)
        if given.ndim < 2:
            value = np.polyval(np.atleast_1d(given), energy)
        elif given.shape[1:] == (2,) and (np.diff(given[:, 0]) > 0).all():
            value = np.interp(energy, given[:, 0], given[:, 1])
        else:
            raise GeometryError("fwhm: expected a table (n, 2) of ascending energy and width, found shape "
                                f"{given.shape}" + ("" if given.shape[1:] != (2,) else " out of order"))
    if energy.size and not (np.isfinite(value) & (value >= 0)).all():
        at = int(np.argmin(np.where(np.isfinite(value), value, -np.inf)))
        raise GeometryError(f"fwhm: expected a width of zero or more, found {value.flat[at]:g} at {energy.flat[at]:g} meV")
    return np.asarray(value)


def kinematic_limits(energy: ArrayLike, *, ei: float | None = None, ef: float | None = None,
                     two_theta: tuple[float, float] = (0.0, 180.0)) -> tuple[Array, Array]:
    """Smallest and largest |Q| (1/Angstrom) that detectors at scattering angles ``two_theta`` (degrees) see.

    Q^2 = ki^2 + kf^2 - 2 ki kf cos(2 theta) with Ei fixed (direct geometry) or Ef fixed (indirect, three axes). NaN where
    no neutron can have the energy transfer.
    """
    if (ei is None) == (ef is None):
        raise GeometryError(f"ei, ef: expected one of the two, found ei = {ei}, ef = {ef}")
    fixed = float(ei if ei is not None else ef if ef is not None else np.nan)
    low, high = float(two_theta[0]), float(two_theta[1])
    if not (np.isfinite(fixed) and fixed > 0):
        raise GeometryError(f"{'ei' if ef is None else 'ef'}: expected a positive energy in meV, found {fixed:g}")
    if not 0 <= low < high <= 180:
        raise GeometryError(f"two_theta: expected 0 <= lowest < highest <= 180 degrees, found {two_theta}")
    transfer = np.asarray(energy, float)
    other = fixed - transfer if ef is None else fixed + transfer
    k, k_other = wavevector(fixed), wavevector(np.where(other > 0, other, np.nan))
    limits = [np.sqrt(np.maximum(k**2 + k_other**2 - 2 * k * k_other * np.cos(np.radians(a)), 0.0)) for a in (low, high)]
    return limits[0], limits[1]


def mask_unreachable(spectrum: Map, *, ei: float | None = None, ef: float | None = None,
                     two_theta: tuple[float, float] = (0.0, 180.0)) -> Map:
    """The same map with NaN in bins whose centre no neutron reaches; see :func:`kinematic_limits`."""
    low, high = kinematic_limits(spectrum.energy, ei=ei, ef=ef, two_theta=two_theta)
    q = spectrum.q_abs[:, None]
    return replace(spectrum, intensity=np.where((q >= low) & (q <= high), spectrum.intensity, np.nan))


def broaden_q(spectrum: Map, fwhm: float, *, along: ArrayLike | None = None) -> Map:
    """Convolve with a Gaussian of full width ``fwhm`` (1/Angstrom) along |Q|, or along a path.

    Parameters
    ----------
    along : (nq,) ascending position of each point in 1/Angstrom, such as ``Path.distance``; |Q| by default. Points may be
        unevenly spaced; each is the weighted mean of its neighbours, so that a constant stays what it is, up to the ends.
    """
    x = np.asarray(spectrum.q_abs if along is None else along, float)
    if x.shape != (len(spectrum.intensity),) or not (np.diff(x) >= 0).all():
        raise GeometryError(f"along: expected {len(spectrum.intensity)} ascending positions in 1/Angstrom, found shape "
                            f"{x.shape}" + ("" if x.shape != (len(spectrum.intensity),) else " out of order"))
    if not (np.isfinite(fwhm) and fwhm >= 0):
        raise GeometryError(f"fwhm: expected zero or more in 1/Angstrom, found {fwhm}")
    if fwhm == 0 or len(x) < 2:
        return spectrum
    share = np.gradient(x)
    kernel = np.exp(-((x[:, None] - x) / (fwhm * SIGMA)) ** 2 / 2) * share
    known = np.isfinite(spectrum.intensity)
    norm = kernel @ known
    total = kernel @ np.where(known, spectrum.intensity, 0.0)
    return replace(spectrum, intensity=np.where(known, total / np.where(norm > 0, norm, 1.0), np.nan))
