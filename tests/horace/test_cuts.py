"""Horace's words for cuts, and fits of what they give."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from insml import GeometryError, ModelError
from insml.horace import (
    SymopRotation,
    cut,
    cut_dnd,
    cut_sqw,
    dummy_sqw,
    gen_sqw,
    head,
    line_proj,
    linear_bg,
    ortho_proj,
    read_dnd,
    read_horace,
    read_sqw,
    save,
    set_instrument,
    set_sample,
    tobyfit,
)
from insml.instruments import Sample, maps
from insml.sqw import Dnd, Sqw


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("runs")
    polar, azimuth = rng.uniform(5, 40, 80), rng.uniform(-30, 30, 80)
    for n in range(2):
        with h5py.File(folder / f"{n}.nxspe", "w") as file:
            entry = file.create_group("w")
            entry.attrs["NX_class"] = np.bytes_("NXentry")
            entry["definition"] = np.array([b"NXSPE"])
            for name, value in {"NXSPE_info/fixed_energy": [60.0], "data/energy": np.linspace(-5, 45, 26),
                                "data/polar": polar, "data/azimuthal": azimuth, "data/distance": np.full(80, 6.0),
                                "data/polar_width": np.full(80, 0.2), "data/azimuthal_width": np.full(80, 0.5),
                                "data/data": np.full((80, 25), 2.0), "data/error": np.full((80, 25), 0.5)}.items():
                entry[name] = value
    return [str(folder / f"{n}.nxspe") for n in range(2)]


def generated(runs: list[str], out: Path | None = None) -> Sqw:
    return gen_sqw(runs, "", out, 60.0, 1, [3, 3, 3], [90, 90, 90], [1, 0, 0], [0, 1, 0], [0, 10], 0, 0, 0, 0, [8, 8, 8, 8])


def test_a_session(runs: list[str], tmp_path: Path) -> None:
    w = generated(runs, tmp_path / "w.sqw")
    assert head(tmp_path / "w.sqw")["npixels"] == len(w.pixels) == 2 * 80 * 25
    proj = line_proj([1, 1, 0], [-1, 1, 0])
    one = cut_sqw(str(tmp_path / "w.sqw"), proj, [0, 0.1, 1], [-1, 1], [-1, 1], [0, 40])
    assert isinstance(one, Sqw)
    full = one.npix > 0
    np.testing.assert_allclose(one.signal[full], 2.0)
    np.testing.assert_allclose(one.variance[full], 0.25 / one.npix[full])
    image = cut(w, proj, [0, 0.1, 1], [-1, 1], [-1, 1], [0, 40], "-nopix")
    assert isinstance(image, Dnd)
    np.testing.assert_array_equal(image.npix, one.npix)
    stored = cut(w, proj, [0, 0.1, 1], [-1, 1], [-1, 1], [0, 40], [SymopRotation((0, 0, 1), 180.0)], tmp_path / "c.sqw")
    assert len(stored.pixels) >= len(one.pixels)
    assert read_sqw(tmp_path / "c.sqw").shape == read_dnd(tmp_path / "c.sqw").shape == (11,)
    save(image, tmp_path / "d.dnd", version=2)
    np.testing.assert_array_equal(read_horace(tmp_path / "d.dnd").npix, image.npix)
    assert cut_dnd(one, [0.0, 0.5]).npix.sum() <= one.npix.sum()
    assert ortho_proj([1, 0, 0], [0, 1, 0], uoffset=[1, 0, 0, 0]).offset == (1, 0, 0, 0)
    with pytest.raises(GeometryError, match="expected data with pixels"):
        cut_sqw(image, [0, 1])
    with pytest.raises(GeometryError, match="-nopix or -pix"):
        cut(w, [0, 1], [], [], [], "-nopixels")


def test_runs_as_text_give_the_same_pixels(shared_data: Path, tmp_path: Path) -> None:
    settings = (40.0, 1, [3, 3, 3], [90, 90, 90], [1, 0, 0], [0, 1, 0], 10.0)
    text = gen_sqw(shared_data / "ascii/fm_simple_cubic_a.spe", shared_data / "ascii/det_a.par", None, *settings)
    hdf5 = gen_sqw(shared_data / "nxspe/fm_simple_cubic_a.nxspe", "", tmp_path / "w.sqw", *settings)
    a, b = (w.pixels.read()[np.lexsort(w.pixels.read()[:, 5:7].T)] for w in (text, hdf5))
    np.testing.assert_allclose(a[:, :7], b[:, :7], atol=1e-5)
    np.testing.assert_allclose(a[:, 7], b[:, 7], atol=4e-5)
    np.testing.assert_allclose(text.detectors.height, hdf5.detectors.height)


def test_cuts_are_fitted_once_they_have_instrument_and_sample(runs: list[str]) -> None:
    w = cut(generated(runs), line_proj([1, 0, 0], [0, 1, 0]), [-1, 0.2, 2], [-2, 2], [-2, 2], [5, 30])
    with pytest.raises(ModelError, match="set_instrument"):
        tobyfit(w)
    with pytest.raises(ModelError, match=r"insml\.instruments"):
        set_instrument(w, 3)
    w = set_sample(set_instrument(w, lambda ei: maps(ei, 250)), Sample((0.01, 0.01, 0.01)))
    with pytest.raises(ModelError, match="Sample"):
        set_sample(w, 3)  # type: ignore[arg-type]
    fitted, fp = tobyfit(w).set_mc_points(2).set_bfun(linear_bg, [1.0, 0.1]).fit()
    np.testing.assert_allclose(fp.bp, [2.0, 0.0], atol=1e-6)
    constant = tobyfit(w).set_mc_points(4).set_fun(lambda h, k, l, e, p: p[0] + 0 * e, [3.0]).simulate()  # noqa: E741
    np.testing.assert_allclose(constant.signal[constant.npix > 0], 3.0)
    assert fitted.signal.shape == w.shape


def test_dummy_runs_carry_their_angle(tmp_path: Path) -> None:
    """The signal of each pixel is psi of its run; all detectors and energies are there."""
    (tmp_path / "d.par").write_text("3\n" + "".join(f" 6.0 {20 + n} {10 * n} 0.02 0.03 {n + 1}\n" for n in range(3)))
    stands = (1, [3, 4, 5], [90, 90, 90], [1, 0, 0], [0, 1, 0], [0, 15.5])
    w = dummy_sqw([0, 10, 20, 30], tmp_path / "d.par", tmp_path / "w.sqw", 60, *stands)
    pixels = w.pixels.read()
    assert pixels.shape == (18, 9)
    np.testing.assert_array_equal(np.unique(pixels[:, 7]), [0, 15.5])
    assert (pixels[:, 8] == 0).all()
    assert [(r.filename, r.efix, r.orientation.psi) for r in w.runs] == [("dummy_1", 60, 0), ("dummy_2", 60, 15.5)]
    other = dummy_sqw([[0, 10], [0, 10, 20]], tmp_path / "d.par", None, [60, 70], *stands)
    assert len(other.pixels) == 9
    with pytest.raises(GeometryError, match="for each of 2 psi, found 3 and 2"):
        dummy_sqw([[0, 10]] * 3, tmp_path / "d.par", None, 60, *stands)
    with pytest.raises(GeometryError, match="energies of run 1: expected two or more ascending"):
        dummy_sqw([10, 0], tmp_path / "d.par", None, 60, *stands)
