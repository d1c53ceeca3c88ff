"""What the pictures show: numbers where they belong, labels with units."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, QuadMesh

from insml.errors import GeometryError
from insml.spinwave.binning import BinnedSpectrum
from insml.spinwave.paths import grid, path
from insml.spinwave.plots import plot_dispersion, plot_map, plot_powder, plot_slice
from insml.spinwave.powder import PowderSpectrum
from insml.spinwave.temperature import Lines

HEXAGONAL = np.array([[3.0, 0, 0], [-1.5, 1.5 * np.sqrt(3), 0], [0, 0, 5.0]])
EDGES = np.array([0.0, 1.0, 3.0, 4.0])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def way():
    return path([[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]], [3, 2], lattice_vectors=HEXAGONAL, labels=["Γ", "M", "X"])


def mesh(ax):
    return next(c for c in ax.collections if isinstance(c, QuadMesh))


def bar_label(ax):
    return ax.child_axes[0].get_ylabel()


def test_dispersion(way):
    energy = np.array([[1.0, 2], [1.5, 2], [2, np.nan], [2.5, 3]])
    lines = Lines(way.q, energy, np.array([[1.0, 0], [1, 4], [3, 0], [1, 0]]), lattice_vectors=HEXAGONAL)
    ax = plot_dispersion(lines, way, brightest=2.5)
    drawn = next(c for c in ax.collections if isinstance(c, LineCollection))
    segments = np.array(drawn.get_segments())
    assert len(segments) == 4  # three of the first mode, one of the second, none through NaN
    np.testing.assert_allclose(drawn.get_array(), [1, 2, 2, 2])  # bright ones last, on top
    np.testing.assert_allclose(segments[0], [[way.distance[0], 1], [way.distance[1], 1.5]])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["Γ", "M", "X"]
    np.testing.assert_allclose(ax.get_xticks(), way.distance[[0, 2, 3]])
    assert ax.get_ylabel() == "Energy transfer (meV)"
    assert bar_label(ax) == r"$S_\perp$ (cell$^{-1}$)"
    assert drawn.get_clim() == (0, 2.5)


def test_map_along_a_path(way):
    values = np.arange(12.0).reshape(4, 3)
    values[1, 2] = np.nan
    binned = BinnedSpectrum(way.q, EDGES, values, "Sxx", "mbarn/meV/sr/cell", HEXAGONAL)
    given = plt.figure().add_subplot()
    ax = plot_map(binned, way, ax=given)
    assert ax is given
    shown = mesh(ax)
    np.testing.assert_array_equal(shown.get_array().filled(-1), np.where(np.isnan(values), -1, values).T)
    coordinates = shown.get_coordinates()
    np.testing.assert_allclose(coordinates[:, 0, 1], EDGES)
    inner = coordinates[0, 1:-1, 0]
    assert ((way.distance[:-1] < inner) & (inner < way.distance[1:])).all()
    assert bar_label(ax) == "Sxx (mbarn meV$^{-1}$ sr$^{-1}$ cell$^{-1}$)"
    assert shown.get_cmap().get_bad()[:3].tolist() == pytest.approx([0xDD / 255] * 3)


def test_powder_map():
    powder = PowderSpectrum(np.array([0.5, 1.0, 1.5]), EDGES, np.ones((3, 3)))
    ax = plot_powder(powder, brightest=7.0)
    np.testing.assert_allclose(mesh(ax).get_coordinates()[0, :, 0], [0.25, 0.75, 1.25, 1.75])
    assert mesh(ax).get_clim() == (0, 7)
    assert "mathrm{\\AA}^{-1}" in ax.get_xlabel()


def test_constant_energy_map_is_a_mean_over_the_window():
    g = grid([[1, 0, 0], [0, 0, 1]], [[0, 1, 2], [0, 1, 2, 3]])
    values = np.arange(18.0).reshape(6, 3)
    binned = BinnedSpectrum(g.q, EDGES, values, lattice_vectors=HEXAGONAL)
    ax = plot_slice(binned, g, (0, 2.5))  # bins of 1 and 2 meV
    np.testing.assert_allclose(mesh(ax).get_array(), ((values[:, 0] + 2 * values[:, 1]) / 3).reshape(2, 3).T)
    assert ax.get_xlabel() == "[1, 0, 0] (r.l.u.)"
    # one r.l.u. along c* is drawn as much shorter as it is in 1/Angstrom
    assert ax.get_aspect() == pytest.approx((1 / 5) / (2 / (3 * np.sqrt(3))))


def test_oblique_axes_are_drawn_as_they_lie_in_space():
    g = grid([[1, 0, 0], [0, 1, 0]], [[0, 1, 2], [-1, 0, 1]])
    ax = plot_slice(BinnedSpectrum(g.q, EDGES, np.ones((4, 3)), lattice_vectors=HEXAGONAL), g, (0, 4))
    corners = mesh(ax).get_coordinates()
    Q = 2 * np.pi * np.linalg.inv(HEXAGONAL)
    for i, h in enumerate((0, 1, 2)):
        for j, k in enumerate((-1, 0, 1)):
            assert np.linalg.norm(corners[i, j]) == pytest.approx(np.linalg.norm(Q @ [h, k, 0]))
    assert ax.get_aspect() == 1


def test_wrong_points_and_windows(way):
    g = grid([[1, 0, 0], [0, 1, 0]], [[0, 1, 2], [-1, 0, 1]])
    binned = BinnedSpectrum(g.q[:3], EDGES, np.ones((3, 3)), lattice_vectors=HEXAGONAL)
    for call in (lambda: plot_map(binned, way), lambda: plot_slice(binned, g, (0, 1))):
        with pytest.raises(GeometryError, match="expected the wave vectors of the spectrum, 3, found 4"):
            call()
    with pytest.raises(GeometryError, match="energy: expected a window"):
        plot_slice(BinnedSpectrum(g.q, EDGES, np.ones((4, 3))), g, (8, 9))
    with pytest.raises(GeometryError, match="grid: expected two directions"):
        plot_slice(binned, grid([[1, 0, 0]], [[0, 1]]), (0, 1))


def test_matplotlib_is_loaded_when_it_draws():
    code = "import sys, insml.spinwave.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
