"""Pixels brought together: none lost, none twice, all in their bins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from crystal_runs import LATTICE

from insml import GeometryError
from insml.crystal.orientation import Orientation
from insml.horace import SymopGeneral, SymopReflection, SymopRotation
from insml.operations import combine, mask_runs, merging, rebinned, symmetrise
from insml.sqw import LineProj, SphereProj, Sqw
from insml.sqw.cut import cut

B = Orientation(LATTICE, (1, 0, 0), (0, 1, 0)).b
PROJ = LineProj((1, 1, 0), (0, 1, 0))


def rows(w: Sqw) -> np.ndarray:
    pixels = w.pixels.read()
    return pixels[np.lexsort(pixels.T)]


def consistent(w: Sqw) -> None:
    again = cut(w, None, *[None] * 4)
    np.testing.assert_array_equal(again.npix, w.npix)
    assert len(w.pixels) == w.npix.sum()


def test_two_halves_are_the_whole(data: Sqw) -> None:
    whole = cut(data, PROJ, [-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 5, 30])
    left = cut(data, PROJ, [-1.5, 0.5, 0], [-3, 3], [-3, 3], [-2, 5, 30])
    right = cut(data, PROJ, [0.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 5, 30])
    w = combine(left, right)
    np.testing.assert_array_equal(w.npix, whole.npix)
    np.testing.assert_allclose(w.signal, whole.signal, rtol=1e-10)
    np.testing.assert_array_equal(rows(w), rows(whole))


def test_what_is_in_both_counts_once(data: Sqw) -> None:
    a = cut(data, PROJ, [-1.5, 0.5, 1], [-3, 3], [-3, 3], [-2, 30])
    b = cut(data, PROJ, [-0.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 30])
    w = combine(a, b)
    whole = cut(data, PROJ, [-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 30])
    np.testing.assert_array_equal(w.npix, whole.npix)
    np.testing.assert_array_equal(combine(a, a).npix, a.npix)


def test_integration_ranges_grow(data: Sqw) -> None:
    a = cut(data, PROJ, [-1.5, 0.5, 2], [-3, 0], [-3, 3], [-2, 30])
    b = cut(data, PROJ, [-1.5, 0.5, 2], [0, 3], [-3, 3], [-2, 30])
    w = combine(a, b)
    assert w.axes.all_edges[1].tolist() == [-3, 3]
    np.testing.assert_array_equal(w.npix, cut(data, PROJ, [-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 30]).npix)


def test_other_runs_keep_their_headers(data: Sqw, tmp_path: Path) -> None:
    first = mask_runs(data, [2, 3])
    first = replace(first, runs=first.runs[:1])
    others = mask_runs(data, 1)
    pixels = others.pixels.read().copy()
    pixels[:, 4] -= 1
    shifted = [replace(run, id=run.id - 1) for run in data.runs[1:]]
    others = replace(others, runs=tuple(shifted), pixels=type(others.pixels)(pixels))
    w = combine(first, others, filename=tmp_path / "w.sqw")
    assert sorted(run.id for run in w.runs) == [1, 2, 3]
    assert sorted(run.filename for run in w.runs) == [run.filename for run in data.runs]
    by_id = {run.id: run.filename for run in w.runs}
    counts = {by_id[int(n)]: int((w.pixels.read()[:, 4] == n).sum()) for n in by_id}
    expected = {run.filename: int((data.pixels.read()[:, 4] == run.id).sum()) for run in data.runs}
    assert counts == expected
    np.testing.assert_array_equal(w.npix, data.npix)


def test_large_ones_go_through_a_file(data: Sqw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = symmetrise(data, SymopReflection([1, 0, 0], [0, 0, 1]))
    monkeypatch.setattr(merging, "MEMORY", 1000)
    found = symmetrise(data, SymopReflection([1, 0, 0], [0, 0, 1]), filename=tmp_path / "w.sqw")
    np.testing.assert_array_equal(found.npix, expected.npix)
    assert list(tmp_path.iterdir()) == [tmp_path / "w.sqw"]
    with pytest.raises(GeometryError, match="name of a file"):
        symmetrise(data, SymopReflection([1, 0, 0], [0, 0, 1]))


def test_rebinned(data: Sqw) -> None:
    plane = cut(data, PROJ, [-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 5, 30])
    w = rebinned(plane, [-1.5, 1.0, 1.5], 0)
    np.testing.assert_array_equal(w.npix, cut(data, PROJ, [-1.5, 1.0, 1.5], [-3, 3], [-3, 3], [-2, 5, 30]).npix)
    np.testing.assert_array_equal(w.edges[1], plane.edges[1])
    like = cut(data, LineProj((1, 0, 0), (0, 1, 0)), [-1, 0.3, 2], [-1, 1], [-3, 3], [-2, 30])
    other = rebinned(plane, like)
    assert other.shape == like.shape
    consistent(other)


@pytest.mark.parametrize("kept_inside", [True, False])
def test_mirrors(data: Sqw, kept_inside: bool) -> None:
    offset = (0.0, 0.0, 0.0) if kept_inside else (0.3, 0.0, 0.1)
    op = SymopReflection([1, 0, 0], [0, 0, 1], offset)
    w = symmetrise(data, op)
    normal = np.cross(B @ [1, 0, 0], B @ [0, 0, 1])
    y = w.pixels.read()[:, :3] - B @ np.array(offset)
    assert (y @ normal > -1e-5).all()
    assert len(w.pixels) == len(data.pixels)
    consistent(w)
    assert w.pixels.read()[:, 7].sum() == pytest.approx(data.pixels.read()[:, 7].sum(), rel=1e-5)
    np.testing.assert_array_equal(symmetrise(w, op).npix, w.npix)


@pytest.mark.parametrize("fold", [2, 3, 4, 6])
def test_wedges(data: Sqw, fold: int) -> None:
    w = symmetrise(data, SymopRotation([0, 0, 1], 360 / fold))
    axis = B @ [0, 0, 1.0]
    axis /= np.linalg.norm(axis)
    first = np.array([1.0, 0, 0]) - axis * axis[0]
    first /= np.linalg.norm(first)
    q = w.pixels.read()[:, :3].astype(float)
    angle = np.degrees(np.arctan2(q @ np.cross(axis, first), q @ first))
    assert angle.min() > -1e-3
    assert angle.max() < 360 / fold + 1e-3
    # distances stay
    before = data.pixels.read()[:, :3].astype(float)
    np.testing.assert_allclose(np.sort(np.linalg.norm(q, axis=1)), np.sort(np.linalg.norm(before, axis=1)), rtol=1e-5)
    consistent(w)


def test_a_symmetric_cut_is_that_of_symmetrised_data(data: Sqw) -> None:
    """On the positive side of a mirror, a cut with the mirror takes what lies on both."""
    op = SymopReflection([0, 0, 1], [1, 0, 0])
    normal = np.linalg.solve(B, np.cross(B @ [0, 0, 1], B @ [1, 0, 0]))
    proj = LineProj(normal, [1, 0, 0], type="aaa")
    bins = ([0.05, 0.1, 3.05], [-9, 9], [-9, 9], [0, 20])
    np.testing.assert_array_equal(cut(symmetrise(data, op), proj, *bins).npix, cut(data, proj, *bins, symmetry=[op]).npix)


def test_mistakes(data: Sqw) -> None:
    plane = cut(data, PROJ, [-1.5, 0.5, 2], [-3, 3], [-3, 3], [-2, 5, 30])
    with pytest.raises(GeometryError, match="reflections or rotations"):
        symmetrise(data, SymopGeneral(np.eye(3)))
    with pytest.raises(GeometryError, match="whole part of a turn"):
        symmetrise(data, SymopRotation([0, 0, 1], 50))
    with pytest.raises(GeometryError, match="with pixels"):
        combine(plane, plane.image)  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="straight axes"):
        symmetrise(cut(data, SphereProj(), [0, 0.1, 4], [0, 180], [-180, 180], [0, 10]), SymopRotation([0, 0, 1], 90))
