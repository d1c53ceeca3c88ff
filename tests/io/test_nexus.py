import itertools
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insml.errors import FormatError, GeometryError, InsmlError
from insml.io import open_any, read_mosaic, write_mosaic
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec

ORIENTATIONS = [(s0 + a, s1 + b) for a, b in (("h", "k"), ("k", "h"))
                for s0, s1 in itertools.product("+-", repeat=2)]


def a_mosaic(orientation: tuple[str, str] = ("+h", "+k"), seed: int = 0, variance: bool = True) -> Mosaic:
    """Three slices of 4 x 3 bins on a 2 x 2 grid, one pixel in five masked."""
    layout = MosaicLayout(
        (Axis("h", (1, 0, 0), np.array([-1, -0.4, 0.1, 0.5, 1.3])), Axis("k", (0.5, 1, 0), np.linspace(0, 1, 4))),
        (0, 0, 1), (SliceSpec((1, 2), 25.0), SliceSpec((2, 4), 25.0), SliceSpec((1 / 3, 5))), (2, 2), orientation)
    draw = np.random.default_rng(seed)
    return Mosaic.from_stack(
        draw.normal(size=layout.stack_shape), draw.random(layout.stack_shape) < 0.2, layout,
        variance=draw.random(layout.stack_shape) if variance else None, title="Ein Titel: ħω ", source="made/up",
        metadata={"psi": 12.5, "runs": [1, 2]})


@given(orientation=st.sampled_from(ORIENTATIONS), seed=st.integers(0, 2**32), variance=st.booleans())
def test_reading_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, orientation: tuple[str, str],
                                             seed: int, variance: bool) -> None:
    mosaic = a_mosaic(orientation, seed, variance)
    path = tmp_path_factory.mktemp("nexus") / "m.nxs"
    write_mosaic(path, mosaic)
    back = open_any(path)
    assert isinstance(back, Mosaic)
    assert np.array_equal(back.values, mosaic.values)
    assert np.array_equal(back.mask, mosaic.mask)
    if mosaic.variance is None:
        assert back.variance is None
    else:
        assert np.array_equal(back.variance, mosaic.variance)
    assert back.layout.to_dict() == mosaic.layout.to_dict()
    assert (back.title, back.source, back.metadata) == (mosaic.title, mosaic.source, mosaic.metadata)


def test_the_mosaic_is_what_opens_by_default(tmp_path: Path) -> None:
    from nexusformat.nexus import nxload

    mosaic = a_mosaic()
    fit = np.ones(mosaic.layout.shape)
    write_mosaic(tmp_path / "m.nxs", mosaic, auxiliary={"best_fit": fit}, results={"verdict": "neel"})
    with nxload(tmp_path / "m.nxs") as root:
        shown = root.plottable_data
        assert shown.nxpath == "/entry/mosaic"
        assert np.array_equal(shown.nxsignal.nxvalue, np.where(mosaic.mask, np.nan, mosaic.values), equal_nan=True)
        assert root["entry/process_1/note_1/type"].nxvalue == "application/json"


def test_every_plot_has_axes_of_its_own_length(tmp_path: Path) -> None:
    mosaic = a_mosaic(("-k", "+h"))
    write_mosaic(tmp_path / "m.nxs", mosaic, auxiliary={"best_fit": np.ones(mosaic.layout.shape)})
    with h5py.File(tmp_path / "m.nxs") as file:
        plots = [g for g in file["entry"].values() if g.attrs.get("NX_class") == "NXdata"]
        assert len(plots) == 4
        for group in plots:
            signal = group[group.attrs["signal"]]
            assert tuple(group[a].size for a in group.attrs["axes"]) == signal.shape
            for other in (f"{group.attrs['signal']}_errors", *group.attrs.get("auxiliary_signals", [])):
                assert group[other].shape == signal.shape
        image = file["entry/mosaic"]
        # rows run from high to low k, twice
        k = mosaic.layout.axes[1].centres
        assert image["row_coordinate"][()].tolist() == [*k[::-1], *k[::-1]]
        one = file["entry/slice_02"]
        assert list(one.attrs["axes"]) == ["h", "k"]
        assert np.array_equal(one["h_edges"][()], mosaic.layout.axes[0].edges)
        expected = np.where(mosaic.stack_mask[1], np.nan, mosaic.stack[1])
        assert np.array_equal(one["intensity"][()], expected, equal_nan=True)
        assert one["energy_transfer"][()].tolist() == [2, 4]
        index = image["slice_index"][()]
        assert set(np.unique(index)) == {-1, 0, 1, 2}
        assert np.array_equal(index == 1, mosaic.layout.assemble(
            np.arange(3)[:, None, None] * np.ones(mosaic.layout.stack_shape), fill=-1) == 1)


def test_the_same_mosaic_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_mosaic(tmp_path / name, a_mosaic(), results={"x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import insml.io.nexus as nexus

    def fail(*_: object) -> None:
        raise RuntimeError("disk gone")

    monkeypatch.setattr(nexus, "_write_slice", fail)
    with pytest.raises(RuntimeError, match="disk gone"):
        write_mosaic(tmp_path / "m.nxs", a_mosaic())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"auxiliary": {"fit": np.zeros((2, 2))}}, GeometryError, "auxiliary image fit: expected shape"),
    ({"auxiliary": {"a/b": np.zeros((8, 6))}}, InsmlError, "auxiliary image: expected a free name"),
    ({"auxiliary": {"row": np.zeros((8, 6))}}, InsmlError, "auxiliary image: expected a free name"),
    ({"results": {"x": float("nan")}}, InsmlError, "results: expected values that JSON can hold"),
    ({"results": {"x": np.zeros(2)}}, InsmlError, "results: expected values that JSON can hold"),
])
def test_what_cannot_be_written(tmp_path: Path, arguments: dict[str, object], error: type[InsmlError],
                                message: str) -> None:
    with pytest.raises(error, match=message):
        write_mosaic(tmp_path / "m.nxs", a_mosaic(), **arguments)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("damage", "message"), [
    ("layout", "entry/layout/data: expected a data set, found none"),
    ("layout/data", "entry/layout/data: expected a data set, found none"),
    ("mosaic/intensity", "entry/mosaic/intensity: expected a data set, found none"),
    ("definition", "expected an NXentry with the definition insml_mosaic, found root groups entry"),
])
def test_missing_parts_are_named(tmp_path: Path, damage: str, message: str) -> None:
    path = tmp_path / "m.nxs"
    write_mosaic(path, a_mosaic())
    with h5py.File(path, "a") as file:
        del file["entry"][damage]
    with pytest.raises(FormatError, match=message):
        read_mosaic(path)


@pytest.mark.parametrize(("name", "value", "message"), [
    ("layout/data", "{", "layout/data: expected JSON"),
    ("layout/data", "{}", "layout/data: expected a mosaic layout"),
    ("mosaic/intensity", np.zeros((3, 3)), r"mosaic: expected an image that fits .* found \(3, 3\)"),
])
def test_parts_that_do_not_fit(tmp_path: Path, name: str, value: object, message: str) -> None:
    path = tmp_path / "m.nxs"
    write_mosaic(path, a_mosaic())
    with h5py.File(path, "a") as file:
        del file["entry"][name]
        file["entry"][name] = value
    with pytest.raises(FormatError, match=message):
        open_any(path)
