"""What heads, scores and explanations need of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from insml.mosaic import MosaicLayout

_OF_TWO_MODES = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)


@dataclass(frozen=True)
class MapLayer:
    """A layer for activation maps. Output (i, j) is centred on ``first + stride * (i, j)`` of what it sees: the image with
    tiles side by side, the stack with all slices mixed, or slices by themselves, the channels of each side by side."""

    module: nn.Module
    stride: tuple[int, int]
    first: tuple[float, float]
    sees: Literal["image", "stack", "slice"] = "image"


class Backbone(nn.Module, ABC):
    """Standardised stacks (batch, n_slices, n0, n1) to features (batch, n_features), and a linear readout of classes.

    What the forward pass gives never depends on the rest of a batch in evaluation mode.
    """

    n_features: int
    readout: nn.Linear
    #: Of convolutions and matrix products in training mode; without it everything is float32.
    precision: torch.dtype = torch.float32

    @abstractmethod
    def pooled(self, x: Tensor) -> list[Tensor]:
        """(batch, d) means over space of the outputs of some layers, the last one what features are made of."""

    @abstractmethod
    def features(self, pooled: Tensor) -> Tensor:
        """(batch, n_features) of the last of :meth:`pooled`."""

    @abstractmethod
    def maps(self) -> dict[str, MapLayer]:
        """Layers for activation maps by name, from fine to coarse."""

    def forward(self, x: Tensor) -> Tensor:
        # What is differentiated by the stacks stays exact: a second backward pass is no faster in fewer bits.
        fewer_bits = self.training and not x.requires_grad and self.precision != torch.float32
        with torch.autocast(x.device.type, torch.bfloat16, enabled=fewer_bits):
            return self.features(self.pooled(x)[-1]).to(x.dtype)

    @property
    def has_two_modes(self) -> bool:
        """Whether it is another function in training than in evaluation: with dropout or batch normalisation."""
        return any(isinstance(module, _OF_TWO_MODES) for module in self.modules())

    def logits(self, x: Tensor) -> Tensor:
        """(batch, classes) of the readout."""
        out: Tensor = self.readout(self(x))
        return out


class Tiles(nn.Module):
    """Stacks as one image, tiles side by side as a layout has them: (batch, n_slices, n0, n1) to (batch, 1, rows, columns).

    Tiles of the grid without a slice are 0.
    """

    index: Tensor
    filled: Tensor

    def __init__(self, layout: MosaicLayout) -> None:
        super().__init__()
        numbers = layout.assemble(np.arange(np.prod(layout.stack_shape)).reshape(layout.stack_shape) + 1)
        self.register_buffer("index", torch.from_numpy(np.maximum(numbers - 1, 0).ravel()), persistent=False)
        self.register_buffer("filled", torch.from_numpy((numbers > 0).ravel()), persistent=False)
        self.shape = layout.shape

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)[:, self.index] * self.filled
        return flat.reshape(-1, 1, *self.shape)
