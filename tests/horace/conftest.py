"""A cut through a ferromagnet for every test that asks for one."""

from __future__ import annotations

import pytest
from ferromagnet_cut import make

from insml.horace import PixelCut


@pytest.fixture
def cut() -> PixelCut:
    return make()
