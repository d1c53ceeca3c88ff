"""How to train."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch

from insml.errors import InsmlError

#: Of the convolutions and matrix products of training steps.
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes
    ----------
    network, method : names of ``insml.learn.networks`` and ``insml.learn.uncertainty``. method_options : of the latter.
    epochs, batch, seed : the seed fixes initial weights, splits, order and corruption.
    learning_rate, weight_decay : of AdamW; the rate rises over a tenth of the steps and falls as a cosine to 0.
    fold : whether images are folded by the mirrors they may be reflected by (``Corruption.mirror``).
    parameters : weight of a readout of the images' own parameters, beside the method's loss. A class is one bit of an
        image; its parameters say what features must tell apart, so fewer images are needed. 0 leaves it out.
    validation, calibration : shares of the images that are held out to watch, and to calibrate; at most 150 and 300 of
        each class.
    draws : corruptions of each image for calibration, and for the feature density where images are few.
    device : "cpu", "cuda", or "auto": cuda where there is one.
    precision : "float32", or "bfloat16" for the network in training steps. Heads, losses, steps that differentiate by the
        stacks (a second backward pass is not faster) and everything that is predicted stay float32.
    """

    network: str = "slice-stack"
    method: str = "duq"
    method_options: dict[str, Any] = field(default_factory=dict)
    epochs: int = 20
    batch: int = 32
    seed: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    fold: bool = True
    parameters: float = 1.0
    validation: float = 0.1
    calibration: float = 0.15
    draws: int = 4
    device: str = "auto"
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "draws"):
            if getattr(self, name) < 1:
                raise InsmlError(f"training settings: {name}: expected at least 1, found {getattr(self, name)}")
        if not (self.validation > 0 and self.calibration > 0 and self.validation + self.calibration < 1):
            raise InsmlError("training settings: validation, calibration: expected positive shares that leave some "
                             f"images to train on, found {self.validation}, {self.calibration}")
        for name, known in (("device", _DEVICES), ("precision", tuple(PRECISIONS))):
            if getattr(self, name) not in known:
                raise InsmlError(f"training settings: {name}: expected one of {', '.join(known)}, "
                                 f"found {getattr(self, name)!r}")

    def torch_device(self) -> torch.device:
        """Where to train on this machine.

        Raises
        ------
        InsmlError : "cuda" where there is none.
        """
        there = torch.cuda.is_available()
        if self.device == "cuda" and not there:
            raise InsmlError("training settings: device: expected one that torch finds, found no cuda")
        return torch.device("cuda" if there and self.device != "cpu" else "cpu")

    def to_dict(self) -> dict[str, Any]:
        """All that a trained network depends on; the device as it is on this machine, for bits depend on it."""
        return dataclasses.asdict(self) | {"device": self.torch_device().type}
