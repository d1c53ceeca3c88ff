"""Fits to powder data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinw.instrument import sw_instrument
from insml.spinw.struct import Struct

Array = NDArray[np.float64]


class sw_fitpowder:
    """Powder spectra of an object against a map or cuts at constant |Q|.

    Parameters
    ----------
    swobj : a SpinW object with magnetic structure; it is not changed.
    data : a map {"x": (energies, |Q|), "y": (nQ, nE), "e": ...}, or a list of cuts {"x": energies, "y", "e", "qmin",
        "qmax"}, centres of bins in meV and 1/Angstrom; cuts are sums over |Q|, bins with NaN or e <= 0 do not count.
    fit_func : fit_func(obj, p) changes the object. model_params : (np,) where p starts.
    background_strategy : "planar", slope_E E + slope_Q |Q| + constant, or "independent", slope_E E + constant for each cut.
    nQ : points of |Q| in a cut.

    Attributes
    ----------
    params : model parameters, background, scale. bounds (n, 2) : equal bounds hold a parameter.
    powspec_args, sw_instrument_args : options of the two. cost_function : "Rsq" or "chisq" (weights 1/e^2).
    """

    def __init__(self, swobj: Any, data: Any, fit_func: Callable[[Any, Array], Any], model_params: ArrayLike,
                 background_strategy: str = "planar", nQ: int = 10) -> None:
        self.swobj, self.fit_func, self.nQ = swobj, fit_func, int(nQ)
        self.cost_function = "Rsq"
        self.powspec_args = Struct(nRand=1000, T=0.0, formfact=True, hermit=False, imagChk=False, fibo=True, fastmode=True)
        self.sw_instrument_args = Struct()
        self._cached: tuple[Array, Array] | None = None
        self.add_data(data)
        if background_strategy not in ("planar", "independent")[: 2 if self.ncuts else 1]:
            raise ModelError("background_strategy: expected 'planar', or 'independent' for cuts, found "
                             f"{background_strategy!r}")
        self.background_strategy = background_strategy
        self.nparams_model = np.size(model_params)
        self.nparams_bg = 3 if background_strategy == "planar" else 2
        background = np.zeros(self.nparams_bg * (1 if background_strategy == "planar" else self.ncuts))
        self.params = np.concatenate([np.asarray(model_params, float).ravel(), background, [1.0]])
        self.bounds = np.tile([-np.inf, np.inf], (len(self.params), 1))
        self.bounds[-1, 0] = 0.0

    def add_data(self, data: Any) -> None:
        """Replace the data."""
        sets = [data] if isinstance(data, dict) else list(data)
        self._cached = None
        first = sets[0]
        if len(sets) == 1 and len(first["x"]) == 2 and np.ndim(first["x"][0]) == 1:
            self.ncuts = 0
            self.ebin_cens, self.modQ_cens = (np.asarray(x, float).ravel() for x in first["x"])
            self.y, self.e = (np.array(first[name], float).T for name in ("y", "e"))
        else:
            self.ncuts = len(sets)
            self.ebin_cens = np.asarray(first["x"], float).ravel()
            self.y, self.e = (np.column_stack([np.ravel(cut[name]) for cut in sets]).astype(float) for name in ("y", "e"))
            inside = (np.arange(self.nQ) + 0.5) / self.nQ
            self.modQ_cens = np.concatenate([cut["qmin"] + inside * (cut["qmax"] - cut["qmin"]) for cut in sets])
        wanted = (len(self.ebin_cens), self.ncuts or len(self.modQ_cens))
        if self.y.shape != wanted or self.e.shape != wanted:
            raise ModelError(f"data: expected y and e for {wanted[0]} energies and {wanted[1]} |Q| or cuts, found "
                             f"{self.y.shape} and {self.e.shape}")

    def crop_energy_range(self, emin: float, emax: float) -> None:
        """Only energies from emin to emax count."""
        self._mask((self.ebin_cens < emin) | (self.ebin_cens > emax))

    def exclude_energy_range(self, elo: float, ehi: float) -> None:
        """Energies from elo to ehi do not count."""
        self._mask((self.ebin_cens >= elo) & (self.ebin_cens <= ehi))

    def _mask(self, drop: NDArray[np.bool_]) -> None:
        self.y = np.where(drop[:, None], np.nan, self.y)

    def crop_q_range(self, qmin: float, qmax: float) -> None:
        """Of a map, keep |Q| from qmin to qmax."""
        if self.ncuts:
            raise ModelError("crop_q_range: expected a map, found cuts")
        keep = (self.modQ_cens >= qmin) & (self.modQ_cens <= qmax)
        self.modQ_cens, self.y, self.e, self._cached = self.modQ_cens[keep], self.y[:, keep], self.e[:, keep], None

    def replace_2D_data_with_1D_cuts(self, qmins: ArrayLike, qmaxs: ArrayLike) -> None:
        """Of a map, make cuts that sum qmin < |Q| <= qmax."""
        if self.ncuts:
            raise ModelError("replace_2D_data_with_1D_cuts: expected a map, found cuts")
        cuts = []
        for low, high in zip(np.ravel(qmins), np.ravel(qmaxs), strict=True):
            keep = (self.modQ_cens > low) & (self.modQ_cens <= high)
            cuts.append({"x": self.ebin_cens, "y": self.y[:, keep].sum(axis=1),
                         "e": np.sqrt((self.e[:, keep] ** 2).sum(axis=1)), "qmin": low, "qmax": high})
        self.add_data(cuts)

    def fix_model_parameters(self, index: Any) -> None:
        """Hold model parameters (1-based)."""
        self._hold(self._model(index))

    def fix_bg_parameters(self, index: Any, icuts: Any = None) -> None:
        """Hold background parameters (1-based) of all cuts, or of ``icuts``."""
        self._hold(self._background(index, icuts))

    def fix_scale(self) -> None:
        """Hold the scale factor."""
        self._hold(np.array([len(self.params) - 1]))

    def set_model_parameter_bounds(self, index: Any, lb: Any, ub: Any) -> None:
        """Bounds of model parameters (1-based); None leaves a bound."""
        self._bound(self._model(index), lb, ub)

    def set_bg_parameter_bounds(self, index: Any, lb: Any, ub: Any, icuts: Any = None) -> None:
        """Bounds of background parameters (1-based); None leaves a bound."""
        self._bound(self._background(index, icuts), lb, ub)

    def set_scale_bounds(self, lb: Any, ub: Any) -> None:
        """Bounds of the scale factor; None leaves a bound."""
        self._bound(np.array([len(self.params) - 1]), lb, ub)

    def set_model_parameters(self, index: Any, values: ArrayLike) -> None:
        """Start values of model parameters (1-based)."""
        self.params[self._model(index)] = values

    def set_bg_parameters(self, index: Any, values: ArrayLike, icuts: Any = None) -> None:
        """Start values of background parameters (1-based)."""
        self.params[self._background(index, icuts)] = values

    def set_scale(self, scale: float) -> None:
        """Start value of the scale factor."""
        self.params[-1] = scale

    def estimate_constant_background(self) -> None:
        """Set the constant of the background to the lowest tenth of the data."""
        summed = self.nQ if self.ncuts and self.background_strategy == "planar" else 1
        self.set_bg_parameters(self.nparams_bg, float(np.nanquantile(self.y, 0.1)) / summed)

    def estimate_scale_factor(self) -> None:
        """Set the scale so that the maxima of data, less background, and calculation agree."""
        trial = np.append(self.params[:-1], 1.0)
        bare = trial.copy()
        bare[self.nparams_model : -1] = 0.0
        signal = self.calc_spinwave_spec(bare)
        self.params[-1] = np.nanmax(self.y - (self.calc_spinwave_spec(trial) - signal)) / np.nanmax(signal)

    def calc_spinwave_spec(self, params: ArrayLike) -> Array:
        """(nE, nQ or cuts) of parameters like :attr:`params`."""
        p = np.asarray(params, float)
        model, background = p[: self.nparams_model], p[self.nparams_model : -1]
        if self._cached is None or not np.array_equal(self._cached[0], model):
            obj = self.swobj.copy()
            self.fit_func(obj, model)
            spec = obj.powspec(self.modQ_cens, Evect=self.ebin_cens, binType="cbin", **self.powspec_args)
            self._cached = model.copy(), np.asarray(sw_instrument(spec, **self.sw_instrument_args).swConv)
        y = p[-1] * self._cached[1]
        if self.background_strategy == "planar":
            y = y + background[0] * self.ebin_cens[:, None] + background[1] * self.modQ_cens + background[2]
        if self.ncuts:
            y = np.nansum(y.reshape(len(y), self.ncuts, self.nQ), axis=2)
        if self.background_strategy == "independent":
            y = y + background[::2] * self.ebin_cens[:, None] + background[1::2]
        return np.asarray(y)

    def fit(self) -> Struct:
        """Least squares (scipy's trust region) over all parameters that are not held.

        Returns
        -------
        x, errors (standard deviations from the curvature and the spread of the residuals; 0 for those held), cost (sum of
        squares), converged.
        """
        from scipy.optimize import least_squares

        free = np.flatnonzero(self.bounds[:, 1] > self.bounds[:, 0])
        counts = np.isfinite(self.y) & (self.e > 0)
        weight = 1 / np.where(self.e > 0, self.e, 1.0) if self.cost_function == "chisq" else np.ones_like(self.e)

        def residual(part: Array) -> Array:
            full = self.params.copy()
            full[free] = part
            rest = (self.calc_spinwave_spec(full) - self.y) * weight
            return np.asarray(np.nan_to_num(rest[counts]))

        low, high = self.bounds[free].T
        start = np.clip(self.params[free], low, high)
        end: Any = least_squares(residual, start, bounds=(low, high), x_scale=np.maximum(np.abs(start), 1e-3),
                                 diff_step=np.full(len(free), 1e-3))
        self.params[free] = end.x
        spread = 2 * end.cost / max(int(counts.sum()) - len(free), 1)
        errors = np.zeros(len(self.params))
        errors[free] = np.sqrt(np.maximum(np.diag(np.linalg.pinv(end.jac.T @ end.jac)), 0.0) * spread)
        return Struct(x=self.params.copy(), errors=errors, cost=float(2 * end.cost), converged=bool(end.success))

    def plot_result(self, params: ArrayLike | None = None) -> Any:
        """Data with the calculation; returns the matplotlib figure."""
        from matplotlib import pyplot

        y = self.calc_spinwave_spec(self.params if params is None else params)
        figure, axes = pyplot.subplots(1, self.ncuts or 2, squeeze=False)
        if self.ncuts:
            for i, ax in enumerate(axes[0]):
                ax.errorbar(self.ebin_cens, self.y[:, i], self.e[:, i], fmt="o", color="black")
                ax.plot(self.ebin_cens, y[:, i], color="firebrick")
                ax.set(xlabel="Energy transfer (meV)", ylabel="Intensity")
        else:
            for ax, values, title in zip(axes[0], (self.y, y), ("data", "calculated"), strict=True):
                ax.pcolormesh(self.modQ_cens, self.ebin_cens, values, vmin=np.nanmin(self.y), vmax=np.nanmax(self.y))
                ax.set(title=title, xlabel=r"|Q| ($\mathrm{\AA}^{-1}$)", ylabel="Energy transfer (meV)")
        return figure

    def _model(self, index: Any) -> NDArray[np.int64]:
        return _numbers(index, self.nparams_model, "model parameter")

    def _background(self, index: Any, icuts: Any) -> NDArray[np.int64]:
        inner = _numbers(index, self.nparams_bg, "background parameter")
        sets = 1 if self.background_strategy == "planar" else self.ncuts
        cuts = np.arange(sets) if icuts is None else _numbers(icuts, sets, "cut")
        return np.asarray((self.nparams_model + inner + self.nparams_bg * cuts[:, None]).ravel())

    def _hold(self, index: NDArray[np.int64]) -> None:
        self.bounds[index] = self.params[index, None]

    def _bound(self, index: NDArray[np.int64], lb: Any, ub: Any) -> None:
        for column, value in ((0, lb), (1, ub)):
            if value is not None and np.size(value):
                self.bounds[index, column] = value


def _numbers(value: Any, most: int, name: str) -> NDArray[np.int64]:
    index = np.atleast_1d(np.asarray(value if not isinstance(value, range) else list(value), int)).ravel()
    if len(index) and (index.min() < 1 or index.max() > most):
        raise ModelError(f"{name}: expected numbers from 1 to {most}, found {value!r}")
    return index - 1
