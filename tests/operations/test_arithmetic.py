"""Operators against numpy, their errors against finite differences and drawn values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crystal_runs import LATTICE
from hypothesis import given, settings
from hypothesis import strategies as st

from insml import GeometryError
from insml.io import read_sqw
from insml.operations import applied, pages
from insml.operations.arithmetic import BINARY, UNARY
from insml.sqw import Axes, Dnd, LineProj, Sqw
from insml.sqw.cut import cut


def image(signal: Any, variance: Any, npix: Any = 1) -> Dnd:
    s = np.atleast_1d(np.asarray(signal, float))
    axes = Axes((np.arange(s.size + 1.0), *[np.array([0.0, 1.0])] * 3), (0,))
    return Dnd.of(axes, LineProj(), LATTICE, s, np.broadcast_to(variance, s.shape), np.broadcast_to(npix, s.shape))


@pytest.mark.parametrize("name", sorted(UNARY))
def test_errors_of_functions_are_slopes(name: str) -> None:
    f = getattr(np, name)
    s = np.array([1.3, 1.7]) if name == "arccosh" else np.array([0.31, 0.72])
    found = f(image(s, [0.01, 0.04]))
    step = 1e-6
    slope = (f(s + step) - f(s - step)) / (2 * step)
    np.testing.assert_allclose(found.signal, f(s))
    np.testing.assert_allclose(found.variance, slope**2 * [0.01, 0.04], rtol=1e-7)


@pytest.mark.parametrize("name", sorted(BINARY))
@settings(max_examples=20, deadline=None)
@given(st.floats(0.1, 3), st.floats(0.1, 3), st.floats(0, 0.1), st.floats(0, 0.1))
def test_errors_of_two(name: str, a: float, b: float, ea: float, eb: float) -> None:
    f, step = getattr(np, name), 1e-6
    by_a, by_b = (f(a + step, b) - f(a - step, b)) / (2 * step), (f(a, b + step) - f(a, b - step)) / (2 * step)
    found = f(image(a, ea), image(b, eb))
    np.testing.assert_allclose(found.signal, [f(a, b)])
    np.testing.assert_allclose(found.variance, [by_a**2 * ea + by_b**2 * eb], rtol=1e-6, atol=1e-12)


def test_stated_errors_are_those_of_drawn_values() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(10, 0.1, 100_000), rng.normal(4, 0.05, 100_000)
    found = (image(10.0, 0.01) - 2) / image(4.0, 0.0025) ** 2
    assert found.variance[0] == pytest.approx(((a - 2) / b**2).var(), rel=0.03)


def test_bins_without_pixels_in_either_have_none() -> None:
    found = image([1, 2, 3], 0.1, [1, 0, 2]) - image([1, 1, 1], 0.1, [1, 1, 0])
    assert found.npix.tolist() == [1, 0, 0]
    assert found.signal.tolist() == [0, 0, 0]
    assert found.variance[1:].tolist() == [0, 0]


def test_pixels_and_their_image_agree(plane: Sqw) -> None:
    background = cut(plane, None, None, None, None, None, keep_pixels=False)
    for found, expected in ((2 * plane + 1, 2 * plane.image + 1), (np.negative(plane), -plane.image)):
        there = plane.npix > 0
        np.testing.assert_allclose(found.signal[there], expected.signal[there], rtol=1e-6)
        np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-6)
        np.testing.assert_array_equal(found.npix, plane.npix)
    less = plane - background
    assert isinstance(less, Sqw)
    assert np.abs(less.signal).max() < 1e-6
    # every pixel of a bin gets the variance of the bin's mean, as Horace has it
    np.testing.assert_allclose(less.variance, plane.variance + background.variance / np.maximum(plane.npix, 1), rtol=1e-5)


def test_arrays_and_other_data_of_the_same_pixels(plane: Sqw) -> None:
    scale = np.random.default_rng(0).uniform(0.5, 2, plane.shape)
    found = plane * scale
    np.testing.assert_allclose(found.signal, plane.signal * scale, rtol=1e-6)
    both = plane + plane
    np.testing.assert_allclose(both.signal, 2 * plane.signal, rtol=1e-6)
    np.testing.assert_allclose(both.variance, 2 * plane.variance, rtol=1e-6)
    assert len((plane / plane.image.npix).pixels) == len(plane.pixels)


def test_pixels_of_unmeasured_bins_go(plane: Sqw) -> None:
    empty = Dnd.of(plane.axes, plane.projection, plane.image.lattice, plane.signal, plane.variance,
                   np.where(np.arange(plane.npix.size).reshape(plane.shape) % 2, plane.npix, 0))
    found = plane - empty
    np.testing.assert_array_equal(found.npix, empty.npix)
    assert len(found.pixels) == empty.npix.sum()


def test_to_a_file_and_in_pages(plane: Sqw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 7)
    found = applied(np.multiply, (plane, 3.0), tmp_path / "w.sqw")
    again = read_sqw(tmp_path / "w.sqw")
    whole = plane * 3.0
    for w in (found, again):
        np.testing.assert_array_equal(w.pixels.read(), whole.pixels.read())
        np.testing.assert_array_equal(w.npix, plane.npix)
        np.testing.assert_allclose(w.signal, whole.signal, rtol=1e-12)


def test_what_cannot_be_combined_says_so(plane: Sqw, data: Sqw, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GeometryError, match="shape of the bins"):
        plane + np.ones(3)
    with pytest.raises(GeometryError, match="same bins"):
        plane - data
    other = cut(data, LineProj((1, 1, 0), (0, 1, 0)), [-1.4, 0.5, 2.1], [-3, 3], [-3, 3], [-2, 5, 30])
    with pytest.raises(GeometryError, match="along plotted axis 1"):
        plane - other
    with pytest.raises(GeometryError, match="found str"):
        plane + "x"
    with pytest.raises(TypeError):
        plane > 3  # noqa: B015
    monkeypatch.setattr(pages, "MEMORY", 100)
    with pytest.raises(GeometryError, match="name of a file"):
        2 * plane
