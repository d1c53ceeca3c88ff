"""Runs added as they come make the file that all together make."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

from insml import GeometryError
from insml.crystal.lattice import Lattice
from insml.sqw.accumulate import accumulate
from insml.sqw.generate import generate

SETTINGS = {"lattice": LATTICE, **STANDS, **ANGLES, "grid": [6, 6, 6, 6]}


def by_origin(pixels: np.ndarray) -> np.ndarray:
    return pixels[np.lexsort((pixels[:, 6], pixels[:, 5], pixels[:, 4]))]


def test_in_any_order(runs: list[Path], tmp_path: Path) -> None:
    planned = [tmp_path / f"{n}.nxspe" for n in range(3)]
    out = tmp_path / "w.sqw"
    with pytest.raises(GeometryError, match="expected at least one of 3"):
        accumulate(planned, out, **SETTINGS)  # type: ignore[arg-type]
    for n, ids in ((2, [3]), (0, [1, 3]), (1, [1, 2, 3])):
        shutil.copy(runs[n], planned[n])
        w = accumulate(planned, out, **SETTINGS)  # type: ignore[arg-type]
        assert [run.id for run in w.runs] == ids
        assert [run.filename for run in w.runs] == [f"{i - 1}.nxspe" for i in ids]
        assert w.counted.sum() == len(w.pixels) == 58 * 24 * len(ids)
    limits = np.array([[e[0], e[-1]] for e in w.axes.all_edges]).T
    together = generate(runs, None, **SETTINGS, limits=limits)  # type: ignore[arg-type]
    np.testing.assert_array_equal(w.npix, together.npix)
    np.testing.assert_allclose(w.signal, together.signal, rtol=1e-12)
    np.testing.assert_array_equal(by_origin(w.pixels.read()), by_origin(together.pixels.read()))
    before = out.stat().st_mtime_ns
    assert len(accumulate(planned, out, **SETTINGS).pixels) == len(w.pixels)  # type: ignore[arg-type]
    assert out.stat().st_mtime_ns == before


def test_what_does_not_fit_is_named(runs: list[Path], tmp_path: Path) -> None:
    planned = [tmp_path / f"{n}.nxspe" for n in range(3)]
    shutil.copy(runs[0], planned[0])
    accumulate(planned, tmp_path / "w.sqw", **SETTINGS)  # type: ignore[arg-type]
    held = (tmp_path / "w.sqw").read_bytes()
    write_run(planned[1], 1, ei=80.0)
    with pytest.raises(GeometryError, match=r"1\.nxspe: expected 1392 pixels within the limits of the file, found"):
        accumulate(planned, tmp_path / "w.sqw", **SETTINGS)  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="expected the lattice"):
        accumulate(planned[:1], tmp_path / "w.sqw", **SETTINGS | {  # type: ignore[arg-type]
            "lattice": Lattice(4, 4, 4), **{k: v[0] if isinstance(v, list) else v for k, v in ANGLES.items()}})
    assert (tmp_path / "w.sqw").read_bytes() == held
