"""Fits of couplings to measured mode energies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError, UnstableStructureError
from insml.spinw.grid import sw_egrid
from insml.spinw.neutron import sw_neutron
from insml.spinw.options import matlab_style
from insml.spinw.readspec import sw_readspec
from insml.spinw.spectra import Spectra
from insml.spinw.struct import Struct

Array = NDArray[np.float64]


class Fits(Spectra):
    """fitspec."""

    @matlab_style(1, ignored=("plot", "iFact", "lShift", "fid", "tid", "optmem", "epsilon", "tolx", "tolfun", "maxfunevals",
                              "maxiter", "nMax", "imagChk", "sw"))
    def fitspec(self, func: Callable[[Any, Array], Any] | None = None, datapath: Any = None, Evect: Any = None,
                x0: ArrayLike | None = None, xmin: ArrayLike | None = None, xmax: ArrayLike | None = None,
                optimizer: str = "lm", nRun: int = 1, hermit: bool = True, seed: int = 0) -> Struct:
        """Least squares of mode energies; the object gets the best parameters.

        Modes outside of the measured range do not count, modes closer than the step of ``Evect`` are one at their mean
        energy weighted with intensity, and of more modes than were measured the strongest count; where there are fewer, the
        limits of the scan stand in.

        Parameters
        ----------
        func : func(obj, x) changes the object. datapath : file or what :func:`insml.spinw.sw_readspec` returns.
        Evect : energies, meV, whose step is the resolution. x0, xmin, xmax : (nx,). nRun : starts at random between the
            bounds, where there is no x0.
        optimizer : "lm" (trust-region least squares from scipy), "simplex" or "pso" (a population over the bounds).
        hermit : as in spinwave; parameters whose structure is unstable count as a bad fit.

        Returns
        -------
        x (nRun, nx) and redX2 (nRun,), best first; sigma (nx,) of the best from its curvature; obj.
        """
        if func is None or datapath is None or Evect is None:
            raise ModelError("fitspec: expected func, datapath and Evect, found "
                             + ", ".join(n for n, v in (("func", func), ("datapath", datapath), ("Evect", Evect))
                                         if v is not None))
        data = sw_readspec(datapath) if isinstance(datapath, str) or hasattr(datapath, "read_text") else list(datapath)
        step = float(np.min(np.diff(np.sort(np.asarray(Evect, float).ravel()))))
        low, high, starts = _starts(x0, xmin, xmax, nRun, seed)
        sigma = np.concatenate([_measured(block)[1] for block in data])

        def residual(x: Array) -> Array:
            trial = self.copy()
            func(trial, x)
            try:
                parts = [_modes(trial, block, step, hermit) - _measured(block)[0] for block in data]
            except UnstableStructureError:
                parts = [(block.maxE - block.minE)[_measured(block)[2]] for block in data]
            return np.asarray(np.concatenate(parts) / sigma)

        free = max(len(sigma) - len(starts[0]) + 1, 1)
        ends = sorted((_minimum(residual, start, low, high, optimizer, seed) for start in starts), key=lambda end: end[0])
        func(self, ends[0][1])
        return Struct(obj=self.copy(), x=np.array([x for _, x, _ in ends]), redX2=np.array([c / free for c, _, _ in ends]),
                      sigma=ends[0][2])


def _starts(x0: Any, xmin: Any, xmax: Any, runs: int, seed: int) -> tuple[Array, Array, list[Array]]:
    sizes = {np.size(v) for v in (x0, xmin, xmax) if v is not None}
    if len(sizes) != 1 or (x0 is None and (xmin is None or xmax is None)):
        raise ModelError("fitspec: expected x0, or xmin and xmax, of one length, found sizes "
                         f"{[None if v is None else np.size(v) for v in (x0, xmin, xmax)]}")
    n = sizes.pop()
    low = np.full(n, -np.inf) if xmin is None else np.asarray(xmin, float).ravel()
    high = np.full(n, np.inf) if xmax is None else np.asarray(xmax, float).ravel()
    if x0 is not None:
        return low, high, [np.asarray(x0, float).ravel()]
    rng = np.random.default_rng(seed)
    return low, high, [low + (high - low) * rng.random(n) for _ in range(max(runs, 1))]


def _measured(block: Struct) -> tuple[Array, Array, NDArray[np.int64]]:
    """Energies, their sigma (1 where 0) and the index of their Q, for all modes."""
    q, mode = np.nonzero(np.isfinite(block.E.T))
    sigma = block.sigma[mode, q]
    return block.E[mode, q], np.where(sigma > 0, sigma, 1.0), q


def _modes(obj: Any, block: Struct, step: float, hermit: bool) -> Array:
    """Calculated energies in the order of :func:`_measured`."""
    polarised = block.corr != "Sperp" and any(c in block.corr for c in "MP")
    spec = sw_neutron(obj.spinwave(block.Q, hermit=hermit), n=block.n, pol=polarised)
    spec = sw_egrid(spec, component=block.corr, Evect=[0.0, 1.0], imagChk=False, sumtwin=False)
    energy = np.concatenate(spec.omega) if isinstance(spec.omega, list) else spec.omega
    weight = np.concatenate(spec.swInt) if isinstance(spec.swInt, list) else spec.swInt
    out = []
    for q in range(block.Q.shape[1]):
        known = block.E[np.isfinite(block.E[:, q]), q]
        found = _merged(energy[:, q], np.abs(weight[:, q]), step, block.minE[q], block.maxE[q])
        strongest = np.sort(np.array([e for e, _ in sorted(found, key=lambda m: -m[1])[: len(known)]]))
        padded = np.concatenate([np.full(len(known), block.minE[q]), strongest, np.full(len(known), block.maxE[q])])
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(known))
        out.append(windows[np.argmin(((windows - known) ** 2).sum(axis=1))])
    return np.concatenate(out)


def _merged(energy: Array, weight: Array, step: float, low: float, high: float) -> list[tuple[float, float]]:
    inside = np.isfinite(energy) & (energy > 1e-6) & (energy >= low) & (energy <= high) & (weight > 1e-9)
    order = np.argsort(energy[inside])
    e, w = energy[inside][order], weight[inside][order]
    if not len(e):
        return []
    groups = np.split(np.arange(len(e)), np.flatnonzero(np.diff(e) > step) + 1)
    return [(float(np.average(e[g], weights=w[g])), float(w[g].sum())) for g in groups]


def _minimum(residual: Callable[[Array], Array], x0: Array, low: Array, high: Array, kind: str, seed: int
             ) -> tuple[float, Array, Array]:
    from scipy import optimize

    def cost(x: Array) -> float:
        return float(np.sum(residual(np.clip(x, low, high)) ** 2))

    if kind == "simplex":
        x0 = optimize.minimize(cost, x0, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).x
    elif kind == "pso":
        if not np.isfinite([low, high]).all():
            raise ModelError("optimizer 'pso': expected xmin and xmax, found none")
        x0 = optimize.differential_evolution(cost, optimize.Bounds(low, high), rng=seed, maxiter=30, polish=False).x
    elif kind != "lm":
        raise ModelError(f"optimizer: expected 'lm', 'simplex' or 'pso', found {kind!r}")
    inner = np.clip(x0, low, high)
    end: Any = optimize.least_squares(residual, inner, bounds=(low, high), x_scale=np.maximum(np.abs(inner), 1e-3),
                                      diff_step=np.full(len(inner), 1e-5))
    curvature = end.jac.T @ end.jac
    return float(2 * end.cost), np.asarray(end.x), np.sqrt(np.maximum(np.diag(np.linalg.pinv(curvature)), 0.0))
