"""Pixels into slices, by the library and by the drop-in scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crystal_runs import LATTICE, write_run

from insml import GeometryError
from insml.crystal.orientation import Orientation
from insml.io import read_mosaic
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.pixel_mosaic import mosaic_of_pixels
from insml.sqw import Sqw
from insml.study import bundled

SCRIPTS = Path(__file__).parents[2] / "scripts"


def layout(third: tuple[float, float, float], *eis: float | None) -> MosaicLayout:
    axes = (Axis("h", (1.0, 0.0, 0.0), np.linspace(-1, 2, 7)), Axis("k", (-0.5, 1.0, 0.0), np.linspace(-2, 2, 9)))
    slices = tuple(SliceSpec((5.0 * n, 5.0 * n + 5), ei) for n, ei in enumerate(eis))
    return MosaicLayout(axes, third, slices, (1, len(eis)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_slices_are_means_of_their_pixels(data: Sqw, sign: float) -> None:
    """By numpy, with a range along a third axis of either sign."""
    pixels = data.pixels.read().astype(float)
    hkl = pixels[:, :3] @ np.linalg.inv(Orientation(LATTICE, (1, 0, 0), (0, 1, 0)).b).T
    # h (1, 0, 0) + k (-1/2, 1, 0) + l (0, 0, sign)
    x = np.column_stack([hkl[:, 0] + 0.5 * hkl[:, 1], hkl[:, 1], sign * hkl[:, 2], pixels[:, 3]])
    made = layout((0.0, 0.0, sign), None, None)
    mosaic = mosaic_of_pixels([data], made, third_range=(-0.4, 1.1))
    for s, spec in enumerate(made.slices):
        edges = [made.axes[0].edges, made.axes[1].edges, np.array([-0.4, 1.1]), np.array(spec.energy)]
        count, _ = np.histogramdd(x, edges)
        total, _ = np.histogramdd(x, edges, weights=pixels[:, 7])
        assert count.sum() > 50
        np.testing.assert_array_equal(mosaic.stack_mask[s], count[..., 0, 0] == 0)
        covered = ~mosaic.stack_mask[s]
        np.testing.assert_allclose(mosaic.stack[s][covered], (total / np.maximum(count, 1))[..., 0, 0][covered], rtol=1e-9)


def test_slices_take_the_data_of_their_incident_energy(data: Sqw) -> None:
    mosaic = mosaic_of_pixels([data], layout((0.0, 0.0, 1.0), 41.0, 90.0))
    assert not mosaic.stack_mask[0].all()
    assert mosaic.stack_mask[1].all()
    with pytest.raises(GeometryError, match="their Ei is 41 meV"):
        mosaic_of_pixels([data], layout((0.0, 0.0, 1.0), 90.0))


def test_from_runs_to_a_mosaic_by_scripts(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / f"{n}.nxspe", n, ei=60.0) for n in range(3)]
    out = tmp_path / "w.sqw"
    crystal = ["--lattice", "4", "4", "6", "90", "90", "90", "--u", "1", "0", "0", "--v", "0", "1", "0"]
    made = subprocess.run([sys.executable, SCRIPTS / "nxspe_to_sqw.py", out, *runs, *crystal, "--psi", "0", "20", "40",
                           "--grid", "5"], check=True, capture_output=True, text=True)
    assert made.stdout.endswith("pixels of 3 runs\n")
    cut = subprocess.run([sys.executable, SCRIPTS / "sqw_to_mosaic.py", "square_antiferromagnet", tmp_path / "m.nxs", out],
                         check=True, capture_output=True, text=True)
    assert "% covered" in cut.stdout
    mosaic = read_mosaic(tmp_path / "m.nxs")
    assert mosaic.layout.same_bins(bundled("square_antiferromagnet").layout)
    assert not mosaic.mask.all()
    failed = subprocess.run([sys.executable, SCRIPTS / "sqw_to_mosaic.py", "manganite", tmp_path / "n.nxs", runs[0]],
                            check=False, capture_output=True, text=True)
    assert failed.returncode == 2
    assert failed.stderr.startswith("sqw_to_mosaic: error: ")
