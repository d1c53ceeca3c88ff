"""Deterministic uncertainty quantification (DUQ), van Amersfoort et al. 2020.

Features f are mapped for each class c to z_c = W_c f; the class's kernel value is
K_c = exp(-mean_j (z_cj - e_cj)^2 / (2 sigma^2)), e_c its centroid. Everything below works with log K_c, in float32.

Two presets: "vanamersfoort", the published method (centroids follow the data with gamma = 0.999; sigma, one of its
tuned numbers, starts at 0.5 and is learned as log sigma), and "paper", arXiv 2011.04584 as its code has it (sigma = 1
fixed and gamma = 1, so the centroids stay where they were drawn), kept for comparison only.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.errors import InsmlError
from insml.learn.method import METHODS, Batch, Method
from insml.learn.networks.backbone import Backbone

Preset = Literal["vanamersfoort", "paper"]
_SMALLEST_DISTANCE = 1e-6
_SIGMA = 0.5  # where learning of sigma starts
_GUIDED_ALONE = 0.4  # share of all steps in which the linear readout alone forms the features


class DuqHead(nn.Module):
    """Kernel values of ``classes`` centroids for (batch, features) inputs.

    Centroids are m / N with running sums m (size, classes) and N (classes,); they are buffers, not parameters.
    """

    sums: Tensor
    counts: Tensor

    def __init__(self, features: int, classes: int, size: int = 64, preset: Preset = "vanamersfoort") -> None:
        super().__init__()
        if preset not in ("vanamersfoort", "paper"):
            raise InsmlError(f"DUQ preset: expected vanamersfoort or paper, found {preset}")
        published = preset == "vanamersfoort"
        self.gamma = 0.999 if published else 1.0
        count = 12.0
        self.weight = nn.Parameter(torch.empty(size, classes, features))
        self.log_sigma = nn.Parameter(torch.tensor(math.log(_SIGMA) if published else 0.0), requires_grad=published)
        nn.init.normal_(self.weight, std=0.05)
        self.register_buffer("counts", torch.full((classes,), count))
        self.register_buffer("sums", torch.randn(size, classes) * count)

    @property
    def centroids(self) -> Tensor:
        """(size, classes)"""
        return self.sums / self.counts

    def _project(self, features: Tensor) -> Tensor:
        return torch.einsum("bf,mcf->bmc", features.float(), self.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(batch, classes) log K, <= 0."""
        distance = (self._project(features) - self.centroids).square().mean(1)
        return -distance / (2 * torch.exp(2 * self.log_sigma))

    @torch.no_grad()
    def update_centroids(self, features: Tensor, onehot: Tensor) -> None:
        """Move the centroids towards a batch, whose features are those of a network in evaluation mode.

        With gamma = 1 nothing moves. Refused in training mode, where features are not those of a prediction.
        """
        if self.training:
            raise InsmlError("DUQ centroids: expected evaluation mode for the update, found training mode")
        projected = self._project(features)
        self.counts.mul_(self.gamma).add_(onehot.sum(0), alpha=1 - self.gamma)
        self.sums.mul_(self.gamma).add_(torch.einsum("bmc,bc->mc", projected, onehot), alpha=1 - self.gamma)


def kernel_loss(log_kernel: Tensor, onehot: Tensor) -> Tensor:
    """Mean binary cross-entropy of K against 0/1, from log K, without overflow where K is 0 or 1."""
    distance = (-log_kernel).clamp_min(_SMALLEST_DISTANCE)
    # log(1 - exp(-d)): each form where it is accurate; the other branch gets a harmless argument (its gradient counts).
    small = distance < math.log(2)
    log_not = torch.where(
        small,
        torch.log(-torch.expm1(-torch.where(small, distance, 1.0))),
        torch.log1p(-torch.exp(-torch.where(small, 1.0, distance))),
    )
    return (onehot * distance - (1 - onehot) * log_not).mean()


def gradient_penalty(log_kernel: Tensor, inputs: Tensor) -> Tensor:
    """Two-sided penalty: mean over the batch of (|d sum_c K_c / d input| - 1)^2. Costs a second backward pass."""
    (gradient,) = torch.autograd.grad(log_kernel.exp().sum(), inputs, create_graph=True)
    # The square root has no derivative at 0, where K has saturated.
    norm = (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()
    return functional.mse_loss(norm, torch.ones_like(norm))


@METHODS.add
class Duq(Method):
    """Kernels of the distance to a centroid of each class.

    guidance : weight of the cross-entropy of a linear readout of the features. It forms the features alone at first, while
        the kernels only follow, and beside the loss of the kernels later: from some hundred images the latter by itself
        brings all features to one point with most seeds. 0 leaves the readout out, as published.
    penalty : weight of the two-sided gradient penalty; 0 leaves it out.
    penalty_every : the penalty is taken on every so-manieth batch, times so many, because its double backward pass makes a
        step about three times as long.
    """

    kind: ClassVar[str] = "duq"

    def __init__(self, backbone: Backbone, classes: int, *, preset: Preset = "vanamersfoort", size: int = 64,
                 guidance: float = 1.0, penalty: float = 0.05, penalty_every: int = 4) -> None:
        super().__init__(backbone, classes)
        self.preset, self.size = preset, size
        self.guidance, self.penalty, self.penalty_every = guidance, penalty, penalty_every
        self.head = DuqHead(backbone.n_features, classes, size, preset)

    @property
    def options(self) -> dict[str, Any]:
        return {"preset": self.preset, "size": self.size, "guidance": self.guidance, "penalty": self.penalty,
                "penalty_every": self.penalty_every}

    def scores(self, features: Tensor) -> Tensor:
        out: Tensor = self.head(features)
        return out

    def _follows(self, done: float) -> bool:
        # Kernels that still lie anywhere pull all features to one point, where gradients end.
        return self.guidance > 0 and done < _GUIDED_ALONE

    def wants_input_gradient(self, done: float, step: int) -> bool:
        return self.penalty > 0 and step % self.penalty_every == 0 and not self._follows(done)

    def loss(self, batch: Batch) -> Tensor:
        log_kernel = self.scores(batch.features.detach() if self._follows(batch.done) else batch.features)
        loss = kernel_loss(log_kernel, batch.onehot)
        if self.guidance > 0:
            guided = functional.cross_entropy(self.backbone.readout(batch.features), batch.onehot)
            loss = loss + self.guidance * guided
        if self.wants_input_gradient(batch.done, batch.step):
            loss = loss + self.penalty * self.penalty_every * gradient_penalty(log_kernel, batch.x)
        return loss

    def after_step(self, batch: Batch) -> None:
        if self.head.gamma < 1:
            # where a network is one function in training and evaluation, features are at hand: one step old, at the price
            # of no forward pass
            with torch.no_grad():
                features = self.backbone(batch.x) if self.backbone.has_two_modes else batch.features.detach()
                self.head.update_centroids(features, batch.onehot)

    def epistemic(self, draws: Tensor) -> Tensor:
        """1 - the largest kernel."""
        return 1 - draws.exp().mean(0).amax(-1)
