from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from insml.errors import FormatError
from insml.io import Histogram, open_any, read_mdhisto
from insml.io.mdhisto import parse_direction


@pytest.mark.parametrize(("name", "direction"), [
    ("[H,0,0]", (1, 0, 0)), ("[0,K,0]", (0, 1, 0)), ("[H,H,0]", (1, 1, 0)), ("[H,-H,0]", (1, -1, 0)),
    ("[-0.5K,K,0]", (-0.5, 1, 0)), ("[0, 0, 2L]", (0, 0, 2)), ("[.5zeta,0,0]", (0.5, 0, 0)), ("[1,1,0]", (1, 1, 0)),
    ("[H,0.5,0]", None), ("[H,K,0]", None), ("[0,0,0]", None), ("[H,-,0]", None), ("[H,0]", None), ("DeltaE", None),
    ("[1,2,3,4]", None), ("", None),
])
def test_axis_names(name: str, direction: tuple[float, float, float] | None) -> None:
    assert parse_direction(name) == direction


def test_lasrcro4(shared_data: Path) -> None:
    path = shared_data / "lasrcro4" / "LaSrCrO4_experiment_data_normalized.nxs"
    histogram = open_any(path)
    assert isinstance(histogram, Histogram)
    assert [a.long_name for a in histogram.axes] == ["[H,0,0]", "[0,K,0]", "[0,0,L]", "DeltaE"]
    assert [a.kind for a in histogram.axes] == ["momentum"] * 3 + ["energy"]
    assert histogram.shape == histogram.signal.shape == histogram.mask.shape == (40, 40, 1, 41)
    assert histogram.stored_q_convention == "Inelastic"
    assert histogram.mask.sum() == 27740
    with h5py.File(path) as file:
        stored = file["MDHistoWorkspace/data/signal"][20, 0, 7, 5]
    assert histogram.signal[5, 7, 0, 20] == pytest.approx(stored, nan_ok=True)
    assert histogram.lattice is not None
    assert (histogram.lattice.a, histogram.lattice.c) == pytest.approx((3.853, 12.475))
    assert histogram.ub is not None
    # a* and c* with the 2 pi, whichever way the crystal is turned
    assert np.linalg.norm(histogram.ub, axis=0) == pytest.approx(2 * np.pi / np.array([3.853, 3.853, 12.475]), rel=1e-4)


def test_lasrcro4_magnons_are_where_they_belong(shared_data: Path) -> None:
    histogram = read_mdhisto(shared_data / "lasrcro4" / "LaSrCrO4_experiment_data_normalized.nxs")
    low = histogram.signal[:, :, 0, 6:12]  # 10 to 22 meV
    cone = low[8:12, 8:12]  # around (1/2, 1/2)
    for between in (low[18:22, 8:12], low[8:12, 18:22]):  # around (1, 1/2) and (1/2, 1)
        assert np.nanmean(cone) > 5 * np.nanmean(between)


def test_kf_minus_ki_is_turned_round(shared_data: Path) -> None:
    path = shared_data / "nexus" / "1Dcut_sym_0p00T_K.nxs"
    histogram = read_mdhisto(path)
    assert histogram.stored_q_convention == "Crystallography"
    assert histogram.axes[1].edges == pytest.approx([-0.717, -0.617])
    assert histogram.axes[1].direction == (-0.5, 1, 0)
    assert histogram.axes[3].edges[0] == pytest.approx(-0.1)  # energy is not turned
    assert histogram.lattice is None
    assert histogram.shape == (1, 1, 1, 88)


def test_version_1_has_its_first_axis_fastest(shared_data: Path) -> None:
    path = shared_data / "nexus" / "HYSPECReduction.nxs"
    histogram = read_mdhisto(path)
    assert (histogram.version, histogram.shape) == (1, (1, 100, 100, 1))
    assert histogram.stored_q_convention is None
    with h5py.File(path) as file:
        flat = file["MDHistoWorkspace/signal"][()]
    at = int(np.argmax(flat))
    assert histogram.signal[0, at % 100, at // 100, 0] == flat[at] > 0
    assert histogram.axes[1].edges[[0, -1]].tolist() == [-2.0, 6.0]
    assert histogram.axes[2].edges[[0, -1]].tolist() == [-4.0, -1.5]


def write_mdhisto(path: Path, axes: str = "D3:D2:D1:D0", convention: str = "Inelastic", **changes: Any) -> Path:
    """H 2 bins, K 3, L 1, E 4; the value of a bin is the decimal number "H K E" of its indices."""
    shape = (2, 3, 1, 4)
    h, k, _, e = np.indices(shape)
    order = [int(name[1:]) for name in axes.split(":")]
    signal = (100.0 * h + 10 * k + e).transpose(order)
    fields: dict[str, Any] = {
        "D0": np.linspace(0, 1, 3), "D1": np.linspace(-1, 2, 4), "D2": np.array([-5.0, 5]), "D3": np.arange(5.0),
        "signal": signal, "errors_squared": signal, "num_events": signal, "mask": np.zeros(signal.shape, np.int8),
    } | changes
    with h5py.File(path, "w") as file:
        entry = file.create_group("MDHistoWorkspace")
        entry.attrs.update(NX_class="NXentry", QConvention=convention)
        data = entry.create_group("data")
        for name, value in fields.items():
            data[name] = value
        data["signal"].attrs["axes"] = axes
        for name, label in zip(("D0", "D1", "D2", "D3"), ("[H,0,0]", "[0,K,0]", "[0,0,L]", "DeltaE"), strict=True):
            data[name].attrs.update(long_name=label, units="r.l.u.", frame="HKL")
    return path


@pytest.mark.parametrize("axes", ["D3:D2:D1:D0", "D0:D1:D2:D3", "D1:D3:D0:D2"])
def test_the_stored_order_of_dimensions_is_obeyed(tmp_path: Path, axes: str) -> None:
    histogram = read_mdhisto(write_mdhisto(tmp_path / "x", axes))
    assert histogram.signal[1, 2, 0, 3] == 123
    assert histogram.signal[0, 1, 0, 2] == 12


def test_turning_moves_values_with_their_edges(tmp_path: Path) -> None:
    histogram = read_mdhisto(write_mdhisto(tmp_path / "x", convention="Crystallography"))
    assert histogram.axes[0].edges.tolist() == [-1, -0.5, 0]
    assert histogram.axes[1].edges.tolist() == [-2, -1, 0, 1]
    # stored H bin 1 (0.5 to 1), K bin 2 (1 to 2), E bin 3
    assert histogram.signal[0, 0, 0, 3] == 123


def test_masked_and_not_finite_bins(tmp_path: Path) -> None:
    signal, variance, mask = np.ones((4, 1, 3, 2)), np.ones((4, 1, 3, 2)), np.zeros((4, 1, 3, 2), np.int8)
    signal[0, 0, 0, 0], variance[1, 0, 1, 1], mask[3, 0, 2, 0] = np.nan, np.inf, 1
    histogram = read_mdhisto(write_mdhisto(tmp_path / "x", signal=signal, errors_squared=variance, mask=mask))
    assert np.argwhere(histogram.mask).tolist() == [[0, 0, 0, 0], [0, 2, 0, 3], [1, 1, 0, 1]]


def test_exact_directions_from_the_projection_matrix(tmp_path: Path) -> None:
    path = write_mdhisto(tmp_path / "x")
    third = 1 / 3
    with h5py.File(path, "a") as file:
        file["MDHistoWorkspace/data/D0"].attrs["long_name"] = "[0.333H,0.333H,0]"
        crystal = file.create_group("MDHistoWorkspace/experiment0/sample/oriented_lattice")
        for name, value in {"a": 3, "b": 3, "c": 5, "alpha": 90, "beta": 90, "gamma": 120}.items():
            crystal[f"unit_cell_{name}"] = [float(value)]
        crystal["orientation_matrix"] = np.eye(3)
        file["MDHistoWorkspace/experiment0/logs/W_MATRIX/value"] = [third, 0, 0, third, 1, 0, 0, 0, 1]
    histogram = read_mdhisto(path)
    assert histogram.axes[0].direction == (third, third, 0)
    assert histogram.axes[1].direction == (0, 1, 0)
    assert histogram.lattice is not None
    assert histogram.lattice.gamma == 120


@pytest.mark.parametrize(("changes", "message"), [
    ({"D0": np.zeros(3)}, "data/D0: expected at least two ascending bin edges"),
    ({"D1": np.linspace(0, 1, 3)}, r"data/signal: expected shape \(4, 1, 2, 2\) of the axes, found .*\(4, 1, 3, 2\)"),
    ({"mask": np.zeros((4, 1, 3))}, "data/mask: expected shape"),
])
def test_axes_that_do_not_fit(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_mdhisto(tmp_path / "x", **changes)
    with pytest.raises(FormatError, match=message):
        open_any(path)


def test_axes_that_are_not_there(tmp_path: Path) -> None:
    path = write_mdhisto(tmp_path / "x")
    with h5py.File(path, "a") as file:
        file["MDHistoWorkspace/data/signal"].attrs["axes"] = "D4:D2:D1:D0"
    with pytest.raises(FormatError, match="expected each of D0, D1, D2, D3 once, found 'D4:D2:D1:D0'"):
        open_any(path)
