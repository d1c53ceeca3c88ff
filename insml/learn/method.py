"""What every way of saying how much an answer is worth has in common: a head on a network's features, and its training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from insml.errors import InsmlError
from insml.learn.networks.backbone import Backbone


@dataclass(frozen=True)
class Batch:
    """What a loss sees of a training step.

    x : (batch, n_slices, n0, n1) standardised stacks. features : (batch, n_features) of the backbone for them.
    onehot : (batch, classes) float. done : share of all steps before this one, 0 to 1. step : number of this one.
    images : how many there are to train on.
    """

    x: Tensor
    features: Tensor
    onehot: Tensor
    done: float
    step: int
    images: int


class Method(nn.Module, ABC):
    """A backbone and a head. Subclasses live in ``insml.learn.uncertainty``, one per file.

    All of its state is parameters and buffers whose shapes follow from ``options``: state_dict() is the whole of it. Random
    numbers of a prediction come from a generator that is handed over; training draws from torch's own, which the trainer
    seeds step by step.
    """

    kind: ClassVar[str]

    def __init__(self, backbone: Backbone, classes: int) -> None:
        super().__init__()
        self.backbone, self.classes = backbone, classes

    @property
    def options(self) -> dict[str, Any]:
        """What the constructor needs beside backbone and classes, as JSON keeps it."""
        return {}

    @abstractmethod
    def scores(self, features: Tensor) -> Tensor:
        """(batch, classes) log scores, without chance; a softmax at a fitted temperature makes probabilities of them."""

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """What a step makes smaller; in training mode."""

    def wants_input_gradient(self, done: float, step: int) -> bool:
        """Whether the loss of this step differentiates by the stacks."""
        return False

    def after_step(self, batch: Batch) -> None:
        """After each step of the optimiser, in evaluation mode; ``batch.features`` are those before the step."""

    def after_epoch(self, done: float) -> None:
        """After each epoch, ``done`` the share of them."""

    def fit(self, features: Tensor, labels: Tensor) -> None:
        """What is closed form, after the last step: features (n, n_features) of training images, labels (n,)."""

    def draws(self, x: Tensor, features: Tensor, number: int, generator: torch.Generator) -> Tensor:
        """(draws, batch, classes) log scores of samples of the posterior; one where there is no chance in it. ``features``:
        of the stacks ``x`` by the backbone as it is."""
        return self.scores(features)[None]

    def epistemic(self, draws: Tensor) -> Tensor:
        """(batch,) what the model does not know, 0 to 1: mutual information of class and sample over ln(classes)."""
        log_p = draws.log_softmax(-1)
        mean = log_p.exp().mean(0)
        entropy = -(mean * mean.clamp_min(1e-30).log()).sum(-1)
        aleatoric = -(log_p.exp() * log_p).sum(-1).mean(0)
        return ((entropy - aleatoric) / torch.tensor(float(self.classes)).log()).clamp(0, 1)

    def logits(self, x: Tensor) -> Tensor:
        """(batch, classes): :meth:`scores` of stacks."""
        return self.scores(self.backbone(x))

    def margin(self, x: Tensor, winner: int, runner_up: int) -> Tensor:
        """(batch,) score of the winner minus that of the runner-up: the pre-activation number that is explained."""
        scores = self.logits(x)
        return scores[:, winner] - scores[:, runner_up]


class Methods:
    """Methods by name."""

    def __init__(self) -> None:
        self._kinds: dict[str, Callable[..., Method]] = {}

    def add(self, kind: type[Method]) -> type[Method]:
        """Class decorator."""
        self._kinds[kind.kind] = kind
        return kind

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._kinds)

    def make(self, name: str, backbone: Backbone, classes: int, **options: Any) -> Method:
        """A method with fresh weights.

        Raises
        ------
        InsmlError : another name, or options it does not have.
        """
        if name not in self._kinds:
            raise InsmlError(f"method: expected one of {', '.join(self._kinds)}, found {name!r}")
        try:
            return self._kinds[name](backbone, classes, **options)
        except TypeError as error:
            raise InsmlError(f"method {name}: {error}") from None


METHODS = Methods()
