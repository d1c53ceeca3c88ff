"""MDHistoWorkspace files: read back as they were written, and laid out as Mantid's LoadMD wants them."""

import h5py
import numpy as np
import pytest

from insml.errors import GeometryError, InsmlError
from insml.io import Histogram, open_any
from insml.io.write_mdhisto import write_mdhisto
from insml.spinwave.binning import BinnedSpectrum
from insml.spinwave.export import save_mdhisto
from insml.spinwave.paths import grid

CELL = np.array([[3.0, 0, 0], [-1.5, 1.5 * np.sqrt(3), 0], [0.4, 0, 5.0]])
ENERGY = np.linspace(-1, 3, 6)
GRIDS = [
    grid([[1, 0, 0]], [np.linspace(-1, 2, 7)]),
    grid([[1, 1, 0], [-0.5, 0.5, 0]], [np.linspace(0, 1, 4), np.linspace(-1, 1, 5)], origin=[0, 0, 0.5]),
    grid([[0, 0, 1], [0, 1, 0], [1, 1 / 3, 0]], [np.linspace(0, 1, 3), np.linspace(-1, 1, 4), np.linspace(2, 3, 5)]),
]


def spectrum(g):
    values = np.random.default_rng(7).random((len(g.q), len(ENERGY) - 1))
    values[0, 2] = np.nan
    return BinnedSpectrum(g.q, ENERGY, values, lattice_vectors=CELL)


@pytest.mark.parametrize("g", GRIDS)
def test_round_trip(g, tmp_path):
    binned = spectrum(g)
    save_mdhisto(tmp_path / "x.nxs", binned, g, title="a model")
    back = open_any(tmp_path / "x.nxs")
    assert isinstance(back, Histogram)
    assert back.title == "a model"
    assert [axis.kind for axis in back.axes] == ["momentum"] * 3 + ["energy"]
    np.testing.assert_array_equal(back.signal.reshape(binned.intensity.shape), binned.intensity)
    np.testing.assert_array_equal(back.mask, np.isnan(back.signal))
    np.testing.assert_allclose(back.axes[3].edges, ENERGY)
    # every bin stands for the wave vector it was calculated at
    centres = np.meshgrid(*((a.edges[:-1] + a.edges[1:]) / 2 for a in back.axes[:3]), indexing="ij")
    q = np.stack([c.ravel() for c in centres], axis=1) @ np.array([a.direction for a in back.axes[:3]])
    np.testing.assert_allclose(q, g.q, atol=1e-12)
    assert back.lattice is not None
    assert back.ub is not None
    np.testing.assert_allclose(back.ub.T @ back.ub, (2 * np.pi) ** 2 * np.linalg.inv(CELL @ CELL.T), atol=1e-12)
    assert (back.lattice.a, back.lattice.beta) == pytest.approx((3, np.degrees(np.arccos(0.4 / np.hypot(0.4, 5)))))


def test_missing_directions_get_one_bin(tmp_path):
    save_mdhisto(tmp_path / "x.nxs", spectrum(GRIDS[1]), GRIDS[1], thickness=0.2)
    back = open_any(tmp_path / "x.nxs")
    assert isinstance(back, Histogram)
    assert back.axes[2].long_name == "[0,0,L]"
    assert back.axes[2].edges.tolist() == [0.4, 0.6]
    assert [a.long_name for a in back.axes[:2]] == ["[H,H,0]", "[-0.5H,0.5H,0]"]


def test_layout_of_loadmd(tmp_path):
    save_mdhisto(tmp_path / "x.nxs", spectrum(GRIDS[1]), GRIDS[1])
    with h5py.File(tmp_path / "x.nxs") as file:
        entry = file["MDHistoWorkspace"]
        assert (entry.attrs["NX_class"], entry.attrs["SaveMDVersion"]) == (b"NXentry", 2)
        assert entry.attrs["QConvention"] == b"Inelastic"
        assert entry["coordinate_system"][()].tolist() == [3]
        data = entry["data"]
        assert data["signal"].attrs["axes"] == b"D3:D2:D1:D0"
        assert data["signal"].shape == (5, 1, 4, 3)
        assert {name: data[name].dtype.str for name in ("signal", "errors_squared", "num_events", "mask")} == {
            "signal": "<f8", "errors_squared": "<f8", "num_events": "<f8", "mask": "|i1"}
        assert data["mask"][()].sum() == 1
        assert data["D3"].attrs["frame"] == b"General Frame"
        assert data["D0"].attrs["frame"] == b"HKL"
        experiment = entry["experiment0"]
        assert list(experiment) == ["instrument", "logs", "sample"]
        np.testing.assert_allclose(experiment["logs/W_MATRIX/value"][()].reshape(3, 3)[:, 1], [-0.5, 0.5, 0])

        def text_is_of_fixed_length(_, item):
            for name in item.attrs:
                assert not h5py.check_string_dtype(item.attrs.get_id(name).dtype) or \
                    h5py.check_string_dtype(item.attrs.get_id(name).dtype).length

        file.visititems(text_is_of_fixed_length)


def test_variance_and_three_axes(tmp_path):
    back = _written(tmp_path, GRIDS[2])
    axes = back.axes[:3]
    signal = np.arange(float(np.prod([a.n for a in axes]))).reshape([a.n for a in axes])
    write_mdhisto(tmp_path / "y.nxs", signal, axes, lattice=back.lattice, ub=back.ub, variance=signal + 1)
    again = open_any(tmp_path / "y.nxs")
    assert isinstance(again, Histogram)
    np.testing.assert_array_equal(again.signal, signal)
    np.testing.assert_array_equal(again.variance, signal + 1)


def _written(tmp_path, g):
    save_mdhisto(tmp_path / "x.nxs", spectrum(g), g)
    return open_any(tmp_path / "x.nxs")


def test_what_the_format_cannot_hold_leaves_no_file(tmp_path):
    uneven = grid([[1, 0, 0]], [[0, 1, 3]])
    with pytest.raises(GeometryError, match=r"axes\[0\]: expected ascending bins of one width, found widths from 1 to 2"):
        save_mdhisto(tmp_path / "bad.nxs", spectrum(uneven), uneven)
    with pytest.raises(GeometryError, match="grid: expected the 6 wave vectors"):
        save_mdhisto(tmp_path / "bad.nxs", spectrum(GRIDS[0]), GRIDS[1])
    with pytest.raises(GeometryError, match="thickness: expected"):
        save_mdhisto(tmp_path / "bad.nxs", spectrum(GRIDS[0]), GRIDS[0], thickness=0)
    with pytest.raises(InsmlError, match="expected an existing directory"):
        save_mdhisto(tmp_path / "no" / "bad.nxs", spectrum(GRIDS[0]), GRIDS[0])
    back = _written(tmp_path, GRIDS[0])
    for axes, signal, message in ((back.axes[:2], back.signal, "axes: expected three momenta"),
                                  (back.axes, back.signal[1:], "signal: expected shape")):
        with pytest.raises(GeometryError, match=message):
            write_mdhisto(tmp_path / "bad.nxs", signal, axes, lattice=back.lattice, ub=back.ub)
    assert [p.name for p in tmp_path.iterdir()] == ["x.nxs"]
