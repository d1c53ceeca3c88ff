"""Cuts against plain numpy, and what must not change them."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crystal_runs import LATTICE
from hypothesis import given, settings
from hypothesis import strategies as st

import insml
from insml import GeometryError
from insml.crystal.orientation import Orientation
from insml.horace import SymopGeneral, SymopReflection, SymopRotation
from insml.io import read_sqw, write_sqw
from insml.sqw import CylinderProj, Dnd, LineProj, SphereProj, Sqw
from insml.sqw import cut as module
from insml.sqw.cut import cut
from insml.sqw.pixels import Pixels
from insml.sqw.symmetry import affine_of

B = Orientation(LATTICE, (1, 0, 0), (0, 1, 0)).b
INF = [-np.inf, np.inf]


def plain(x: np.ndarray, pixels: np.ndarray, edges: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Sums of pixels at coordinates (n, 4) by numpy."""
    npix, _ = np.histogramdd(x, edges)
    signal, _ = np.histogramdd(x, edges, weights=pixels[:, 7].astype(float))
    variance, _ = np.histogramdd(x, edges, weights=pixels[:, 8].astype(float))
    return signal / np.maximum(npix, 1), variance / np.maximum(npix, 1) ** 2, npix


def agree(w: Any, x: np.ndarray, pixels: np.ndarray) -> None:
    signal, variance, npix = (v.reshape(w.shape) for v in plain(x, pixels, list(w.axes.all_edges)))
    np.testing.assert_array_equal(w.npix, npix)
    np.testing.assert_allclose(w.signal, signal, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(w.variance, variance, rtol=1e-10, atol=1e-14)


def hkl(data: Sqw) -> np.ndarray:
    pixels = data.pixels.read().astype(float)
    return np.column_stack([pixels[:, :3] @ np.linalg.inv(B).T, pixels[:, 3]])


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(-1, 1)] * 9), st.booleans(), st.sampled_from(["aaa", "rrr", "ppp", "apr", None]),
       st.tuples(*[st.floats(-0.5, 0.5)] * 4),
       st.lists(st.tuples(st.floats(-3, 3), st.floats(0.2, 4)), min_size=4, max_size=4),
       st.integers(0, 15))
def test_straight_axes(data: Sqw, vectors: tuple[float, ...], skew: bool, kind: str | None, offset: tuple[float, ...],
                       ranges: list[tuple[float, float]], plotted: int) -> None:
    u, v, w = np.reshape(vectors, (3, 3)) + np.eye(3) * 1.7
    given_w = None if kind is None else w
    projection = LineProj(u, v, given_w, kind, skew, offset)
    # axes by Gram and Schmidt, or as they are
    bu, bv = B @ u, B @ v
    bw = np.cross(bu, bv) if given_w is None else B @ w
    if skew:
        bw = bw * np.sign(np.linalg.det([bu, bv, bw]))
        axes, whole = np.stack([bu, bv, bw]), np.linalg.norm([bu, bv, bw], axis=1)
        units = axes / whole[:, None]
    else:
        e1 = bu / np.linalg.norm(bu)
        e3 = np.cross(bu, bv) / np.linalg.norm(np.cross(bu, bv))
        units = np.stack([e1, np.cross(e3, e1), e3])
        whole = np.abs(np.einsum("ij,ij->i", units, np.stack([bu, bv, bw])))
    rlu = units @ np.linalg.inv(B).T
    if skew and given_w is None:
        # the third vector is one across u and v, whatever its length
        whole[2] = 1.0 if kind is not None and kind[2] == "a" else whole[2]
    letters = kind or "ppr"
    lengths = np.array([{"a": 1.0, "p": x, "r": 1 / np.abs(r).max()}[t]
                        for t, x, r in zip(letters, whole, rlu, strict=True)])
    pixels = data.pixels.read()
    q = pixels[:, :3].astype(float) - B @ np.array(offset[:3])
    x = np.column_stack([np.linalg.solve((units * lengths[:, None]).T, q.T).T, pixels[:, 3] - offset[3]])
    spread = [np.percentile(x[:, d], [10, 90]) for d in range(4)]
    bins = [[float(lo + a * (hi - lo) / 6), float((hi - lo) / (4 + b)), float(hi + a * (hi - lo) / 6)] if plotted >> d & 1
            else [float(lo - b), float(hi)] for d, ((lo, hi), (a, b)) in enumerate(zip(spread, ranges, strict=True))]
    kept, image = cut(data, projection, *bins), cut(data, projection, *bins, keep_pixels=False)
    # numpy and we may differ by the last bit of a coordinate: pixels on edges are left out
    near = np.zeros(len(x), bool)
    for d, edges in enumerate(kept.axes.all_edges):
        near |= (np.abs(x[:, d, None] - edges) < 1e-9).any(axis=1)
    if not near.any():
        agree(kept, x, pixels)
        agree(image, x, pixels)
        assert len(kept.pixels) == kept.npix.sum()


@pytest.mark.parametrize("letters", ["add", "rdr", "pdd", "hrd", "lrr"])
def test_spheres(data: Sqw, letters: str) -> None:
    projection = SphereProj((1, 0.2, 0), (0, 1, 0.1), type=letters, offset=(0.1, 0.2, -0.1, 1.0))
    axes = Orientation(LATTICE, (1, 0, 0), (0, 1, 0)).axes(projection.u, projection.v)
    q = data.pixels.read()[:, :3].astype(float) - B @ [0.1, 0.2, -0.1]
    y = q @ axes.T
    stars = np.linalg.norm(B, axis=0)
    along = B @ np.array(projection.u)
    unit = {"a": 1.0, "p": np.linalg.norm(along), "r": np.abs(along @ (B / stars)).max(), "h": stars[0],
            "l": stars[2]}[letters[0]]
    turn = [1.0 if x == "d" else np.pi / 180 for x in letters[1:]]
    radius = np.linalg.norm(y, axis=1)
    x = np.column_stack([radius / unit, np.degrees(np.arccos(y[:, 0] / radius)) * turn[0],
                         np.degrees(np.arctan2(y[:, 2], y[:, 1])) * turn[1], data.pixels.read()[:, 3] - 1.0])
    w = cut(data, projection, [0.2 / unit, 0.31 / unit, 4 / unit], [0, 180 * turn[0]],
            [-170 * turn[1], 20 * turn[1], 150 * turn[1]], [-5, 30], keep_pixels=False)
    agree(w, x, data.pixels.read())
    # whole turns need no angles: the same lengths in the same bins
    powder = cut(data, projection, [0.2 / unit, 0.31 / unit, 4 / unit], [0, 180 * turn[0]], [-180 * turn[1], 180 * turn[1]],
                 [-5, 30], keep_pixels=False)
    agree(powder, x, data.pixels.read())


def test_a_turn_begins_where_it_is_asked_to(data: Sqw) -> None:
    half = cut(data, SphereProj(), [0, 9], [0, 180], [0, 30, 330], INF, keep_pixels=False)
    usual = cut(data, SphereProj(), [0, 9], [0, 180], [-180, 30, 150], INF, keep_pixels=False)
    np.testing.assert_array_equal(np.roll(half.npix, 6), usual.npix)
    assert usual.npix.sum() == len(data.pixels)


def test_cylinders(data: Sqw) -> None:
    projection = CylinderProj((0, 0, 1), (1, 0, 0), type="aad")
    axes = Orientation(LATTICE, (1, 0, 0), (0, 1, 0)).axes((0, 0, 1), (1, 0, 0))
    y = data.pixels.read()[:, :3].astype(float) @ axes.T
    x = np.column_stack([np.hypot(y[:, 1], y[:, 2]), y[:, 0], np.degrees(np.arctan2(y[:, 2], y[:, 1])),
                         data.pixels.read()[:, 3]])
    w = cut(data, projection, [0.11, 0.3, 3.1], [-1.03, 0.4, 1.37], [-180, 180], [0, 25], keep_pixels=False)
    agree(w, x, data.pixels.read())


@pytest.mark.parametrize(("descriptor", "edges"), [
    ([0, 0.5, 2], [-0.25, 0.25, 0.75, 1.25, 1.75, 2.25]), ([0, 0.5, 1.2], [-0.25, 0.25, 0.75, 1.25, 1.75]),
    ([0.1, 0.7], [0.1, 0.7]), ([0.3, 0.5, 0.6], [0.05, 0.85])])
def test_limits_of_steps_are_centres(data: Sqw, descriptor: list[float], edges: list[float]) -> None:
    w = cut(data, LineProj((1, 0, 0), (0, 1, 0)), descriptor, INF, INF, INF, keep_pixels=False)
    np.testing.assert_allclose(w.axes.all_edges[0], edges, atol=1e-12)


def test_steps_and_infinities_take_limits_from_the_data(data: Sqw) -> None:
    axes = LineProj((1, 0, 0), (0, 1, 0))
    w = cut(data, axes, 0.25, [-np.inf, 0.25, np.inf], INF, [-np.inf, 2.0, 20], keep_pixels=False)
    for n in (0, 1):
        np.testing.assert_allclose(w.centres[n] / 0.25, np.round(w.centres[n] / 0.25), atol=1e-9)
    assert w.centres[2][-1] == pytest.approx(20)
    whole = cut(data, axes, 0.25, 0.25, INF, INF, keep_pixels=False)
    assert whole.npix.sum() == len(data.pixels)
    # 0 and nothing keep the bins of the same axes
    again = cut(data, [], 0, [], [0.0, 10.0])
    assert again.shape[0] == 6


def test_cuts_beside_each_other(data: Sqw) -> None:
    axes = LineProj((1, 0, 0), (0, 1, 0))
    found = cut(data, axes, [-2, 0.2, 2], INF, INF, [0, 5, 20, 4])
    assert [w.axes.all_edges[3].tolist() for w in found] == [[-2, 2], [3, 7], [8, 12], [13, 17], [18, 22]]
    alone = cut(data, axes, [-2, 0.2, 2], INF, INF, [8, 12])
    np.testing.assert_array_equal(found[2].signal, alone.signal)


def test_cuts_of_cuts(data: Sqw, tmp_path: Path) -> None:
    """A cut of a cut is the cut itself where the first holds it all; also from a file, and along its own axes."""
    axes = LineProj((1, 0, 0), (0, 1, 0))
    first = cut(data, axes, [-2, 0.2, 2], [-1, 0.1, 1], [-1, 1], [0, 20])
    direct = cut(data, LineProj((1, 1, 0), (-1, 1, 0)), [-0.3, 0.05, 0.3], [-0.2, 0.2], [-0.5, 0.5], [5, 15])
    for source in (first, cut(data, axes, [-2, 0.2, 2], [-1, 0.1, 1], [-1, 1], [0, 20], filename=tmp_path / "c.sqw")):
        second = cut(source, LineProj((1, 1, 0), (-1, 1, 0)), [-0.3, 0.05, 0.3], [-0.2, 0.2], [-0.5, 0.5], [5, 15])
        np.testing.assert_array_equal(second.npix, direct.npix)
        np.testing.assert_allclose(second.signal, direct.signal, rtol=1e-12)
        same = cut(source, [], [])
        np.testing.assert_array_equal(same.npix, first.npix)
    assert os.listdir(tmp_path) == ["c.sqw"]


def test_the_way_makes_no_difference(data: Sqw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory or file, any threads, through a passing file or not: the same bits."""
    arguments = (LineProj((1, 0.1, 0), (0, 1, 0)), [-2, 0.02, 2], [-1, 0.02, 1], [-1, 1], [0, 20])
    kept, image = cut(data, *arguments), cut(data, *arguments, keep_pixels=False)
    write_sqw(tmp_path / "all.sqw", data)
    stored = read_sqw(tmp_path / "all.sqw")
    monkeypatch.setattr(module, "MEMORY", 0)
    for source in (data, stored):
        for threads in (1, 2, 5):
            other = cut(source, *arguments, keep_pixels=False, threads=threads)
            np.testing.assert_array_equal(other.signal, image.signal)
            for found in (cut(source, *arguments, threads=threads),
                          cut(source, *arguments, threads=threads, filename=tmp_path / "out.sqw")):
                np.testing.assert_array_equal(found.pixels.read(), kept.pixels.read())
                np.testing.assert_array_equal(found.signal, kept.signal)
                np.testing.assert_array_equal(found.variance, kept.variance)
    assert sorted(os.listdir(tmp_path)) == ["all.sqw", "out.sqw"]


def test_small_cuts_look_at_few_pixels(data: Sqw) -> None:
    plan = module.make_plan(data, LineProj((1, 0, 0), (0, 1, 0)), [[0, 0.1], [0, 0.1], [0, 0.1], [5, 6]])
    fine = cut(data, 0.1, 0.1, 0.1, 2.0)
    narrow = module.make_plan(fine, LineProj((1, 0, 0), (0, 1, 0)), [[0, 0.1], [0, 0.1], [0, 0.1], [5, 6]])
    assert plan.wanted <= len(data.pixels)
    assert narrow.wanted <= len(data.pixels) / 2


@pytest.mark.parametrize("operation", [
    SymopReflection((1, 0, 0), (0, 1, 0)), SymopReflection((1, 1, 0), (0, 0, 1), (0.2, 0, 0)),
    SymopRotation((0, 0, 1), 90.0),
    SymopRotation((1, 1, 1), 37.0, (0.1, 0.2, 0.3)), SymopGeneral([[0, 1, 0], [1, 0, 0], [0, 0, 1]])])
def test_operations_bring_pixels_in_once(data: Sqw, operation: Any) -> None:
    """The pixels in the box, and of the others those whose images are."""
    axes, bins = LineProj((1, 0, 0), (0, 1, 0)), ([-0.2, 0.1, 1.2], [-0.9, 0.8], [-1, 1.4], [0, 20])
    turn, shift = affine_of(operation, LATTICE)
    pixels = data.pixels.read()
    q = pixels[:, :3].astype(float)
    moved = (q @ turn.T + shift).astype(np.float32).astype(float)
    w = cut(data, axes, *bins, symmetry=[operation])

    def inside(x: np.ndarray) -> np.ndarray:
        x = np.column_stack([x @ np.linalg.inv(B).T @ np.linalg.inv(axes.frame(LATTICE).momenta).T, pixels[:, 3]])
        return np.all([(x[:, d] >= e[0]) & (x[:, d] <= e[-1]) for d, e in enumerate(w.axes.all_edges)], axis=0)

    first, second = inside(q), inside(moved)
    assert len(w.pixels) == (first | second).sum()
    assert (second & ~first).any()
    expected = np.where(first[:, None], q, moved)[first | second]
    mine = w.pixels.read()
    np.testing.assert_allclose(np.sort(mine[:, 0]), np.sort(expected[:, 0]), atol=1e-6)
    assert cut(data, axes, *bins, symmetry=[operation], keep_pixels=False).npix.sum() == len(w.pixels)
    # found again where they were put
    np.testing.assert_array_equal(cut(w, []).npix, w.npix)


def test_operations_multiply_as_matrices(data: Sqw) -> None:
    a, b = SymopRotation((0, 0, 1), 30.0, (0.1, 0, 0)), SymopReflection((1, 0, 0), (0, 1, 0), (0, 0, 0.2))
    turn, shift = affine_of([a, b], LATTICE)
    (wa, sa), (wb, sb) = affine_of(a, LATTICE), affine_of(b, LATTICE)
    np.testing.assert_allclose(turn, wa @ wb)
    np.testing.assert_allclose(shift, wa @ sb + sa)
    assert len(SymopRotation.fold(4, (0, 0, 1))) == 3


def test_images_are_cut_in_whole_bins(data: Sqw) -> None:
    image = cut(data, LineProj((1, 0, 0), (0, 1, 0)), [-2, 0.1, 2], [-1, 0.1, 1], [-1, 1], [0, 20], keep_pixels=False)
    assert isinstance(image, Dnd)
    line = cut(image, [-2.05, 2.05], [])
    np.testing.assert_array_equal(line.npix, image.npix.sum(axis=0))
    np.testing.assert_allclose(line.signal * line.npix, (image.signal * image.npix).sum(axis=0), atol=1e-9)
    coarse = cut(image, [-1.95, 0.2, 1.85], [])
    np.testing.assert_array_equal(coarse.npix, image.npix[:40].reshape(20, 2, -1).sum(axis=1))
    with pytest.raises(GeometryError, match="without pixels"):
        cut(image, LineProj(), [0, 1], [0, 1], [0, 1], [0, 1])


@pytest.mark.parametrize(("arguments", "words"), [
    (([1, 0.1, 0], INF, INF, INF), "p1: expected a step above 0 and lo <= hi"), (([1, 0], INF, INF, INF), "lo <= hi"),
    (("many", INF, INF, INF), "p1: expected"), (([1, 2, 3, 4, 5], INF, INF, INF), "p1: expected"),
    (([0, 1e-9, 1], INF, INF, INF), "at most"), (([0, 0.0001, 1], [0, 0.0001, 1], [0, 0.0001, 1], INF), "less than"),
    ((INF, INF, INF, INF, INF), "at most four|projection: expected")])
def test_bins_that_cannot_be_are_named(data: Sqw, arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        cut(data, LineProj(), *arguments)


@pytest.mark.parametrize("make", [
    lambda: LineProj((1, 0, 0), (2, 0, 0)), lambda: LineProj(type="abc"), lambda: LineProj((1, 0, 0), (0, 1, 0), (1, 1, 0)),
    lambda: SphereProj(type="dad"), lambda: CylinderProj(type="ad"), lambda: SymopReflection((1, 0, 0), (1, 0, 0)),
    lambda: SymopRotation((0, 0, 0), 3.0), lambda: SymopGeneral(np.eye(3) * 2), lambda: LineProj((1, 0), (0, 1, 0))])
def test_projections_that_cannot_be_are_named(make: Any) -> None:
    with pytest.raises(GeometryError, match="expected"):
        make()


def test_other_things_are_refused(data: Sqw) -> None:
    with pytest.raises(GeometryError, match="expected an Sqw"):
        insml.cut(np.zeros(3), [0, 1])


def test_lists_of_sources_are_lists_of_cuts(data: Sqw, tmp_path: Path) -> None:
    bins = (LineProj((1, 0, 0), (0, 1, 0)), [-1, 0.5, 1], [-3, 3], [-3, 3], [0, 5, 30])
    both = cut([data, data.image], [-2, 2], [-2, 2], [-2, 2], [], keep_pixels=False)
    assert [type(w).__name__ for w in both] == ["Dnd", "Dnd"]
    np.testing.assert_array_equal(cut([data], *bins)[0].npix, cut(data, *bins).npix)
    with pytest.raises(GeometryError, match="expected one source for a file, found 2"):
        cut([data, data], *bins, filename=tmp_path / "w.sqw")


def test_ctrl_c_ends_a_cut(data: Sqw, tmp_path: Path) -> None:
    """A signal in the middle, from what is told of the work; nothing is left of a file."""
    def told(what: str, done: int, of: int) -> None:
        assert 0 <= done <= of
        raise KeyboardInterrupt

    many = 4_000_000 // len(data.pixels)
    image = Dnd.of(data.axes, data.projection, data.image.lattice, data.signal, data.variance, data.npix * np.uint64(many))
    order = np.repeat(np.arange(data.counted.size), data.counted.astype(int))
    pixels = np.repeat(data.pixels.read(), many, axis=0)
    assert (np.diff(order) >= 0).all()
    big = replace(data, image=image, pixels=Pixels(pixels))
    # pixels in no bin are tried with all operations, which takes a while
    bins = (SphereProj(), [0, 0.1, 5], [0, 60], [-180, 180], [0, 1, 30])
    turns = [SymopRotation((1, 1, 1), 5.0 * n) for n in range(1, 30)]
    for keep, filename in ((False, None), (True, None), (True, tmp_path / "w.sqw")):
        with pytest.raises(KeyboardInterrupt):
            cut(big, *bins, keep_pixels=keep, filename=filename, threads=1, symmetry=turns, progress=told)
    assert list(tmp_path.iterdir()) == []
    # the signal itself, which the core looks for; a process in the background may have been started without it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            cut(big, *bins, keep_pixels=False, threads=1, symmetry=turns)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    seen: list[tuple[str, int, int]] = []
    whole = cut(big, *bins, keep_pixels=False, threads=1, symmetry=turns, progress=lambda *given: seen.append(given))
    assert len(seen) > 1
    assert [d for _, d, _ in seen] == sorted(d for _, d, _ in seen)
    np.testing.assert_array_equal(whole.npix, cut(big, *bins, keep_pixels=False, symmetry=turns).npix)
