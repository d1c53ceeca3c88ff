"""A small residual U-Net over the slices of a stack: what each pixel would be without noise, and how well that is
known."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.learn.generative.fit import ImageNetwork
from insml.learn.networks.slice_stack import Residual
from insml.mosaic import MosaicLayout

_WIDTHS = (64, 96, 128)  # at full, half and a quarter of the resolution
_PLACES = 5              # the coarsest level has at least so many pixels along each axis
_LOG_DEVIATION = (-5.0, 3.0)


class SliceUNet(ImageNetwork):
    """Standardised stacks (batch, n_slices, m0, m1) and where they have detectors to mean and log deviation of the
    clean stack, in the same units.

    Slices are channels, each beside a channel of its detectors. Every slice goes through a smoothing filter of its
    own, which begins as a binomial one; a U-Net that sees all slices corrects the result and begins with a
    correction of 0, so training starts from smoothing. Levels halve the resolution behind a low-pass. GroupNorm
    only, no dropout.
    """

    kind = "denoiser"

    def __init__(self, layout: MosaicLayout) -> None:
        super().__init__()
        n_slices, *tile = layout.stack_shape
        self.n_slices = n_slices
        self.smooth = nn.Conv2d(2 * n_slices, n_slices, 5, padding=2, groups=n_slices)
        row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
        with torch.no_grad():
            nn.init.zeros_(self.smooth.weight)
            self.smooth.weight[:, 0] = row[:, None] * row
            assert self.smooth.bias is not None
            nn.init.zeros_(self.smooth.bias)
        levels = 1 + sum(min(tile) // 2**k >= _PLACES for k in range(1, len(_WIDTHS)))
        widths = _WIDTHS[:levels]
        self.enter = nn.Sequential(nn.Conv2d(2 * n_slices, widths[0], 3, padding=1), nn.ReLU())
        self.down = nn.ModuleList([Residual(widths[0], widths[0], halve=False)])
        self.down.extend(Residual(a, b, halve=True) for a, b in pairwise(widths))
        # Output pixel 2 i is centred on input pixel i, as the low-pass has it.
        self.rise = nn.ModuleList(nn.ConvTranspose2d(b, a, 3, stride=2, padding=1)
                                  for a, b in pairwise(widths))
        self.up = nn.ModuleList(Residual(2 * a, a, halve=False) for a in widths[:-1])
        self.exit = nn.Conv2d(widths[0], 2 * n_slices, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        assert self.exit.bias is not None
        nn.init.zeros_(self.exit.bias)

    def forward(self, stack: Tensor, covered: Tensor) -> tuple[Tensor, Tensor]:
        """``covered`` : the same shape as ``stack``, 1 with detector and 0 without, where ``stack`` must be 0."""
        x = torch.stack((stack, covered), 2).flatten(1, 2)
        y = self.enter(x.contiguous(memory_format=torch.channels_last))
        fine: list[Tensor] = []
        for block in self.down:
            y = block(y)
            fine.append(y)
        fine.pop()
        for rise, block in zip(reversed(self.rise), reversed(self.up), strict=True):
            beside = fine.pop()
            y = block(torch.cat((functional.relu(rise(y, output_size=beside.shape[2:])), beside), 1))
        correction, log_deviation = self.exit(y).split(self.n_slices, 1)
        return self.smooth(x) + correction, log_deviation.clamp(*_LOG_DEVIATION)

    def loss(self, examples: Tensor) -> Tensor:
        """Squared error of the mean, plus the normal log likelihood that fits the deviation to what error is left,
        without a say in the mean. Over pixels with detector, of examples (stack, covered, clean)."""
        stack, covered, clean = examples.unbind(1)
        mean, log_deviation = self(stack, covered)
        square = (mean - clean) ** 2
        likelihood = 0.5 * square.detach() * torch.exp(-2 * log_deviation) + log_deviation
        loss: Tensor = (covered * (square + likelihood)).sum() / covered.sum().clamp_min(1)
        return loss
