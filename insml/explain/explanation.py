"""Why a network answers as it does for one mosaic: maps on its pixels and a number for each slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from insml.answer import ModelFit
from insml.explain.attributions import attribute
from insml.explain.counterfactual import exchanged
from insml.explain.layers import map_layer
from insml.explain.subject import Subject
from insml.mosaic import Mosaic

if TYPE_CHECKING:
    from insml.learn.ensemble import Network

Array = NDArray[np.float64]

_SHARING = {
    "": "",
    "slice": "the layer knows slices apart",
    "image": "tiles stand side by side in the layer; what it sees reaches over their borders",
    "stack": "the layer mixes slices: its map is the same for all, times each slice's |input x gradient|",
}


@dataclass(frozen=True, eq=False)
class Explanation:
    """Of the log odds between two candidates.

    Attributes
    ----------
    maps : (n_slices, n0, n1) in measured bins, 0 where masked; mirror images that the network folds have the same.
    slices : (n_slices,) sum of the maps over the pixels that the network sees of each slice. For "counterfactual",
        "integrated-gradients" and "occlusion" in units of the log odds.
    log_odds : score of ``winner`` minus that of ``runner_up``, over the temperature that calibrates them.
    winner, runner_up : candidates' names. method, layer : names; "" for a method without a layer.
    sharing : how a slice comes by its map.
    """

    maps: Array
    slices: Array
    log_odds: float
    winner: str
    runner_up: str
    method: str
    layer: str
    sharing: str

    @property
    def shares(self) -> Array:
        """(n_slices,) of what speaks for the winner, sum 1: the positive values over their sum; 0 where there is none."""
        positive = np.maximum(self.slices, 0)
        return np.asarray(positive / max(float(positive.sum()), 1e-300))


def explain(network: Network, mosaic: Mosaic, method: str = "layercam", layer: str | None = None, *,
            fits: Mapping[str, ModelFit] | None = None) -> Explanation:
    """Explain the log odds between the two most probable candidates; of an ensemble, the mean over its members.

    Parameters
    ----------
    method, layer : see :func:`insml.explain.attributions.attribute`.
    fits : best fits of ``insml.fit`` or ``refine`` to this mosaic by candidate, for "counterfactual".

    Raises
    ------
    InsmlError : as ``attribute``. GeometryError : other slices or bins than the network was trained on.
    """
    from insml.learn.ensemble import Ensemble

    probabilities = network.predict(mosaic).probabilities
    winner, runner_up = sorted(network.candidates, key=lambda name: -probabilities[name])[:2]
    classes = (network.candidates.index(winner), network.candidates.index(runner_up))
    members = network.members if isinstance(network, Ensemble) else (network,)
    signal, mask = mosaic.stack, mosaic.stack_mask
    other = None
    if fits is not None and winner in fits and runner_up in fits:
        other = exchanged(signal, fits[winner], fits[runner_up])
    maps, log_odds = np.zeros(network.form.layout.stack_shape), 0.0
    for member in members:
        subject = Subject.of(member, signal, mask, classes, other)
        own, used = attribute(subject, method, layer)
        maps += own / (member.temperature * len(members))
        log_odds += subject.margin / (member.temperature * len(members))
    sharing = _SHARING[map_layer(subject, used).sees if used else ""]
    unfolded = np.where(mask, 0, network.form.unfold(maps))
    return Explanation(unfolded, maps.sum((1, 2)), log_odds, winner, runner_up, method, used, sharing)
