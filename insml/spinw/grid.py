"""Spectra on a grid of energies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.spinw.neutron import listed, sw_neutron
from insml.spinw.options import matlab_style
from insml.spinw.struct import Struct
from insml.spinwave.binning import deposit
from insml.spinwave.broadening import Width
from insml.spinwave.components import parse
from insml.spinwave.temperature import bose

Array = NDArray[np.float64]


@matlab_style(1, ignored=("epsilon", "autoEmin", "fid", "tid"))
def sw_egrid(spectra: Struct, component: Any = "Sperp", Evect: Any = None, T: float | None = None, binType: str = "ebin",
             sumtwin: bool = True, modeIdx: Any = None, imagChk: bool = True, zeroEnergyTol: float = 5e-4,
             maxDSF: float = 1e6, dE: float | Callable[[Array], Array] | Array | None = None) -> Struct:
    """``spectra`` with intensities summed into energy bins.

    Fields
    ------
    swConv : (nE, nQ) intensity per bin, Bose factor included; a list for several components (and twins kept apart).
    swInt : (nMode, nQ) intensity of the modes, no Bose factor. Evect : (nE + 1,) edges of the bins, meV.

    Parameters
    ----------
    component : "Sperp", "Sxx+2*Syy", "Mzz", "Pxy", the name of a field (nMode, nQ); or a list of these.
    Evect : edges of the bins, or their centres where ``binType`` is "cbin"; 500 bins up to 1.1 times the largest energy.
    T : kelvin; that of the spectrum's object where None. The Bose factor is that of each mode's own energy.
    sumtwin : sum over twins with their shares. modeIdx : 1-based modes that count.
    zeroEnergyTol : modes closer to zero, in meV, are left out. maxDSF : intensities above it are, too.
    imagChk : refuse modes without a real energy, instead of leaving them out.
    dE : FWHM in meV of a Gaussian, one number, one for each bin or a function of energy; a true FWHM.
    """
    out = Struct(spectra)
    texts = [component] if isinstance(component, str) else list(component)
    parts = [(text, {} if text in out else parse(text)) for text in texts]
    if any("Sperp" in terms for _, terms in parts) and "Sperp" not in out:
        out = sw_neutron(out)
    energies = [np.asarray(w).real for w in listed(out.omega)]
    if imagChk and not all(np.isfinite(w).all() for w in energies):
        raise ModelError("omega: expected real energies, found modes without one; the magnetic structure is not a minimum "
                         "of the energy; or set imagChk to false")
    if Evect is None:
        top = max(float(np.nanmax(w, initial=0.0)) for w in energies)
        Evect, binType = out.get("Evect", np.linspace(0, 1.1 * (top or 1.0), 501)), "ebin"
    edges, centres = bins(Evect, binType)
    width = width_of(dE, centres)
    temperature = float(out.obj.single_ion.T if T is None and "obj" in out else T or 0.0)
    keep = np.zeros(energies[0].shape[0], bool)
    keep[slice(None) if modeIdx is None else np.asarray(modeIdx, int).ravel() - 1] = True
    shape = energies[0].shape[1:]
    share = np.ones(1) if len(energies) == 1 else out.obj.twin.vol / np.sum(out.obj.twin.vol)
    binned: list[list[Array]] = []
    modes: list[list[Array]] = []
    for text, terms in parts:
        values = [_combined(out, text, terms, t).reshape(energies[t].shape[0], -1) for t in range(len(energies))]
        modes.append([v.reshape(w.shape) for v, w in zip(values, energies, strict=True)])
        binned.append([])
        for value, energy in zip(values, energies, strict=True):
            w = energy.reshape(value.shape)
            used = keep[:, None] & np.isfinite(w) & (np.abs(w) >= zeroEnergyTol) & (value <= maxDSF)
            weight = np.where(used, value * _thermal(np.where(used, w, 1.0), temperature), 0.0)
            binned[-1].append(_summed(np.where(used, w, np.nan), weight, edges, width).reshape(-1, *shape))
    if sumtwin:
        binned = [[np.einsum("t,t...->...", share, np.array(b))] for b in binned]
        modes = [[np.einsum("t,t...->...", share, np.array(m))] for m in modes]
    single = len(binned) == 1 and len(binned[0]) == 1
    out.swConv = binned[0][0] if single else [b for row in binned for b in row]
    out.swInt = modes[0][0] if single else [m for row in modes for m in row]
    out.component = texts[0] if len(texts) == 1 else texts
    out.Evect, out.T = edges, temperature
    out.pop("swRaw", None)
    return out


@matlab_style(1)
def sw_omegasum(spectra: Struct, tol: float = 1e-5, zeroint: float = 0.0, emptyval: float = np.nan) -> Struct:
    """``spectra`` with modes of one energy (within ``tol`` meV) merged, ascending, and those weaker than ``zeroint`` gone.

    Modes that are free now hold ``emptyval``. Only E > 0 is kept, as in SpinW.
    """
    if isinstance(spectra.omega, list):
        raise ModelError("sw_omegasum: expected the spectrum of a single domain, found one of several twins")
    out = Struct(spectra)
    omega = np.nan_to_num(np.asarray(spectra.omega).real, nan=0.0)
    strength = np.asarray(spectra.swInt).real if "swInt" in spectra else None
    if strength is not None and zeroint > 0:
        omega = np.where(np.abs(strength) < zeroint, 0.0, omega)
    energy = np.full(omega.shape, float(emptyval))
    weight = np.full(omega.shape, float(emptyval))
    for q in np.ndindex(omega.shape[1:]):
        column = omega[(slice(None), *q)]
        order = np.argsort(column)[np.searchsorted(np.sort(column), tol):]
        groups = np.split(order, np.flatnonzero(np.diff(column[order]) > tol) + 1) if len(order) else []
        for m, group in enumerate(groups):
            energy[(m, *q)] = column[group].mean()
            if strength is not None:
                weight[(m, *q)] = strength[(group, *q)].sum()
    out.omega = energy
    if strength is not None:
        out.swInt = weight
    return out


def bins(Evect: Any, kind: str) -> tuple[Array, Array]:
    """Edges (nE + 1,) and centres (nE,) of bins given by their edges ("ebin") or centres ("cbin")."""
    if kind not in ("ebin", "cbin"):
        raise ModelError(f"binType: expected 'ebin' or 'cbin', found {kind!r}")
    values = np.sort(np.asarray(Evect, float).ravel())
    if values.size < 2 or not (np.isfinite(values).all() and (np.diff(values) > 0).all()):
        raise ModelError(f"Evect: expected at least two different energies, found {values.tolist()}")
    if kind == "ebin":
        return values, (values[1:] + values[:-1]) / 2
    half = np.diff(values) / 2
    return np.concatenate([values[:1] - half[:1], values[:-1] + half, values[-1:] + half[-1:]]), values


def _combined(spectra: Struct, text: str, terms: dict[str, float], twin: int) -> Array:
    if not terms:
        return np.asarray(listed(spectra[text])[twin]).real
    total: Array | float = 0.0
    for name, factor in terms.items():
        index = tuple("xyz".index(c) for c in name[1:]) if name != "Sperp" else ()
        field = {"Sperp": "Sperp", "S": "Sab", "M": "Mab", "P": "Pab" if len(index) == 2 else "intP"}[
            name if name == "Sperp" else name[0]]
        if field not in spectra:
            raise ModelError(f"component: expected the field {field} for {text!r}, found none; "
                             + ("use sw_neutron(spectra, pol=True) first" if field != "Sab" else "leave fastmode out"))
        total = total + factor * np.asarray(listed(spectra[field])[twin])[index].real
    return np.asarray(total)


def _thermal(energy: Array, temperature: float) -> Array:
    """n(|E|) + 1 for energy loss, n(|E|) for gain."""
    return bose(np.abs(energy), temperature) + (energy > 0)


def _summed(energy: Array, weight: Array, edges: Array, width: Width) -> Array:
    """(nE, nQ) sums per bin of ``weight`` at ``energy`` (nMode, nQ)."""
    out = np.zeros((energy.shape[1], len(edges) - 1))
    rows = np.broadcast_to(np.arange(energy.shape[1]), energy.shape)
    deposit(out, rows.ravel(), energy.ravel(), weight.ravel(), edges, width)
    return np.asarray((out * np.diff(edges)).T)


def width_of(dE: Any, centres: Array) -> Width:
    """A number, a function or one number for each bin, as what insml.spinwave.broadening takes."""
    if dE is None or callable(dE):
        return 0.0 if dE is None else dE
    value = np.asarray(dE, float).ravel()
    if value.size not in (1, len(centres)):
        raise ModelError(f"dE: expected one width, one for each of {len(centres)} bins or a function, found {value.size}")
    return float(value[0]) if value.size == 1 else np.column_stack([centres, value])
