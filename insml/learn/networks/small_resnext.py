"""ResNeXt (Xie et al. 2017) for small grey images: residual blocks of grouped convolutions."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from insml.errors import GeometryError
from insml.learn.networks.backbone import Backbone, MapLayer, Tiles
from insml.mosaic import MosaicLayout

_WIDTHS, _CARDINALITY, _NORM_GROUPS = (16, 32, 64, 128), 8, 8
_SMALLEST = 32


class Block(nn.Module):
    """1 x 1, grouped 3 x 3 with stride 2, 1 x 1; beside a 1 x 1 bypass of the same stride."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = outputs // 2
        self.inside = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False), nn.GroupNorm(_NORM_GROUPS, inner), nn.ReLU(),
            nn.Conv2d(inner, inner, 3, stride=2, padding=1, groups=_CARDINALITY, bias=False),
            nn.GroupNorm(_NORM_GROUPS, inner), nn.ReLU(),
            nn.Conv2d(inner, outputs, 1, bias=False), nn.GroupNorm(_NORM_GROUPS, outputs))
        self.bypass = nn.Conv2d(inputs, outputs, 1, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.inside(x) + self.bypass(x))


class SmallResNeXt(Backbone):
    """0.03 M parameters, group normalisation: nothing depends on the rest of a batch in training either."""

    def __init__(self, layout: MosaicLayout, classes: int) -> None:
        super().__init__()
        if min(layout.shape) < _SMALLEST:
            raise GeometryError(f"network: expected an image of at least {_SMALLEST} x {_SMALLEST} pixels, found "
                                f"{layout.shape}")
        self.tiles = Tiles(layout)
        self.stem = nn.Sequential(nn.Conv2d(1, _WIDTHS[0], 5, stride=2, padding=2, bias=False),
                                  nn.GroupNorm(_NORM_GROUPS, _WIDTHS[0]), nn.ReLU())
        self.blocks = nn.ModuleList(Block(a, b) for a, b in pairwise(_WIDTHS))
        self.n_features = 64
        self.embed = nn.Linear(_WIDTHS[-1], self.n_features)
        self.readout = nn.Linear(self.n_features, classes)

    def pooled(self, x: Tensor) -> list[Tensor]:
        y, means = self.stem(self.tiles(x)), []
        for block in self.blocks:
            y = block(y)
            means.append(y.mean((2, 3)))
        return means

    def features(self, pooled: Tensor) -> Tensor:
        return functional.relu(self.embed(pooled))

    def maps(self) -> dict[str, MapLayer]:
        strides = [2 ** (n + 2) for n in range(len(self.blocks))]
        return {f"block{n + 1}": MapLayer(block, (s, s), (0.0, 0.0))
                for n, (block, s) in enumerate(zip(self.blocks, strides, strict=True))}
