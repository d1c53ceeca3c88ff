"""What is done with cuts, with Horace's names and arguments in Horace's order.

Arithmetic is of the objects themselves: w1 - w2, 2 * w, w**2, np.sqrt(w), ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from insml import operations
from insml.errors import GeometryError
from insml.operations import compact, mask, mask_points, mask_runs, permute, replicate, section
from insml.sqw import Dnd, Sqw


def smooth(w: Dnd, width: Any = 3.0, shape: str = "hat") -> Dnd:
    """See :func:`insml.operations.smooth`."""
    return operations.smooth(w, width, shape)


def noisify(w: Any, noise: float | str = 0.1, **more: Any) -> Any:
    """See :func:`insml.operations.noisify`."""
    return _each(w, lambda one: operations.noisify(one, noise, **more))


def func_eval(w: Any, function: Callable[..., Any], pars: Any, *flags: str, **more: Any) -> Any:
    """``func_eval(w, f, p, "all")``: see :func:`insml.operations.func_eval`; of one or of a list."""
    options = {**_flags(flags, {"all": "everywhere"}), **more}
    return _each(w, lambda one: operations.func_eval(one, function, pars, **_for(one, options)))


def sqw_eval(w: Any, function: Callable[..., Any], pars: Any, *flags: str, **more: Any) -> Any:
    """``sqw_eval(w, f, p, "all", "ave")``: see :func:`insml.operations.sqw_eval`; of one or of a list."""
    options = {**_flags(flags, {"all": "everywhere", "ave": "average"}), **more}
    return _each(w, lambda one: operations.sqw_eval(one, function, pars, **_for(one, options)))


def disp2sqw_eval(w: Any, dispersion: Callable[..., Any], pars: Any, fwhh: Any, *flags: str, **more: Any) -> Any:
    """``disp2sqw_eval(w, disp, p, fwhh, "all", "ave")``: see :func:`insml.operations.disp2sqw_eval`; of one or
    of a list."""
    options = {**_flags(flags, {"all": "everywhere", "ave": "average"}), **more}
    return _each(w, lambda one: operations.disp2sqw_eval(one, dispersion, pars, fwhh, **_for(one, options)))


def combine_sqw(w1: Any, *others: Any, **more: Any) -> Sqw:
    """``combine_sqw(w1, w2, ...)`` or with a list of them: see :func:`insml.operations.combine`."""
    every = [x for one in (w1, *others) for x in (one if isinstance(one, (list, tuple)) else [one])]
    return operations.combine(*every, **more)


def rebin_sqw(w: Sqw, *bins: Any, **more: Any) -> Sqw:
    """``rebin_sqw(w, step1, [lo, step, hi], ...)`` or ``rebin_sqw(w, like)``: see :func:`insml.operations.rebinned`."""
    return operations.rebinned(w, *bins, **more)


def symmetrise_sqw(w: Sqw, symop: Any, **more: Any) -> Sqw:
    """See :func:`insml.operations.symmetrise`."""
    return operations.symmetrise(w, symop, **more)


def _each(w: Any, function: Callable[[Any], Any]) -> Any:
    return [function(one) for one in w] if isinstance(w, (list, tuple)) else function(w)


def _flags(given: tuple[str, ...], known: dict[str, str]) -> dict[str, bool]:
    for flag in given:
        if flag.lstrip("-") not in known:
            raise GeometryError(f"options: expected {' or '.join(known)}, found {flag!r}")
    return {known[flag.lstrip("-")]: True for flag in given}


def _for(one: Any, options: dict[str, Any]) -> dict[str, Any]:
    """As Horace has it, "all" says nothing of data with pixels, and "ave" nothing of data without."""
    without = "everywhere" if isinstance(one, Sqw) else "average"
    return {name: value for name, value in options.items() if name != without}


__all__ = ["combine_sqw", "compact", "disp2sqw_eval", "func_eval", "mask", "mask_points", "mask_runs", "noisify", "permute",
           "rebin_sqw", "replicate", "section", "smooth", "sqw_eval", "symmetrise_sqw"]
