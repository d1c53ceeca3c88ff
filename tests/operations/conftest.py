"""Pixels of a small crystal, cut along axes that are not the crystal's."""

from __future__ import annotations

import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml.sqw import LineProj, Sqw
from insml.sqw.cut import cut
from insml.sqw.generate import generate


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Sqw:
    """Three runs in memory, 6 bins along each axis."""
    folder = tmp_path_factory.mktemp("runs")
    runs = [write_run(folder / f"run{n}.nxspe", n, 40.0 + n) for n in range(3)]
    return generate(runs, None, lattice=LATTICE, **STANDS, **ANGLES, grid=[6, 6, 6, 6])


@pytest.fixture(scope="session")
def plane(data: Sqw) -> Sqw:
    """A slice, 8 bins along [1, 1, 0] and 7 of energy."""
    return cut(data, LineProj((1, 1, 0), (0, 1, 0)), [-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 5, 30])
