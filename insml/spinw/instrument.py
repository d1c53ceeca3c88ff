"""What an instrument does to a binned spectrum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.instruments.fermi import wavevector
from insml.spinw.grid import sw_egrid, width_of
from insml.spinw.neutron import listed
from insml.spinw.options import matlab_style
from insml.spinw.struct import Struct
from insml.spinwave.binning import BinnedSpectrum, deposit
from insml.spinwave.broadening import Width, broaden_q, kinematic_limits
from insml.spinwave.units import MBARN

Array = NDArray[np.float64]


@matlab_style(1, ignored=("plot", "fid", "tid", "formFact"))
def sw_instrument(spectra: Struct, dE: Any = None, dQ: float = 0.0, Ei: float = 0.0, ki: float = 0.0, Ef: float = 0.0,
                  kf: float = 0.0, thetaMin: float = 5.0, thetaMax: float = 135.0, norm: bool = False, polDeg: int = 5,
                  useRaw: bool = True) -> Struct:
    """``spectra`` with swConv as an instrument sees it; swRaw keeps what it was.

    Parameters
    ----------
    dE : FWHM in meV of the energy resolution: a number, a function of energy transfer, a table (n, 2) or the name of a
        file with energies and widths, to which a polynomial of degree ``polDeg`` is fitted.
    dQ : FWHM in 1/Angstrom, along the list of Q.
    Ei, ki, Ef, kf : fixed energy (meV) or wave number (1/Angstrom); points that scattering angles between ``thetaMin``
        and ``thetaMax`` (degrees) do not reach become NaN.
    norm : mbarn/meV/sr per cell (or formula unit); g = 2 unless the spectrum was made with gtensor.
    useRaw : begin from swRaw if there is one.
    """
    if "swConv" not in spectra:
        raise ModelError("sw_instrument: expected a binned spectrum, found no swConv; use sw_egrid first")
    out = Struct(spectra)
    if useRaw and "swRaw" in out:
        out.swConv = out.swRaw
    out.swRaw = out.swConv
    maps = [np.nan_to_num(np.asarray(m, float), nan=0.0, posinf=0.0, neginf=0.0) for m in listed(out.swConv)]
    centres = (out.Evect[1:] + out.Evect[:-1]) / 2
    hklA = np.asarray(out.hklA, float)
    q = hklA if hklA.ndim == 1 else np.linalg.norm(hklA.reshape(3, -1), axis=0)
    if dE is not None:
        width = _resolution(dE, polDeg, centres)
        maps = [_broadened(m, centres, out.Evect, width) for m in maps]
    if dQ > 0:
        along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(q)))])
        place = np.column_stack([q, 0 * q, 0 * q])
        maps = [broaden_q(BinnedSpectrum(place, out.Evect, m.T), dQ, along=along).intensity.T for m in maps]
    if norm:
        factor = (1.0 if out.get("gtensor") else 4.0) * MBARN / np.diff(out.Evect)
        maps = [m * factor[:, None] for m in maps]
    ei, ef = (float(energy or (k / wavevector(1.0)) ** 2) or None for energy, k in ((Ei, ki), (Ef, kf)))
    if ei or ef:
        low, high = kinematic_limits(centres, ei=ei, ef=ef, two_theta=(thetaMin, thetaMax))
        maps = [np.where((q >= low[:, None]) & (q <= high[:, None]), m, np.nan) for m in maps]
    out.swConv = maps if isinstance(out.swConv, list) else maps[0]
    out.norm, out.dE, out.dQ = bool(norm), dE, dQ
    return out


@matlab_style(1, ignored=("fid", "tid"))
def sw_tofres(spectra: Struct, method: str = "grid", dQ: Any = 0.1, nQ: Any = 5, seed: int = 0) -> Struct:
    """``spectra`` with swConv averaged over boxes Q +- dQ/2.

    Parameters
    ----------
    method : "grid" of points at the centres of nQ (3,) equal parts, or "random" with nQ points drawn from ``seed``.
    dQ : (3,) widths in r.l.u.
    """
    if "swConv" not in spectra or "omega" not in spectra:
        raise ModelError("sw_tofres: expected a binned spectrum of a single crystal, found none; use sw_egrid first")
    size = np.broadcast_to(np.asarray(dQ, float).ravel(), 3)
    if method == "grid":
        numbers = np.broadcast_to(np.asarray(nQ, int).ravel(), 3)
        axes = [(np.arange(m) + 0.5) / m - 0.5 for m in numbers]
        steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    elif method == "random":
        steps = np.random.default_rng(seed).random((int(np.prod(nQ)), 3)) - 0.5
    else:
        raise ModelError(f"method: expected 'grid' or 'random', found {method!r}")
    out, total = Struct(spectra), 0.0
    for step in steps:
        spec = spectra.obj.spinwave(np.asarray(spectra.hkl) + (step * size)[:, None], formfact=spectra.formfact,
                                    gtensor=spectra.gtensor)
        total = total + sw_egrid(spec, Evect=spectra.Evect, component=spectra.component, T=spectra.T).swConv
    out.swConv = total / len(steps)
    return out


def _resolution(dE: Any, degree: int, centres: Array) -> Width:
    table = np.loadtxt(dE) if isinstance(dE, str) else dE
    if callable(table) or np.ndim(table) != 2:
        return width_of(table, centres)
    energy, width = np.asarray(table, float)[:, :2].T
    return np.polynomial.Polynomial.fit(energy, width, min(degree, len(energy) - 1))


def _broadened(values: Array, centres: Array, edges: Array, width: Width) -> Array:
    """Every bin's content spread from its centre."""
    out = np.zeros(values.T.shape)
    rows, bins = np.nonzero(values.T)
    deposit(out, rows, centres[bins], values.T[rows, bins], edges, width)
    return np.asarray((out * np.diff(edges)).T)
