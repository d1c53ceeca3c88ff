"""Images of cuts in files of other programs: NeXus, Mantid's MDHisto, text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from crystal_runs import ANGLES, LATTICE, STANDS, write_run

import insml
from insml import FormatError, GeometryError
from insml.io import open_any, read_cut, read_mdhisto, write_columns, write_cut, write_cut_mdhisto, write_sqw, write_xye
from insml.operations.evaluate import sqw_eval
from insml.operations.reshape import permute
from insml.sqw import CylinderProj, Dnd, LineProj, SphereProj, Sqw
from insml.sqw.coordinates import bin_centres
from insml.sqw.cut import cut
from insml.sqw.generate import generate


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Sqw:
    folder = tmp_path_factory.mktemp("runs")
    runs = [write_run(folder / f"run{n}.nxspe", n, 40.0 + n) for n in range(3)]
    return generate(runs, None, lattice=LATTICE, **STANDS, **ANGLES, grid=[6, 6, 6, 6])


def plane(data: Sqw) -> Sqw:
    return cut(data, LineProj((1, 1, 0), (0, 1, 0), offset=(0.5, 0, 0, 1)), [-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 5, 30])


CUTS = [(LineProj((1, 1, 0), (0, 1, 0), offset=(0.5, 0, 0, 1)), [[-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 5, 30]]),
        (LineProj((1, 0, 0), (0, 1, 0), (0, 0, 1), type="rra", nonorthogonal=True),
         [[-1.5, 1.5], [-3, 1, 3], [-3, 3], [0, 9]]),
        (SphereProj(), [[0, 0.5, 4], [0, 180], [-180, 60, 180], [0, 5, 30]]),
        (CylinderProj((0, 0, 1), (1, 0, 0), type="rar"), [[0, 0.5, 4], [-1, 0.5, 1], [-4, 4], [0, 10, 30]])]


@pytest.mark.parametrize(("projection", "bins"), CUTS)
def test_a_cut_comes_back(data: Sqw, tmp_path: Path, projection: Any, bins: Any) -> None:
    """Axes, units and every number; h, k, l of bins too. Opened by its content."""
    w = permute(cut(data, projection, *bins))
    write_cut(tmp_path / "w.nxs", w)
    again = insml.open(tmp_path / "w.nxs")
    assert isinstance(again, Dnd)
    for name in ("signal", "npix"):
        np.testing.assert_array_equal(getattr(again, name), getattr(w, name))
    np.testing.assert_allclose(again.variance, w.variance, rtol=1e-14)
    for one, other in zip(again.axes.all_edges, w.axes.all_edges, strict=True):
        np.testing.assert_array_equal(one, other)
    assert (again.axes.plotted, again.axes.order, again.lattice) == (w.axes.plotted, w.axes.order, LATTICE)
    assert type(again.projection) is type(projection)
    np.testing.assert_allclose(bin_centres(again), bin_centres(w.image), atol=1e-12)


def test_axes_of_files_come_back(shared_data: Path, tmp_path: Path) -> None:
    """Axes as an old file stores them, infinite limits included."""
    for name in ("w2d_qe_d2d.sqw", "w1d_d1d.sqw"):
        w = open_any(shared_data / "sqw" / name)
        write_cut(tmp_path / "w.nxs", w)
        again = read_cut(tmp_path / "w.nxs")
        np.testing.assert_array_equal(again.signal, np.where(w.npix > 0, w.signal, 0))
        np.testing.assert_allclose(again.projection.frame(again.lattice).u_to_rlu, w.projection.frame(w.lattice).u_to_rlu)
        for one, other in zip(again.axes.all_edges, w.axes.all_edges, strict=True):
            np.testing.assert_array_equal(one, other)


def test_viewers_find_the_image(data: Sqw, tmp_path: Path) -> None:
    """The default plot by the rules of NXdata, as nexusformat applies them; axes are centres, blanks NaN."""
    from nexusformat.nexus import nxload

    w = plane(data)
    write_cut(tmp_path / "w.nxs", w)
    root = nxload(tmp_path / "w.nxs")
    shown = root.plottable_data
    assert shown.nxsignal.shape == w.shape
    assert [a.nxname for a in shown.nxaxes] == ["q1", "energy_transfer"]
    np.testing.assert_allclose(shown.nxaxes[1].nxdata, w.centres[1])
    assert (np.isnan(shown.nxsignal.nxdata) == (w.npix == 0)).all()
    assert shown.nxaxes[0].attrs["long_name"].startswith("[1, 1, 0] (")
    with h5py.File(tmp_path / "w.nxs") as file:
        entry = file["entry"]
        np.testing.assert_allclose(entry["sample/unit_cell_abc"], [4.4, 5.5, 6.6])
        runs = json.loads(entry["process_1/runs/data"][()])
        assert [r["fixed_energy_meV"] for r in runs] == [[40.0], [41.0], [42.0]]
        np.testing.assert_allclose(entry["cut/q2_range"], w.axes.all_edges[1])


def test_what_is_damaged_is_named(data: Sqw, tmp_path: Path) -> None:
    def changed(name: str, change: Any) -> Path:
        path = tmp_path / f"{name}.nxs"
        write_cut(path, plane(data))
        with h5py.File(path, "a") as file:
            change(file["entry"])
        return path

    def replace(name: str, value: Any) -> Any:
        def change(entry: Any) -> None:
            del entry[name]
            if value is not None:
                entry[name] = value
        return change

    for name, change, words in (("a", replace("cut/intensity", np.zeros(3)), "cut/intensity"),
                                ("b", replace("cut/num_pixels", None), "cut/num_pixels"),
                                ("c", replace("process_1/axes/data", "{}"), "process_1/axes/data"),
                                ("d", replace("process_1/axes/data", "nonsense"), "JSON"),
                                ("e", lambda e: e["definition"].attrs.update(version="9"), "version 1")):
        with pytest.raises(FormatError, match=words):
            read_cut(changed(name, change))
    with pytest.raises(FormatError, match="readable HDF5 file"):
        read_cut(tmp_path / "none.nxs")


def test_mantid_gets_the_same_grid(data: Sqw, tmp_path: Path) -> None:
    """All four axes counted from Q = 0 and E = 0; signal, variance and pixels in their bins."""
    w = plane(data)
    write_cut_mdhisto(tmp_path / "w.nxs", w)
    found = read_mdhisto(tmp_path / "w.nxs")
    assert found.shape == (w.shape[0], 1, 1, w.shape[1])
    np.testing.assert_array_equal(found.mask[:, 0, 0], w.npix == 0)
    np.testing.assert_allclose(np.nan_to_num(found.signal[:, 0, 0]), w.signal)
    np.testing.assert_allclose(np.nan_to_num(found.variance[:, 0, 0]), w.variance)
    np.testing.assert_array_equal(found.num_events[:, 0, 0], w.npix)
    assert found.lattice == LATTICE
    middles = np.meshgrid(*(0.5 * (a.edges[1:] + a.edges[:-1]) for a in found.axes), indexing="ij")
    hkl = sum(m.ravel()[:, None] * np.array(a.direction) for m, a in zip(middles[:3], found.axes[:3], strict=True))
    np.testing.assert_allclose(np.column_stack([hkl, middles[3].ravel()]), bin_centres(w.image), atol=1e-9)
    for bad, words in ((cut(data, SphereProj(), [0, 0.5, 4], [0, 180], [-180, 180], [0, 5]), "found SphereProj"),):
        with pytest.raises(GeometryError, match=words):
            write_cut_mdhisto(tmp_path / "bad.nxs", bad)
    assert not (tmp_path / "bad.nxs").exists()


def test_endless_axes_are_named(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="expected finite limits"):
        write_cut_mdhisto(tmp_path / "w.nxs", open_any(shared_data / "sqw" / "w2d_qe_d2d.sqw"))


def test_columns(data: Sqw, tmp_path: Path) -> None:
    w = sqw_eval(plane(data), lambda h, k, z, e, p: h, None)
    write_columns(tmp_path / "w.txt", w)
    head = (tmp_path / "w.txt").read_text().splitlines()[:2]
    assert head[1].startswith("# [1, 1, 0] (")
    assert head[1].endswith("energy transfer (meV)  intensity  error  pixels")
    table = np.loadtxt(tmp_path / "w.txt").reshape(*w.shape, 5)
    np.testing.assert_allclose(table[:, 0, 0], w.centres[0])
    np.testing.assert_allclose(table[0, :, 1], w.centres[1])
    np.testing.assert_array_equal(table[..., 4], w.npix)
    np.testing.assert_allclose(table[..., 2], np.where(w.npix > 0, w.signal, np.nan), rtol=1e-9)
    line = cut(w, [], [0, 20])
    write_xye(tmp_path / "w.xye", line, null=-1.0)
    x, y, e = np.loadtxt(tmp_path / "w.xye").T
    np.testing.assert_allclose(x, line.centres[0])
    np.testing.assert_allclose(y, np.where(line.npix > 0, line.signal, -1), rtol=1e-9)
    np.testing.assert_allclose(e, np.where(line.npix > 0, np.sqrt(line.variance), -1), rtol=1e-9)
    with pytest.raises(GeometryError, match="on one axis, found 2"):
        write_xye(tmp_path / "w.xye", w)
    whole = cut(line, [-9, 9])
    for write in (write_columns, write_cut):
        with pytest.raises(GeometryError, match="at least one plotted axis"):
            write(tmp_path / "none", whole)
    assert not (tmp_path / "none").exists()


def test_a_file_of_a_cut_is_written_by_horaces_writer(data: Sqw, tmp_path: Path) -> None:
    """What is read is an image like any other."""
    write_cut(tmp_path / "w.nxs", plane(data))
    write_sqw(tmp_path / "w.dnd", read_cut(tmp_path / "w.nxs"))
    np.testing.assert_array_equal(open_any(tmp_path / "w.dnd").npix, plane(data).npix)
