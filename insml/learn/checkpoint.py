"""State of a training between two epochs, from which it goes on bit for bit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from insml.errors import FormatError
from insml.learn.tensorfile import load_state_arrays, read_tensors, state_arrays, write_tensors

KIND = "insml training checkpoint"
_OPTIMISER = "optimiser"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """``identity`` says which training it is, ``epoch`` how many are complete."""

    identity: dict[str, Any]
    epoch: int
    history: list[dict[str, float]]
    arrays: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, identity: dict[str, Any], epoch: int, history: list[dict[str, float]], method: nn.Module,
           readout: nn.Module, optimiser: torch.optim.Optimizer) -> Checkpoint:
        moments: dict[str, NDArray[Any]] = {
            f"{_OPTIMISER}.{number}.{name}": value.cpu().numpy()
            for number, state in optimiser.state_dict()["state"].items() for name, value in state.items()
        }
        return cls(identity, epoch, history, moments | state_arrays(method=method, readout=readout))

    def restore(self, method: nn.Module, readout: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Set weights, buffers and the optimiser's moments."""
        load_state_arrays(self.arrays, method=method, readout=readout)
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in self.arrays.items():
            part, _, rest = key.partition(".")
            if part == _OPTIMISER:
                number, name = rest.split(".")
                state.setdefault(int(number), {})[name] = torch.from_numpy(np.array(value))
        optimiser.load_state_dict(optimiser.state_dict() | {"state": state})

    def save(self, path: Path) -> None:
        write_tensors(path, KIND, {"identity": self.identity, "epoch": self.epoch, "history": self.history},
                      self.arrays)

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        header, arrays = read_tensors(path, KIND)
        try:
            return cls(header["identity"], header["epoch"], header["history"], arrays)
        except KeyError as e:
            raise FormatError(path, KIND, f"none for {e}") from e
