"""AlexNet (Krizhevsky et al. 2012) for small grey images: its five convolutions with an eighth of the channels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from insml.errors import GeometryError
from insml.learn.networks.backbone import Backbone, MapLayer, Tiles
from insml.mosaic import MosaicLayout

_SMALLEST = 63


class SmallAlexNet(Backbone):
    """0.3 M parameters; the last layer is averaged over space rather than kept whole."""

    def __init__(self, layout: MosaicLayout, classes: int) -> None:
        super().__init__()
        if min(layout.shape) < _SMALLEST:
            raise GeometryError(f"network: expected an image of at least {_SMALLEST} x {_SMALLEST} pixels, found "
                                f"{layout.shape}")
        self.tiles = Tiles(layout)
        self.early = nn.Sequential(nn.Conv2d(1, 16, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
                                   nn.Conv2d(16, 48, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.late = nn.Sequential(nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(),
                                  nn.Conv2d(64, 64, 3, padding=1), nn.ReLU())
        self.n_features = 64
        self.embed = nn.Linear(64, self.n_features)
        self.readout = nn.Linear(self.n_features, classes)

    def pooled(self, x: Tensor) -> list[Tensor]:
        early = self.early(self.tiles(x))
        return [early.mean((2, 3)), self.late(early).mean((2, 3))]

    def features(self, pooled: Tensor) -> Tensor:
        return functional.relu(self.embed(pooled))

    def maps(self) -> dict[str, MapLayer]:
        # strides 4, 2 and 2; the first window begins 2 pixels before the image
        return {"early": MapLayer(self.early, (16, 16), (15.0, 15.0)), "late": MapLayer(self.late, (16, 16), (15.0, 15.0))}
