"""The network for a study: shipped with insml, kept from an earlier run, or trained now."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.generate import generate
from insml.errors import FormatError
from insml.learn.classifier import Classifier
from insml.learn.train import TrainingSettings, train
from insml.study import Study

BoolArray = NDArray[np.bool_]
#: Called with (what is going on, done, total).
Progress = Callable[[str, int, int], None]


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
                      masks=None if coverage is None else coverage[None])


def network_for(
    study: Study,
    *,
    coverage: BoolArray | None = None,
    cache: Path | None = None,
    threads: int = 0,
    progress: Progress | None = None,
) -> Classifier:
    """The shipped classifier for ``study``, else :func:`train_network`."""
    return shipped(study) or train_network(study, coverage=coverage, cache=cache, threads=threads, progress=progress)


def train_network(
    study: Study,
    *,
    coverage: BoolArray | None = None,
    cache: Path | None = None,
    threads: int = 0,
    progress: Progress | None = None,
) -> Classifier:
    """A classifier for ``study``, from ``cache`` where it has been trained before.

    Training keeps its simulated images and a checkpoint after each epoch in ``cache``; an interrupted run goes on from
    there and ends in the same network.
    """
    say = progress or (lambda what, done, total: None)
    key = hashlib.sha256(study.digest.encode() + (b"" if coverage is None else np.packbits(coverage).tobytes()))
    cache = cache or cache_folder()
    folder = cache / f"{study.name}-{key.hexdigest()[:16]}"
    file = folder / "network.safetensors"
    if file.exists():
        try:
            return Classifier.load(file)
        except FormatError:
            pass  # a kept copy that is damaged is made anew
    images = generate(study, parts=cache / "images", threads=threads,
                      progress=lambda done, total: say("simulating training images", done, total))
    folder.mkdir(parents=True, exist_ok=True)
    settings = TrainingSettings(epochs=study.training.epochs, seed=study.training.seed)
    classifier = train(images, corruption_for(study, coverage), settings, checkpoint=folder / "checkpoint.safetensors",
                       progress=lambda done, total, message: say("training the network", done, total),
                       threads=threads or os.cpu_count() or 1)
    classifier.save(file)
    return classifier
