"""Both exchange models of the manganite take the fast path, in the blocks that its symmetry allows."""

import json
from pathlib import Path

import numpy as np
import pytest

from insml import SpinModel
from insml.studies import manganite


@pytest.fixture(params=["goodenough", "dimer"])
def candidate(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(candidate: str) -> SpinModel:
    chosen = manganite.STUDY.candidates[candidate]
    return SpinModel.from_dict({k: v for k, v in chosen.model(chosen.reference).items() if k != "twins"})


def test_four_blocks_of_four(model: SpinModel) -> None:
    assert model.describe().blocks == (4, 4, 4, 4)


@pytest.mark.parametrize("blocks", [True, False])
def test_every_mode_at_the_reference_points(shared_data: Path, candidate: str, model: SpinModel, blocks: bool) -> None:
    """Energy and intensity (per magnetic cell, six decimals) of each mode; those closer than 1e-4 meV share theirs."""
    points = json.loads((shared_data / "pcsmo" / "lswt_reference_points.json").read_text())[candidate]
    q = np.array([p["q_mag_rlu"] for p in points]) / model.supercell
    s = model.spectrum(q, form_factor=True, tensor=False, blocks=blocks)
    for energy, intensity, point in zip(s.energy, s.intensity, points, strict=True):
        order = np.argsort(point["omega"])
        expected, weight = np.array(point["omega"])[order], np.array(point["Sperp_ff"])[order]
        np.testing.assert_allclose(energy, expected, rtol=0, atol=1e-5)
        groups = np.flatnonzero(np.diff(expected, prepend=-np.inf) > 1e-4)
        found = np.prod(model.supercell) * np.add.reduceat(intensity, groups)
        np.testing.assert_allclose(found, np.add.reduceat(weight, groups), rtol=1e-6, atol=1e-6)
