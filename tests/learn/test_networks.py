"""Architectures: their sizes, what they see, and what must not change their answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from insml import GeometryError, InsmlError
from insml.learn.networks import NETWORKS, DenseNet, PooledNet, network
from insml.learn.networks.backbone import Tiles
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.study import bundled

LAYOUT = bundled("manganite").layout


def small(n0: int = 24, n1: int = 30) -> MosaicLayout:
    axes = (Axis("h", (1, 0, 0), np.linspace(-1, 1, n0 + 1)), Axis("k", (0, 1, 0), np.linspace(-1, 1, n1 + 1)))
    slices = tuple(SliceSpec((10.0 + n, 11.0 + n), 50.0) for n in range(11))
    return MosaicLayout(axes, (0, 0, 1), slices, (3, 4), ("-h", "+k"))


def parameters(net: torch.nn.Module, running: bool) -> int:
    """As Keras counts: running statistics are parameters that are not trained."""
    own = sum(p.numel() for p in net.parameters())
    return own + sum(b.numel() for n, b in net.named_buffers() if "running" in n) * running


@pytest.mark.parametrize(("kind", "classes", "whole", "trained"), [
    (DenseNet, 2, 22_056_482, 22_056_322), (DenseNet, 1, 22_056_417, 22_056_257), (PooledNet, 2, 11_490, 11_426)])
def test_published_sizes(kind: type, classes: int, whole: int, trained: int) -> None:
    """The numbers that Keras prints for Fig. 3a and 3b."""
    net = kind(LAYOUT, classes)
    assert (parameters(net, True), parameters(net, False)) == (whole, trained)


def test_tiles_are_the_layouts_image() -> None:
    layout = small()
    stack = np.random.default_rng(0).normal(size=(2, *layout.stack_shape)).astype(np.float32)
    found = Tiles(layout)(torch.from_numpy(stack)).numpy()
    for one, image in zip(stack, found, strict=True):
        np.testing.assert_array_equal(image[0], layout.assemble(one))


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_do_not_depend_on_the_batch(name: str) -> None:
    """In evaluation mode, one by one or together; and running statistics stay as they are."""
    torch.manual_seed(0)
    layout = small()
    net = network(name, layout, 3)
    x = torch.randn(5, *layout.stack_shape)
    net.train()
    net.logits(x)
    net.eval()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with torch.no_grad():
        together = net.logits(x)
        alone = torch.cat([net.logits(one[None]) for one in x])
    assert together.shape == (5, 3)
    assert net(x).shape == (5, net.n_features)
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_learns(name: str) -> None:
    layout = small()
    torch.manual_seed(1)
    net = network(name, layout, 2)
    net.logits(torch.randn(6, *layout.stack_shape)).square().sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in net.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_lie_where_their_inputs_are(name: str) -> None:
    """The middle of what an output far from the edges depends on, a mean over random weights and images."""
    layout = small(60, 60)
    whole = name == "slice-stack"
    middles: dict[str, list[list[float]]] = {}
    for seed in range(12):
        torch.manual_seed(seed)
        net = network(name, layout, 2).eval()
        for key, layer in net.maps().items():
            x = torch.randn(1, *layout.stack_shape, requires_grad=True)
            outputs: list[torch.Tensor] = []
            handle = layer.module.register_forward_hook(lambda module, given, out, kept=outputs: kept.append(out))
            net(x)
            handle.remove()
            rows, columns = outputs[0].shape[2] // 2, outputs[0].shape[3] // 2
            (gradient,) = torch.autograd.grad(outputs[0][0, :, rows, columns].square().sum(), x)
            seen = gradient[0].abs().sum(0).numpy() if whole else np.abs(layout.assemble(gradient[0].numpy()))
            # group normalisation ties everything together, but weakly
            seen = np.where(seen > 0.1 * seen.max(), seen, 0)
            along = [seen.sum(axis=1 - axis) for axis in (0, 1)]
            expected = [f + s * i for f, s, i in zip(layer.first, layer.stride, (rows, columns), strict=True)]
            middles.setdefault(key, []).append([float((np.arange(a.size) * a).sum() / a.sum()) - e
                                                for a, e in zip(along, expected, strict=True)])
    for key, layer in net.maps().items():
        np.testing.assert_allclose(np.mean(middles[key], axis=0), 0, atol=max(0.6, 0.3 * max(layer.stride)), err_msg=key)


def test_what_cannot_be_is_named() -> None:
    with pytest.raises(InsmlError, match=r"network: expected one of slice-stack, dense, .*, found 'x'"):
        network("x", LAYOUT, 2)
    tiny = small(2, 2)
    for name in ("dense", "pooled", "alexnet", "resnext"):
        with pytest.raises(GeometryError, match="network: expected an image of at least"):
            network(name, tiny, 2)
