"""The reference problem: Pr(Ca0.9Sr0.1)2Mn2O7 on MAPS, Goodenough against dimer exchange.

The question itself stands in ``manganite.toml`` beside this file; ``STUDY`` is it, read on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from insml.errors import InsmlError, ModelError
from insml.study import Study, bundled

RESOLUTIONS = ("table", "exact", "covariance", "coarse covariance", "gaussian")

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from insml.mosaic import Mosaic

    STUDY: Study


@cache
def _study() -> Study:
    return bundled("manganite")


def __getattr__(name: str) -> Study:
    if name == "STUDY":
        return _study()
    raise AttributeError(f"module {__name__} has no attribute {name}")


def simulate(candidate: str, parameters: Mapping[str, float] | None = None, resolution: str | None = "gaussian",
             samples: int | None = None, seed: int = 0, cells: int = 2, mask: NDArray[np.bool_] | None = None) -> Mosaic:
    """The noiseless mosaic of one candidate, (240, 400), without scale and background.

    Parameters
    ----------
    candidate : "goodenough" or "dimer".
    parameters : meV by name; None stands for the published values, and so does each name left out.
    resolution : "table" or "exact", the whole instrument (pulses, beam, sample, detectors); "covariance", Gaussians of the
        instrument's covariance; "coarse covariance", those as the published study put them on its grids; "gaussian", widths
        on each axis by themselves; None for no broadening.
    samples, seed, cells, mask : of "table", "exact" and "covariance", see :mod:`insml.instrument_simulation`; the last of
        these and the other kinds draw nothing.

    Raises
    ------
    ModelError, UnstableStructureError
        Unknown candidate or parameter; a set of values for which the magnetic order is not stable.
    InsmlError
        A resolution that does not exist.
    """
    study = _study()
    if candidate not in study.candidates:
        raise ModelError(f"candidate: expected one of {', '.join(study.candidates)}, found {candidate}")
    if resolution not in (*RESOLUTIONS, None):
        raise InsmlError(f"resolution: expected one of {', '.join(RESOLUTIONS)} or None, found {resolution!r}")
    values = study.candidates[candidate].reference | dict(parameters or {})
    if resolution == "coarse covariance":
        from insml.coarse_covariance import simulate as simulate_coarsely

        return simulate_coarsely(study, candidate, values)
    if resolution in ("table", "exact", "covariance"):
        from insml.instrument_simulation import simulate as simulate_instrument

        drawn = None if resolution == "covariance" else samples
        return simulate_instrument(study, candidate, values, evaluation=resolution, samples=drawn, seed=seed, cells=cells,
                                   mask=mask)
    from insml.simulation import simulate as simulate_study

    return simulate_study(study, candidate, values, resolution=resolution is not None)
