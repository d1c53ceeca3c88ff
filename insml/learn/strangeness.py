"""How strange an image is to a trained network: the score that comes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from insml.learn.record import Record
from insml.learn.uncertainty.density import FeatureDensity

Array = NDArray[np.float64]

#: What densities are of, by name.
PARTS = ("middle", "appearance", "gaps")
_LEAST_SPREAD = 0.02
_USUAL = 3.0  # standard deviations


class Part(NamedTuple):
    """A density, and mean and standard deviation of its score over held-out simulations."""

    density: FeatureDensity
    centre: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True, eq=False)
class Strangeness:
    """The sum of the scores of several densities, each in standard deviations of held-out simulations; of gaps what is
    beyond three of them, for how many slices are missing within the usual bounds tells nothing.

    parts : by what they are of: "middle", what the network's middle layer finds (``Record.middle``), strange for other
    physics; "appearance", moments of the slices themselves (``Record.appearance``), strange for other backgrounds; "gaps",
    how many slices are missing and how many side by side (``Record.gaps``). Files of earlier versions have "middle" alone,
    as it is.
    """

    parts: Mapping[str, Part]

    @classmethod
    def of(cls, density: FeatureDensity) -> Self:
        """That density of the middle layer alone."""
        return cls({"middle": Part(density)})

    @classmethod
    def fit(cls, known: Record, labels: NDArray[np.int64], classes: int, held_out: Record) -> Self:
        """Densities of training images (labels (n,)), scales of others that were held out."""
        parts = {}
        for name in PARTS:
            # a slice more or less is nothing strange where none was ever missing
            blur = 1 / (known.appearance.shape[1] // 4) if name == "gaps" else 0.0
            density = FeatureDensity.fit(getattr(known, name), labels, classes, blur=blur)
            usual = density.score(getattr(held_out, name))
            parts[name] = Part(density, float(usual.mean()), max(float(usual.std()), _LEAST_SPREAD))
        return cls(parts)

    def __call__(self, record: Record) -> Array:
        """(n,) larger for stranger images."""
        return np.asarray(np.sum(list(self.each(record).values()), axis=0))

    def each(self, record: Record) -> dict[str, Array]:
        """(n,) of each part."""
        each = {name: (p.density.score(getattr(record, name)) - p.centre) / p.spread for name, p in self.parts.items()}
        if "gaps" in each:
            each["gaps"] = np.maximum(each["gaps"] - _USUAL, 0)
        return each

    def contents(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """For the header and the tensors of a file."""
        tensors = {f"density.{name}.{what}": getattr(p.density, what)
                   for name, p in self.parts.items() for what in ("means", "factors")}
        return {name: [p.centre, p.spread] for name, p in self.parts.items()}, tensors

    @classmethod
    def of_contents(cls, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of :meth:`contents`."""
        return cls({name: Part(FeatureDensity(*(tensors[f"density.{name}.{what}"] for what in ("means", "factors"))),
                               float(centre), float(spread)) for name, (centre, spread) in header.items()})
