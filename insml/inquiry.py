"""The main line: a measured file and a study in, an answer out."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.answer import Answer, Classification, ModelFit
from insml.cleaning import clean
from insml.errors import MissingExtraError
from insml.infer import refine
from insml.measured import measured_mosaic, readings
from insml.mosaic import Mosaic
from insml.study import Study, bundled
from insml.verdict import draw

if TYPE_CHECKING:
    from insml.learn.classifier import Classifier

#: Called with (what is going on, done, total); total is 0 where it is not known.
Progress = Callable[[str, int, int], None]
Source = str | Path | Mosaic | NDArray[np.float64]


def _study(study: Study | None) -> Study:
    return bundled("manganite") if study is None else study


def classify(source: Source, study: Study | None = None, *, mask: NDArray[np.bool_] | None = None,
             cache: Path | None = None, threads: int = 0, progress: Progress | None = None) -> Classification:
    """What the network for ``study`` (default: the manganite) says about a mosaic, an image array or a file.

    A bare array may be scaled by any positive number and lie in any of four ways (as it is, upside down, left to right,
    both): it is read in the way that is least strange to the network, and ``Classification.orientation`` says which.

    Parameters
    ----------
    mask : (rows, columns) of a bare array, True where there is no detector. Without it NaN are; without those, connected
        regions of exact zeros.

    Raises
    ------
    MissingExtraError : torch is not installed.
    FormatError : an array of another shape than the study's mosaic.
    """
    study = _study(study)
    mosaics = {name: clean(mosaic, study.data) for name, mosaic in readings(source, study, mask).items()}
    network = _network(next(iter(mosaics.values())), study, cache, threads, progress)
    answers = [replace(network.predict(mosaic), orientation=name) for name, mosaic in mosaics.items()]
    return min(answers, key=lambda answer: answer.ood_score)


def _network(mosaic: Mosaic, study: Study, cache: Path | None, threads: int, progress: Progress | None) -> Classifier:
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("torch", "ml", "classification by a network")
    from insml.learn.trained import network_for

    return network_for(study, coverage=mosaic.stack_mask, cache=cache, threads=threads, progress=progress)


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
        opinion = _network(mosaic, study, cache, threads, progress).predict(mosaic)
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
