"""Paths and grids."""

import numpy as np
import pytest

from insml.errors import GeometryError
from insml.spinwave.paths import grid, path

HEXAGONAL = np.array([[3.0, 0, 0], [-1.5, 1.5 * np.sqrt(3), 0], [0, 0, 5.0]])


def test_corners_are_shared():
    p = path([[0, 0, 0], [0.5, 0, 0], [1 / 3, 1 / 3, 0]], [3, 5], lattice_vectors=HEXAGONAL)
    assert p.q.shape == (7, 3)
    assert p.corners == (0, 2, 6)
    np.testing.assert_allclose(p.q[[0, 1, 2, 6]], [[0, 0, 0], [0.25, 0, 0], [0.5, 0, 0], [1 / 3, 1 / 3, 0]])
    assert p.labels == ("(0, 0, 0)", "(1/2, 0, 0)", "(1/3, 1/3, 0)")
    # |a*| = 4 pi / (3 sqrt 3): to M half of it, from M to K |a*| / (2 sqrt 3)
    star = 4 * np.pi / (3 * np.sqrt(3))
    np.testing.assert_allclose(p.distance[[2, 6]], [star / 2, star / 2 + star / (2 * np.sqrt(3))])
    np.testing.assert_allclose(np.diff(p.distance)[2:], star / (2 * np.sqrt(3)) / 4)


def test_points_and_labels():
    p = path([[0, 0, 0], [1, 0, 0], [1.123, 0, -1]], 11, lattice_vectors=np.eye(3), labels=["Γ", "Γ'", "A"])
    assert len(p.q) == 21
    assert p.labels == ("Γ", "Γ'", "A")
    assert path([[0, 0, 0], [1.123, 0, -1]], 2, lattice_vectors=np.eye(3)).labels[1] == "(1.12, 0, -1)"


@pytest.mark.parametrize(("arguments", "message"), [
    ({"corners": [[0, 0, 0]]}, "corners: expected two"), ({"points": 1}, "points: expected two"),
    ({"points": [5, 5]}, "points: expected two or more for each of 1"), ({"labels": ["a"]}, "labels: expected 2"),
    ({"corners": [[0, 0, 0], [0, 0, 0]]}, "corners: expected each to differ"),
])
def test_paths_that_cannot_be(arguments, message):
    with pytest.raises(GeometryError, match=message):
        path(**({"corners": [[0, 0, 0], [1, 0, 0]], "lattice_vectors": np.eye(3)} | arguments))


def test_grid_points_lie_at_centres():
    g = grid([[1, 1, 0], [0, 0, 2]], [[0, 0.5, 1], [-1, 1, 2, 4]], origin=[0, 0.5, 0])
    assert g.shape == (2, 3)
    expected = [[x, x + 0.5, 2 * y] for x in (0.25, 0.75) for y in (0, 1.5, 3)]
    np.testing.assert_allclose(g.q, expected)


@pytest.mark.parametrize(("directions", "edges", "message"), [
    ([[1, 0, 0], [2, 0, 0]], [[0, 1], [0, 1]], "directions: expected"),
    ([[1, 0, 0]], [[0, 1], [0, 1]], "edges: expected 1"),
    ([[1, 0, 0]], [[1, 0]], r"edges\[0\]: expected"), (np.eye(4, 3), [[0, 1]] * 4, "directions: expected"),
])
def test_grids_that_cannot_be(directions, edges, message):
    with pytest.raises(GeometryError, match=message):
        grid(directions, edges)
