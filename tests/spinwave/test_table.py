"""Tables of modes: exact at nodes, periodic, as far off as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml import ModelError, SpinModel, UnstableStructureError
from insml.spinwave.table import ModeTable
from insml.studies import manganite


def model(name: str, **values: float) -> SpinModel:
    candidate = manganite.STUDY.candidates[name]
    return SpinModel.from_dict(candidate.model(candidate.reference | values))


@pytest.mark.parametrize("name", ["goodenough", "dimer"])
def test_nodes_are_exact_in_every_zone(name: str) -> None:
    """Where a node lies, in any zone, energies and intensities are those of the exact spectrum to single precision."""
    whole = model(name).replace(twins=())
    table = ModeTable(whole, step=0.05, form_factor=True)
    rng = np.random.default_rng(2)
    # nodes are multiples of the step in r.l.u. of the magnetic cell, twice the chemical one along both axes
    q = np.column_stack([rng.integers(-300, 300, (400, 2)) * table.step / 2, rng.uniform(-3, 3, 400)])
    exact, found = whole.spectrum(q, form_factor=True), table.spectrum(q)
    np.testing.assert_allclose(found.energy, exact.energy, atol=2e-3)
    # degenerate modes share their intensity in any way; where a mode has no energy it has no finite intensity either
    finite = exact.energy[:, 0] > 0.05
    assert finite.sum() > 300
    for power in (0, 1, 2):
        mine, theirs = ((s.intensity * s.energy**power).sum(axis=1)[finite] for s in (found, exact))
        np.testing.assert_allclose(mine, theirs, rtol=2e-3)


@pytest.mark.parametrize("name", ["goodenough", "dimer"])
def test_error_is_what_is_stated(name: str) -> None:
    candidate = manganite.STUDY.candidates[name]
    rng = np.random.default_rng(1)
    low, high = (np.array([p.prior[i] for p in candidate.parameters]) for i in (0, 1))
    tried = 0
    while tried < 3:
        values = dict(zip(candidate.names, rng.uniform(low, high).tolist(), strict=True))
        try:
            table = ModeTable(candidate.spin_model().with_parameters(values), form_factor=True)
        except UnstableStructureError:
            continue
        stated, found = table.error(), table.error(points=10_000, seed=5 + tried)
        assert found.energy_rms == pytest.approx(stated.energy_rms, rel=0.2)
        assert found.intensity_rms < 1.5 * stated.intensity_rms
        assert stated.energy_rms < 0.02
        tried += 1


def test_twins_and_sums_of_the_whole_model() -> None:
    whole = model("goodenough")
    table, q = ModeTable(whole, step=0.0125), np.random.default_rng(3).uniform(-1, 1, (300, 3))
    exact, found = whole.spectrum(q), table.spectrum(q)
    assert found.energy.shape == exact.energy.shape
    assert [d.weight for d in found.domains] == [d.weight for d in exact.domains]
    total = (exact.intensity * exact.energy).sum(axis=1)
    np.testing.assert_allclose((found.intensity * found.energy).sum(axis=1), total, rtol=0.02)


def test_refinement_and_refill() -> None:
    whole = model("dimer")
    coarse = ModeTable(whole, step=0.05)
    fine = ModeTable(whole, step=0.05, energy_tolerance=0.005)
    assert coarse.error().energy_rms > 0.005 >= fine.error().energy_rms
    assert fine.step < coarse.step
    other = model("dimer", **{manganite.STUDY.candidates["dimer"].names[0]: -9.0})
    q = np.random.default_rng(0).uniform(-2, 2, (50, 3))
    again, fresh = coarse.refilled(other).spectrum(q), ModeTable(other, step=0.05).spectrum(q)
    assert np.array_equal(again.energy, fresh.energy)
    assert np.array_equal(again.intensity, fresh.intensity)
    one, two = (ModeTable(whole, step=0.05, threads=n).spectrum(q) for n in (1, 2))
    assert np.array_equal(one.intensity, two.intensity)


@settings(max_examples=20, deadline=None)
@given(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), st.integers(0, 2**32 - 1))
def test_energies_repeat_with_the_reciprocal_lattice(shift: tuple[int, int], seed: int) -> None:
    table = SHARED
    q = np.random.default_rng(seed).uniform(-1, 1, (20, 3))
    np.testing.assert_allclose(table.spectrum(q + [*shift, 0]).energy, table.spectrum(q).energy, atol=2e-3)


SHARED = ModeTable(model("goodenough").replace(twins=()), step=0.05)


def test_what_cannot_be_meant_is_refused() -> None:
    whole = model("goodenough")
    with pytest.raises(ModelError, match="step: expected a positive distance"):
        ModeTable(whole, step=0.0)
    with pytest.raises(ModelError, match="energy_tolerance: expected a positive energy"):
        ModeTable(whole, energy_tolerance=-1.0)
    with pytest.raises(ModelError, match="table: expected at most 1000 bytes"):
        ModeTable(whole, memory=1000)
    cubic = SpinModel(lattice_vectors=4.0 * np.eye(3), positions=[[0, 0, 0]], spins=[[0, 0, 1.0]],
                      bonds=[(0, 0, tuple(e), -np.eye(3)) for e in np.eye(3, dtype=int)])
    with pytest.raises(ModelError, match="depend on two components of the wave vector alone"):
        ModeTable(cubic)
