"""Parts of images: their pixels, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from insml import GeometryError
from insml.operations import compact, mask, mask_points, mask_runs, permute, section
from insml.sqw import Sqw
from insml.sqw.cut import cut


def consistent(w: Sqw) -> None:
    """Pixels lie in their bins, and means are theirs."""
    again = cut(w, None, *[None] * 4)
    np.testing.assert_array_equal(again.npix, w.npix)
    np.testing.assert_allclose(again.signal, w.signal, rtol=1e-12)
    np.testing.assert_allclose(again.variance, w.variance, rtol=1e-12)


def test_section_keeps_whole_bins(plane: Sqw) -> None:
    w = section(plane, [-0.6, 1.1], [0, 20])
    a = (plane.centres[0] >= -0.6) & (plane.centres[0] <= 1.1)
    b = (plane.centres[1] >= 0) & (plane.centres[1] <= 20)
    np.testing.assert_array_equal(w.npix, plane.npix[np.ix_(a, b)])
    np.testing.assert_allclose(w.signal, plane.signal[np.ix_(a, b)], rtol=1e-12)
    consistent(w)
    flat = section(plane.image, [-0.6, 1.1], [0, 20])
    np.testing.assert_array_equal(flat.npix, w.npix)
    np.testing.assert_array_equal(section(plane, 0, None).npix, plane.npix)


def test_section_follows_the_order_of_drawing(plane: Sqw) -> None:
    turned = section(permute(plane), [0, 20], [-0.6, 1.1])
    np.testing.assert_array_equal(turned.npix, section(plane, [-0.6, 1.1], [0, 20]).npix)
    assert turned.axes.order == (1, 0)


def test_section_to_a_file(plane: Sqw, tmp_path: Path) -> None:
    w = section(plane, [-0.6, 1.1], filename=tmp_path / "w.sqw")
    consistent(w)
    np.testing.assert_array_equal(w.npix, section(plane, [-0.6, 1.1]).npix)
    assert list(tmp_path.iterdir()) == [tmp_path / "w.sqw"]


def test_compact_loses_nothing(data: Sqw) -> None:
    wide = cut(data, None, [-20, 1, 20], [-3, 3], [-20, 2, 20], [-100, 200])
    w = compact(wide)
    assert len(w.pixels) == len(wide.pixels)
    assert all(edge.any() for edge in (w.npix[0], w.npix[-1], w.npix[:, 0], w.npix[:, -1]))
    assert w.shape < wide.shape
    consistent(w)


def test_mask(plane: Sqw) -> None:
    keep = np.random.default_rng(0).random(plane.shape) < 0.5
    w = mask(plane, keep)
    np.testing.assert_array_equal(w.npix, np.where(keep, plane.npix, 0))
    consistent(w)
    np.testing.assert_array_equal(mask(plane, np.ravel(keep, order="F")).npix, w.npix)
    flat = mask(plane.image, keep)
    assert np.isnan(flat.signal[~keep]).all()
    assert not flat.npix[~keep].any()


def test_mask_points(plane: Sqw) -> None:
    x, y = np.meshgrid(*plane.centres, indexing="ij")
    found = mask_points(plane, keep=[-1, 1, 0, 20], remove=[[0, 0.6, 0, 5], [-9, -0.4, 10, 99]])
    expected = (abs(x) <= 1) & (y >= 0) & (y <= 20) & ~((x >= 0) & (x <= 0.6) & (y >= 0) & (y <= 5)) \
        & ~((x <= -0.4) & (y >= 10))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(mask_points(plane, mask=expected), expected)
    assert mask_points(plane).all()


def test_mask_runs(plane: Sqw) -> None:
    w = mask_runs(plane, [1, 3])
    assert set(w.pixels.read()[:, 4]) == {2}
    assert len(w.pixels) == (plane.pixels.read()[:, 4] == 2).sum() > 0
    consistent(w)


def test_mistakes(plane: Sqw) -> None:
    with pytest.raises(GeometryError, match="centre of a bin from 90 to 91"):
        section(plane, [90, 91])
    with pytest.raises(GeometryError, match="at most 2 ranges"):
        section(plane, 0, 0, 0)
    with pytest.raises(GeometryError, match="shape of the bins"):
        mask(plane, np.ones((2, 3)))
    with pytest.raises(GeometryError, match="from 1 to 3"):
        mask_runs(plane, 4)
    with pytest.raises(GeometryError, match="4 limits"):
        mask_points(plane, keep=[0, 1])
    with pytest.raises(GeometryError, match="found none"):
        compact(mask(plane, np.zeros(plane.shape, bool)))
