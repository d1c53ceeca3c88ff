"""Bases of allowed matrices."""

import numpy as np

from insml.spinw.allowed import basis


def test_order_of_spinw_on_the_pyrochlore_bond() -> None:
    """In SpinW's tutorial for Yb2Ti2O7 the prefactors of this bond are J1 (yy + zz), J3 (yz), J2 (xx), then D."""
    rng = np.random.default_rng(0)
    xx, yz = np.diag([1.0, 0, 0]), np.array([[0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    yyzz, dm = np.diag([0, 1.0, 1.0]), np.array([[0, 1.0, 1.0], [-1.0, 0, 0], [-1.0, 0, 0]])
    mixed = np.tensordot(rng.standard_normal((6, 3)), np.array([xx, yz, yyzz]), axes=1)
    found = basis(np.concatenate([mixed, -2.5 * dm[None]]))
    np.testing.assert_allclose(found[:3], [yyzz, yz, xx], atol=1e-9)
    D = np.array([found[3, 1, 2], found[3, 2, 0], found[3, 0, 1]])
    np.testing.assert_allclose(D, [0, 1, -1], atol=1e-9)


def test_no_symmetry_allows_all_and_the_highest_only_heisenberg() -> None:
    everything = basis(np.eye(9).reshape(9, 3, 3))
    places = [tuple(np.argwhere(m)[0]) for m in everything]
    assert places == [(1, 2), (0, 2), (0, 1), (2, 2), (1, 1), (0, 0), (1, 2), (0, 2), (0, 1)]
    np.testing.assert_array_equal(everything[6], [[0, 0, 0], [0, 0, 1], [0, -1, 0]])
    np.testing.assert_array_equal(basis(3 * np.eye(3)[None]), np.eye(3)[None])
    assert basis(np.zeros((1, 3, 3))).shape == (0, 3, 3)


def test_a_basis_spans_what_it_is_made_from() -> None:
    rng = np.random.default_rng(1)
    some = rng.standard_normal((3, 3, 3))
    span = np.concatenate([some, some.transpose(0, 2, 1)])
    found = basis(span).reshape(-1, 9)
    assert len(found) == np.linalg.matrix_rank(span.reshape(6, 9)) == np.linalg.matrix_rank(found)
    prefactors = np.linalg.lstsq(found.T, span.reshape(6, 9).T, rcond=None)[0]
    np.testing.assert_allclose(found.T @ prefactors, span.reshape(6, 9).T, atol=1e-9)
