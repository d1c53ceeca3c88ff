"""What is drawn, and Horace's habits with figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run
from matplotlib.colors import LogNorm

from insml import GeometryError
from insml.horace import (
    acolor,
    aline,
    amark,
    cut,
    da,
    dh,
    func_eval,
    keep_figure,
    line_proj,
    logz,
    lx,
    lz,
    permute,
    ploc,
    plot,
    plotover,
)
from insml.sqw import Sqw
from insml.sqw.generate import generate


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Sqw:
    folder = tmp_path_factory.mktemp("runs")
    runs = [write_run(folder / f"run{n}.nxspe", n, 40.0 + n) for n in range(3)]
    data = generate(runs, None, lattice=LATTICE, **STANDS, **ANGLES, grid=[4, 4, 4, 4])
    return cut(data, line_proj([1, 1, 0], [0, 1, 0]), [-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 5, 30])


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    plt.close("all")
    yield
    plt.close("all")


def test_points_are_the_measured_bins(plane: Sqw) -> None:
    line = cut(plane, [-1, 1], [])
    _, ax = plot(line)
    there = line.npix > 0
    x, y = ax.lines[0].get_data()
    np.testing.assert_array_equal(x, line.centres[0][there])
    np.testing.assert_array_equal(y, line.signal[there])
    assert ax.get_xlabel() == "Energy transfer (meV)"
    assert "-1 < " in ax.get_title()


def test_unmeasured_bins_are_blank(plane: Sqw) -> None:
    _, ax = plot(plane)
    drawn = np.ma.getmaskarray(ax.collections[0].get_array()).reshape(plane.shape[::-1]).T
    np.testing.assert_array_equal(drawn, plane.npix == 0)
    assert drawn.any()
    assert ax.get_xlabel().startswith("[1, 1, 0]")
    _, turned = da(permute(plane))
    assert turned.get_ylabel().startswith("[1, 1, 0]")


def test_figures_are_kept_or_reused(plane: Sqw) -> None:
    import matplotlib.pyplot as plt

    line = cut(plane, [-1, 1], [])
    first, _ = plot(line)
    again, ax = plot(line)
    assert again is first
    plotover(func_eval(line, lambda x, p: p[0] + 0 * x, [1.0]))
    assert len(ax.containers) == 2
    plot(plane)
    ploc(cut(plane, [-1, 1], []))
    assert len(plt.get_fignums()) == 2
    keep_figure()
    plot(plane)
    assert len(plt.get_fignums()) == 3


def test_limits_and_styles(plane: Sqw) -> None:
    _, ax = plot(plane)
    lz(0.5, 1.5)
    assert ax.collections[0].get_clim() == (0.5, 1.5)
    logz()
    assert isinstance(ax.collections[0].norm, LogNorm)
    lx(-1, 1)
    assert ax.get_xlim() == (-1, 1)
    lx()
    assert ax.get_xlim()[1] > 1.5
    try:
        acolor("r")
        amark("s", 3)
        aline("--", 2)
        _, ax = plot(cut(plane, [-1, 1], []))
        line = ax.lines[0]
        assert (line.get_color(), line.get_marker(), line.get_markersize(), line.get_linestyle(), line.get_linewidth()) == \
            ("red", "s", 3, "--", 2)
    finally:
        acolor("black")
        amark("o", 5.0)
        aline("-", 1.0)


def test_histograms_and_mistakes(plane: Sqw, tmp_path: Path) -> None:
    figure, ax = dh(cut(plane, [-1, 1], []))
    assert len(ax.patches) == 1
    figure.savefig(tmp_path / "h.png")
    with pytest.raises(GeometryError, match="one or two axes, found 0"):
        plot(cut(plane, [-1, 1], [0, 10]))
    with pytest.raises(GeometryError, match="data of a cut"):
        plot(np.ones(3))
    with pytest.raises(GeometryError, match="two axes"):
        da(cut(plane, [-1, 1], []))
