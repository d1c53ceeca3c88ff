"""The variational autoencoder of arXiv 2011.04584 (its published code), layer for layer, for images of any
layout."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.errors import GeometryError
from insml.learn.generative.fit import ImageNetwork
from insml.learn.networks.backbone import Tiles
from insml.mosaic import MosaicLayout

LATENTS = 20
_SMALLEST = 10  # rows and columns that two convolutions leave something of


class VaeNetwork(ImageNetwork):
    """Stacks with values from 0 to 1, tiles side by side, to 20 latent numbers and back.

    Encoder: convolutions 4x4 with 32 and 64 channels, stride 2, "valid", ReLU; dense to mean and log variance.
    Decoder: dense to 32 channels at a quarter of the resolution, ReLU; transposed convolutions 4x4 with 64 and 32
    channels, stride 2, "same", ReLU; 3x3 to one channel of logits. 18,682,377 parameters for 240 x 400. Where rows
    or columns are no multiples of 4, what the decoder has too much is cut off. Weights begin as Keras begins them
    (uniform Glorot, zero bias).
    """

    kind = "vae"
    position: Tensor

    def __init__(self, layout: MosaicLayout) -> None:
        super().__init__()
        rows, columns = layout.shape
        if min(rows, columns) < _SMALLEST:
            raise GeometryError(f"autoencoder: expected an image of at least {_SMALLEST} x {_SMALLEST} pixels, "
                                f"found {layout.shape}")
        self.tiles = Tiles(layout)
        numbers = layout.split(np.arange(rows * columns).reshape(rows, columns))
        self.register_buffer("position", torch.from_numpy(numbers), persistent=False)
        self.image, self.quarter = (rows, columns), (-(-rows // 4), -(-columns // 4))
        inner = [((n - 4) // 2 + 1 - 4) // 2 + 1 for n in (rows, columns)]
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 4, stride=2), nn.ReLU(), nn.Conv2d(32, 64, 4, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(64 * inner[0] * inner[1], 2 * LATENTS))
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS, 32 * self.quarter[0] * self.quarter[1]), nn.ReLU(),
            nn.Unflatten(1, (32, *self.quarter)),
            nn.ConvTranspose2d(32, 64, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 3, padding=1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def encode(self, stack: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, 20) mean and log variance of q(z | x) of stacks (batch, n_slices, n0, n1)."""
        mean, log_variance = self.encoder(self.tiles(stack)).chunk(2, 1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """(batch, n_slices, n0, n1) logits of latents (batch, 20)."""
        image = self.decoder(z)[:, 0, :self.image[0], :self.image[1]]
        logits: Tensor = image.flatten(1)[:, self.position]
        return logits

    def elbo(self, stack: Tensor, target: Tensor) -> Tensor:
        """(batch,) lower bound of ln p(target): ln p(target | z) at one draw of z from q(z | stack), less KL(q ||
        N(0, 1)).

        Published with ln p(z) - ln q(z | x) at the same draw in place of -KL, which has the same mean and more
        scatter.
        """
        mean, log_variance = self.encode(stack)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        entropy = functional.binary_cross_entropy_with_logits(self.decode(z), target, reduction="none")
        return -entropy.sum((1, 2, 3)) - divergence(mean, log_variance)

    def loss(self, examples: Tensor) -> Tensor:
        """-ELBO of examples (stack, target)."""
        stack, target = examples.unbind(1)
        return -self.elbo(stack, target).mean()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(batch,) KL(N(mean, exp(log_variance)) || N(0, 1)), summed over the latents (batch, latents)."""
    return 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
