"""Files of Horace: read, written, damaged."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from insml import FormatError, GeometryError
from insml.crystal.lattice import Lattice
from insml.horace import cut, read_dnd, read_horace, save
from insml.io import open_any, read_sqw, write_sqw
from insml.io.sqw import blocks
from insml.io.sqw.stream import Reader, Writer
from insml.io.sqw.tagged import Cell, Characters, Struct, Wrapped, read_tagged, write_tagged
from insml.sqw import Axes, CylinderProj, Dnd, LineProj, SphereProj, Sqw
from insml.sqw.energy_constant import ENERGY_OF_K2

#: name, class, shape, pixels, runs; which E / k^2 its pixels were made with (None: its Ei were changed since)
REAL = [
    ("dnd_2d.sqw", Dnd, (16, 11), 24689, 0, None), ("faccess_sqw_v4_sample.sqw", Sqw, (21,), 4324, 109, 2.07),
    ("fe_cut.sqw", Sqw, (61,), 12338, 46, ENERGY_OF_K2), ("sqw_1d_2.sqw", Sqw, (21,), 4324, 186, 2.07),
    ("sqw_2d_1.sqw", Sqw, (16, 11), 24689, 85, 2.07), ("w1_inst_ref.sqw", Sqw, (61,), 30021, 85, None),
    ("w1d_d1d.sqw", Dnd, (81,), 8031, 0, None), ("w1d_sqw.sqw", Sqw, (81,), 8031, 1, 2.07),
    ("w2d_qe_d2d.sqw", Dnd, (81, 72), 107130, 0, None), ("w2d_qq_small_sqw.sqw", Sqw, (17, 17), 4250, 1, 2.07)]
WITH_PIXELS = [name for name, kind, *_ in REAL if kind is Sqw]
VERSION_2 = [n for n, *_ in REAL if n not in ("faccess_sqw_v4_sample.sqw", "fe_cut.sqw", "w1_inst_ref.sqw")]


@pytest.mark.parametrize(("name", "kind", "shape", "pixels", "runs", "constant"), REAL)
def test_real_files(shared_data: Path, name: str, kind: type, shape: tuple[int, ...], pixels: int, runs: int,
                    constant: float | None) -> None:
    w = open_any(shared_data / "sqw" / name)
    assert isinstance(w, kind)
    assert w.shape == shape == w.signal.shape == w.variance.shape == w.npix.shape
    assert w.npix.sum() == pixels
    if not isinstance(w, Sqw):
        return
    assert (len(w.pixels), len(w.runs)) == (pixels, runs)
    own = w.pixels.read().astype(float)
    which = np.repeat(np.arange(w.counted.size), w.counted.astype(int))
    for column, image, power in ((7, w.signal, 1), (8, w.variance, 2)):
        mean = np.bincount(which, own[:, column], w.counted.size) / np.maximum(w.counted, 1.0) ** power
        np.testing.assert_allclose(np.ravel(image, order="F"), mean, rtol=1e-6, atol=1e-6 * image.max())
    if constant is not None:
        np.testing.assert_allclose(own[:, :4], recomputed(w, own, constant), rtol=0, atol=1e-6)


def recomputed(w: Sqw, pixels: np.ndarray, constant: float) -> np.ndarray:
    """Q and E of pixels from their run, detector and energy bin."""
    out = np.empty((len(pixels), 4))
    runs = {r.id: r for r in w.runs}
    for number in np.unique(pixels[:, 4]):
        run, own = runs[int(number)], pixels[:, 4] == number
        energy = (0.5 * (run.energies[1:] + run.energies[:-1]))[pixels[own, 6].astype(int) - 1]
        kf = np.sqrt((run.efix - energy) / constant)
        row = np.searchsorted(w.detectors.number, pixels[own, 5])
        q = np.array([np.sqrt(run.efix / constant), 0, 0]) - kf[:, None] * w.detectors.directions[row]
        out[own] = np.column_stack([q @ run.orientation.spec_to_cc.T, energy])
    return out


@pytest.mark.parametrize("name", WITH_PIXELS)
def test_cut_along_its_own_axes_a_file_is_itself(shared_data: Path, name: str) -> None:
    w = read_sqw(shared_data / "sqw" / name)
    again = cut(w, *[[] for _ in w.shape])
    # one pixel of sqw_2d_1 lies on an edge
    moved = np.abs(again.npix.astype(int) - w.npix.astype(int))
    assert moved.sum() <= 2 * (name == "sqw_2d_1.sqw")
    same = moved == 0
    np.testing.assert_allclose(again.signal[same], w.signal[same], rtol=1e-6, atol=1e-6 * w.signal.max())
    np.testing.assert_allclose(again.variance[same], w.variance[same], rtol=1e-6, atol=1e-6 * w.variance.max())


def test_twins_of_versions_2_and_4_are_the_same(shared_data: Path) -> None:
    old, new = (read_sqw(shared_data / "sqw" / n) for n in ("sqw_1d_2.sqw", "faccess_sqw_v4_sample.sqw"))
    np.testing.assert_array_equal(old.pixels.read(), new.pixels.read())
    np.testing.assert_array_equal(old.npix, new.npix)
    np.testing.assert_array_equal(old.signal, new.signal)
    np.testing.assert_array_equal(old.variance, new.variance)
    np.testing.assert_array_equal(old.detectors.azimuth, new.detectors.azimuth)
    runs = {r.id: r for r in old.runs}
    for run in new.runs:
        assert run.filename == runs[run.id].filename
        assert run.orientation.psi == pytest.approx(runs[run.id].orientation.psi, abs=1e-12)
    # version 2 has the axes in float32
    first, second = (w.projection.frame(w.image.lattice) for w in (old, new))
    np.testing.assert_allclose(first.u_to_rlu, second.u_to_rlu, atol=1e-7)
    np.testing.assert_allclose(first.lengths, second.lengths, rtol=1e-7)


@pytest.mark.parametrize("name", VERSION_2)
def test_version_2_is_written_byte_for_byte(shared_data: Path, tmp_path: Path, name: str) -> None:
    path = shared_data / "sqw" / name
    save(read_horace(path), tmp_path / "w.sqw", version=2)
    assert (tmp_path / "w.sqw").read_bytes() == path.read_bytes()


def test_blocks_of_version_4_are_encoded_byte_for_byte(shared_data: Path) -> None:
    path = shared_data / "sqw/faccess_sqw_v4_sample.sqw"
    with path.open("rb") as file:
        reader = Reader(path, file, path.stat().st_size, 26)
        seen = 0
        for name, block in blocks._table(reader).items():
            if block.kind != "data_block":
                continue
            reader.seek(block.position)
            raw = reader.take(block.size, "block")
            out = io.BytesIO()
            write_tagged(Writer(out), read_tagged(Reader.of_bytes(path, raw)))
            assert out.getvalue() == raw, name
            seen += 1
    assert seen == 7


@pytest.mark.parametrize("name", [n for n, *_ in REAL])
def test_version_4_holds_all_that_was_read(shared_data: Path, tmp_path: Path, name: str) -> None:
    w = read_horace(shared_data / "sqw" / name)
    save(w, tmp_path / "w.sqw")
    again = read_horace(tmp_path / "w.sqw")
    for field in ("signal", "variance", "npix"):
        np.testing.assert_array_equal(getattr(again, field), getattr(w, field))
    for mine, theirs in zip(again.axes.all_edges, w.axes.all_edges, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    image, other = (x.image if isinstance(x, Sqw) else x for x in (w, again))
    mine, theirs = (x.projection.frame(x.lattice) for x in (other, image))
    np.testing.assert_allclose(mine.u_to_rlu, theirs.u_to_rlu)
    if isinstance(w, Sqw):
        assert isinstance(again, Sqw)
        np.testing.assert_array_equal(again.pixels.read(), w.pixels.read())
        assert [r.id for r in again.runs] == [r.id for r in w.runs]
        for run, old in zip(again.runs, w.runs, strict=True):
            np.testing.assert_allclose(run.orientation.spec_to_cc, old.orientation.spec_to_cc, atol=1e-12)
            np.testing.assert_array_equal(run.energies, old.energies)


def test_blocks_that_are_not_known_are_kept(shared_data: Path, tmp_path: Path) -> None:
    """A block of a later version, and runs, instruments and samples as they were."""
    raw = (shared_data / "sqw/faccess_sqw_v4_sample.sqw").read_bytes()
    length, count = struct.unpack_from("<II", raw, 26)
    entry = b"".join(struct.pack("<I", len(x)) + x for x in (b"data_block", b"future", b"thing"))
    grown = len(entry) + 16
    table = bytearray(raw[34:30 + length])
    at = 0
    for _ in range(count):
        for _ in range(3):
            at += 4 + struct.unpack_from("<I", table, at)[0]
        struct.pack_into("<Q", table, at, struct.unpack_from("<Q", table, at)[0] + grown)
        at += 16
    extra = b"\x01\x01\x03\x00\x00\x00abc"
    table += entry + struct.pack("<QQ", len(raw) + grown, len(extra))
    (tmp_path / "later.sqw").write_bytes(raw[:26] + struct.pack("<II", length + grown, count + 1) + bytes(table)
                                         + raw[30 + length:] + extra)
    w = read_sqw(tmp_path / "later.sqw")
    assert isinstance(w, Sqw)
    write_sqw(tmp_path / "again.sqw", w)
    again = read_sqw(tmp_path / "again.sqw")
    assert isinstance(again, Sqw)
    np.testing.assert_array_equal(again.pixels.read(), w.pixels.read())
    found = (tmp_path / "again.sqw").read_bytes()
    for name in (("future", "thing"), ("experiment_info", "expdata"), ("experiment_info", "instruments")):
        old, new = w.kept.blocks[name], again.kept.blocks[name]
        raw = (tmp_path / "later.sqw").read_bytes()
        assert found[new.position:new.position + new.size] == raw[old.position:old.position + old.size]


def test_instruments_and_samples(shared_data: Path) -> None:
    w = read_sqw(shared_data / "sqw/w1_inst_ref.sqw")
    assert isinstance(w, Sqw)
    assert len(w.equipment["instruments"]) == len(w.equipment["samples"]) == 85
    instrument, sample = w.equipment["instruments"][84], w.equipment["samples"][0]
    assert float(instrument["moderator"]["distance"].item()) == 12
    assert instrument["moderator"]["pulse_model"] == "ikcarp"
    assert float(instrument["fermi_chopper"]["slit_width"].item()) == 0.002899
    assert sample["ps"].ravel().tolist() == [0.04, 0.03, 0.02]


def test_the_prototype_has_fewer_pixels_than_its_image_says(shared_data: Path) -> None:
    """It was cut short on purpose: the image is there, in means, and a cut of its pixels is refused."""
    w = read_sqw(shared_data / "sqw/test_sqw_read_write_v0_t.sqw")
    assert isinstance(w, Sqw)
    assert (w.shape, int(w.npix.sum()), len(w.pixels)) == ((4, 4, 4, 4), 1523850, 16)
    assert w.image.lattice == w.runs[0].orientation.lattice
    full = w.npix > 0
    assert (w.signal[full] <= 17318 / w.npix[full]).all()
    with pytest.raises(FormatError, match=r"npix: expected a sum of 16, .* found 1.52385e\+06"):
        cut(w, [], [], [], [])


def test_images_of_every_dimension_and_projection(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = [np.linspace(-1, 1, 5), np.linspace(0, 1, 4), np.linspace(0, 3, 3), np.linspace(0, 30, 3)]
    for dimensions in range(5):
        axes = Axes(tuple(e if n < dimensions else e[[0, -1]] for n, e in enumerate(whole)), tuple(range(dimensions)))
        signal, variance = rng.random((2, *axes.shape))
        for projection in (LineProj((1, 1, 0), (-1, 1, 0), (0, 0, 1), "rpa", True, (0.1, 0.2, 0.3, 4.0)), LineProj(),
                           SphereProj((1, 1, 0), (0, 0, 1), "prd"), CylinderProj((0, 0, 1), (1, 0, 0), "kad")):
            cell = Lattice(3, 4, 5, 90, 100, 90)
            image = Dnd.of(axes, projection, cell, signal, variance, rng.integers(1, 9, axes.shape))
            write_sqw(tmp_path / "w.sqw", image)
            again = read_dnd(tmp_path / "w.sqw")
            assert again.axes.plotted == axes.plotted
            np.testing.assert_array_equal(again.signal, signal)
            np.testing.assert_array_equal(again.npix, image.npix)
            assert type(again.projection) is type(projection)
            assert again.projection.core(again.lattice) == projection.core(image.lattice)
            if isinstance(projection, LineProj):
                write_sqw(tmp_path / "w.sqw", image, 2)
                np.testing.assert_allclose(read_dnd(tmp_path / "w.sqw").variance, variance, rtol=1e-6)
            else:
                with pytest.raises(GeometryError, match="version 2"):
                    write_sqw(tmp_path / "w.sqw", image, 2)


def test_values_of_version_4_come_back() -> None:
    values = [True, 3.5, "text", "", np.arange(6, dtype="<i4").reshape(2, 3), Characters("abcd", (2, 2)), np.zeros((0, 3)),
              Cell(["a", 1.0], (2, 1)), Wrapped({"serial_name": "x", "version": 1.0}), Struct({}, (0, 0)),
              Struct({"a": ["x", "y"], "b": [1.0, 2.0]}, (1, 2))]
    for value in values:
        first, second = io.BytesIO(), io.BytesIO()
        write_tagged(Writer(first), value)
        write_tagged(Writer(second), read_tagged(Reader.of_bytes(Path("x"), first.getvalue())))
        assert first.getvalue() == second.getvalue()


@pytest.mark.parametrize(("change", "words"), [
    (lambda d: d[:100], "expected"), (lambda d: d[:-30], "pixels: expected"),
    (lambda d: d[:10] + struct.pack("<d", 7.5) + d[18:], "version: expected"),
    (lambda d: d[:18] + struct.pack("<I", 9) + d[22:], "sqw_type: expected"),
    (lambda d: d[:26] + b"\xff\xff\xff\x7f" + d[30:], "main header: filename")])
def test_damage_is_named(shared_data: Path, tmp_path: Path, change: object, words: str) -> None:
    raw = (shared_data / "sqw/w2d_qq_small_sqw.sqw").read_bytes()
    (tmp_path / "w.sqw").write_bytes(change(raw))  # type: ignore[operator]
    with pytest.raises(FormatError, match=words):
        read_sqw(tmp_path / "w.sqw")


@pytest.mark.parametrize("name", ["sqw_2d_1.sqw", "faccess_sqw_v4_sample.sqw", "fe_cut.sqw", "dnd_2d.sqw",
                                  "test_sqw_read_write_v0_t.sqw"])
def test_mutated_files_are_refused_or_read(shared_data: Path, name: str) -> None:
    """Never another error, and never memory that the file does not account for."""
    script = Path(__file__).parents[2] / "scripts" / "fuzz_files.py"
    command = [sys.executable, str(script), str(shared_data / "sqw" / name), "--count", "120", "--seed", "1"]
    subprocess.run(command, check=True)
