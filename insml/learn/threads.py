"""Threads: those of torch's operations, and workers beside them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """So many for each operation, in this thread and in those that begin inside; the caller's number comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def workers(n: int) -> Iterator[Executor]:
    """So many threads. What is not begun when this ends, or is stopped, is not waited for."""
    executor = ThreadPoolExecutor(n)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)
