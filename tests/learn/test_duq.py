import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from insml.errors import InsmlError
from insml.learn.method import Batch
from insml.learn.networks.backbone import Backbone, MapLayer
from insml.learn.uncertainty.duq import Duq, DuqHead, gradient_penalty, kernel_loss


def batch(seed: int = 0, n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 8, generator=generator), functional.one_hot(torch.arange(n) % 3, 3).float()


def test_kernel_is_its_formula() -> None:
    head = DuqHead(8, 3, size=5)
    features, _ = batch()
    log_kernel = head(features)
    for b in range(6):
        for c in range(3):
            z = head.weight[:, c] @ features[b]
            distance = ((z - head.sums[:, c] / head.counts[c]) ** 2).mean()
            expected = -distance / (2 * math.exp(head.log_sigma.item()) ** 2)
            assert log_kernel[b, c].item() == pytest.approx(expected.item(), rel=1e-4)


def test_centroids_follow_the_published_rule() -> None:
    head = DuqHead(8, 3, size=5).eval()
    features, onehot = batch()
    counts, sums = head.counts.clone(), head.sums.clone()
    head.update_centroids(features, onehot)
    z = torch.einsum("bf,mcf->bmc", features, head.weight)
    torch.testing.assert_close(head.counts, 0.999 * counts + 0.001 * onehot.sum(0))
    torch.testing.assert_close(head.sums, 0.999 * sums + 0.001 * torch.einsum("bmc,bc->mc", z, onehot).detach())
    head.gamma = 0.9
    for _ in range(200):
        head.update_centroids(features, onehot)
    for c in range(3):  # in the end each is the mean of its class
        torch.testing.assert_close(head.centroids[:, c], z[onehot[:, c] == 1, :, c].mean(0).detach())


def test_preset_paper_never_moves() -> None:
    head = DuqHead(8, 3, preset="paper").eval()
    before = head.centroids.clone()
    head.update_centroids(*batch())
    assert torch.equal(head.centroids, before)
    assert head.log_sigma.item() == 0
    assert not head.log_sigma.requires_grad


def test_update_is_refused_in_training_mode_and_presets_are_checked() -> None:
    with pytest.raises(InsmlError, match="evaluation mode"):
        DuqHead(8, 3).train().update_centroids(*batch())
    with pytest.raises(InsmlError, match="preset"):
        DuqHead(8, 3, preset="other")  # type: ignore[arg-type]


def test_loss_is_binary_cross_entropy() -> None:
    log_kernel = -torch.rand(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 5
    onehot = functional.one_hot(torch.arange(50) % 3, 3).double()
    torch.testing.assert_close(kernel_loss(log_kernel, onehot),
                               functional.binary_cross_entropy(log_kernel.exp(), onehot))


@pytest.mark.parametrize("value", [0.0, -1e-9, -1e-3, -math.log(2), -50.0, -1e4])
def test_loss_and_gradient_are_finite_where_kernels_saturate(value: float) -> None:
    log_kernel = torch.full((2, 2), value, requires_grad=True)
    loss = kernel_loss(log_kernel, torch.eye(2))
    (gradient,) = torch.autograd.grad(loss, log_kernel)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()
    if value == -1e4:  # plain BCE on K = 0 has no gradient left
        assert gradient[0, 0].item() == pytest.approx(-0.25)


def test_penalty_is_its_formula() -> None:
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(4), requires_grad=True)
    direction = torch.randn(8, generator=torch.Generator().manual_seed(5))
    log_kernel = torch.stack([0.1 * (x @ direction), torch.full((4,), -1.0)], 1)
    norm = 0.1 * (0.1 * (x @ direction)).exp() * direction.norm()
    torch.testing.assert_close(gradient_penalty(log_kernel, x), ((norm - 1) ** 2).mean())


@pytest.mark.parametrize("two_modes", [False, True])
def test_centroids_follow_features_of_evaluation(two_modes: bool) -> None:
    class Plain(Backbone):
        n_features = 4

        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(4) if two_modes else nn.Identity()
            self.readout = nn.Linear(4, 2)

        def pooled(self, x: torch.Tensor) -> list[torch.Tensor]:
            return [self.norm(x.flatten(1))]

        def features(self, pooled: torch.Tensor) -> torch.Tensor:
            return pooled

        def maps(self) -> dict[str, MapLayer]:
            return {}

    torch.manual_seed(0)
    method = Duq(Plain(), 2, size=3)
    x, onehot = torch.randn(6, 1, 2, 2), functional.one_hot(torch.arange(6) % 2, 2).float()
    assert method.backbone.has_two_modes == two_modes
    before = method.train().backbone(x)
    expected = copy.deepcopy(method.head).eval()
    method.eval()
    expected.update_centroids(method.backbone(x) if two_modes else before, onehot)
    method.after_step(Batch(x, before, onehot, 0.0, 0, 6))
    assert torch.equal(method.head.sums, expected.sums)
    assert not torch.equal(method.head.sums, Duq(Plain(), 2, size=3).head.sums)
    if two_modes:  # what a batch in training says of itself is another thing
        assert not torch.allclose(before, method.backbone(x))
