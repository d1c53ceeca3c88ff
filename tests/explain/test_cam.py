import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from insml.errors import InsmlError
from insml.explain import grad_cam, occlude_slices, register, slice_maps
from insml.learn.networks import FILTERS_PER_SLICE, SliceStackNet
from insml.mosaic import Axis, MosaicLayout, SliceSpec


def network(n_slices: int = 5, size: int = 16) -> SliceStackNet:
    torch.manual_seed(0)
    axes = (Axis("h", (1, 0, 0), np.linspace(-1, 1, size + 1)), Axis("k", (0, 1, 0), np.linspace(-1, 1, size + 1)))
    slices = tuple(SliceSpec((5.0 * s, 5.0 * s + 5)) for s in range(n_slices))
    return SliceStackNet(MosaicLayout(axes, (0, 0, 1), slices, (1, n_slices)), 2).eval()


def image(n_slices: int = 5, size: int = 16) -> torch.Tensor:
    return torch.randn(1, n_slices, size, size, generator=torch.Generator().manual_seed(1))


def test_grad_cam_is_its_formula() -> None:
    layer = nn.Conv2d(2, 3, 1, bias=False)
    x = image(2, 4)
    weights = torch.tensor([0.5, -2.0, 1.0])
    # The score's derivative by channel f is weights[f] / 16 at every pixel, so alpha is known.
    cam = grad_cam(lambda t: (layer(t).mean((2, 3)) * weights).sum(), layer, x)
    activation = layer(x)[0].detach()
    expected = torch.relu((weights[:, None, None] / 16 * activation).sum(0))
    np.testing.assert_allclose(cam, expected.numpy(), rtol=1e-5)


def test_slice_maps_are_their_formula() -> None:
    net, x = network(3, 8), image(3, 8)

    def score(t: torch.Tensor) -> torch.Tensor:
        features = net(t)
        return (features[:, 0] - features[:, 1]).sum() + features.sum() ** 2

    activation = net.slices(x).detach().requires_grad_(True)
    y = net.mix(activation)
    for block in net.blocks:
        y = block(y)
    features = net.features(adaptive_avg_pool2d(y, 5).flatten(1))
    value = (features[:, 0] - features[:, 1]).sum() + features.sum() ** 2
    (gradient,) = torch.autograd.grad(value, activation)
    share = (gradient * activation).reshape(3, FILTERS_PER_SLICE, 8, 8).sum(1).abs()
    np.testing.assert_allclose(slice_maps(score, net.slices, x), share.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_a_slice_the_score_cannot_see_has_no_map() -> None:
    net, x = network(), image()
    with torch.no_grad():
        net.mix[0].weight[:, 2 * FILTERS_PER_SLICE:3 * FILTERS_PER_SLICE] = 0
    maps = slice_maps(lambda t: net(t).sum(), net.slices, x)
    assert maps.shape == (5, 16, 16)
    assert not maps[2].any()
    assert all(maps[s].any() for s in (0, 1, 3, 4))
    assert occlude_slices(lambda t: net(t).sum(1), x)[2] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("layer", ["mix", "block1", "block2", "block3"])
def test_any_layer_is_registered_on_the_input(layer: str) -> None:
    """A bright spot moves a coarse layer's response to where it stands, within the layer's own stride."""
    net = network(size=40)
    module, stride = net.maps()[layer].module, net.maps()[layer].stride[0]
    for centre in (15, 20, 25):
        x = torch.zeros(1, 5, 40, 40)
        x[:, :, centre, 40 - centre] = 30
        outputs = []
        handle = module.register_forward_hook(lambda m, i, o, kept=outputs: kept.append(o))
        with torch.no_grad():
            net(x)
            net(torch.zeros_like(x))
        handle.remove()
        change = (outputs[0] - outputs[1]).abs().sum(1)[0].double().numpy()
        # Normalisation changes the whole tile a little; only the peak is local.
        image_change = register(np.where(change > 0.5 * change.max(), change, 0), stride, (40, 40))
        total = image_change.sum()
        row, column = ((image_change.sum(axis) * np.arange(40)).sum() / total for axis in (1, 0))
        assert abs(row - centre) <= stride / 2 + 0.5
        assert abs(column - (40 - centre)) <= stride / 2 + 0.5


def test_registration_is_exact_for_linear_maps() -> None:
    rows, columns = np.meshgrid(4 * np.arange(10.0), 4 * np.arange(8.0), indexing="ij")
    fine = register(2 * rows - columns, 4, (40, 32))
    r, c = np.meshgrid(np.arange(40.0), np.arange(32.0), indexing="ij")
    np.testing.assert_allclose(fine, 2 * np.minimum(r, 36) - np.minimum(c, 28), atol=1e-12)


def test_occlusion_is_exact_for_a_linear_score() -> None:
    weights = torch.randn(40, generator=torch.Generator().manual_seed(2))
    x = image(40, 3)
    drops = occlude_slices(lambda t: (t.sum((2, 3)) * weights).sum(1), x)
    np.testing.assert_allclose(drops, (x[0].sum((1, 2)) * weights).numpy(), atol=1e-4)


def test_network_is_left_alone() -> None:
    net, x = network(), image()
    before = {name: t.clone() for name, t in net.state_dict().items()}
    slice_maps(lambda t: net(t).sum(), net.slices, x)
    grad_cam(lambda t: net(t).sum(), net.blocks[2], x)
    occlude_slices(lambda t: net(t).sum(1), x)
    assert all(torch.equal(t, before[name]) for name, t in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks for m in net.modules())
    assert not x.requires_grad


def test_a_layer_of_another_form_is_refused() -> None:
    net, x = network(), image()
    with pytest.raises(InsmlError, match="runs once"):
        grad_cam(lambda t: net(t).sum(), nn.Conv2d(1, 1, 1), x)
    with pytest.raises(InsmlError, match="slice_maps"):
        slice_maps(lambda t: net(t).sum(), net.blocks[0], x)
    assert not any(m._forward_hooks for m in net.modules())
