"""Clean simulated images in memory, with what they were made from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import InsmlError
from insml.mosaic import MosaicLayout

_ARRAYS = ("clean", "labels", "theta")


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Noiseless simulated stacks with what they were made from.

    Attributes
    ----------
    clean : (n, n_slices, n0, n1) float32 or float16, intensity >= 0 in any units, without noise, background or mask.
    labels : (n,) int64, index into ``candidates``.
    theta : (n, npar) float64, parameters of each image in the order of ``parameter_names[label]``; rows of candidates
        with fewer parameters end in NaN.
    parameter_names : for each candidate the names of its parameters.
    candidates : names, in study order.
    layout : slices and bins of the stacks.
    study_digest : identifies what was simulated (``Study.simulation_digest``).
    seed : of the draw of the parameters.
    """

    clean: NDArray[np.floating[Any]]
    labels: NDArray[np.int64]
    theta: NDArray[np.float64]
    parameter_names: tuple[tuple[str, ...], ...]
    candidates: tuple[str, ...]
    layout: MosaicLayout
    study_digest: str
    seed: int

    def __post_init__(self) -> None:
        n = len(self.labels)
        for name, found, expected in (
            ("clean", self.clean.shape, (n, *self.layout.stack_shape)),
            ("labels", self.labels.shape, (n,)),
            ("theta", self.theta.shape, (n, max(map(len, self.parameter_names), default=0))),
            ("parameter_names", len(self.parameter_names), len(self.candidates)),
        ):
            if found != expected:
                raise InsmlError(f"training set: {name}: expected shape {expected}, found {found}")
        if len(self.candidates) < 2:
            raise InsmlError(f"training set: candidates: expected at least two, found {len(self.candidates)}")
        if n and not (self.labels.min() >= 0 and self.labels.max() < len(self.candidates)):
            raise InsmlError(f"training set: labels: expected 0 to {len(self.candidates) - 1}, "
                             f"found {self.labels.min()} to {self.labels.max()}")

    def __len__(self) -> int:
        return len(self.labels)

    def parameters(self, i: int) -> dict[str, float]:
        """Parameters of image ``i`` by name, meV."""
        names = self.parameter_names[int(self.labels[i])]
        return {name: float(value) for name, value in zip(names, self.theta[i], strict=False)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of contents; equal sets train equal networks."""
        h = hashlib.sha256(json.dumps(self._header(), sort_keys=True).encode())
        for name in _ARRAYS:
            h.update(np.ascontiguousarray(getattr(self, name)).data)
        return h.hexdigest()

    def _header(self) -> dict[str, Any]:
        return {
            "candidates": list(self.candidates),
            "parameter_names": [list(names) for names in self.parameter_names],
            "layout": self.layout.to_dict(), "study_digest": self.study_digest, "seed": self.seed,
        }
