"""A small residual network over the slices of a stack."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.learn.networks.backbone import Backbone, MapLayer
from insml.mosaic import MosaicLayout

FILTERS_PER_SLICE = 2
_WIDTHS = (64, 64, 96, 128)  # after mixing the slices, and after each of the three blocks
_GROUPS = 8
_PLACES = 5  # places along each axis that the features tell apart


def _in_full(x: Tensor) -> torch.autocast:
    """For convolutions of each channel by itself: as exact as the stacks, for fewer bits are slower there."""
    return torch.autocast(x.device.type, enabled=False)


class BlurDown(nn.Module):
    """Halve the resolution behind a binomial low-pass, so that a shift by one pixel does not alias.

    Output pixel i is centred on input pixel 2 i.
    """

    kernel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("kernel", (row[:, None] * row).expand(channels, 1, 3, 3).clone(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        with _in_full(x):
            return functional.conv2d(x.to(self.kernel.dtype), self.kernel, stride=2, padding=1, groups=x.shape[1])


class Residual(nn.Module):
    """Anti-aliased halving of the resolution, or none, then two 3x3 convolutions beside a 1x1 bypass."""

    def __init__(self, inputs: int, outputs: int, halve: bool) -> None:
        super().__init__()
        self.down = BlurDown(inputs) if halve else nn.Identity()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(_GROUPS, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(_GROUPS, outputs)
        self.bypass = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        y = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(y)) + self.bypass(x))


class SliceStackNet(Backbone):
    """Slices as channels: (batch, n_slices, n0, n1) standardised stacks to (batch, features).

    The first layer, ``slices``, has its own filters for each slice and keeps the resolution: its channels
    ``s * FILTERS_PER_SLICE`` to ``(s + 1) * FILTERS_PER_SLICE - 1`` know slice s only, so a map of it tells slices
    apart. ``mix`` and three residual blocks follow. GroupNorm only: nothing depends on the rest of a batch, and
    training and evaluation are the same function. There is no dropout, hence no random number after initialisation.

    What lies where matters: features see means over 5 x 5 places of the tile, not over all of it. Blocks halve the
    resolution as long as that many pixels remain. About 0.7 M parameters for 60 slices.
    """

    def __init__(self, layout: MosaicLayout, classes: int, features: int = 64) -> None:
        super().__init__()
        n_slices, *tile = layout.stack_shape
        self.n_slices, self.n_features = n_slices, features
        own_filters = nn.Conv2d(n_slices, n_slices * FILTERS_PER_SLICE, 3, padding=1, groups=n_slices)
        # Start near what lies above and below the median, so that no slice is lost behind the ReLU.
        with torch.no_grad():
            own_filters.weight.mul_(0.3)
            own_filters.weight[0::2, :, 1, 1] += 1
            own_filters.weight[1::2, :, 1, 1] -= 1
            nn.init.zeros_(own_filters.bias)  # type: ignore[arg-type]
        self.slices = nn.Sequential(own_filters, nn.ReLU())
        self.mix = nn.Sequential(
            nn.Conv2d(n_slices * FILTERS_PER_SLICE, _WIDTHS[0], 1, bias=False), nn.GroupNorm(_GROUPS, _WIDTHS[0]),
            nn.ReLU(),
        )
        blocks = len(_WIDTHS) - 1
        halvings = min(blocks, max(0, int(math.log2(min(tile) / _PLACES))))
        self.strides = [2 ** max(0, i + 1 - (blocks - halvings)) for i in range(blocks)]
        self.blocks = nn.ModuleList(Residual(a, b, stride > before) for (a, b), (before, stride) in zip(
            pairwise(_WIDTHS), pairwise([1, *self.strides]), strict=True))
        self.embed = nn.Linear(_WIDTHS[-1] * _PLACES**2, features)
        self.readout = nn.Linear(features, classes)  # guides the training of the features; see train.py

    def pooled(self, x: Tensor) -> list[Tensor]:
        """(batch, d) mean over the tile of the output of each block but the last, of that over each of its places."""
        with _in_full(x):
            own = self.slices(x.contiguous(memory_format=torch.channels_last))
        y = self.mix(own)
        means = []
        for block in self.blocks:
            y = block(y)
            means.append(y.mean((2, 3)))
        return [*means[:-1], functional.adaptive_avg_pool2d(y, _PLACES).flatten(1)]

    def features(self, pooled: Tensor) -> Tensor:
        """(batch, n_features) >= 0, what a head sees of the last block's pooled output."""
        return functional.relu(self.embed(pooled))

    def maps(self) -> dict[str, MapLayer]:
        fine = {"slices": MapLayer(self.slices, (1, 1), (0.0, 0.0), "slice"),
                "mix": MapLayer(self.mix, (1, 1), (0.0, 0.0), "stack")}
        return fine | {f"block{i + 1}": MapLayer(block, (stride, stride), (0.0, 0.0), "stack")
                       for i, (block, stride) in enumerate(zip(self.blocks, self.strides, strict=True))}
