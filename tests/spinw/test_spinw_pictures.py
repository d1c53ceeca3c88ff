"""Pictures hold what they should."""

from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

from matplotlib import pyplot

from insml.errors import ModelError
from insml.spinw import SpinW, sw_egrid, sw_model, sw_plotspec


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def tri() -> SpinW:
    return sw_model("triAF", 1)


def test_dispersion_along_a_path(tri: SpinW) -> None:
    spec = tri.spinwave([[0, 0, 0], [1 / 2, 0, 0], [1 / 3, 1 / 3, 0], 20])
    _, axes = sw_plotspec(spec, "mode", "disp", "axLim", 4, "qlabel", ["G", "M", "K"], "dashed", True)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["G", "M", "K"]
    np.testing.assert_allclose(axes.get_xticks()[1], np.linalg.norm(spec.hklA[:, 19]))
    assert axes.get_ylim() == (0, 4)
    heights = np.concatenate([line.get_ydata() for line in axes.get_lines()[:6]])
    assert np.nanmax(heights) == pytest.approx(spec.omega.max())
    with pytest.raises(ModelError, match="mode 'color': expected a binned spectrum"):
        sw_plotspec(spec, mode=3)
    with pytest.raises(ModelError, match="mode: expected 'disp', 'int', 'color' or 'auto', found 'map'"):
        sw_plotspec(spec, mode="map")


def test_maps(tri: SpinW) -> None:
    spec = sw_egrid(tri.spinwave([[0.1, 0, 0], [0.4, 0, 0], 10]), Evect=np.linspace(0, 4, 41))
    _, axes = sw_plotspec(spec, mode="color", dE=0.4, axLim=1.5, colorbar=False)
    mesh = axes.collections[0]
    assert mesh.get_clim() == (0, 1.5)
    assert mesh.get_array().sum() == pytest.approx(spec.swConv.sum(), rel=0.05)
    assert mesh.get_array().max() < spec.swConv.max()
    _, both = sw_plotspec(spec)
    assert both.collections
    assert both.get_lines()
    _, weights = sw_plotspec(spec, mode="int")
    assert len(weights.get_lines()) == len(spec.omega)
    powder = tri.powspec([1.0, 1.5, 2.0], Evect=np.linspace(0, 4, 9), nRand=50)
    _, axes = sw_plotspec(powder, log=True)
    assert "|Q|" in axes.get_xlabel()


def test_crystal() -> None:
    """Two cells of a chain: three atoms, two bonds, three spins, the last as in the third cell of the helix."""
    sw = SpinW()
    sw.genlattice(lat_const=[3, 9, 9])
    sw.addatom(r=[0, 0, 0], S=1, label="MCu2", color="Orange")
    sw.gencoupling(maxDistance=4)
    sw.addmatrix(label="J", value=1, color=[0, 0, 255])
    sw.addcoupling(mat="J", bond=1)
    sw.genmagstr(mode="helical", S=[0, 1, 0], k=[0.2, 0, 0], n=[1, 0, 0])
    _, axes = sw.plot("range", [[-1, 1], [0, 0.5], [0, 0.5]], "magColor", "purple", "zoom", 2)
    bonds = [line for line in axes.get_lines() if np.size(line.get_color()) == 3]
    assert len(bonds) == 2
    np.testing.assert_allclose(sorted(float(line.get_data_3d()[0].mean()) for line in bonds), [-1.5, 1.5])
    cells = np.array([[-1, 0, 1], [0, 0, 0], [0, 0, 0]])
    spins = sw._spins_at(cells, np.zeros(3, int))
    angle = 2 * np.pi * 0.2 * np.array([-1, 0, 1])
    np.testing.assert_allclose(spins, np.column_stack([0 * angle, np.cos(angle), np.sin(angle)]), atol=1e-12)
    with pytest.raises(ModelError, match="range: expected three numbers of cells"):
        sw.plot(range=[1, 2])
