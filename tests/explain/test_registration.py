"""Maps lie where their causes are: exact middles of receptive fields, and one hot pixel for each architecture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from toys import layout, local, subject

from insml.explain.layers import for_slices
from insml.explain.registration import register
from insml.learn.networks import NETWORKS

LAYERS = [(name, layer) for name, layers in {
    "slice-stack": ("slices", "mix", "block1", "block2", "block3"), "dense": ("last",), "pooled": ("last",),
    "alexnet": ("early",), "resnext": ("block1", "block2", "block3")}.items() for layer in layers]

SIZES = {"dense": 64, "pooled": 64}  # of tiles, where less than 104 is enough for nothing to reach an edge


def test_every_architecture_is_here() -> None:
    assert {name for name, _ in LAYERS} == set(NETWORKS)


def test_registration_is_exact_for_linear_maps() -> None:
    rows, columns = np.meshgrid(3.5 + 2 * np.arange(17.0), 16.5 + 4 * np.arange(8.0), indexing="ij")
    fine = register(2 * rows - columns, (2, 4), (3.5, 16.5), (40, 62))
    r, c = np.meshgrid(np.arange(40.0), np.arange(62.0), indexing="ij")
    np.testing.assert_allclose(fine, 2 * np.clip(r, 3.5, 35.5) - np.clip(c, 16.5, 44.5), atol=1e-12)


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_middles_of_receptive_fields_are_exact(name: str, layer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the inputs that an output depends on."""
    monkeypatch.setattr(nn.functional, "max_pool2d", nn.functional.avg_pool2d)
    asked = subject(name, layout(4, SIZES.get(name, 104), 2))
    backbone = asked.method.backbone
    local(backbone)
    place = backbone.maps()[layer]
    for p in backbone.parameters():
        nn.init.uniform_(p, 0.1, 1.0)  # no ReLU closes, no channel cancels another
    x = torch.rand(asked.x.shape, requires_grad=True)
    outputs: list[torch.Tensor] = []
    handle = place.module.register_forward_hook(lambda module, given, out, kept=outputs: kept.append(out))
    backbone(x)
    handle.remove()
    index = [n // 2 for n in outputs[0].shape[2:]]
    (gradient,) = torch.autograd.grad(outputs[0][0, :, index[0], index[1]].sum(), x)
    seen = gradient[0].abs().numpy()
    image = seen.sum(0) if place.sees != "image" else asked.layout.assemble(seen)
    for axis in (0, 1):
        used = np.flatnonzero(image.sum(1 - axis))
        assert used[0] > 0
        assert used[-1] < image.shape[axis] - 1
        assert (used[0] + used[-1]) / 2 == place.first[axis] + place.stride[axis] * index[axis]


@pytest.mark.parametrize("pixel", [(0, 0.5, 0.8), (3, 0.6, 0.25)])
@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_a_hot_pixel_is_found_where_it_is(name: str, layer: str, pixel: tuple[int, float, float]) -> None:
    """Within half a stride, also where a resized map would be some 10 pixels off."""
    asked = subject(name, layout(4, SIZES.get(name, 104), 2))
    size = asked.layout.stack_shape[1]
    at = (pixel[0], round(pixel[1] * size), round(pixel[2] * size))
    backbone = asked.method.backbone
    local(backbone)
    with torch.no_grad():
        for name_, p in backbone.named_parameters():
            p.fill_(0.0 if name_.endswith("bias") else 1.0 / p[0].numel())
    place = backbone.maps()[layer]
    x = torch.zeros(asked.x.shape)
    x[(0, *at)] = 1.0
    outputs: list[torch.Tensor] = []
    handle = place.module.register_forward_hook(lambda module, given, out, kept=outputs: kept.append(out.detach()))
    backbone(x)
    handle.remove()
    response = outputs[0][0].double()
    if place.sees == "image":
        found = asked.layout.assemble(for_slices(asked, place, response.sum(0).numpy()))
        mark = np.zeros(asked.layout.stack_shape)
        mark[at] = 1
        expected = np.argwhere(asked.layout.assemble(mark))[0]
    else:
        found = register(response.sum(0).numpy(), place.stride, place.first, asked.layout.stack_shape[1:])
        expected = np.array(at[1:])
    middle = [float((found.sum(1 - axis) * np.arange(found.shape[axis])).sum() / found.sum()) for axis in (0, 1)]
    assert np.all(np.abs(middle - expected) <= np.array(place.stride) / 2 + 0.01), (middle, expected)


def test_a_resized_map_would_be_wrong() -> None:
    """What the published code did, for the same trunk: 12 columns off at a tenth of the image."""
    cam = np.zeros((50, 48))
    cam[20, 6] = 1.0
    registered = register(cam, (2, 4), (3.5, 16.5), (106, 224))
    assert registered.argmax() % 224 in (40, 41)
    assert abs(6.5 * 224 / 48 - 40.5) > 10
