"""Pixels of a small crystal, from runs that are made here."""

from __future__ import annotations

from pathlib import Path

import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml.sqw import Sqw
from insml.sqw.generate import generate


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder / f"run{n}.nxspe", n, 40.0 + n) for n in range(3)]


@pytest.fixture(scope="session")
def data(runs: list[Path]) -> Sqw:
    """Three runs in memory, 6 bins along each axis."""
    return generate(runs, None, lattice=LATTICE, **STANDS, **ANGLES, grid=[6, 6, 6, 6])
