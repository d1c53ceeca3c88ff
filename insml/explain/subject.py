"""What is explained: one image before a network, and between which two candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from insml.datasets.corrupt import standardise
from insml.mosaic import MosaicLayout

if TYPE_CHECKING:
    from insml.learn.classifier import Classifier
    from insml.learn.method import Method


@dataclass(frozen=True, eq=False)
class Subject:
    """In the form the network sees, folded where it folds.

    Attributes
    ----------
    layout : of the stack. x : (1, n_slices, m0, m1) standardised. mask : (n_slices, m0, m1) True without detector.
    winner, runner_up : classes; the score that is explained is that of the first minus that of the second.
    exchanged : ``x`` with the signal of the runner-up in place of the winner's (:mod:`insml.explain.counterfactual`), None
        where it is not known.
    """

    method: Method
    layout: MosaicLayout
    x: Tensor
    mask: NDArray[np.bool_]
    winner: int
    runner_up: int
    exchanged: Tensor | None = None

    @classmethod
    def of(cls, classifier: Classifier, signal: NDArray[Any], mask: NDArray[np.bool_], classes: tuple[int, int],
           exchanged: NDArray[Any] | None = None) -> Subject:
        """Of a stack (n_slices, n0, n1) in measured bins. ``classes``: winner and runner-up. ``exchanged``: a stack."""
        folded, hidden = classifier.form.fold(signal, mask)
        x = torch.from_numpy(standardise(folded, hidden)[None])
        other = None if exchanged is None else torch.from_numpy(classifier.form(exchanged, mask)[None])
        return cls(classifier.method, classifier.form.layout, x, hidden, *classes, other)

    def score(self, x: Tensor) -> Tensor:
        """(batch,) ``Method.margin``, before any activation; whatever mode the network is left in."""
        from insml.learn.evaluation_mode import evaluation_mode

        with evaluation_mode(self.method):
            return self.method.margin(x, self.winner, self.runner_up)

    @property
    def margin(self) -> float:
        """The score of the image itself."""
        with torch.no_grad():
            return float(self.score(self.x))

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(n_slices,) whether a slice has a detector at all."""
        return np.asarray(~self.mask.all((1, 2)))
