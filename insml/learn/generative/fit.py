"""One fit for all networks that give images, on the CPU: the same settings, data and number of threads give the
same network bit for bit, interrupted or not."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from insml.datasets.corrupt import Corruption
from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.learn.batches import Split, epoch_order, split
from insml.learn.checkpoint import Checkpoint
from insml.learn.form import Form
from insml.learn.generative.pairs import Example, PairLoader
from insml.learn.generative.settings import GenerativeSettings
from insml.learn.reproducible import reproducible
from insml.learn.threads import workers
from insml.learn.trainer import Progress

_WARM_UP = 0.1  # share of all steps in which the learning rate rises


class ImageNetwork(nn.Module, ABC):
    """A network that is fitted to examples."""

    kind: str  # part of what a training is known by

    @abstractmethod
    def loss(self, examples: Tensor) -> Tensor:
        """Mean over a batch (batch, channels, n_slices, m0, m1). Chance in it comes from torch's own generator."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """history : per epoch: loss and validation loss. calibration : (n, channels, n_slices, m0, m1) examples of
    images that no step saw. trained_on : number of images that were."""

    history: list[dict[str, float]]
    calibration: NDArray[np.float32]
    trained_on: int


def fit(make: Callable[[], ImageNetwork], form: Form, example: Example, data: TrainingSet, corruption: Corruption,
        settings: GenerativeSettings, *, checkpoint: Path | None = None, progress: Progress | None = None,
        threads: int = 2) -> tuple[ImageNetwork, Fitted]:
    """A network, in evaluation mode, fitted to the examples of a training set.

    Parameters
    ----------
    make : the network with fresh weights, drawn from torch's generator.
    example : see :data:`insml.learn.generative.pairs.Example`; must depend on its arguments only.
    checkpoint, progress, threads : as in :func:`insml.learn.train.train`.

    Raises
    ------
    FormatError : ``checkpoint`` is a file of another kind, or damaged; it is left alone.
    InsmlError : too few images, or masks of another shape.
    """
    if corruption.masks is not None and corruption.masks.shape[1:] != data.layout.stack_shape:
        raise InsmlError(f"corruption: masks: expected stacks of shape {data.layout.stack_shape}, "
                         f"found {corruption.masks.shape[1:]}")
    parts = split(data.labels, len(data.candidates), settings.validation, settings.calibration, settings.seed)
    report = progress or (lambda done, total, message: None)
    with reproducible(threads, torch.device("cpu")), workers(threads) as executor:
        loader = PairLoader(data, corruption, form, settings.seed, executor, example, settings.empty)
        torch.manual_seed(settings.seed)
        run = _Run(make(), loader, parts, settings, report)
        if checkpoint is not None:
            run.resume(checkpoint, _identity(run.network.kind, data, corruption, settings))
        while run.epoch < settings.epochs:
            run.run_epoch()
            if checkpoint is not None:
                run.state().save(checkpoint)
        return run.network, Fitted(run.history, loader.held_out(parts.calibration, 0), len(parts.training))


def _identity(kind: str, data: TrainingSet, corruption: Corruption, settings: GenerativeSettings
              ) -> dict[str, Any]:
    """What must agree for two trainings to be the same one, as JSON would give it back."""
    identity = {"network": kind, "data": data.digest, "corruption": corruption.to_dict(),
                "settings": settings.to_dict()}
    return dict(json.loads(json.dumps(identity)))


class _Run:
    """The state of a fit between epochs. Everything that is drawn depends on (seed, step) alone."""

    def __init__(self, network: ImageNetwork, loader: PairLoader, parts: Split, settings: GenerativeSettings,
                 progress: Progress) -> None:
        self.network, self.loader, self.parts = network, loader, parts
        self.settings, self.progress = settings, progress
        self.optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
        self.steps = max(1, len(parts.training) // settings.batch)
        self.total = self.steps * settings.epochs
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.identity: dict[str, Any] = {}
        network.eval()

    def resume(self, path: Path, identity: dict[str, Any]) -> None:
        self.identity = identity
        found = Checkpoint.load(path) if path.exists() else None
        if found is None:
            return
        if found.identity != identity:
            self.progress(0, self.total, f"{path}: made with other settings or data: starting afresh")
            return
        found.restore(self.network, nn.Identity(), self.optimiser)
        self.epoch, self.history = found.epoch, found.history
        self.progress(self.epoch * self.steps, self.total, f"going on after epoch {self.epoch}")

    def state(self) -> Checkpoint:
        return Checkpoint.of(self.identity, self.epoch, self.history, self.network, nn.Identity(), self.optimiser)

    def run_epoch(self) -> None:
        order = epoch_order(self.parts.training, self.settings.seed, self.epoch)
        # The last, smaller batch is left out; which images that are changes every epoch.
        batches = [order[i * self.settings.batch:(i + 1) * self.settings.batch] for i in range(self.steps)]
        message = f"epoch {self.epoch + 1} of {self.settings.epochs}"
        losses = []
        self.network.train()
        for i, (examples, _) in enumerate(self.loader.epoch(self.epoch, batches)):
            step = self.epoch * self.steps + i
            losses.append(self._step(step, torch.from_numpy(examples)))
            self.progress(step + 1, self.total, message)
        self.network.eval()
        self.epoch += 1
        held_out = self._validation_loss()
        self.history.append({"loss": float(np.mean(losses)), "validation_loss": held_out})
        self.progress(self.epoch * self.steps, self.total, f"{message}: validation loss {held_out:.4g}")

    def _step(self, step: int, examples: Tensor) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate(step)
        # Chance in a step must not depend on where a training was resumed.
        torch.manual_seed((self.settings.seed << 32) + step)
        loss = self.network.loss(examples)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.optimiser.step()
        return loss.item()

    @torch.no_grad()
    def _validation_loss(self) -> float:
        """Of the same draws after every epoch."""
        torch.manual_seed(self.settings.seed)
        images = self.parts.validation
        chunks = np.array_split(images, math.ceil(len(images) / self.settings.batch))
        losses = [self.network.loss(torch.from_numpy(self.loader.held_out(chunk, 1))).item() for chunk in chunks]
        return float(np.average(losses, weights=[len(chunk) for chunk in chunks]))

    def _rate(self, step: int) -> float:
        if not self.settings.falling:
            return 1.0
        warm_up = max(1, round(_WARM_UP * self.total))
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 + 0.5 * math.cos(math.pi * (step - warm_up) / max(1, self.total - warm_up))
