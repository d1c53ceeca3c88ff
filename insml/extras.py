"""What is installed beside insml itself."""

from __future__ import annotations

import importlib.util

from insml.errors import MissingExtraError


def has_torch() -> bool:
    """Without importing it."""
    return importlib.util.find_spec("torch") is not None


def need_torch(purpose: str) -> None:
    """Before anything slow is imported or read. Raises MissingExtraError: torch is not installed."""
    if not has_torch():
        raise MissingExtraError("torch", "ml", purpose)
