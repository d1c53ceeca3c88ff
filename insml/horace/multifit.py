"""Fits of one or several cuts, with Horace's words: functions in front, backgrounds, which parameters are free or follow.

Every ``set_`` gives a new object: ``kk = kk.set_fun(f, pin)``. Functions, parameters and cuts are counted from 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.horace.parameters import Address, Bind, Layout, Part
from insml.horace.pixel_cut import PixelCut
from insml.infer.least_squares import minimise
from insml.sqw import Sqw

Array = NDArray[np.float64]

#: Relative step of derivatives by central differences.
_STEP = 1e-4


@dataclass(frozen=True, eq=False)
class FitParameters:
    """What a fit found; with several functions of a kind, lists of arrays.

    p, sig : parameters in front and their standard errors; bp, bsig : of the background. corr : (free, free) correlations.
    covariance : (free, free), (J^T J)^-1 of the data's own errors. chisq : chi^2 / (bins - free parameters).
    refined : values and errors of crystal or moderator, by name, where they were refined.
    ``sig`` is from ``covariance`` times chisq, as Horace's: right where the data's errors are right up to a factor; inf
    for parameters that the data do not tell apart (their correlations are NaN).
    """

    p: Any
    sig: Any
    bp: Any
    bsig: Any
    corr: Array
    covariance: Array
    chisq: float
    converged: bool
    pnames: Any
    bpnames: Any
    refined: dict[str, tuple[float, float]] | None = None


@dataclass(frozen=True, eq=False)
class Multifit:
    """See :func:`multifit_func`, :func:`multifit_sqw` and :func:`insml.horace.tobyfit`."""

    cuts: tuple[PixelCut, ...]
    single: bool = False
    fore: tuple[Part, ...] = ()
    back: tuple[Part, ...] = ()
    local_foreground: bool = False
    local_background: bool = True
    binds: tuple[Bind, ...] = ()
    keep: tuple[NDArray[np.bool_], ...] = ()
    tolerance: float = 1e-8
    evaluations: int = 200
    refined: tuple[Part, ...] = field(default=())

    # functions

    def set_fun(self, function: Callable[..., Any] | Sequence[Callable[..., Any]], pin: Any = None,
                free: ArrayLike | None = None, *, jacobian: Callable[..., Any] | None = None,
                names: Sequence[str] | None = None) -> Self:
        """The function in front: of all cuts, or after ``set_local_foreground`` of each (or a list of them).

        Parameters
        ----------
        pin : starting values, or [values, argument, ..., {keyword: value}]. free : which may change; all where absent.
        jacobian : as the function, gives (points, parameters); differences where absent.
        """
        parts = self._parts(function, pin, free, jacobian, names, len(self.cuts) if self.local_foreground else 1)
        return replace(self, fore=parts, binds=self._binds_without("fore"))

    def set_bfun(self, function: Callable[..., Any] | Sequence[Callable[..., Any]], pin: Any = None,
                 free: ArrayLike | None = None, *, jacobian: Callable[..., Any] | None = None,
                 names: Sequence[str] | None = None) -> Self:
        """The background of each cut (or after ``set_global_background`` of all), a function of the bin centres."""
        parts = self._parts(function, pin, free, jacobian, names, len(self.cuts) if self.local_background else 1)
        return replace(self, back=parts, binds=self._binds_without("back"))

    @staticmethod
    def _parts(function: Any, pin: Any, free: Any, jacobian: Any, names: Any, count: int) -> tuple[Part, ...]:
        if callable(function):
            return tuple(Part.of(function, pin, free, jacobian, names) for _ in range(count))
        if not isinstance(function, (list, tuple)):
            raise ModelError(f"function: expected one that can be called, or several, found {function!r}")
        if len(function) != count or pin is None or len(pin) != count:
            given = "no" if pin is None else len(pin)
            raise ModelError(f"function: expected one, or {count} with as many pin, found {len(function)} and {given}")
        frees = [None] * count if free is None else free
        return tuple(Part.of(f, p, q, jacobian, names) for f, p, q in zip(function, pin, frees, strict=True))

    def _binds_without(self, kind: str) -> tuple[Bind, ...]:
        return tuple(b for b in self.binds if kind not in (b.target[0], b.source[0]))

    def set_local_foreground(self) -> Self:
        """A function of its own for each cut."""
        return self._spread("fore", True)

    def set_global_foreground(self) -> Self:
        """One function for all cuts (as at the start)."""
        return self._spread("fore", False)

    def set_local_background(self) -> Self:
        """A background of its own for each cut (as at the start)."""
        return self._spread("back", True)

    def set_global_background(self) -> Self:
        """One background for all cuts."""
        return self._spread("back", False)

    def _spread(self, kind: str, local: bool) -> Self:
        parts = getattr(self, kind)
        count = len(self.cuts) if local else 1
        changes: dict[str, Any] = {kind: tuple(parts[0] for _ in range(count)) if parts else (),
                                   "binds": self._binds_without(kind)}
        changes["local_foreground" if kind == "fore" else "local_background"] = local
        return replace(self, **changes)

    # parameters

    def set_pin(self, pin: Any) -> Self:
        """Starting values of the function in front: an array, or one for each where functions are local."""
        return replace(self, fore=self._changed("fore", pin, Part.with_pin))

    def set_bpin(self, pin: Any) -> Self:
        """Starting values of the background."""
        return replace(self, back=self._changed("back", pin, Part.with_pin))

    def set_free(self, free: Any) -> Self:
        """Which parameters of the function in front may change."""
        return replace(self, fore=self._changed("fore", free, _freed))

    def set_bfree(self, free: Any) -> Self:
        """Which parameters of the background may change."""
        return replace(self, back=self._changed("back", free, _freed))

    def _changed(self, kind: str, value: Any, change: Callable[[Part, Any], Part]) -> tuple[Part, ...]:
        parts: tuple[Part, ...] = getattr(self, kind)
        if not parts:
            before = "set_fun" if kind == "fore" else "set_bfun"
            raise ModelError(f"{before}: expected before its parameters, found no function")
        own = list(value) if _several(value) else [value] * len(parts)
        if len(own) != len(parts):
            raise ModelError(f"parameters: expected one set or {len(parts)}, found {len(own)}")
        return tuple(change(p, v) for p, v in zip(parts, own, strict=True))

    def set_bind(self, *binds: Sequence[Any]) -> Self:
        """Parameters in front that follow others, and no more than these: see :meth:`add_bind`."""
        return replace(self, binds=tuple(b for b in self.binds if b.target[0] != "fore")).add_bind(*binds)

    def add_bind(self, *binds: Sequence[Any]) -> Self:
        """Each (parameter, source) or (parameter, source, ratio).

        A parameter or source is a number i, of the first function in front, or (i, function), or (i, "back", function).
        Without ratio that of the starting values is kept.
        """
        return self._bound("fore", binds)

    def set_bbind(self, *binds: Sequence[Any]) -> Self:
        """As :meth:`set_bind` for the background."""
        return replace(self, binds=tuple(b for b in self.binds if b.target[0] != "back")).add_bbind(*binds)

    def add_bbind(self, *binds: Sequence[Any]) -> Self:
        """As :meth:`add_bind` for the background: numbers alone are of the first background."""
        return self._bound("back", binds)

    def clear_bind(self) -> Self:
        return replace(self, binds=())

    def _bound(self, kind: str, binds: Sequence[Sequence[Any]]) -> Self:
        for b in binds:
            if not isinstance(b, (list, tuple)) or len(b) not in (2, 3):
                raise ModelError(f"bind: expected (parameter, source) or (parameter, source, ratio), found {b!r}")
        found = [Bind(_address(kind, b[0]), _address(kind, b[1]), float(b[2]) if len(b) > 2 else None) for b in binds]
        new = replace(self, binds=(*self.binds, *found))
        new._layout()
        return new

    def set_mask(self, *masks: ArrayLike | None) -> Self:
        """For each cut the bins to keep (True), of the shape of its bins; None for all."""
        if len(masks) != len(self.cuts):
            raise ModelError(f"mask: expected {len(self.cuts)}, one for each cut, found {len(masks)}")
        kept = [np.ones(c.signal.shape, bool) if m is None else np.asarray(m, bool)
                for m, c in zip(masks, self.cuts, strict=True)]
        for m, c in zip(kept, self.cuts, strict=True):
            if m.shape != c.signal.shape:
                raise ModelError(f"mask: expected the shape of the bins {c.signal.shape}, found {m.shape}")
        return replace(self, keep=tuple(kept))

    def set_options(self, *, tolerance: float | None = None, evaluations: int | None = None) -> Self:
        """Relative change of chi^2 at which a fit ends, and how often it may look."""
        return replace(self, tolerance=self.tolerance if tolerance is None else tolerance,
                       evaluations=self.evaluations if evaluations is None else evaluations)

    # values

    def simulate(self, what: str = "sum") -> Any:
        """Cuts as the starting values give them: "fore", "back", "sum", or "comp" for a dict of the three."""
        layout = self._layout()
        return self._cuts(layout, layout.all(layout.start[layout.free]), what)

    def fit(self, what: str = "sum") -> tuple[Any, FitParameters]:
        """Cuts as fitted (``what`` as for :meth:`simulate`), and the parameters.

        Raises
        ------
        ModelError : nothing to fit, fewer bins than free parameters, functions that give other shapes.
        """
        layout = self._layout()
        used = [self._used(d) for d in range(len(self.cuts))]
        if not any(u.any() for u in used):
            raise ModelError("fit: expected bins with pixels and a variance, found none")
        data = np.concatenate([c.signal[u] for c, u in zip(self.cuts, used, strict=True)])
        sigma = np.concatenate([np.sqrt(c.variance[u]) for c, u in zip(self.cuts, used, strict=True)])

        def values(every: Array) -> Array:
            found = [self._fore(d, layout, every) + self._back(d, layout, every) for d in range(len(self.cuts))]
            return np.asarray(np.concatenate([f[u] for f, u in zip(found, used, strict=True)]))

        def jacobian(x: Array) -> Array:
            every = layout.all(x)
            rows = np.zeros((data.size, every.size))
            for kind, parts in (("fore", self.fore), ("back", self.back), ("refine", self.refined)):
                for n in range(len(parts)):
                    rows[:, layout.rows(kind, n)] = self._slopes(kind, n, layout, every, used)
            return np.asarray(rows @ layout.matrix / sigma[:, None])

        found = minimise(lambda x: (values(layout.all(x)) - data) / sigma, jacobian, layout.start[layout.free],
                         tolerance=self.tolerance, evaluations=self.evaluations)
        every = layout.all(found.x)
        chisq = found.chi_squared / max(data.size - found.x.size, 1)
        width = np.sqrt(np.diag(found.covariance))
        # each parameter follows one free one at most; as many parameters as bins leave the data's own errors
        scale = np.sqrt(chisq) if data.size > found.x.size else 1.0
        error = np.where(layout.matrix != 0, np.abs(layout.matrix), 0.0) @ np.where(np.isfinite(width), width, 0.0) * scale
        error[(layout.matrix[:, ~np.isfinite(width)] != 0).any(axis=1)] = np.inf
        fp = FitParameters(
            p=self._out("fore", layout, every), sig=self._out("fore", layout, error),
            bp=self._out("back", layout, every), bsig=self._out("back", layout, error),
            corr=_correlations(found.covariance, width), covariance=found.covariance, chisq=chisq,
            converged=found.converged, pnames=_one([p.names for p in self.fore]),
            bpnames=_one([p.names for p in self.back]), refined=self._refined(layout, every, error))
        return self._cuts(layout, every, what), fp

    def bootstrap(self, count: int, seed: int = 0) -> Array:
        """(count, free parameters) of fits to data drawn about the fit with the data's own errors: their spread is the
        parameters' error that ``FitParameters.covariance`` states."""
        layout = self._layout()
        fitted, _ = self.fit()
        best = [fitted] if self.single else fitted
        rng = np.random.default_rng(seed)
        out = []
        for _ in range(count):
            drawn = [c.with_signal(b.signal + np.sqrt(c.variance) * rng.standard_normal(c.signal.shape), c.variance)
                     for c, b in zip(self.cuts, best, strict=True)]
            _, fp = replace(self, cuts=tuple(drawn)).fit()
            refined = [value for value, _ in (fp.refined or {}).values()]
            parts = [x for kind in (fp.p, fp.bp) for x in (kind if isinstance(kind, list) else [kind])]
            out.append(np.concatenate([*parts, refined])[layout.free])
        return np.array(out)

    # within

    def _layout(self) -> Layout:
        if not self.fore and not self.back:
            raise ModelError("set_fun: expected a function or a background, found neither")
        return Layout([("fore", n, p) for n, p in enumerate(self.fore)] + [("back", n, p) for n, p in enumerate(self.back)]
                      + [("refine", n, p) for n, p in enumerate(self.refined)], self.binds)

    def _used(self, d: int) -> NDArray[np.bool_]:
        return self.cuts[d].measured & self.keep[d] if self.keep else self.cuts[d].measured

    def _fore(self, d: int, layout: Layout, every: Array) -> Array:
        if not self.fore:
            return np.zeros(self.cuts[d].signal.shape)
        n = d if self.local_foreground else 0
        part, p = self.fore[n], layout.of(every, "fore", n)
        refined = [layout.of(every, "refine", i) for i in range(len(self.refined))]
        return self._bins(d, lambda coordinates: part.value(coordinates, p), refined)

    def _back(self, d: int, layout: Layout, every: Array) -> Array:
        cut = self.cuts[d]
        if not self.back:
            return np.zeros(cut.signal.shape)
        n = d if self.local_background else 0
        return _shaped(self.back[n].value(cut.centres, layout.of(every, "back", n)), cut.signal.shape)

    def _bins(self, d: int, function: Callable[[Sequence[Array]], Any], refined: list[Array]) -> Array:
        """Values of a function in front at the bins of a cut."""
        del refined
        return _shaped(function(self.cuts[d].centres), self.cuts[d].signal.shape)

    def _slopes(self, kind: str, n: int, layout: Layout, every: Array, used: list[NDArray[np.bool_]]) -> Array:
        """(bins, parameters) of one function."""
        part = {"fore": self.fore, "back": self.back, "refine": self.refined}[kind][n]
        columns = layout.rows(kind, n)
        local = {"fore": self.local_foreground, "back": self.local_background, "refine": False}[kind]
        out = []
        for d, u in enumerate(used):
            block = np.zeros((int(u.sum()), part.pin.size))
            if not local or d == n:
                for i in range(part.pin.size):
                    if layout.matrix[columns.start + i].any():
                        block[:, i] = self._slope(kind, d, part, i, layout, every, columns.start + i)[u]
            out.append(block)
        return np.concatenate(out)

    def _slope(self, kind: str, d: int, part: Part, i: int, layout: Layout, every: Array, at: int) -> Array:
        if part.jacobian is not None and kind == "fore":
            refined = [layout.of(every, "refine", r) for r in range(len(self.refined))]
            p = layout.of(every, kind, d if self.local_foreground else 0)

            def one(coordinates: Sequence[Array]) -> Array:
                return np.asarray(part.slopes([np.ravel(c) for c in coordinates], p)[i].reshape(np.shape(coordinates[0])))

            return self._bins(d, one, refined)
        if part.jacobian is not None and kind == "back":
            centres = [np.ravel(c) for c in self.cuts[d].centres]
            p = layout.of(every, kind, d if self.local_background else 0)
            return np.asarray(part.slopes(centres, p)[i].reshape(self.cuts[d].signal.shape))
        step = _STEP * max(abs(every[at]), 1e-3 * max(float(np.abs(every).max()), 1e-3))
        ends = []
        for sign in (1, -1):
            moved = every.copy()
            moved[at] += sign * step
            ends.append(self._back(d, layout, moved) if kind == "back" else self._fore(d, layout, moved))
        return np.asarray((ends[0] - ends[1]) / (2 * step))

    def _refined(self, layout: Layout, every: Array, error: Array) -> dict[str, tuple[float, float]] | None:
        if not self.refined:
            return None
        values, errors = (layout.of(x, "refine", 0) for x in (every, error))
        return {n: (float(v), float(e)) for n, v, e in zip(self.refined[0].names or (), values, errors, strict=True)}

    def _out(self, kind: str, layout: Layout, every: Array) -> Any:
        return _one([layout.of(every, kind, n) for n in range(len(getattr(self, kind)))])

    def _cuts(self, layout: Layout, every: Array, what: str) -> Any:
        if what not in ("fore", "back", "sum", "comp"):
            raise ModelError(f"what: expected fore, back, sum or comp, found {what!r}")
        fore = [self._fore(d, layout, every) for d in range(len(self.cuts))]
        back = [self._back(d, layout, every) for d in range(len(self.cuts))]
        found = {"fore": fore, "back": back, "sum": [f + b for f, b in zip(fore, back, strict=True)]}
        cuts = {name: [c.with_signal(s) for c, s in zip(self.cuts, each, strict=True)] for name, each in found.items()}
        given = {name: each[0] if self.single else each for name, each in cuts.items()}
        return given if what == "comp" else given[what]


@dataclass(frozen=True, eq=False)
class PixelFit(Multifit):
    """Functions in front are S(h, k, l, E), at the nominal coordinates of pixels, averaged over those of each bin."""

    def _bins(self, d: int, function: Callable[[Sequence[Array]], Any], refined: list[Array]) -> Array:
        del refined
        cut = self.cuts[d]
        value = _shaped(function([*cut.pixels.hkl.T, cut.pixels.energy]), (len(cut.pixels),))
        return averaged(cut, value)


def multifit_func(w: PixelCut | Sqw | Sequence[PixelCut | Sqw]) -> Multifit:
    """A fit in which functions are of the coordinates of the plot axes: f(x, p), f(x, y, p), ..."""
    return Multifit(*_given(w))


def multifit_sqw(w: PixelCut | Sqw | Sequence[PixelCut | Sqw]) -> PixelFit:
    """A fit in which functions in front are S(h, k, l, E, p) of the pixels, without resolution."""
    return PixelFit(*_given(w))


multifit = multifit_func


def averaged(cut: PixelCut, value: Array) -> Array:
    """Means over the pixels of each bin; 0 where there are none."""
    total = np.bincount(cut.bin, value, minlength=cut.signal.size).reshape(cut.signal.shape)
    return np.asarray(total / np.maximum(cut.npix, 1))


def _given(w: Any) -> tuple[tuple[PixelCut, ...], bool]:
    if isinstance(w, (PixelCut, Sqw)):
        return (_pixel_cut(w),), True
    if not isinstance(w, (list, tuple)) or not w:
        raise ModelError(f"data: expected a cut or several, found {type(w).__name__}")
    return tuple(_pixel_cut(c) for c in w), False


def _pixel_cut(w: Any) -> PixelCut:
    if not isinstance(w, (PixelCut, Sqw)):
        raise ModelError(f"data: expected cuts with pixels, found {type(w).__name__}")
    return PixelCut.of(w) if isinstance(w, Sqw) else w


def _several(value: Any) -> bool:
    """Whether these are values of several functions: a list of lists, or an array of rows."""
    if isinstance(value, np.ndarray):
        return value.ndim > 1
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], (list, tuple, np.ndarray))


def _correlations(covariance: Array, width: Array) -> Array:
    known = np.isfinite(width)
    out = np.full(covariance.shape, np.nan)
    out[np.ix_(known, known)] = covariance[np.ix_(known, known)] / np.outer(width[known], width[known])
    return out


def _freed(part: Part, free: ArrayLike) -> Part:
    return replace(part, free=np.atleast_1d(np.asarray(free)))


def _address(kind: str, given: Any) -> Address:
    if np.ndim(given) == 0 and not isinstance(given, str):
        return kind, 0, int(given)
    i, *where = given
    if len(where) == 1:
        return kind, int(where[0]), int(i)
    if len(where) == 2 and where[0] in ("fore", "back"):
        return where[0], int(where[1]), int(i)
    raise ModelError(f"bind: expected i, (i, function) or (i, 'fore' or 'back', function), found {given!r}")


def _shaped(value: Any, shape: tuple[int, ...]) -> Array:
    found = np.asarray(value, float)
    if found.shape not in ((), shape):
        raise ModelError(f"function: expected one value for each of {shape} points, found shape {found.shape}")
    if not np.isfinite(found).all():
        raise ModelError("function: expected finite values, found others")
    return np.broadcast_to(found, shape)


def _one(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else parts
