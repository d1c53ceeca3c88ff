"""The main line: a measured file and a study in, an answer out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.answer import Answer, Classification, ModelFit
from insml.cleaning import clean
from insml.errors import MissingExtraError
from insml.infer import refine
from insml.measured import measured_mosaic
from insml.mosaic import Mosaic
from insml.study import Study, bundled
from insml.verdict import draw

#: Called with (what is going on, done, total); total is 0 where it is not known.
Progress = Callable[[str, int, int], None]
Source = str | Path | Mosaic | NDArray[np.float64]


def _study(study: Study | None) -> Study:
    return bundled("manganite") if study is None else study


def classify(source: Source, study: Study | None = None, *, cache: Path | None = None, threads: int = 0,
             progress: Progress | None = None) -> Classification:
    """What the network for ``study`` (default: the manganite) says about a mosaic, an image array or a file.

    Raises
    ------
    MissingExtraError : torch is not installed.
    """
    study = _study(study)
    return _classify(clean(measured_mosaic(source, study), study.data), study, cache, threads, progress)


def _classify(mosaic: Mosaic, study: Study, cache: Path | None, threads: int,
              progress: Progress | None) -> Classification:
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("torch", "ml", "classification by a network")
    from insml.learn.trained import network_for

    network = network_for(study, coverage=mosaic.stack_mask, cache=cache, threads=threads, progress=progress)
    return network.predict(mosaic)


def fit(source: Source, candidate: str, study: Study | None = None, *, seed: int = 0, threads: int = 0,
        progress: Progress | None = None) -> ModelFit:
    """Least-squares fit of one candidate of ``study`` (default: the manganite)."""
    study = _study(study)
    mosaic = clean(measured_mosaic(source, study), study.data)
    return refine(study, mosaic, [candidate], seed=seed, threads=threads, progress=_count(progress))[candidate]


def investigate(source: Source, study: Study | None = None, *, seed: int = 0, network: bool = True,
                cache: Path | None = None, threads: int = 0, progress: Progress | None = None) -> Answer:
    """Fits of every candidate, the network's opinion, and the verdict.

    ``network=False``, or torch missing, leaves the fits as the only witness, and the answer says so.
    """
    study = _study(study)
    mosaic = clean(measured_mosaic(source, study), study.data)
    fits = refine(study, mosaic, seed=seed, threads=threads, progress=_count(progress))
    opinion = None
    if network and importlib.util.find_spec("torch") is not None:
        opinion = _classify(mosaic, study, cache, threads, progress)
    provenance = {
        "insml": _core.__version__,
        "source": mosaic.source,
        "study": f"{study.name} {study.digest[:16]}",
        "resolution": study.broadening.describe(),
        "seed": str(seed),
    }
    return draw(study, mosaic, fits, opinion, provenance)


def _count(progress: Progress | None) -> Callable[[str], None] | None:
    if progress is None:
        return None
    done: dict[str, int] = {}

    def tick(candidate: str) -> None:
        done[candidate] = done.get(candidate, 0) + 1
        progress(f"fitting {candidate}", done[candidate], 0)

    return tick
