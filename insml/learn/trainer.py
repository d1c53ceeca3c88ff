"""The state of a training between epochs, and a step of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from insml.datasets.store import TrainingSet
from insml.learn import uncertainty  # noqa: F401  (registers the methods)
from insml.learn.batches import Loader, Split, epoch_order
from insml.learn.checkpoint import Checkpoint
from insml.learn.method import METHODS, Batch
from insml.learn.networks import network
from insml.learn.parameter_readout import ParameterReadout
from insml.learn.record import Record
from insml.learn.settings import PRECISIONS, TrainingSettings

Progress = Callable[[int, int, str], None]
_WARM_UP = 0.1  # share of all steps in which the learning rate rises
_CHUNK = 256    # held-out images in memory at a time


class Trainer:
    """Trains one method. Everything that is drawn depends on (seed, step) alone."""

    def __init__(self, data: TrainingSet, settings: TrainingSettings, parts: Split, loader: Loader,
                 progress: Progress) -> None:
        self.data, self.settings, self.parts, self.loader, self.progress = data, settings, parts, loader, progress
        classes, self.device = len(data.candidates), settings.torch_device()
        torch.manual_seed(settings.seed)
        backbone = network(settings.network, loader.form.layout, classes)
        backbone.precision = PRECISIONS[settings.precision]
        self.method = METHODS.make(settings.method, backbone, classes, **settings.method_options).to(self.device)
        self.readout = ParameterReadout(backbone.n_features, data.theta, data.labels, classes).to(self.device)
        named = [*self.method.named_parameters(), *self.readout.named_parameters()]
        self.parameters = {name: p for name, p in named if p.requires_grad}
        matrices = [p for p in self.parameters.values() if p.ndim > 1]
        rest = [p for p in self.parameters.values() if p.ndim <= 1]  # norms, biases and lengths do not decay
        self.optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": settings.weight_decay},
                                            {"params": rest, "weight_decay": 0.0}], lr=settings.learning_rate)
        self.onehot = functional.one_hot(torch.from_numpy(data.labels), classes).float().to(self.device)
        self.steps = max(1, len(parts.training) // settings.batch)
        self.total = self.steps * settings.epochs
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.identity: dict[str, Any] = {}

    def resume(self, path: Path, identity: dict[str, Any]) -> None:
        """Go on from a checkpoint of the same training, where there is one."""
        self.identity = identity
        found = Checkpoint.load(path) if path.exists() else None
        if found is None:
            return
        if found.identity != identity:
            self.progress(0, self.total, f"{path}: made with other settings or data: starting afresh")
            return
        found.restore(self.method, self.readout, self.optimiser)
        self.epoch, self.history = found.epoch, found.history
        self.progress(self.epoch * self.steps, self.total, f"going on after epoch {self.epoch}")

    def state(self) -> Checkpoint:
        return Checkpoint.of(self.identity, self.epoch, self.history, self.method, self.readout, self.optimiser)

    def run_epoch(self) -> None:
        batches = self._batches(self.epoch)
        losses = []
        message = f"epoch {self.epoch + 1} of {self.settings.epochs}"
        for i, (stacks, images) in enumerate(self.loader.epoch(self.epoch, batches)):
            step = self.epoch * self.steps + i
            losses.append(self._step(step, *(torch.from_numpy(a).to(self.device) for a in (stacks, images))))
            self.progress(step + 1, self.total, message)
        self.epoch += 1
        self.method.after_epoch(self.epoch / self.settings.epochs)
        record = Record.of(self.method, self._watched)
        accuracy = float((record.scores.argmax(1) == self.data.labels[self.parts.validation]).mean())
        self.history.append({"loss": float(np.mean(losses)), "validation_accuracy": accuracy})
        self.progress(self.epoch * self.steps, self.total, f"{message}: validation accuracy {accuracy:.3f}")

    @cached_property
    def _watched(self) -> NDArray[np.float32]:
        """The validation images, spoilt once."""
        return self.loader.held_out(self.parts.validation, 0)

    def _batches(self, epoch: int) -> list[NDArray[np.int64]]:
        order = epoch_order(self.parts.training, self.settings.seed, epoch)
        # The last, smaller batch is left out; which images that is changes every epoch.
        return [order[i * self.settings.batch:(i + 1) * self.settings.batch] for i in range(self.steps)]

    def _step(self, step: int, x: Tensor, images: Tensor) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._rate(step)
        # Chance in a step must not depend on where a training was resumed.
        torch.manual_seed((self.settings.seed << 32) + step)
        done = step / self.total
        self.method.train()
        features = self.method.backbone(x.requires_grad_(self.method.wants_input_gradient(done, step)))
        batch = Batch(x, features, self.onehot[images], done, step, len(self.parts.training))
        loss = self.method.loss(batch)
        if self.settings.parameters > 0:
            loss = loss + self.settings.parameters * self.readout.loss(features, images)
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.method.eval()
        self.method.after_step(batch)
        return loss.item()

    def _rate(self, step: int) -> float:
        warm_up = max(1, round(_WARM_UP * self.total))
        if step < warm_up:
            return (step + 1) / warm_up
        return 0.5 + 0.5 * math.cos(math.pi * (step - warm_up) / max(1, self.total - warm_up))

    def held_out(self, images: NDArray[np.int64], draws: int, first: int = 0) -> Record:
        """What the method says of draws ``first`` to ``first + draws`` of images, draw after draw."""
        self.method.eval()
        chunks = np.array_split(images, math.ceil(len(images) / _CHUNK))
        whole = self.loader.held_out_whole((chunk, draw) for draw in range(first, first + draws) for chunk in chunks)
        return Record.joined([Record.of(self.method, stacks, parts=self.loader.form.parts, odd=odd)
                              for stacks, odd in whole])
