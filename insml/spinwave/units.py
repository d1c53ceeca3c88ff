"""From units of hbar per chemical cell to others."""

from __future__ import annotations

import numpy as np

from insml.errors import ModelError
from insml.spinwave.model import SpinModel

GAMMA = 1.91304272
"""Magnetic moment of the neutron in nuclear magnetons."""
R0 = 2.8179403267e-15
"""Classical electron radius, m."""
MBARN = (GAMMA * R0 / 2) ** 2 * 1e31
"""(gamma r0 / 2)^2 = 72.65 mbarn: cross section of one unit of the correlation of moments in mu_B."""


def intensity_factor(model: SpinModel, *, absolute: bool = False, per: str = "cell", g_tensor: bool = False) -> float:
    """What intensities of a model's spectra are multiplied by.

    Parameters
    ----------
    absolute : True for a cross section in mbarn/sr (mbarn/meV/sr for binned ones), (g gamma r0 / 2)^2 S_perp, without
        kf/ki and Debye-Waller factor (S. W. Lovesey, Theory of Neutron Scattering from Condensed Matter, eq. 8.8).
    per : "cell", the chemical cell, or "spin".
    g_tensor : whether the spectrum was made with ``g_tensor=True``; g = 2 otherwise.
    """
    if per not in ("cell", "spin"):
        raise ModelError(f"per: expected 'cell' or 'spin', found {per!r}")
    share = 1.0 if per == "cell" else float(np.prod(model.supercell)) / len(model.positions)
    return share * ((1.0 if g_tensor else 4.0) * MBARN if absolute else 1.0)


def intensity_unit(*, absolute: bool = False, per: str = "cell", binned: bool = True) -> str:
    """The unit that goes with :func:`intensity_factor`, for labels."""
    return ("mbarn" if absolute else "") + "/".join(["" if absolute else "1", *(["meV"] if binned else []),
                                                     *(["sr"] if absolute else []), per])
