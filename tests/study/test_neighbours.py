"""Every physical bond once, whatever origin and cell the sites are written in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml.crystal import Lattice
from insml.study.neighbours import NeighbourTable, canonical, group, pairs_within

TRICLINIC = Lattice(4.0, 5.0, 6.5, 75.0, 100.0, 115.0).vectors
coordinate = st.floats(0.0, 0.999)
sites = st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=1, max_size=4)


def brute_force(vectors, positions, cutoff, reach=5):
    """Number of directed pairs and the sum of their squared lengths."""
    cells = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    lengths = np.concatenate([np.linalg.norm((b - a + cells) @ vectors, axis=1)
                              for i, a in enumerate(positions) for j, b in enumerate(positions)])
    lengths = lengths[lengths <= cutoff]
    return lengths.size - len(positions), np.sum(lengths**2)  # a site is no neighbour of itself


@settings(max_examples=30, deadline=None)
@given(positions=sites)
def test_half_of_all_directed_pairs(positions):
    positions = np.array(positions)
    cutoff = 7.0
    pairs = pairs_within(TRICLINIC, positions, cutoff)
    count, total = brute_force(TRICLINIC, positions, cutoff)
    keys = {p.key for p in pairs}
    assert len(keys) == len(pairs)
    assert 2 * len(pairs) == pytest.approx(count, abs=0)
    assert 2 * sum(p.length**2 for p in pairs) == pytest.approx(total)
    for p in pairs:
        np.testing.assert_allclose((positions[p.j] - positions[p.i] + p.dl) @ TRICLINIC, p.displacement, atol=1e-12)
        assert p.reverse.reverse == p
        assert p.reverse.key == p.key


@settings(max_examples=30, deadline=None)
@given(positions=sites, shift=st.tuples(coordinate, coordinate, coordinate),
       wraps=st.lists(st.tuples(*[st.integers(-2, 2)] * 3), min_size=4, max_size=4))
def test_origin_and_wrapping_do_not_matter(positions, shift, wraps):
    positions = np.array(positions)
    wraps = np.array(wraps[: len(positions)])
    moved = positions + shift + wraps
    expected = {(p.i, p.j, p.dl) for p in pairs_within(TRICLINIC, positions, 6.0)}
    found = set()
    for p in pairs_within(TRICLINIC, moved, 6.0):
        dl = np.array(p.dl) + wraps[p.j] - wraps[p.i]
        found.add(canonical(p.i, p.j, tuple(int(x) for x in dl)))
    assert found == {canonical(*e) for e in expected}


def test_shells_of_the_square_lattice():
    shells = group(pairs_within(np.diag([1.0, 1.0, 50.0]), [[0, 0, 0]], 2.3))
    assert [(round(s.length, 4), len(s.pairs)) for s in shells] == [(1.0, 2), (1.4142, 2), (2.0, 2), (2.2361, 4)]


def test_a_shell_is_whole_however_far_it_was_searched():
    table = NeighbourTable(np.diag([1.0, 1.0, 50.0]), [[0, 0, 0]])
    assert [len(table.shell(n).pairs) for n in (4, 1, 3, 2)] == [4, 2, 2, 2]
    assert len(table.near(2.0)) == 2


def test_lengths_within_the_tolerance_are_one_shell():
    cell = np.diag([4.0, 4.0005, 4.01])
    assert [len(s.pairs) for s in group(pairs_within(cell, [[0, 0, 0]], 4.1))] == [2, 1]


def test_a_shell_is_not_cut_between_lengths_that_nearly_agree():
    """The first search reaches 4.0 exactly, the other bond of the shell is 4.0005 long."""
    assert len(NeighbourTable(np.diag([4.0, 4.0005, 50.0]), [[0, 0, 0]]).shell(1).pairs) == 2
