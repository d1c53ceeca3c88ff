"""Files say by their pixels which E / k^2 made them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml.io import read_sqw, write_sqw
from insml.sqw import Sqw
from insml.sqw.accumulate import accumulate
from insml.sqw.energy_constant import ENERGY_OF_K2, LEGACY, energy_of_k2
from insml.sqw.generate import generate


@pytest.mark.parametrize(("name", "expected"), [
    ("faccess_sqw_v4_sample.sqw", LEGACY), ("fe_cut.sqw", ENERGY_OF_K2), ("sqw_1d_2.sqw", LEGACY), ("sqw_2d_1.sqw", LEGACY),
    ("w1d_sqw.sqw", LEGACY), ("w2d_qq_small_sqw.sqw", LEGACY)])
def test_measured_files(shared_data: Path, name: str, expected: float) -> None:
    assert energy_of_k2(read_sqw(shared_data / "sqw" / name)) == expected


@pytest.mark.parametrize("constant", [ENERGY_OF_K2, LEGACY])
def test_runs_that_are_added_are_made_alike(tmp_path: Path, constant: float) -> None:
    """A file of old pixels grows by pixels of the same constant, as if all had been made at once."""
    files = [write_run(tmp_path / f"run{n}.nxspe", n) for n in range(2)]
    stands = {"lattice": LATTICE, **STANDS, "psi": ANGLES["psi"][:2]}
    whole = generate(files, None, **stands, energy_of_k2=constant)
    assert energy_of_k2(whole) == constant
    box = [[e[0] for e in whole.axes.all_edges], [e[-1] for e in whole.axes.all_edges]]
    alone = {**stands, "psi": stands["psi"][0]}
    first = generate(files[:1], None, **alone, energy_of_k2=constant, limits=box, grid=[50] * 4)
    write_sqw(tmp_path / "w.sqw", first)
    grown = accumulate(files, tmp_path / "w.sqw", **stands)
    np.testing.assert_array_equal(np.sort(grown.pixels.read(), axis=0), np.sort(whole.pixels.read(), axis=0))


def test_nothing_says_so(tmp_path: Path) -> None:
    """Without pixels or detectors: today's."""
    from dataclasses import replace

    from insml.sqw.detectors import DetectorTable

    w = generate([write_run(tmp_path / "a.nxspe", 0)], None, lattice=LATTICE, **STANDS, energy_of_k2=LEGACY)
    assert energy_of_k2(w) == LEGACY
    assert energy_of_k2(replace(w, detectors=DetectorTable(*[np.zeros(0)] * 6))) == ENERGY_OF_K2
    assert isinstance(w, Sqw)
