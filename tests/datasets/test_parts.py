"""What belongs together in a stack."""

from dataclasses import replace

import numpy as np
import pytest

from insml.datasets.parts import parts_of
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.study import bundled


def layout(runs: list[tuple[float | None, list[float]]]) -> MosaicLayout:
    slices = tuple(SliceSpec((e - 0.5, e + 0.5), ei) for ei, energies in runs for e in energies)
    axis = Axis("h", (1.0, 0.0, 0.0), np.linspace(-1, 1, 5))
    return MosaicLayout((axis, replace(axis, label="k", vector=(0.0, 1.0, 0.0))), (0.0, 0.0, 1.0), slices, (1, len(slices)))


def test_incident_energies_of_the_manganite() -> None:
    own = bundled("manganite").layout
    assert [len({own.slices[s].ei for s in np.flatnonzero(parts_of(own) == p)}) for p in range(6)] == [1] * 6
    assert parts_of(own).max() == 5


@pytest.mark.parametrize(("runs", "expected"), [
    ([(None, [3, 1, 2, 4, 6, 5, 7, 8])], [1, 0, 0, 2, 3, 3, 4, 5]),       # neighbours in energy, as even as can be
    ([(50.0, [1, 2, 3]), (90.0, [3, 2, 1])], [0, 1, 2, 5, 4, 3]),
    ([(50.0, [1]), (90.0, [1, 2])], [0, 1, 2]),                           # no more than there are slices
    ([(float(e), [1, 2]) for e in range(10, 18)], [p for p in range(8) for _ in range(2)]),
    ([(None, [1])], [0]),
])
def test_neighbours_in_energy_where_there_are_few_energies(runs: list[tuple[float | None, list[float]]],
                                                           expected: list[int]) -> None:
    assert parts_of(layout(runs)).tolist() == expected
