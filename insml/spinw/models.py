"""Ready-made models."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from insml.errors import ModelError
from insml.spinw.object import SpinW

_LATTICES = {"triAF": ([3, 3, 9], [90, 90, 120]), "squareAF": ([3, 3, 9], [90, 90, 90]), "chain": ([3, 9, 9], [90, 90, 90])}


def sw_model(model: str, param: ArrayLike | None = None) -> SpinW:
    """A Heisenberg model with S = 1 and its ground state.

    Parameters
    ----------
    model : "triAF", "squareAF" (in the ab plane) or "chain" (along a), a = 3 Angstrom.
    param : exchange of first, second, ... neighbours in meV; without it no couplings and no magnetic structure.
    """
    if model not in _LATTICES:
        raise ModelError(f"sw_model: expected one of {', '.join(_LATTICES)}, found {model!r}")
    lengths, angles = _LATTICES[model]
    obj = SpinW()
    obj.genlattice(lat_const=lengths, angled=angles)
    obj.addatom(r=[0, 0, 0], S=1, color="darkmagenta")
    obj.gencoupling(maxDistance=10)
    if param is None:
        return obj
    for i, J in enumerate(np.atleast_1d(np.asarray(param, float))):
        obj.addmatrix(label=f"J_{i + 1}", value=J)
        obj.addcoupling(mat=f"J_{i + 1}", bond=i + 1)
    found = obj.optmagk()
    if np.abs(2 * found.k - np.rint(2 * found.k)).max() < 1e-4:
        # a doubled cell holds it, in which no mode is counted twice
        cell = np.where(np.abs(found.k - np.rint(found.k)) > 1e-4, 2, 1)
        obj.structure = obj.structure.tiled([int(c) for c in cell])
    return obj
