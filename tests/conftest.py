"""Shared fixtures. Measured files and oracles lie outside the project; tests that need them skip without them."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as insml.learn has it, for tests that import torch before

# speed is measured in benchmarks; on a busy machine any deadline passes
settings.register_profile("insml", deadline=None)
settings.load_profile("insml")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED.is_dir():
        pytest.skip("shared measured data not present")
    return SHARED
