"""Histograms over energy transfer: intensity per meV, whatever the bin width.

Every line deposits the exact integral of its profile over each bin, divided by the bin width.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError
from insml.spinwave.broadening import SIGMA, Width, energy_fwhm
from insml.spinwave.temperature import Lines

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_REACH = 8.0
"""Half width in sigma over which a Gaussian is deposited; what is left out is below 1e-15 of it."""
_CHUNK = 1 << 20
_GAUSS_LEGENDRE = np.polynomial.legendre.leggauss(4)


@dataclass(frozen=True, eq=False)
class BinnedSpectrum:
    """Intensity on wave vectors x energy bins.

    Attributes
    ----------
    q : (nq, 3) r.l.u. of the chemical cell.
    energy_edges : (nE + 1,) meV, ascending.
    intensity : (nq, nE) per meV and chemical cell unless ``unit`` says otherwise. NaN where nothing can be measured.
    component, unit : for labels.
    lattice_vectors : (3, 3) rows a, b, c, Cartesian Angstrom.
    """

    q: Array
    energy_edges: Array
    intensity: Array
    component: str = "Sperp"
    unit: str = "1/meV/cell"
    lattice_vectors: Array = field(default_factory=lambda: np.eye(3))

    @property
    def energy(self) -> Array:
        """(nE,) bin centres."""
        return np.asarray((self.energy_edges[:-1] + self.energy_edges[1:]) / 2)

    @property
    def q_abs(self) -> Array:
        """(nq,) |Q| in 1/Angstrom."""
        return np.asarray(np.linalg.norm(self.q @ (2 * np.pi * np.linalg.inv(self.lattice_vectors)).T, axis=1))

    @property
    def integrated(self) -> Array:
        """(nq,) sum over energy of intensity times bin width."""
        return np.asarray(self.intensity @ np.diff(self.energy_edges))

    def scaled(self, factor: float, unit: str) -> BinnedSpectrum:
        """In another unit; see :func:`insml.spinwave.units.intensity_factor`."""
        return replace(self, intensity=self.intensity * factor, unit=unit)


def bin_lines(lines: Lines, energy_edges: ArrayLike, *, fwhm: Width = 0.0, lorentzian: Width = 0.0) -> BinnedSpectrum:
    """Histogram of lines.

    Parameters
    ----------
    energy_edges : (nE + 1,) meV, ascending.
    fwhm : full width of a Gaussian in meV, at the energy of each line: a number, the coefficients of a polynomial (highest
        power first), a table (n, 2) of energy and width, or a function of energy. With 0 a line falls into one bin.
    lorentzian : full width of a Lorentzian, likewise; with both the profile is their convolution.
    """
    edges = energy_axis(energy_edges)
    out = np.zeros((len(lines.q), len(edges) - 1))
    rows = np.repeat(np.arange(len(lines.q)), lines.energy.shape[1])
    deposit(out, rows, lines.energy.ravel(), lines.intensity.ravel(), edges, fwhm, lorentzian)
    return BinnedSpectrum(lines.q, edges, out, lines.component, lattice_vectors=lines.lattice_vectors)


def energy_axis(value: ArrayLike) -> Array:
    """(n + 1,) ascending bin edges in meV, or a GeometryError."""
    edges = np.asarray(value, float)
    if edges.ndim != 1 or len(edges) < 2 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise GeometryError(f"energy_edges: expected two or more ascending numbers in meV, found {np.array2string(edges)}")
    return edges


def deposit(out: Array, rows: Indices, energy: Array, weight: Array, edges: Array, fwhm: Width = 0.0,
            lorentzian: Width = 0.0) -> None:
    """Add lines of ``weight`` (n,) at ``energy`` (n,) to rows of ``out`` (nrows, nE), per meV; see :func:`bin_lines`.

    ``out`` is C-contiguous. Lines whose energy is NaN are left out. Memory is bounded however many there are.
    """
    if not out.flags.c_contiguous:
        raise GeometryError("out: expected a C-contiguous array, found another order")
    known = np.isfinite(energy)
    rows, energy, weight = rows[known], energy[known], weight[known]
    # what lies outside the window takes the width at its edge, so that a width need not be known far out
    inside = np.clip(energy, edges[0], edges[-1])
    sigma, gamma = energy_fwhm(fwhm, inside) * SIGMA, energy_fwhm(lorentzian, inside) / 2
    for width in (sigma, gamma):
        width[width < 1e-9 * np.diff(edges).min()] = 0.0
    for put, chosen in ((_delta, (sigma == 0) & (gamma == 0)), (_gauss, (sigma > 0) & (gamma == 0)), (_tails, gamma > 0)):
        if chosen.any():
            put(out, edges, rows[chosen], energy[chosen], weight[chosen], sigma[chosen], gamma[chosen])


def _delta(out: Array, edges: Array, rows: Indices, energy: Array, weight: Array, *_: Array) -> None:
    bins = np.searchsorted(edges, energy, side="right") - 1
    seen = (bins >= 0) & (bins < len(edges) - 1)
    bins = bins[seen]
    _add(out, rows[seen], bins, weight[seen] / np.diff(edges)[bins])


def _add(out: Array, rows: Indices, bins: Indices, values: Array) -> None:
    # numpy adds quickly to flat arrays only
    np.add.at(out.reshape(-1), rows * out.shape[1] + bins, values)


def _gauss(out: Array, edges: Array, rows: Indices, energy: Array, weight: Array, sigma: Array, _: Array) -> None:
    from scipy.special import ndtr

    n, width = len(edges) - 1, np.diff(edges)
    first = np.searchsorted(edges, energy - _REACH * sigma, side="right") - 1
    span = np.searchsorted(edges, energy + _REACH * sigma, side="left") - first
    # lines sorted by how many bins they reach: those of one chunk need windows of about the same length
    order = np.argsort(span, kind="stable")
    order = order[((first + span > 0) & (first < n))[order]]
    span = span[order]
    start = 0
    while start < len(order):
        longest = 2 * span[start]
        stop = min(int(np.searchsorted(span, longest, side="right")), start + _CHUNK // int(longest + 1) + 1)
        part = order[start:stop]
        edge = first[part, None] + np.arange(span[stop - 1] + 1)
        below = ndtr((edges[edge.clip(0, n)] - energy[part, None]) / sigma[part, None])
        at = edge[:, :-1]
        valid = (at >= 0) & (at < n)
        share = (np.diff(below, axis=1) * weight[part, None])[valid]
        _add(out, np.broadcast_to(rows[part, None], at.shape)[valid], at[valid], share / width[at[valid]])
        start = stop


def _tails(out: Array, edges: Array, rows: Indices, energy: Array, weight: Array, sigma: Array, gamma: Array) -> None:
    """Lorentzians reach every bin; a Voigt profile is integrated by Gauss-Legendre on pieces of at most one sigma."""
    from scipy.special import voigt_profile

    n, width, (nodes, weights) = len(edges) - 1, np.diff(edges), _GAUSS_LEGENDRE
    # a Gaussian a thousand times narrower than a bin moves a millionth of a Lorentzian's share
    wide = sigma > 1e-3 * width.max()
    pieces = int(np.ceil(width.max() / sigma[wide].min(initial=width.max())))
    cuts = edges[:-1, None] + width[:, None] * (np.arange(pieces + 1) / pieces)
    half = np.diff(cuts, axis=1)[..., None] / 2
    x = (cuts[:, :-1, None] + half * (1 + nodes)).reshape(-1)
    step = max(1, _CHUNK // (len(x) + n))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        e, s, g, voigt = energy[part, None], sigma[part, None], gamma[part, None], wide[part]
        share = np.diff(np.arctan((edges - e) / g) / np.pi, axis=1)
        if voigt.any():
            profile = voigt_profile(x - e[voigt], s[voigt], g[voigt]).reshape(-1, *half.shape[:2], len(nodes))
            share[voigt] = (profile * half * weights).sum(axis=(2, 3))
        _add(out, rows[part, None], np.arange(n), share * weight[part, None] / width)
