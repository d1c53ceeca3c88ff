"""Which combination of correlations is looked at: "Sperp", "Sxx+2*Syy", "Mzz", "Pxy+0.33*Pyz"."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave.polarised import polarised
from insml.spinwave.spectrum import Spectrum

Array = NDArray[np.float64]

NAMES = ("Sperp", *(s + a + b for s in "SMP" for a in "xyz" for b in "xyz"), *("P" + a for a in "xyz"))
"""S^ab in Cartesian axes of the crystal; M^ab, P_i and P_fi in Blume-Maleev's (see :mod:`insml.spinwave.polarised`)."""


_NUMBER = r"(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
_TERM = re.compile(rf"([+-]?)(?:{_NUMBER}\*?)?([A-Za-z]+)(?:\*{_NUMBER})?")


def parse(text: str) -> dict[str, float]:
    """Coefficients by name of a linear combination of :data:`NAMES`, such as "Sxx + 2*Syy - 0.5*Szz".

    Raises
    ------
    ModelError : anything else.
    """
    out: dict[str, float] = {}
    rest = text.replace(" ", "")
    while term := _TERM.match(rest):
        sign, before, name, after = term.groups()
        if name not in NAMES or (out and not sign):
            break
        value = float(before or 1) * float(after or 1) * (-1 if sign == "-" else 1)
        out[name], rest = out.get(name, 0.0) + value, rest[term.end():]
    if rest or not out:
        raise ModelError("component: expected a sum of Sperp, Sab, Mab, Pa and Pab (a, b out of x, y, z) with factors, "
                         f"such as 'Sxx+2*Syy', found {text!r}")
    return out


def needs_tensor(text: str) -> bool:
    """Whether a component takes S^ab, which a spectrum is then best asked for at once."""
    return set(parse(text)) != {"Sperp"}


def component(spectrum: Spectrum, text: str = "Sperp", *, normal: ArrayLike | None = None) -> Array:
    """(nq, nmode) real part of a combination of correlations, per chemical cell, no Bose factor.

    Parameters
    ----------
    text : see :func:`parse`. Correlations of the domains are summed with their weights, as in the spectrum.
    normal : (3,) Cartesian, normal of the scattering plane; needed for M and P.
    """
    terms = parse(text)
    out = np.zeros(spectrum.energy.shape)
    pol = polarised(spectrum, normal) if any(name[0] in "MP" for name in terms) else None
    for name, coefficient in terms.items():
        if name == "Sperp":
            out += coefficient * spectrum.intensity
            continue
        a, b = "xyz".index(name[1]), "xyz".index(name[-1])
        if pol is None or name[0] == "S":
            values = spectrum.tensor[:, :, a, b].real
        elif name[0] == "M":
            values = pol.matrix[:, :, a, b].real
        else:
            values = pol.final[:, :, a, b] if len(name) == 3 else pol.incident[:, :, a]
        out += coefficient * values
    return out
