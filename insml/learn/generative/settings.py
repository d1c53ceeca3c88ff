"""How to fit a network that gives images."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from insml.errors import InsmlError


@dataclass(frozen=True)
class GenerativeSettings:
    """How to fit a denoiser or a variational autoencoder.

    Attributes
    ----------
    epochs, batch, seed : the seed fixes initial weights, splits, order and corruption.
    learning_rate : of Adam.
    falling : whether the rate rises over a tenth of the steps and falls as a cosine to 0, rather than staying as
        it is.
    empty : share of training images whose signal is taken out before they are spoilt, so that a network also
        learns what nothing but noise and background looks like.
    validation, calibration : shares of the images that are held out to watch, and to calibrate.
    """

    epochs: int = 20
    batch: int = 32
    seed: int = 1
    learning_rate: float = 1e-3
    falling: bool = True
    empty: float = 0.05
    validation: float = 0.1
    calibration: float = 0.1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise InsmlError(f"generative settings: {name}: expected at least 1, found {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise InsmlError("generative settings: learning_rate: expected a positive number, "
                             f"found {self.learning_rate}")
        if not 0 <= self.empty < 1:
            raise InsmlError(f"generative settings: empty: expected a share from 0 to below 1, found {self.empty}")
        if not (self.validation > 0 and self.calibration > 0 and self.validation + self.calibration < 1):
            raise InsmlError("generative settings: validation, calibration: expected positive shares that leave "
                             f"some images to train on, found {self.validation}, {self.calibration}")

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


#: Of the published autoencoder (arXiv 2011.04584): one image a step, a constant rate.
PUBLISHED_VAE = GenerativeSettings(epochs=100, batch=1, learning_rate=1e-4, falling=False, empty=0.0)
