"""Models at bins and at pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from crystal_runs import LATTICE
from hypothesis import given, settings
from hypothesis import strategies as st

from insml import GeometryError, ModelError, _core
from insml.crystal.orientation import Orientation
from insml.operations import disp2sqw_eval, func_eval, noisify, permute, replicate, smooth, sqw_eval
from insml.operations.evaluate import mean_coordinates
from insml.sqw import Axes, CylinderProj, Dnd, LineProj, SphereProj, Sqw
from insml.sqw.coordinates import bin_centres, hkle
from insml.sqw.cut import core_target, cut

B = Orientation(LATTICE, (1, 0, 0), (0, 1, 0)).b


def linear(h, k, l, e, p):  # type: ignore[no-untyped-def]  # noqa: E741
    return p[0] * h + p[1] * k + p[2] * l + p[3] * e


def test_a_linear_model_of_pixels_is_that_of_their_mean(plane: Sqw) -> None:
    p = [1.0, -2.0, 0.5, 0.1]
    w = sqw_eval(plane, linear, p)
    pixels = plane.pixels.read().astype(float)
    hkl = pixels[:, :3] @ np.linalg.inv(B).T
    np.testing.assert_allclose(w.pixels.read()[:, 7], linear(*hkl.T, pixels[:, 3], p), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(w.npix, plane.npix)
    assert not w.variance.any()
    average = sqw_eval(plane, linear, p, average=True)
    np.testing.assert_allclose(average.signal, w.signal, rtol=1e-5, atol=1e-5)
    there = plane.npix > 0
    energy = sqw_eval(plane, linear, [0, 0, 0, 1.0]).signal
    np.testing.assert_allclose(mean_coordinates(plane).reshape(*plane.shape, 4)[there][:, 3], energy[there], rtol=1e-5)


def test_images_are_evaluated_at_centres(plane: Sqw) -> None:
    image = plane.image
    found = sqw_eval(image, linear, [1.0, 2.0, 0.0, 0.5])
    x, e = np.meshgrid(*image.centres, indexing="ij")
    # along [1, 1, 0] with a type "r" axis h = k = x; the middle of what is integrated is 0
    frame = image.projection.frame(LATTICE)
    expected = (frame.momenta[:, 0] @ [1.0, 2.0, 0.0]) * x + 0.5 * e
    there = image.npix > 0
    np.testing.assert_allclose(found.signal[there], expected[there])
    assert there.sum() < there.size
    assert not found.signal[~there].any()
    every = sqw_eval(image, linear, [1.0, 2.0, 0.0, 0.5], everywhere=True)
    np.testing.assert_allclose(every.signal, expected)
    assert (every.npix > 0).all()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([LineProj, SphereProj, CylinderProj]), st.tuples(*[st.floats(-1, 1)] * 6),
       st.tuples(*[st.floats(-1, 1)] * 4), st.tuples(st.floats(0.2, 2), st.floats(0.2, 1.5), st.floats(-2, 2),
                                                    st.floats(-5, 5)), st.booleans())
def test_places_of_bins_are_binned_there(kind: type, vectors: tuple[float, ...], offset: tuple[float, ...],
                                         x: tuple[float, ...], letters: bool) -> None:
    """The inverse of what the core does: a pixel at the place of a point is in the bin around it."""
    u, v = np.reshape(vectors, (2, 3)) + [[1.7, 0, 0], [0, 1.7, 0]]
    letter = {LineProj: ("apr", "rrr"), SphereProj: ("add", "prr"), CylinderProj: ("aad", "par")}[kind][letters]
    projection = kind(u, v, np.cross(u, v) + v, letter, offset=offset) if kind is LineProj else kind(u, v, letter, offset)
    point = np.array(x)
    if kind is not LineProj and not letters:
        point[2] = np.degrees(point[2])
        if kind is SphereProj:
            point[1] = np.degrees(point[1])
    q = hkle(projection, LATTICE, point[None])[0]
    half = 1e-4 * np.maximum(np.abs(point), 1.0)
    axes = Axes(tuple(np.array([a - h, a + h]) for a, h in zip(point, half, strict=True)), ())
    pixel = np.array([[*(B @ q[:3]), q[3], 1, 1, 1, 1.0, 1.0]], np.float32)
    _, _, npix = _core.accumulate(pixel, core_target(projection, axes, LATTICE), ranges=None, parts=2, first=0, last=2,
                                  threads=1)
    assert npix.sum() == 1


def test_functions_of_the_axes(plane: Sqw) -> None:
    w = func_eval(plane.image, lambda x, e, p: p[0] * x + p[1] * e, [2.0, 0.5])
    x, e = np.meshgrid(*plane.centres, indexing="ij")
    there = plane.npix > 0
    np.testing.assert_allclose(w.signal[there], (2 * x + 0.5 * e)[there])
    pixels = func_eval(plane, lambda x, e, p: p[0] * x + p[1] * e, [2.0, 0.5])
    np.testing.assert_allclose(pixels.signal, w.signal, rtol=1e-6)
    more = func_eval(plane.image, lambda x, e, p, scale, add: scale * (p[0] * x + add), [[2.0], 3.0, {"add": 1.0}])
    np.testing.assert_allclose(more.signal[there], (3 * (2 * x + 1))[there])


def test_modes_have_their_area(plane: Sqw) -> None:
    """Two modes of weights 1 and 2, at all E: the integral over energy is 3."""
    line = cut(plane.image, [-0.6, 1.1], [-3, 31])
    fine = Dnd.of(Axes((*line.axes.all_edges[:3], np.linspace(-50, 80, 1301)), (3,)), line.projection, LATTICE,
                  *[np.ones(1300)] * 3)
    def listed(h, k, l, p):  # type: ignore[no-untyped-def]  # noqa: E741
        return [p[0] + h, p[1] - h], [1.0 + 0 * h, 2.0 + 0 * h]

    def table(h, k, l, p):  # type: ignore[no-untyped-def]  # noqa: E741
        return np.stack([p[0] + h, p[1] - h], 1), np.tile([1.0, 2.0], (h.size, 1))

    for dispersion in (listed, table):
        w = disp2sqw_eval(fine, dispersion, [5.0, 20.0], 3.0)
        assert (w.signal * 0.1).sum() == pytest.approx(3.0, rel=1e-6)
        peak = w.signal.max()
        above = fine.centres[0][(w.signal > peak / 2)]
        assert np.ptp(above) + 0.1 == pytest.approx(3.0, abs=0.2)
    lorentz = disp2sqw_eval(fine, lambda *x: [x[-1][0] + 0 * x[0]], [10.0],
                            lambda e, w: 0.5 / np.pi / ((e - w) ** 2 + 0.25))
    assert lorentz.signal.max() == pytest.approx(2 / np.pi, rel=0.02)


def test_to_a_file(plane: Sqw, tmp_path: Path) -> None:
    w = sqw_eval(plane, linear, [1.0, 0, 0, 0], filename=tmp_path / "w.sqw")
    np.testing.assert_array_equal(w.pixels.read(), sqw_eval(plane, linear, [1.0, 0, 0, 0]).pixels.read())


def test_mistakes(plane: Sqw) -> None:
    with pytest.raises(ModelError, match="one value for each"):
        sqw_eval(plane, lambda *x: x[0][:2], [1])
    with pytest.raises(ModelError, match="finite"):
        sqw_eval(plane, lambda *x: x[0] * np.nan, [1])
    with pytest.raises(ModelError, match="positive width"):
        disp2sqw_eval(plane, lambda *x: x[0], [1], 0.0)
    with pytest.raises(ModelError, match="as many weights"):
        disp2sqw_eval(plane, lambda *x: ([x[0], x[0]], [x[0]]), [1], 1.0)
    with pytest.raises(GeometryError, match="everywhere"):
        func_eval(plane, lambda x, e, p: x, [1], everywhere=True)
    limits = [np.array([-np.inf, np.inf]), *[np.array([0.0, 1.0])] * 3]
    with pytest.raises(GeometryError, match="finite limits"):
        bin_centres(Dnd.of(Axes(tuple(limits), ()), LineProj(), LATTICE, 0.0, 0.0, 1))


def test_infinite_ranges_become_those_of_the_data(data: Sqw) -> None:
    inf = [-np.inf, np.inf]
    w = cut(data, LineProj(), [-2, 0.5, 2], inf, [-3, np.inf], inf)
    along = np.linalg.inv(LineProj().frame(LATTICE).momenta) @ np.linalg.inv(B)
    x = np.column_stack([w.pixels.read()[:, :3] @ along.T, w.pixels.read()[:, 3]])
    for n, edges in enumerate(w.axes.all_edges):
        assert np.isfinite(edges).all()
        assert edges[0] <= x[:, n].min()
        assert edges[-1] >= x[:, n].max()
    assert w.axes.all_edges[2][0] == -3
    np.testing.assert_array_equal(cut(w, None, *[None] * 4).npix, w.npix)


def test_noise(plane: Sqw) -> None:
    w = noisify(plane, 0.1, seed=3)
    largest = np.abs(plane.pixels.read()[:, 7]).max()
    moved = w.pixels.read()[:, 7] - plane.pixels.read()[:, 7]
    assert moved.std() == pytest.approx(0.1 * largest, rel=0.1)
    np.testing.assert_allclose(w.pixels.read()[:, 8], plane.pixels.read()[:, 8] + (0.1 * largest) ** 2, rtol=1e-5)
    np.testing.assert_array_equal(w.pixels.read(), noisify(plane, 0.1, seed=3).pixels.read())
    counts = noisify(func_eval(plane.image, lambda x, e, p: 400 + 0 * x, [0]), "poisson")
    there = counts.npix > 0
    assert np.array_equal(counts.signal[there], np.round(counts.signal[there]))
    assert (counts.variance[there] == 400).all()
    assert abs(counts.signal[there].mean() - 400) < 5 * 20 / np.sqrt(there.sum())


def test_smooth_keeps_flat_images(plane: Sqw) -> None:
    flat = func_eval(plane.image, lambda x, e, p: 2.0 + 0 * x, [0])
    for shape in ("hat", "gaussian"):
        w = smooth(flat, [3, 2], shape)
        np.testing.assert_allclose(w.signal[w.npix > 0], 2.0)
        np.testing.assert_array_equal(w.npix, flat.npix)


def test_smooth_is_a_mean_of_neighbours() -> None:
    s, e = np.array([1.0, 5.0, 3.0, 7.0, 2.0]), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    axes = Axes((np.arange(6.0), *[np.array([0.0, 1.0])] * 3), (0,))
    w = smooth(Dnd.of(axes, LineProj(), LATTICE, s, e, [1, 1, 0, 1, 1]))
    np.testing.assert_allclose(w.signal, [3.0, 3.0, 0.0, 4.5, 4.5])
    np.testing.assert_allclose(w.variance, [0.3 / 4, 0.3 / 4, 0, 0.9 / 4, 0.9 / 4])


def test_replicate(plane: Sqw) -> None:
    line = cut(plane.image, [-1.75, 2.25], None)
    w = replicate(line, plane)
    assert w.shape == plane.shape
    for row in w.signal:
        np.testing.assert_array_equal(row, line.signal)
    less = plane.image - w
    assert less.shape == plane.shape
    with pytest.raises(GeometryError, match="bins"):
        replicate(cut(plane.image, [-1.75, 2.25], [0, 10, 30]), plane)


def test_permute_is_for_drawing_alone(plane: Sqw) -> None:
    w = permute(plane)
    assert w.axes.order == (1, 0)
    assert permute(w).axes.order == (0, 1)
    assert permute(w, [0, 1]).axes.order == (1, 0)
    np.testing.assert_array_equal(w.signal, plane.signal)
    with pytest.raises(GeometryError, match="once"):
        permute(plane, [0, 0])
