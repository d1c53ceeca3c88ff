"""Random numbers of samples of a posterior."""

from __future__ import annotations

import torch
from torch import Tensor


def normal(like: Tensor, *shape: int, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal numbers of a shape, of the type and on the device of ``like``.

    Drawn on the CPU: a generator gives the same numbers on every device. Without one, torch's own draws.
    """
    return torch.randn(shape, generator=generator).to(like)
