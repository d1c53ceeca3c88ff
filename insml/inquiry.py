"""The main line: a measured file and a study in, an answer out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.answer import Account, Answer, Classification, ModelFit
from insml.cleaning import clean
from insml.errors import InsmlError
from insml.extras import has_torch, need_torch
from insml.infer import refine
from insml.measured import measured_mosaic, readings
from insml.mosaic import Mosaic
from insml.study import Study, bundled
from insml.verdict import draw

if TYPE_CHECKING:
    from insml.learn.ensemble import Network

#: Called with (what is going on, done, total); total is 0 where it is not known.
Progress = Callable[[str, int, int], None]
Source = str | Path | Mosaic | NDArray[np.float64]


def _study(study: Study | None) -> Study:
    return bundled("manganite") if study is None else study


def classify(source: Source, study: Study | None = None, *, model: str | Path | Network | None = None,
             mask: NDArray[np.bool_] | None = None, cache: Path | None = None, threads: int = 0,
             progress: Progress | None = None) -> Classification:
    """What the network for ``study`` (default: the manganite) says about a mosaic, an image array or a file.

    A bare array may be scaled by any positive number and lie in any of four ways (as it is, upside down, left to right,
    both): it is read in the way that is least strange to the network, and ``Classification.orientation`` says which.

    Parameters
    ----------
    model : a network or an ensemble, or a file of one. None for the one that comes with insml, else one trained now and
        kept in ``cache``. ``Classification.network`` says which answered.
    mask : (rows, columns) of a bare array, True where there is no detector. Without it NaN are; without those, connected
        regions of exact zeros.

    Raises
    ------
    MissingExtraError : torch is not installed.
    FormatError : an array of another shape than the study's mosaic; ``model`` is no network, or damaged.
    InsmlError : ``model`` is for another study.
    """
    return _asked(model, source, _study(study), mask, cache, threads, progress)[2]


def _asked(model: str | Path | Network | None, source: Source, study: Study, mask: NDArray[np.bool_] | None,
           cache: Path | None, threads: int, progress: Progress | None) -> tuple[Mosaic, Network, Classification]:
    """A source in the way that is least strange to the network, the network, and what it says."""
    mosaics = {name: clean(mosaic, study.data) for name, mosaic in readings(source, study, mask).items()}
    network, origin = _network(model, next(iter(mosaics.values())), study, cache, threads, progress)
    answers = [replace(network.predict(mosaic), orientation=name) for name, mosaic in mosaics.items()]
    answer = min(answers, key=lambda answer: answer.ood_score)
    return mosaics[answer.orientation], network, replace(answer, network=origin + answer.network)


def _network(model: str | Path | Network | None, mosaic: Mosaic, study: Study, cache: Path | None, threads: int,
             progress: Progress | None) -> tuple[Network, str]:
    """The network to ask, and where it comes from as the beginning of a sentence."""
    need_torch("classification by a network")
    from insml.learn.ensemble import load_network
    from insml.learn.trained import shipped, train_network

    if model is None:
        own = shipped(study)
        if own is not None:
            return own, "shipped with insml: "
        return train_network(study, coverage=mosaic.stack_mask, cache=cache, threads=threads,
                             progress=progress), "trained for this study: "
    network, name = (load_network(model), str(model)) if isinstance(model, str | Path) else (model, "")
    # one that insml.learn.train made of images knows those alone
    if network.study_digest not in (study.digest, study.simulation_digest):
        raise InsmlError(f"{name or 'model'}: expected a network for the study {study.name!r} as it is now "
                         f"({study.digest[:16]}), found one for another ({network.study_digest[:16]}, which tells apart "
                         f"{', '.join(network.candidates)})")
    return network, f"{name}: " if name else ""


def fit(source: Source, candidate: str, study: Study | None = None, *, seed: int = 0, threads: int = 0,
        progress: Progress | None = None) -> ModelFit:
    """Least-squares fit of one candidate of ``study`` (default: the manganite)."""
    study = _study(study)
    mosaic = clean(measured_mosaic(source, study), study.data)
    return refine(study, mosaic, [candidate], seed=seed, threads=threads, progress=_count(progress))[candidate]


def investigate(source: Source, study: Study | None = None, *, seed: int = 0, network: bool = True,
                model: str | Path | Network | None = None, cache: Path | None = None, threads: int = 0,
                progress: Progress | None = None) -> Answer:
    """Fits of every candidate, the network's opinion, and the verdict.

    ``network=False``, or torch missing, leaves the fits as the only witness, and the answer says so. ``model``: as for
    :func:`classify`.
    """
    study = _study(study)
    mosaic = clean(measured_mosaic(source, study), study.data)
    opinion = None  # asked for first: a network that is refused costs no fit
    if network and has_torch():
        asked, origin = _network(model, mosaic, study, cache, threads, progress)
        said = asked.predict(mosaic)
        opinion = replace(said, network=origin + said.network)
    fits = refine(study, mosaic, seed=seed, threads=threads, progress=_count(progress))
    provenance = {
        "insml": _core.__version__,
        "source": mosaic.source,
        "study": f"{study.name} {study.digest[:16]}",
        "resolution": study.broadening.describe(),
        "seed": str(seed),
    }
    return draw(study, mosaic, fits, opinion, provenance)


def account(source: Source, study: Study | None = None, *, method: str | None = None, layer: str | None = None,
            fits: bool = True, model: str | Path | Network | None = None, seed: int = 0, cache: Path | None = None,
            threads: int = 0, progress: Progress | None = None) -> Account:
    """Why the network prefers its winner to the runner-up, slice by slice, and what the best fits of the two say there.

    Parameters
    ----------
    method, layer : of the explanation, see :func:`insml.explain.attributions.attribute`; None for "counterfactual" with
        fits, for "layercam" without or where a layer is named.
    fits : False leaves the likelihood ratio out; the fits of the manganite take minutes. model : as for :func:`classify`.

    Raises
    ------
    InsmlError : a method or layer that the network does not have. Others as :func:`classify`.
    """
    study = _study(study)
    mosaic, asked, said = _asked(model, source, study, None, cache, threads, progress)
    from insml.explain import explain, pixel_ratio, slice_ratio

    method = method or ("counterfactual" if fits and layer is None else "layercam")
    drops = explain(asked, mosaic, "occlusion")
    explanation, ratio, ratio_map = drops, None, None
    if method != "counterfactual" or not fits or layer is not None:  # before the fits: what is refused costs none
        explanation = explain(asked, mosaic, method, layer)
    if fits:
        names = [drops.winner, drops.runner_up]
        found = refine(study, mosaic, names, seed=seed, threads=threads, progress=_count(progress))
        one, other = (found[name] for name in names)
        ratio, ratio_map = slice_ratio(one, other), pixel_ratio(mosaic, one, other)
        if method == "counterfactual":
            explanation = explain(asked, mosaic, method, layer, fits=found)
    return Account(study.title, mosaic, said, explanation, drops.slices, ratio, ratio_map)


def _count(progress: Progress | None) -> Callable[[str], None] | None:
    if progress is None:
        return None
    done: dict[str, int] = {}

    def tick(candidate: str) -> None:
        done[candidate] = done.get(candidate, 0) + 1
        progress(f"fitting {candidate}", done[candidate], 0)

    return tick
