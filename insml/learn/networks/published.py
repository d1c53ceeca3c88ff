"""The two networks of arXiv 2011.04584, Fig. 3a and 3b, layer for layer.

Convolutions are "valid" with stride 1 and ReLU; order convolution, ReLU, pooling, batch normalisation; epsilon and momentum
of the normalisation are those of Keras. Weights begin as Keras begins them (uniform Glorot, zero bias).
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.errors import GeometryError
from insml.learn.networks.backbone import Backbone, MapLayer, Tiles
from insml.mosaic import MosaicLayout

_HIDDEN = 64
_Module = TypeVar("_Module", nn.Conv2d, nn.Linear)


class _Trunk(nn.Module):
    """(batch, 1, rows, columns) to (batch, 32, ...); 117 x 92 of 240 x 400."""

    def __init__(self, early_norms: bool) -> None:
        super().__init__()
        self.first, self.second = _convolution(1, 16, (5, 5)), _convolution(16, 16, (3, 3))
        self.first_norm = _norm(16) if early_norms else nn.Identity()
        self.third, self.fourth = _convolution(16, 16, (1, 3)), _convolution(16, 32, (1, 3))
        self.second_norm = _norm(32) if early_norms else nn.Identity()
        self.fifth, self.sixth = _convolution(32, 32, (1, 3)), _convolution(32, 32, (1, 3))
        self.last_norm = _norm(32)

    def forward(self, image: Tensor) -> Tensor:
        x = functional.relu(self.second(functional.relu(self.first(image))))
        x = self.first_norm(functional.max_pool2d(x, (1, 2)))
        x = functional.relu(self.fourth(functional.relu(self.third(x))))
        x = self.second_norm(functional.max_pool2d(x, (2, 2)))
        x = functional.relu(self.sixth(functional.relu(self.fifth(x))))
        out: Tensor = self.last_norm(x)
        return out

    @staticmethod
    def shape(rows: int, columns: int) -> tuple[int, int]:
        """Of the output."""
        return (rows - 6) // 2, (((columns - 6) // 2) - 4) // 2 - 4


def _convolution(inputs: int, outputs: int, kernel: tuple[int, int]) -> nn.Conv2d:
    made = nn.Conv2d(inputs, outputs, kernel)
    return _begun(made)


def _begun(module: _Module) -> _Module:
    nn.init.xavier_uniform_(module.weight)
    assert module.bias is not None
    nn.init.zeros_(module.bias)
    return module


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


#: Of output (0, 0): receptive fields of 8 x 34 pixels in steps of 2 x 4.
_STRIDE, _FIRST = (2, 4), (3.5, 16.5)


class _Published(Backbone):
    def __init__(self, layout: MosaicLayout, early_norms: bool) -> None:
        super().__init__()
        if min(_Trunk.shape(*layout.shape)) < 1:
            raise GeometryError(f"network: expected an image of at least 8 x 34 pixels, found {layout.shape}")
        self.tiles, self.trunk = Tiles(layout), _Trunk(early_norms)

    def maps(self) -> dict[str, MapLayer]:
        return {"last": MapLayer(self.trunk, _STRIDE, _FIRST)}


class DenseNet(_Published):
    """Fig. 3a: everything the last layer sees goes to 64 hidden units. 22,056,482 parameters for 240 x 400 and two classes,
    160 of them running statistics."""

    def __init__(self, layout: MosaicLayout, classes: int) -> None:
        super().__init__(layout, early_norms=True)
        rows, columns = _Trunk.shape(*layout.shape)
        self.n_features = _HIDDEN
        self.hidden = _begun(nn.Linear(32 * rows * columns, _HIDDEN))
        self.readout = _begun(nn.Linear(_HIDDEN, classes))

    def pooled(self, x: Tensor) -> list[Tensor]:
        y = self.trunk(self.tiles(x))
        return [y.mean((2, 3)), torch.flatten(y, 1)]

    def features(self, pooled: Tensor) -> Tensor:
        return functional.relu(self.hidden(pooled))


class PooledNet(_Published):
    """Fig. 3b: the mean over the image of each of 32 channels. 11,490 parameters for two classes, 64 of them running
    statistics; the same for images of any size."""

    def __init__(self, layout: MosaicLayout, classes: int) -> None:
        super().__init__(layout, early_norms=False)
        self.n_features = 32
        self.readout = _begun(nn.Linear(32, classes))

    def pooled(self, x: Tensor) -> list[Tensor]:
        return [self.trunk(self.tiles(x)).mean((2, 3))]

    def features(self, pooled: Tensor) -> Tensor:
        return pooled
