"""Networks for tests of methods: one does nothing, its features are the pixels of the stack; one trains fast."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from insml.learn.method import METHODS, Batch, Method
from insml.learn.networks.backbone import Backbone, MapLayer
from insml.mosaic import MosaicLayout


class Plain(Backbone):
    def __init__(self, n: int, classes: int = 2) -> None:
        super().__init__()
        self.n_features = n
        self.readout = nn.Linear(n, classes)

    def pooled(self, x: Tensor) -> list[Tensor]:
        return [x.flatten(1)]

    def features(self, pooled: Tensor) -> Tensor:
        return pooled

    def maps(self) -> dict[str, MapLayer]:
        return {}


class Fast(Backbone):
    """A filter for each slice, a hidden layer."""

    def __init__(self, layout: MosaicLayout, classes: int) -> None:
        super().__init__()
        slices, n0, n1 = layout.stack_shape
        self.slices = nn.Sequential(nn.Conv2d(slices, slices, 3, padding=1, groups=slices), nn.ReLU())
        self.n_features = 32
        self.embed, self.readout = nn.Linear(slices * n0 * n1, self.n_features), nn.Linear(self.n_features, classes)

    def pooled(self, x: Tensor) -> list[Tensor]:
        y = self.slices(x)
        return [y.mean((2, 3)), y.flatten(1)]

    def features(self, pooled: Tensor) -> Tensor:
        return functional.relu(self.embed(pooled))

    def maps(self) -> dict[str, MapLayer]:
        return {}


def plain(name: str, n: int, classes: int = 2, seed: int = 0, **options: object) -> Method:
    torch.manual_seed(seed)
    return METHODS.make(name, Plain(n, classes), classes, **options)


def stacks(features: np.ndarray | Tensor) -> Tensor:
    return torch.as_tensor(features, dtype=torch.float32)[:, None, None, :]


def blobs(number: int, n: int = 2, classes: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features (number, n) of unit scatter about 3 times a corner of the simplex, and labels."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(number) % classes
    return torch.randn(number, n, generator=generator) + 3 * functional.one_hot(labels, n).float(), labels


def fitted(method: Method, features: Tensor, labels: Tensor, steps: int, rate: float = 1e-2) -> Method:
    """Trained on all features at once, then fitted."""
    optimiser = torch.optim.Adam(method.parameters(), lr=rate)
    x, onehot = stacks(features), functional.one_hot(labels, method.classes).float()
    for step in range(steps):
        torch.manual_seed(step)
        method.train()
        optimiser.zero_grad()
        method.loss(Batch(x, method.backbone(x), onehot, step / steps, step, len(x))).backward()
        optimiser.step()
        method.eval()
    method.fit(features, labels)
    return method


def draws(method: Method, features: Tensor, number: int, seed: int = 0) -> Tensor:
    x = stacks(features)
    with torch.no_grad():
        return method.draws(x, method.backbone(x), number, torch.Generator().manual_seed(seed))


def epistemic(method: Method, features: Tensor, number: int = 64) -> Tensor:
    return method.epistemic(draws(method, features, number))
