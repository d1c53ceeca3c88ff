"""Small networks and images for tests of explanations."""

import numpy as np
import torch
from torch import nn

from insml.explain import Subject
from insml.learn.classifier import Classifier
from insml.learn.form import Form
from insml.learn.method import METHODS
from insml.learn.networks import network
from insml.learn.strangeness import Part, Strangeness
from insml.learn.uncertainty.density import FeatureDensity
from insml.mosaic import Axis, MosaicLayout, SliceSpec


def layout(n_slices: int, size: int, across: int) -> MosaicLayout:
    axes = (Axis("h", (1, 0, 0), np.linspace(-1, 1, size + 1)), Axis("k", (0, 1, 0), np.linspace(-1, 1, size + 1)))
    slices = tuple(SliceSpec((5.0 * s, 5.0 * s + 5), 60.0) for s in range(n_slices))
    return MosaicLayout(axes, (0, 0, 1), slices, (-(-n_slices // across), across), ("-h", "+k"))


def subject(architecture: str, where: MosaicLayout, kind: str = "softmax", seed: int = 0) -> Subject:
    """A random image before a network with random weights."""
    torch.manual_seed(seed)
    method = METHODS.make(kind, network(architecture, where, 3), 3).eval()
    x, other = torch.randn(2, 1, *where.stack_shape, generator=torch.Generator().manual_seed(seed + 1))
    return Subject(method, where, x, np.zeros(where.stack_shape, bool), 2, 0, other)


def local(module: nn.Module) -> None:
    """Nothing depends on more than its own place: no normalisation, and pooling takes means, so that all is seen."""
    for owner in list(module.modules()):
        for name, child in owner.named_children():
            if isinstance(child, nn.GroupNorm | nn.BatchNorm2d):
                setattr(owner, name, nn.Identity())
            elif isinstance(child, nn.MaxPool2d):
                setattr(owner, name, nn.AvgPool2d(child.kernel_size, child.stride))


def planted_classifier(which: int = 3, n_slices: int = 6, size: int = 16, mirrors: tuple[bool, bool] = (False, False),
                       kind: str = "softmax") -> Classifier:
    """A network with random weights that is blind to all slices but one."""
    form = Form(layout(n_slices, size, n_slices), mirrors)
    torch.manual_seed(4)
    method = METHODS.make(kind, network("slice-stack", form.layout, 2), 2)
    with torch.no_grad():
        weight = method.backbone.mix[0].weight
        seen = weight[:, 2 * which:2 * which + 2].clone()
        weight.zero_()
        weight[:, 2 * which:2 * which + 2] = 4 * seen
    strangeness = Strangeness(
        {"network": Part(FeatureDensity(np.zeros((2, 96)), np.stack([np.eye(96)] * 2)))}, np.zeros((64, 0)))
    return Classifier(method, "slice-stack", form, strangeness, 0.5, np.linspace(0, 1, 50), ("one", "other"), "digest",
                      "toy")


def bright(n_slices: int = 6, size: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise and a spot in every slice, with a corner that is not covered."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(n_slices, size, size))
    signal[:, 4:7, 8:11] += 5
    mask = np.zeros(signal.shape, bool)
    mask[:, :3, :4] = True
    return np.where(mask, 0, signal), mask
