"""Formulae of maps on numbers worked out by hand, and what they are for each kind of network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from toys import layout, subject

from insml.errors import InsmlError
from insml.explain.activation import activation_and_gradient
from insml.explain.class_activation import class_activation
from insml.explain.grad_cam import grad_cam
from insml.explain.grad_cam_plus_plus import grad_cam_plus_plus
from insml.explain.layer_cam import layer_cam
from insml.explain.layers import layer_maps
from insml.explain.slice_maps import slice_maps
from insml.learn.method import METHODS
from insml.learn.networks import FILTERS_PER_SLICE, NETWORKS

A = torch.tensor([[[1.0, 2.0], [0.0, 3.0]], [[0.5, -1.0], [2.0, 0.0]]])
G = torch.tensor([[[0.5, -1.0], [2.0, 0.1]], [[-0.2, 0.4], [0.0, 1.0]]])


def test_grad_cam_by_hand() -> None:
    # alpha: 1.6 / 4, 1.2 / 4
    expected = [[0.4 * 1 + 0.3 * 0.5, 0.4 * 2 - 0.3 * 1], [0.3 * 2, 0.4 * 3]]
    np.testing.assert_allclose(grad_cam(A, G), expected, rtol=1e-6)
    assert not grad_cam(A, -G).any()


def test_layer_cam_by_hand() -> None:
    expected = [[0.5 * 1, max(-0.4 * 1, 0)], [0, 0.1 * 3]]
    np.testing.assert_allclose(layer_cam(A, G), expected, rtol=1e-6)


def test_grad_cam_plus_plus_by_hand() -> None:
    """Sums of A are 6 and 1.5; each weight in plain arithmetic, pixel by pixel."""
    weights = []
    for channel, total in ((0, 6.0), (1, 1.5)):
        weight = 0.0
        for g in G[channel].ravel().tolist():
            below = 2 * g**2 + g**3 * total
            weight += (g**2 / below if below else 0.0) * max(g, 0.0)
        weights.append(weight)
    assert weights[0] == pytest.approx(0.5 / 5 + 2 / 14 + 0.1 / 2.6, rel=1e-6)
    expected = np.maximum(weights[0] * A[0].numpy() + weights[1] * A[1].numpy(), 0)
    np.testing.assert_allclose(grad_cam_plus_plus(A, G), expected, rtol=1e-6)
    assert not grad_cam_plus_plus(A, torch.zeros_like(G)).any()


def test_activation_and_gradient_of_a_known_score() -> None:
    layer = nn.Conv2d(2, 3, 1, bias=False)
    x = torch.randn(1, 2, 4, 4)
    weights = torch.tensor([0.5, -2.0, 1.0])
    activation, gradient = activation_and_gradient(lambda t: (layer(t).mean((2, 3)) * weights).sum(1), layer, x)
    torch.testing.assert_close(activation, layer(x)[0].detach())
    torch.testing.assert_close(gradient, (weights / 16)[:, None, None].expand(3, 4, 4))
    with pytest.raises(InsmlError, match="runs once"):
        activation_and_gradient(lambda t: layer(t).sum(), nn.Conv2d(1, 1, 1), x)
    with pytest.raises(InsmlError, match="one image"):
        activation_and_gradient(lambda t: layer(t).sum(), layer, x.repeat(2, 1, 1, 1))
    assert layer.weight.grad is None
    assert not x.requires_grad
    assert not layer._forward_hooks


@pytest.mark.parametrize("kind", METHODS.names)
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_explained_is_the_difference_of_log_scores(name: str, kind: str) -> None:
    asked = subject(name, layout(12, 24, 4), kind)
    with torch.no_grad():
        scores = asked.method.logits(asked.x)
    assert asked.margin == float(scores[0, 2] - scores[0, 0])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_head_that_is_explained_is_that_of_the_whole_network(name: str) -> None:
    """The derivative at every layer is what the full network's log scores do when the layer's output is changed."""
    asked = subject(name, layout(12, 24, 4))
    asked.method.double()
    x = asked.x.double()
    for layer in asked.method.backbone.maps().values():
        activation, gradient = activation_and_gradient(asked.score, layer.module, x)
        direction = torch.randn(activation.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        size = 1e-8 * float(activation.abs().max())
        found = []
        for sign in (1, -1):
            handle = layer.module.register_forward_hook(lambda m, i, out, by=sign * size * direction: out + by)
            with torch.no_grad():
                changed = asked.method.logits(x)
            handle.remove()
            found.append(float(changed[0, 2] - changed[0, 0]))
        expected = float((gradient * direction).sum())
        assert (found[0] - found[1]) / (2 * size) == pytest.approx(expected, rel=1e-3, abs=1e-9)


def test_cam_is_the_margin_and_grad_cam_times_the_number_of_pixels() -> None:
    asked = subject("pooled", layout(12, 24, 4))
    readout = asked.method.backbone.readout
    nn.init.normal_(readout.bias)
    activation, _ = activation_and_gradient(asked.score, asked.method.backbone.trunk, asked.x)
    pixels = activation[0].numel()
    cam = class_activation(asked)
    ungated = layer_maps(asked, "last", lambda a, g: (g.mean((1, 2), keepdim=True) * a).sum(0))
    assert cam.min() < 0 < cam.max()
    np.testing.assert_allclose(cam, ungated * pixels, rtol=1e-4, atol=1e-5 * np.abs(cam).max())
    weight, bias = readout.weight.detach(), readout.bias.detach()
    coarse = ((weight[2] - weight[0])[:, None, None] * activation).sum(0).mean()
    assert float(coarse + bias[2] - bias[0]) == pytest.approx(asked.margin, rel=1e-4)


@pytest.mark.parametrize(("name", "kind"), [("slice-stack", "softmax"), ("dense", "softmax"), ("alexnet", "softmax"),
                                            ("resnext", "softmax"), ("pooled", "duq")])
def test_cam_is_refused_where_it_is_not_exact(name: str, kind: str) -> None:
    with pytest.raises(InsmlError, match=r"class activation map: expected .* found .*Ne.* with '(softmax|duq)'"):
        class_activation(subject(name, layout(12, 24, 4), kind))


def test_cam_notices_a_normalisation_behind_its_layer() -> None:
    """The published code left the one between layer and readout out."""
    asked = subject("pooled", layout(12, 24, 4))
    asked.method.backbone.features = lambda pooled: 1.1 * pooled - 0.2
    with pytest.raises(InsmlError, match="class activation map"):
        class_activation(asked)


def test_slice_maps_are_their_formula() -> None:
    asked = subject("slice-stack", layout(3, 8, 3))
    net = asked.method.backbone
    activation, gradient = activation_and_gradient(asked.score, net.slices, asked.x)
    share = (gradient * activation).reshape(3, FILTERS_PER_SLICE, 8, 8).sum(1).abs()
    np.testing.assert_allclose(slice_maps(asked.score, net.slices, asked.x), share.numpy(), rtol=1e-4, atol=1e-6)
    with pytest.raises(InsmlError, match="slice_maps"):
        slice_maps(asked.score, net.blocks[0], asked.x)
