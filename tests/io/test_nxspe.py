from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from insml.errors import FormatError
from insml.io import Run, open_any, read_nxspe

EDGES = np.linspace(-1.0, 4.0, 6)


def write_nxspe(path: Path, **changes: Any) -> Path:
    """Three detectors, five energy bins; a change of None leaves the field out."""
    fields: dict[str, Any] = {
        "NXSPE_info/fixed_energy": np.array([25.0]), "NXSPE_info/psi": np.array([30.0]),
        "NXSPE_info/ki_over_kf_scaling": np.array([1], np.int32),
        "data/data": np.arange(15.0).reshape(3, 5), "data/error": np.ones((3, 5)), "data/energy": EDGES,
        "data/polar": np.array([5.0, 10.0, 15.0]), "data/azimuthal": np.array([0.0, 90.0, -180.35]),
        "data/polar_width": np.full(3, 0.2), "data/azimuthal_width": np.full(3, 0.3), "data/distance": np.full(3, 6.0),
        "definition": np.array([b"NXSPE"]),
    } | changes
    with h5py.File(path, "w") as file:
        entry = file.create_group("SR_MER#2of4#_spe")
        entry.attrs["NX_class"] = np.bytes_(b"NXentry")
        for name, value in fields.items():
            if value is not None:
                entry[name] = value
        if "definition" in entry:
            entry["definition"].attrs["version"] = "1.3"
    return path


@pytest.mark.parametrize(("name", "version", "shape", "ei", "psi", "masked"), [
    ("nxspe_version1_0.nxspe", "1.0", (5, 30), 800.0, 0.0, 3),
    ("CNCS_7860_coarse.nxspe", "1.1", (14, 8), 3.0, 24.4994, 0),
    ("MAR11001_test.nxspe", "1.1", (285, 110), 12.97283725, 0.0, 33),
    ("er2ir2o7_Ei30_5K.nxspe", "1.2", (285, 788), 29.91324124, None, 4),
    ("gen_sqw_96dets.nxspe", "1.2", (96, 145), 35.5, 90.0000025, 0),
    ("inst_maps_ei400_600hz.nxspe", "1.3", (5, 5), 400.0, None, 0),
])
def test_real_files_of_every_version(shared_data: Path, name: str, version: str, shape: tuple[int, int], ei: float,
                                     psi: float | None, masked: int) -> None:
    run = open_any(shared_data / "nxspe" / name)
    assert isinstance(run, Run)
    assert (run.version, run.n_detectors, run.n_energies) == (version, *shape)
    assert run.ei == pytest.approx(ei, rel=1e-9)
    assert run.psi == (None if psi is None else pytest.approx(psi))
    assert run.energy_edges.size == shape[1] + 1
    assert run.signal.shape == run.error.shape == shape
    assert run.mask.sum() == masked
    assert np.array_equal(np.isnan(run.signal).all(axis=1), run.mask)
    assert np.isfinite(run.signal[~run.mask]).all()


def test_facts_beside_the_intensity(shared_data: Path) -> None:
    run = read_nxspe(shared_data / "nxspe" / "inst_let_ei3p7_240_120.nxspe")
    assert (run.instrument, run.run_number, run.entry) == ("LET", 666, "w1")
    assert run.edges_from_centres
    assert run.energy_edges == pytest.approx(0.185 + 0.78625 * (np.arange(6) - 0.5))
    cncs = read_nxspe(shared_data / "nxspe" / "CNCS_7860_coarse.nxspe")
    assert (cncs.instrument, cncs.program, cncs.run_number) == ("CNCS", "mantid 2.3.1079", None)


def test_opening_reads_no_intensity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    get = h5py.Dataset.__getitem__

    def spy(self: Any, *args: Any, **rest: Any) -> Any:
        read.append(self.name.rsplit("/", 1)[-1])
        return get(self, *args, **rest)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", spy)
    run = read_nxspe(write_nxspe(tmp_path / "run"))
    assert "energy" in read
    assert "data" not in read
    assert "error" not in read
    assert run.signal[2, 4] == 14.0
    assert "data" in read


def test_a_slab_is_a_part_of_the_whole(tmp_path: Path) -> None:
    run = read_nxspe(write_nxspe(tmp_path / "run"))
    slab = run.read(slice(1, 3))
    assert np.array_equal(slab.signal, run.signal[1:3])
    assert np.array_equal(slab.error, run.error[1:3])


def test_scalars_and_centres_and_any_case_of_the_definition(tmp_path: Path) -> None:
    run = read_nxspe(write_nxspe(tmp_path / "run", **{
        "NXSPE_info/fixed_energy": 25.0, "NXSPE_info/psi": np.nan, "NXSPE_info/ki_over_kf_scaling": np.False_,
        "data/energy": 0.5 * (EDGES[1:] + EDGES[:-1]), "definition": "NXspe", "data/distance": None}))
    assert run.ei == 25.0
    assert run.psi is None
    assert run.ki_over_kf_scaled is False
    assert run.distance is None
    assert run.energy_edges == pytest.approx(EDGES)


def test_detectors_without_data_are_masked_whole(tmp_path: Path) -> None:
    data = np.arange(15.0).reshape(3, 5)
    data[0], data[2, 0] = np.nan, -1e30
    run = read_nxspe(write_nxspe(tmp_path / "run", **{"data/data": data}))
    assert run.mask.tolist() == [True, False, True]
    assert np.isnan(run.signal[[0, 2]]).all()
    assert run.signal[1].tolist() == [5, 6, 7, 8, 9]


def test_indirect_geometry_has_one_energy_for_each_detector(tmp_path: Path) -> None:
    run = read_nxspe(write_nxspe(tmp_path / "run", **{"NXSPE_info/fixed_energy": np.array([1.8, 1.9, 2.0])}))
    assert np.array_equal(run.ei, [1.8, 1.9, 2.0])


@pytest.mark.parametrize(("change", "field"), [
    ({"data/polar": np.zeros(2)}, "data/polar: expected one value for each of 3 detectors, found 2"),
    ({"data/energy": np.zeros(4)}, "data/energy: expected 6 bin edges or 5 bin centres, found 4 values"),
    ({"data/energy": EDGES[::-1]}, "data/energy: expected ascending"),
    ({"data/error": np.ones((3, 4))}, r"data/error: expected shape \(3, 5\)"),
    ({"data/error": None}, "data/error: expected a data set, found none"),
    ({"data/data": np.ones(5)}, "data/data: expected 2 dimensions"),
    ({"NXSPE_info/fixed_energy": np.array([-3.0])}, "fixed_energy: expected energies above 0 meV, found -3"),
    ({"NXSPE_info/fixed_energy": np.array([b"abc"])}, "fixed_energy: expected numbers"),
    ({"NXSPE_info/fixed_energy": np.array([1.0, 2.0])}, "fixed_energy: expected one energy, or one for each of 3"),
])
def test_one_error_names_file_field_expected_and_found(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    path = write_nxspe(tmp_path / "bad", **change)
    with pytest.raises(FormatError, match=field) as caught:
        open_any(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
