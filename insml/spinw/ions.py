"""What SpinW reads from the label of an atom: the ion, its spin and its form factor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.study.form_factors import UnknownIonError, by_ion, from_coefficients

Array = NDArray[np.float64]

ONE = np.append(np.zeros(10), 1.0)
"""Coefficients of a form factor that is one for every Q."""

_LABEL = re.compile(r"M?([A-Z][a-z]?)(\d)?([+-]?)")
_D_SHELL = {symbol: 21 + i for i, symbol in enumerate(("Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn"))}


def ion_of(label: str) -> tuple[str, int] | None:
    """Element and charge of "MCr3", "Cr3+" or "Cr1 MCr3+" (the last word counts), None where there is no such pattern."""
    words = label.split()
    match = _LABEL.fullmatch(words[-1]) if words else None
    if match is None:
        return None
    charge = int(match[2] or 0)
    return match[1], -charge if match[3] == "-" else charge


def spin_of(label: str) -> float | None:
    """High-spin S of a 3d ion by Hund's rule (Cr3+: 3/2), 0 for labels that name no magnetic ion.

    None where the label says that the atom is magnetic ("MYb3") but not how large its spin is.
    """
    ion = ion_of(label)
    if ion is not None and ion[0] in _D_SHELL and ion[1] >= 2:
        electrons = _D_SHELL[ion[0]] - 18 - ion[1]
        if 0 <= electrons <= 10:
            return min(electrons, 10 - electrons) / 2
    word = label.split()[-1] if label.split() else ""
    return None if ion is not None and re.match(r"M[A-Z]", word) else 0.0


def form_factor_of(label: str) -> Array | None:
    """(11,) a1 b1 ... a5 b5 c of <j0>, None where the label names no tabulated ion."""
    ion = ion_of(label)
    if ion is None or ion[1] < 0:
        return None
    try:
        return np.array(by_ion(f"{ion[0]}{ion[1]}+" if ion[1] else ion[0]))
    except UnknownIonError:
        return None


def coefficients(value: Any, name: str) -> Array:
    """(11,) from the label of an ion, one number (a constant) or 7, 9 or 11 numbers a1 b1 ... c."""
    if isinstance(value, str):
        found = form_factor_of(value)
        if found is None:
            raise ModelError(f"{name}: expected an ion with a tabulated form factor, such as 'MCr3', found {value!r}")
        return found
    numbers = np.asarray(value, float).ravel()
    if numbers.size == 1:
        return np.append(np.zeros(10), numbers)
    if numbers.size not in (7, 9, 11) or not np.isfinite(numbers).all():
        raise ModelError(f"{name}: expected 1, 7, 9 or 11 finite coefficients, found {numbers.size}")
    return np.array(from_coefficients(numbers.tolist()))


def sw_mff(atomLabel: str | Sequence[float], Q: ArrayLike | None = None) -> Any:
    """Magnetic form factor.

    Parameters
    ----------
    atomLabel : an ion ("MCr3", "Cr3+") or its coefficients.
    Q : (nq,) 1/Angstrom or (3, nq) vectors.

    Returns
    -------
    (nq,) F(|Q|); without ``Q`` the (11,) coefficients.
    """
    ff = coefficients(atomLabel, "atomLabel")
    if Q is None:
        return ff
    q = np.asarray(Q, float)
    square = ((np.linalg.norm(q, axis=0) if q.ndim == 2 else np.atleast_1d(q)) / (4 * np.pi)) ** 2
    return np.sum(ff[:-1:2, None] * np.exp(-ff[1::2, None] * square), axis=0) + ff[-1]
