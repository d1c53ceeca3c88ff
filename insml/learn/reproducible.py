"""What makes one seed give one network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from insml.learn.threads import torch_threads


@contextmanager
def reproducible(threads: int, device: torch.device) -> Iterator[None]:
    """Deterministic algorithms on so many threads; the caller's choices and random numbers come back afterwards. CUDA has
    no deterministic backward pass of some layers, so there a network is the same to rounding only."""
    on_cpu = device.type == "cpu"
    before = (torch.are_deterministic_algorithms_enabled(),
              torch.utils.deterministic.fill_uninitialized_memory)  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(on_cpu)
    # nothing reads what it has not written; to fill it is a sixteenth of the time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with torch_threads(threads), torch.random.fork_rng(devices=[] if on_cpu else [device]):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.utils.deterministic.fill_uninitialized_memory = before[1]  # type: ignore[attr-defined]
