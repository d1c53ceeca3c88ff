"""Training: on a CPU the same settings, data and number of threads give the same network bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from insml.datasets.corrupt import Corruption
from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.learn.batches import Loader, split
from insml.learn.calibration import fit_temperature, probabilities
from insml.learn.classifier import Classifier
from insml.learn.form import Form
from insml.learn.reproducible import reproducible
from insml.learn.settings import TrainingSettings
from insml.learn.strangeness import Strangeness
from insml.learn.threads import workers
from insml.learn.trainer import Progress, Trainer

_ENOUGH = 12_000  # images, all draws together, that densities are fitted to


def train(training_set: TrainingSet, corruption: Corruption, settings: TrainingSettings, *,
          checkpoint: Path | None = None, progress: Progress | None = None, threads: int = 2) -> Classifier:
    """Train and calibrate a classifier.

    Parameters
    ----------
    checkpoint : file that holds the state after each epoch. When it exists and was made by the same settings, data and
        corruption, training goes on from it and ends as if it had never stopped; when it was made by others, training
        starts afresh (``progress`` gets a message). It stays afterwards.
    progress : called with (steps done, steps in all, message).
    threads : for torch, and for spoiling images. Beside one thread of torch another spoils the images that come next.

    Raises
    ------
    FormatError
        ``checkpoint`` is a file of another kind, or damaged; it is left alone.
    InsmlError
        Too few images, or masks of another shape.
    """
    if corruption.masks is not None and corruption.masks.shape[1:] != training_set.layout.stack_shape:
        raise InsmlError(f"corruption: masks: expected stacks of shape {training_set.layout.stack_shape}, "
                         f"found {corruption.masks.shape[1:]}")
    parts = split(training_set.labels, len(training_set.candidates), settings.validation, settings.calibration,
                  settings.seed)
    with reproducible(threads, settings.torch_device()), workers(threads) as executor:
        form = Form.of(training_set.layout, corruption.mirror if settings.fold else (False, False))
        loader = Loader(training_set, corruption, form, settings.seed, executor, ahead=threads == 1)
        trainer = Trainer(training_set, settings, parts, loader, progress or (lambda done, total, message: None))
        if checkpoint is not None:
            trainer.resume(checkpoint, _identity(training_set, corruption, settings))
        while trainer.epoch < settings.epochs:
            trainer.run_epoch()
            if checkpoint is not None:
                trainer.state().save(checkpoint)
        return _finish(trainer)


def _finish(trainer: Trainer) -> Classifier:
    """What is fitted to features: the method's own on the training images, then the densities; temperature, scales
    and thresholds on the calibration images."""
    trainer.progress(trainer.total, trainer.total, "calibrating")
    trainer.optimiser.zero_grad()
    data, settings, parts = trainer.data, trainer.settings, trainer.parts
    draws, classes = settings.draws, len(data.candidates)
    known_draws = max(1, min(draws, _ENOUGH // len(parts.training)))
    known = trainer.held_out(parts.training, known_draws)
    labels = np.tile(data.labels[parts.training], known_draws)
    # closed forms are for the CPU, and so is what has been trained
    trainer.method.cpu().fit(torch.from_numpy(known.features).float(), torch.from_numpy(labels))
    trainer.method.to(trainer.device)
    held_out = trainer.held_out(parts.calibration, draws)
    strangeness = Strangeness.fit(known, labels, classes, held_out)
    truth = np.tile(data.labels[parts.calibration], draws)
    method = trainer.method.cpu()
    temperature = fit_temperature(held_out.scores, truth)
    accuracy = float((probabilities(held_out.scores, temperature).argmax(1) == truth).mean())
    size = sum(p.numel() for p in method.parameters())
    return Classifier(
        method, settings.network, trainer.loader.form, strangeness, temperature, strangeness(held_out),
        data.candidates, data.study_digest,
        f"{settings.network} network with {settings.method}, {size / 1e6:.2f} M parameters, {len(parts.training)} "
        f"simulated images, {settings.epochs} epochs, seed {settings.seed}; accuracy on {len(parts.calibration)} held-out "
        f"simulated images, spoilt {draws} times each, {accuracy:.3f}",
        history=trainer.history, n_training=len(parts.training),
    )


def _identity(data: TrainingSet, corruption: Corruption, settings: TrainingSettings) -> dict[str, Any]:
    """What must agree for two trainings to be the same one, as JSON would give it back."""
    identity = {"data": data.digest, "corruption": corruption.to_dict(), "settings": settings.to_dict()}
    return dict(json.loads(json.dumps(identity)))
