"""Magnetic form factors <j0> by the name of the ion.

Coefficients come from the package periodictable (public domain; P. J. Brown's table of the International Tables for
Crystallography C, the one of the Neutron Data Booklet). Its Mn3+ and Mn4+ are those the manganite reference study
used, number for number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

FormFactor = tuple[float, float, float, float, float, float, float, float, float, float, float]


class UnknownIonError(LookupError):
    """No <j0> is tabulated for this name; ``expected`` says what would do."""

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(expected)


def by_ion(name: str) -> FormFactor:
    """[a1 b1 ... a5 b5 c] of ``name``, such as ``Mn3+``: f(s) = sum a exp(-b s^2) + c with s = |Q|/4pi in 1/Angstrom.

    Raises
    ------
    UnknownIonError
    """
    from periodictable import elements

    match = re.fullmatch(r"([A-Z][a-z]?)(\d?)(\+?)", name)
    if match is None or bool(match[2]) != bool(match[3]):
        raise UnknownIonError("an ion such as 'Mn3+' or 'Cr3+'")
    try:
        table = elements.symbol(match[1]).magnetic_ff
    except (ValueError, AttributeError):
        raise UnknownIonError("an ion of an element with a tabulated magnetic form factor, or `form_factor` = its "
                              "coefficients") from None
    known = {charge: tuple(float(x) for x in ff.j0) for charge, ff in table.items() if hasattr(ff, "j0")}
    charge = int(match[2] or 0)
    if charge not in known:
        choices = ", ".join(f"{match[1]}{c}+" if c else match[1] for c in sorted(known)) or "none of this element"
        raise UnknownIonError(f"an ion with a tabulated <j0> ({choices}), or `form_factor` = its coefficients")
    return from_coefficients(known[charge])


def from_coefficients(coefficients: Sequence[float]) -> FormFactor:
    """[a1 b1 ... c] with 3, 4 or 5 exponentials (7, 9 or 11 numbers), filled up with zeros to 5."""
    if len(coefficients) not in (7, 9, 11):
        raise ValueError(f"expected 7, 9 or 11 coefficients a1 b1 ... c, found {len(coefficients)}")
    a = [*coefficients[:-1], *[0.0] * (11 - len(coefficients)), coefficients[-1]]
    return (a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10])
