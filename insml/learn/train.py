"""Training, on the CPU: the same settings, data and number of threads give the same network bit for bit."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from insml.datasets.corrupt import Corruption
from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.learn.batches import Loader, Split, epoch_order, split
from insml.learn.calibration import fit_temperature, probabilities
from insml.learn.checkpoint import Checkpoint
from insml.learn.classifier import Classifier, forward
from insml.learn.networks import SliceStackNet
from insml.learn.uncertainty.density import FeatureDensity
from insml.learn.uncertainty.duq import DuqHead, Preset, gradient_penalty, kernel_loss

Progress = Callable[[int, int, str], None]
_WARM_UP = 0.1       # share of all steps in which the learning rate rises
_GUIDED_ALONE = 0.4  # share of all steps in which the linear readout alone forms the features


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    epochs, batch, seed : the seed fixes initial weights, splits, order and corruption.
    learning_rate, weight_decay : of AdamW; the rate rises over a tenth of the steps and falls as a cosine to 0.
    preset : of the DUQ head, "vanamersfoort" or "paper".
    guidance : weight of the cross-entropy of a linear readout of the features. It forms the features alone at first,
        while the kernels only follow, and beside the loss of the kernels later: from some hundred images the latter by
        itself brings all features to one point with most seeds. 0 leaves the readout out, as published.
    gradient_penalty : weight of the two-sided penalty; 0 leaves it out.
    penalty_every : the penalty is taken on every so-manieth batch, times so many, because its double backward pass
        makes a step about three times as long.
    validation, calibration : shares of the images that are held out to watch, and to calibrate.
    draws : corruptions of each image for the feature density and for calibration.
    """

    epochs: int = 20
    batch: int = 32
    seed: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    preset: Preset = "vanamersfoort"
    guidance: float = 1.0
    gradient_penalty: float = 0.05
    penalty_every: int = 4
    validation: float = 0.1
    calibration: float = 0.15
    draws: int = 4

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "penalty_every", "draws"):
            if getattr(self, name) < 1:
                raise InsmlError(f"training settings: {name}: expected at least 1, found {getattr(self, name)}")
        if not (self.validation > 0 and self.calibration > 0 and self.validation + self.calibration < 1):
            raise InsmlError("training settings: validation, calibration: expected positive shares that leave some "
                             f"images to train on, found {self.validation}, {self.calibration}")


def train(training_set: TrainingSet, corruption: Corruption, settings: TrainingSettings, *,
          checkpoint: Path | None = None, progress: Progress | None = None, threads: int = 2) -> Classifier:
    """Train and calibrate a classifier.

    Parameters
    ----------
    checkpoint : file that holds the state after each epoch. When it exists and was made by the same settings, data and
        corruption, training goes on from it and ends as if it had never stopped; when it was made by others, training
        starts afresh (``progress`` gets a message). It stays afterwards.
    progress : called with (steps done, steps in all, message).
    threads : for torch and for loading.

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
    with _reproducible(threads), ThreadPoolExecutor(threads) as executor:
        loader = Loader(training_set, corruption, settings.seed, executor)
        trainer = _Trainer(training_set, settings, parts, loader, progress or (lambda done, total, message: None))
        if checkpoint is not None:
            trainer.resume(checkpoint, _identity(training_set, corruption, settings))
        while trainer.epoch < settings.epochs:
            trainer.run_epoch()
            if checkpoint is not None:
                trainer.state().save(checkpoint)
        return trainer.finish()


class _Trainer:
    """State of a training between epochs."""

    def __init__(self, data: TrainingSet, settings: TrainingSettings, parts: Split, loader: Loader,
                 progress: Progress) -> None:
        self.data, self.settings, self.parts, self.loader, self.progress = data, settings, parts, loader, progress
        classes = len(data.candidates)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.network = SliceStackNet(data.layout.stack_shape[0], classes)
            self.head = DuqHead(self.network.n_features, classes, preset=settings.preset)
        named = [*self.network.named_parameters(), *self.head.named_parameters()]
        self.parameters = {name: p for name, p in named if p.requires_grad}
        matrices = [p for p in self.parameters.values() if p.ndim > 1]
        rest = [p for p in self.parameters.values() if p.ndim <= 1]  # norms, biases and sigma do not decay
        self.optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": settings.weight_decay},
                                            {"params": rest, "weight_decay": 0.0}], lr=settings.learning_rate)
        self.onehot = functional.one_hot(torch.from_numpy(data.labels), classes).float()
        self.steps = max(1, len(parts.training) // settings.batch)
        self.total = self.steps * settings.epochs
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.identity: dict[str, Any] = {}

    def resume(self, path: Path, identity: dict[str, Any]) -> None:
        self.identity = identity
        found = Checkpoint.load(path) if path.exists() else None
        if found is None:
            return
        if found.identity != identity:
            self.progress(0, self.total, f"{path}: made with other settings or data: starting afresh")
            return
        found.restore(self.network, self.head, self.optimiser)
        self.epoch, self.history = found.epoch, found.history
        self.progress(self.epoch * self.steps, self.total, f"going on after epoch {self.epoch}")

    def state(self) -> Checkpoint:
        return Checkpoint.of(self.identity, self.epoch, self.history, self.network, self.head, self.optimiser)

    def run_epoch(self) -> None:
        order = epoch_order(self.parts.training, self.settings.seed, self.epoch)
        # The last, smaller batch is left out; which images that are changes every epoch.
        batches = [order[i * self.settings.batch:(i + 1) * self.settings.batch] for i in range(self.steps)]
        losses = []
        message = f"epoch {self.epoch + 1} of {self.settings.epochs}"
        for i, (stacks, images) in enumerate(self.loader.epoch(self.epoch, batches)):
            step = self.epoch * self.steps + i
            losses.append(self._step(step, torch.from_numpy(stacks), self.onehot[torch.from_numpy(images)]))
            self.progress(step + 1, self.total, message)
        scores, _ = self._held_out(self.parts.validation, 1)
        accuracy = float((scores.argmax(1) == self.data.labels[self.parts.validation]).mean())
        self.epoch += 1
        self.history.append({"loss": float(np.mean(losses)), "validation_accuracy": accuracy})
        self.progress(self.epoch * self.steps, self.total, f"{message}: validation accuracy {accuracy:.3f}")

    def _step(self, step: int, x: Tensor, onehot: Tensor) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate(step)
        guided = self.settings.guidance > 0
        # Kernels that still lie anywhere pull all features to one point, where gradients end.
        alone = guided and step < _GUIDED_ALONE * self.total
        penalised = not alone and self.settings.gradient_penalty > 0 and step % self.settings.penalty_every == 0
        self.network.train()
        self.head.train()
        features = self.network(x.requires_grad_(penalised))
        log_kernel = self.head(features.detach() if alone else features)
        loss = kernel_loss(log_kernel, onehot)
        if guided:
            loss = loss + self.settings.guidance * functional.cross_entropy(self.network.readout(features), onehot)
        if penalised:
            weight = self.settings.gradient_penalty * self.settings.penalty_every
            loss = loss + weight * gradient_penalty(log_kernel, x)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.network.eval()
        self.head.eval()
        if self.head.gamma < 1:
            with torch.no_grad():
                self.head.update_centroids(self.network(x), onehot)
        return loss.item()

    def _rate(self, step: int) -> float:
        warm_up = max(1, round(_WARM_UP * self.total))
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 + 0.5 * math.cos(math.pi * (step - warm_up) / max(1, self.total - warm_up))

    def _held_out(self, images: NDArray[np.int64], draws: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Log kernels and middle features, draw after draw."""
        parts = [forward(self.network, self.head, self.loader.held_out(chunk, draw))
                 for draw in range(draws) for chunk in np.array_split(images, math.ceil(len(images) / 256))]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def finish(self) -> Classifier:
        """Density on the training images, temperature and thresholds on the calibration images."""
        self.progress(self.total, self.total, "calibrating")
        self.optimiser.zero_grad()
        draws, classes = self.settings.draws, len(self.data.candidates)
        labels = self.data.labels
        _, middle = self._held_out(self.parts.training, draws)
        density = FeatureDensity.fit(middle, np.tile(labels[self.parts.training], draws), classes)
        scores, middle = self._held_out(self.parts.calibration, draws)
        truth = np.tile(labels[self.parts.calibration], draws)
        temperature = fit_temperature(scores, truth)
        accuracy = float((probabilities(scores, temperature).argmax(1) == truth).mean())
        size = sum(p.numel() for p in self.parameters.values())
        return Classifier(
            self.network, self.head, density, temperature, density.score(middle), self.data.candidates,
            self.data.layout, self.data.study_digest,
            f"residual network over slices with DUQ head ({self.settings.preset}), {size / 1e6:.2f} M parameters, "
            f"{len(self.parts.training)} simulated images, {self.settings.epochs} epochs, seed {self.settings.seed}; "
            f"accuracy on {len(self.parts.calibration)} held-out simulated images {accuracy:.3f}",
            history=self.history,
        )


def _identity(data: TrainingSet, corruption: Corruption, settings: TrainingSettings) -> dict[str, Any]:
    """What must agree for two trainings to be the same one, as JSON would give it back."""
    identity = {"data": data.digest, "corruption": corruption.to_dict(), "settings": dataclasses.asdict(settings)}
    return dict(json.loads(json.dumps(identity)))


@contextmanager
def _reproducible(threads: int) -> Iterator[None]:
    """Deterministic algorithms on so many threads; the caller's choices come back afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
