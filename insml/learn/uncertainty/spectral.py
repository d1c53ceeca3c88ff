"""Layers that do not stretch: spectral normalisation (Miyato et al. 2018) with a bound (Liu et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from insml.learn.networks.backbone import Backbone

_FIRST_ITERATIONS = 15


class SpectralBound(nn.Module):
    """A weight over max(1, sigma / bound), sigma its largest singular value as a matrix (outputs, inputs * kernel).

    Each group of a convolution is a matrix of its own. Power iteration, one round per forward pass in training mode; its
    vectors are buffers. As a map of images a k x k convolution stretches by at most k times what its matrix does.
    """

    left: Tensor
    right: Tensor

    def __init__(self, weight: Tensor, groups: int, bound: float) -> None:
        super().__init__()
        self.groups, self.bound = groups, bound
        matrices = self._matrices(weight)
        self.register_buffer("left", functional.normalize(torch.randn(matrices.shape[:2]), dim=1))
        self.register_buffer("right", functional.normalize(torch.randn(groups, matrices.shape[2]), dim=1))
        for _ in range(_FIRST_ITERATIONS):
            self._iterate(matrices)

    def _matrices(self, weight: Tensor) -> Tensor:
        return weight.reshape(self.groups, len(weight) // self.groups, -1)

    @torch.no_grad()
    def _iterate(self, matrices: Tensor) -> None:
        self.left.copy_(functional.normalize(torch.einsum("gij,gj->gi", matrices, self.right), dim=1))
        self.right.copy_(functional.normalize(torch.einsum("gij,gi->gj", matrices, self.left), dim=1))

    def forward(self, weight: Tensor) -> Tensor:
        matrices = self._matrices(weight)
        with torch.autocast(weight.device.type, enabled=False):
            if self.training:
                self._iterate(matrices)
            # copies, as a second forward pass moves the vectors before the backward pass of the first
            sigma = torch.einsum("gi,gij,gj->g", self.left.clone(), matrices, self.right.clone())
        return (matrices / (sigma / self.bound).clamp_min(1)[:, None, None]).reshape(weight.shape)


def bound_layers(backbone: Backbone, bound: float) -> None:
    """Bound every convolution and linear layer of a network but its readout.

    Normalisation layers rescale and stay as they are, so this bounds what a layer adds, not the whole network.
    """
    for module in list(backbone.modules()):
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module is not backbone.readout:
            groups = module.groups if isinstance(module, nn.Conv2d) else 1
            parametrize.register_parametrization(module, "weight", SpectralBound(module.weight, groups, bound))
