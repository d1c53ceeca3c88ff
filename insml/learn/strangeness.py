"""How strange an image is to a trained network: the score that comes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from insml.learn.appearance import smoothness
from insml.learn.oddness import mirrored
from insml.learn.record import Record
from insml.learn.uncertainty.density import FeatureDensity

Array = NDArray[np.float64]

#: What densities are of, by name.
PARTS = ("network", "appearance", "gaps", "symmetry")
_DIRECTIONS = 16  # of features, whose changes are looked at
_LEVELS = 3       # of noise
_LEAST = 100      # images of a class and a level
_LEAST_SPREAD = 0.02
_USUAL = {"gaps": 3.0, "symmetry": 1.0}  # standard deviations within which these tell nothing


class Part(NamedTuple):
    """A density, and mean and standard deviation of its score over held-out simulations."""

    density: FeatureDensity
    centre: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True, eq=False)
class Strangeness:
    """The sum of the scores of several densities, each in standard deviations of held-out simulations; of gaps and symmetry
    what is beyond usual bounds: how many slices are missing within them tells nothing.

    parts : by what they are of. "network", what its middle layer finds (``Record.middle``) and what its features gain
    without each run (``Record.changes``): strange for other physics, and for runs that tell of different physics.
    "appearance", moments of the slices themselves (``Record.appearance``), strange for other backgrounds. "gaps", how many
    slices are missing and how many side by side (``Record.gaps``). "symmetry", how mirror images differ in what all slices
    have in common (``Record.odd``), strange for intensity that slopes and for crystals that are turned; there is none where
    nothing is folded.
    directions : (n_features, k) of features, along which their changes are looked at: those in which most of them vary.
    """

    parts: Mapping[str, Part]
    directions: Array

    @classmethod
    def fit(cls, known: Record, labels: NDArray[np.int64], classes: int, held_out: Record) -> Self:
        """Densities of training images (labels (n,)), scales of others that were held out."""
        scatter = np.cov(known.features, rowvar=False).reshape(known.features.shape[1], -1)
        directions = np.linalg.eigh(scatter)[1][:, ::-1][:, :_DIRECTIONS]  # eigh: ascending
        groups, number = _groups(labels, classes, smoothness(known.appearance))
        own, others, parts = _seen(known, directions), _seen(held_out, directions), {}
        for name in own:
            # a slice more or less is nothing strange where none was ever missing
            blur = 1 / known.slices if name == "gaps" else 0.0
            # every mirror image is as usual
            seen = mirrored(own[name]) if name == "symmetry" else own[name]
            density = FeatureDensity.fit(seen, np.resize(groups, len(seen)), number, blur=blur)
            usual = density.score(others[name])
            parts[name] = Part(density, float(usual.mean()), max(float(usual.std()), _LEAST_SPREAD))
        return cls(parts, directions)

    def __call__(self, record: Record) -> Array:
        """(n,) larger for stranger images."""
        return np.asarray(np.sum(list(self.each(record).values()), axis=0))

    def each(self, record: Record) -> dict[str, Array]:
        """(n,) of each part."""
        seen, each = _seen(record, self.directions), {}
        for name, part in self.parts.items():
            if name in seen:
                score = (part.density.score(seen[name]) - part.centre) / part.spread
                each[name] = np.maximum(score - _USUAL[name], 0) if name in _USUAL else score
            else:
                each[name] = np.zeros(len(record.scores))
        return each

    def contents(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """For the header and the tensors of a file."""
        tensors: dict[str, NDArray[Any]] = {"density.directions": self.directions}
        for name, part in self.parts.items():
            means, factors = part.density.means, part.density.factors
            tensors[f"density.{name}.means"] = means.astype(np.float32)
            tensors[f"density.{name}.factors"] = factors[:, *np.tril_indices(means.shape[1])].astype(np.float32)
        return {name: [p.centre, p.spread] for name, p in self.parts.items()}, tensors

    @classmethod
    def of_contents(cls, header: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of :meth:`contents`."""
        parts = {}
        for name, (centre, spread) in header.items():
            means = tensors[f"density.{name}.means"].astype(float)
            factors = np.zeros((*means.shape, means.shape[1]))
            factors[:, *np.tril_indices(means.shape[1])] = tensors[f"density.{name}.factors"]
            parts[name] = Part(FeatureDensity(means, factors), float(centre), float(spread))
        return cls(parts, tensors["density.directions"])


def _seen(record: Record, directions: Array) -> dict[str, Array]:
    changes = (record.changes @ directions).reshape(len(record.changes), -1)
    seen = {"network": np.concatenate([record.middle, changes], axis=1), "appearance": record.appearance,
            "gaps": record.gaps}
    return seen | {"symmetry": record.odd} if record.odd.shape[1] else seen


def _groups(labels: NDArray[np.int64], classes: int, smooth: Array) -> tuple[NDArray[np.int64], int]:
    """(n,) class and level of noise of each image, as one number, and how many of them there are: what is unusual for a
    noisy image is another thing than for one with many counts."""
    levels = int(np.clip(np.bincount(labels, minlength=classes).min() // _LEAST, 1, _LEVELS))
    level = np.zeros_like(labels)
    for c in range(classes):
        own = np.flatnonzero(labels == c)
        level[own[np.argsort(smooth[own], kind="stable")]] = np.arange(len(own)) * levels // len(own)
    return labels * levels + level, classes * levels
