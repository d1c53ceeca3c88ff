"""The reference problem: Pr(Ca0.9Sr0.1)2Mn2O7 on MAPS, Goodenough against dimer exchange.

The question itself stands in ``manganite.toml`` beside this file; ``STUDY`` is it, read on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from insml.errors import InsmlError, ModelError
from insml.study import Study, bundled

if TYPE_CHECKING:
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
             samples: int = 64, seed: int = 0) -> Mosaic:
    """The noiseless mosaic of one candidate, (240, 400), without scale and background.

    Parameters
    ----------
    candidate : "goodenough" or "dimer".
    parameters : meV by name; None stands for the published values, and so does each name left out.
    resolution : "gaussian", the widths of the instrument on each axis by themselves, or None for no broadening.
    samples, seed : of a sampled resolution; the two kinds above draw nothing.

    Raises
    ------
    ModelError, UnstableStructureError
        Unknown candidate or parameter; a set of values for which the magnetic order is not stable.
    InsmlError
        A resolution that does not exist.
    """
    del samples, seed
    study = _study()
    if candidate not in study.candidates:
        raise ModelError(f"candidate: expected one of {', '.join(study.candidates)}, found {candidate}")
    if resolution not in ("gaussian", None):
        raise InsmlError(f"resolution: expected 'gaussian' or None (no other exists yet), found {resolution!r}")
    from insml.simulation import simulate as simulate_study

    values = study.candidates[candidate].reference | dict(parameters or {})
    return simulate_study(study, candidate, values, resolution=resolution is not None)
