"""The network for a study: shipped with insml, kept from an earlier run, or trained now."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.placement import Placement
from insml.datasets.shards import DataSet, DataSetPlan, simulate_set
from insml.datasets.store import TrainingSet
from insml.datasets.structured import StructuredBackground
from insml.errors import FormatError, InsmlError
from insml.learn.checkpoint import Checkpoint
from insml.learn.classifier import Classifier
from insml.learn.settings import TrainingSettings
from insml.learn.train import train
from insml.study import Study

BoolArray = NDArray[np.bool_]
#: Called with (what is going on, done, total).
Progress = Callable[[str, int, int], None]
NETWORK = "network.safetensors"
_UNKNOWN_MASK = 0.5              # bare arrays come without one
_SHIFT, _ENERGY_SHIFT = 0.5, 0.05  # pixels; share of the next slice
_SLOPE = 0.04                    # paths through a sample of some 0.2/cm differ by some mm
_STRUCTURED = StructuredBackground(rings=(0.0, 0.3), tail=(0.0, 1.0), cones=(0.0, 0.8), spurions=(0.0, 0.8),
                                   amount=(0.0, 1.0))
_POISSON = 0.5                   # share of images of whole counts
_TUBES = (0.0, 0.05)             # share of a tile
_SLICES = (0.0, 0.15)            # so that no answer hangs on a few of them


def cache_folder() -> Path:
    """Where networks and training sets are kept: INSML_CACHE, else insml in the user's cache folder."""
    if "INSML_CACHE" in os.environ:
        return Path(os.environ["INSML_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "insml"


def shipped(study: Study) -> Classifier | None:
    """The network in the package for exactly this study, None where there is none."""
    folder = resources.files("insml.learn") / "weights"
    file = folder / f"{study.name}.safetensors"
    if not file.is_file():
        return None
    with resources.as_file(file) as path:
        classifier = Classifier.load(path)
    return classifier if classifier.study_digest == study.digest else None


def corruption_for(study: Study, coverage: BoolArray | None) -> Corruption:
    """How images of this study are spoilt in training; ``coverage`` (n_slices, n0, n1) True without detector."""
    rules = study.training
    return Corruption(relative_noise=rules.relative_noise, background=rules.background, scale_jitter=rules.scale_jitter,
                      mask_fraction=rules.mask_fraction, mirror=(rules.mirror, rules.mirror),
                      masks=None if coverage is None else coverage[None], unknown_mask=_UNKNOWN_MASK,
                      pixel_shift=_SHIFT, slope=_SLOPE, placement=Placement.of(study.lattice, study.layout),
                      energy_shift=_ENERGY_SHIFT, structured=_STRUCTURED, poisson=_POISSON, tubes=_TUBES,
                      slice_dropout=_SLICES)


def train_network(
    study: Study,
    *,
    data: TrainingSet | None = None,
    settings: TrainingSettings | None = None,
    coverage: BoolArray | None = None,
    cache: Path | None = None,
    threads: int = 0,
    progress: Progress | None = None,
) -> Classifier:
    """A classifier for ``study``, from ``cache`` where it has been trained before.

    Training keeps its simulated images, where no ``data`` are given, and a checkpoint after each epoch in ``cache``; an
    interrupted run goes on from there and ends in the same network. ``settings``: None for the study's.

    Raises
    ------
    InsmlError : images of another study. FormatError : damaged ones.
    """
    say = progress or (lambda what, done, total: None)
    cache = cache or cache_folder()
    settings = settings or TrainingSettings(epochs=study.training.epochs, seed=study.training.seed)
    if data is not None and data.study_digest != study.simulation_digest:
        raise InsmlError(f"training set: expected images of the study {study.name!r} as it is now, found those of another")
    folder = folder_of(study, settings, data, coverage, cache)
    file = folder / NETWORK
    if file.exists():
        try:
            return Classifier.load(file)
        except FormatError:
            pass  # a kept copy that is damaged is made anew
    if data is None:
        data = simulated(study, cache / "images", threads, say)
    folder.mkdir(parents=True, exist_ok=True)
    trained = train(data, corruption_for(study, coverage), settings, checkpoint=_usable(folder / "checkpoint.safetensors"),
                    progress=lambda done, total, message: say("training the network", done, total),
                    threads=threads or os.cpu_count() or 1)
    classifier = replace(trained, study_digest=study.digest)
    classifier.save(file)
    return classifier


def folder_of(study: Study, settings: TrainingSettings, data: TrainingSet | None, coverage: BoolArray | None, cache: Path
              ) -> Path:
    """Where ``cache`` keeps what comes of a training: its checkpoint, and ``NETWORK`` in the end."""
    key = hashlib.sha256(json.dumps([study.digest, settings.to_dict(), None if data is None else data.digest],
                                    sort_keys=True).encode())
    if coverage is not None:
        key.update(np.packbits(coverage).tobytes())
    return cache / f"{study.name}-{key.hexdigest()[:16]}"


def simulated(study: Study, cache: Path, threads: int, say: Progress) -> TrainingSet:
    """The study's own images; a shard that is damaged is made anew."""
    rules = study.training
    plan = DataSetPlan(study, -(-rules.images // len(study.candidates)), rules.seed)
    folder = cache / f"{study.name}-{study.simulation_digest[:16]}-{plan.n}"
    for repaired in (False, True):
        simulate_set(plan, folder, threads=threads, progress=say)
        try:
            return DataSet.open(folder).read()
        except FormatError as error:
            if repaired:
                raise
            error.path.with_suffix(".json").unlink(missing_ok=True)
    raise AssertionError


def _usable(checkpoint: Path) -> Path:
    """A checkpoint of our own that is damaged must not stop a training for ever."""
    if checkpoint.exists():
        try:
            Checkpoint.load(checkpoint)
        except FormatError:
            checkpoint.unlink()
    return checkpoint
