"""Spin waves against numbers of SpinW/MATLAB, closed forms and an independent code."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from insml.spinwave import SpinModel

# the oracle loader leaves its files to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

COMMENSURATE = [
    "A_pysw_antiferro_chain", "A_pysw_antiferro_chain_with_field", "A_pysw_kagome_antiferro", "A_pysw_kagome_supercell",
    "A_ybto_B2_Q1", "A_ybto_B2_Q2", "A_ybto_B2_Q3",
    "B01_fm_chain", "B02_fm_chain_dm", "B03_afm_chain_field", "B04_square_afm_j1j2", "B05_honeycomb_fm_dm",
    "B06_kagome_fm", "B09_ferrimagnet_chain", "B10_fm_diatomic_mixed_spin", "B11_fm_easy_plane",
    "B12_fm_triclinic_gtensor", "C21_pyrochlore_aiao_dm", "C22_kagome_q0_dm", "C23_afm_dm_nonreciprocal", "C30_polarised",
]
ROTATING = [
    "A_kagome_s3xs3_incomm", "A_pysw_tri_antiferro", "B07_triangular_120", "B08_helix_j1j2", "C20_conical_helix_dm",
]
MODELS = [*COMMENSURATE, "C24_noncollinear_biquadratic", *ROTATING]


@pytest.fixture(scope="module")
def oracle(shared_data: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("lswt_oracle", shared_data / "oracles" / "lswt" / "oracle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_oracle_is_listed(shared_data: Path) -> None:
    ids = {d["id"] for d in json.loads((shared_data / "oracles" / "lswt" / "index.json").read_text())}
    assert ids == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_energies_and_intensities(oracle: ModuleType, name: str) -> None:
    meta, z = oracle.load(name)
    options = meta["options"]
    s = SpinModel.from_dict(meta["model"]).spectrum(
        z["q"], form_factor=bool(options.get("form_factor")), g_tensor=bool(options.get("gtensor")))
    result = oracle.compare(meta, z["omega"], z["Sperp"], s.energy, s.intensity, q_ok=z.get("q_ok"))
    assert result["passed"], result


@pytest.mark.parametrize("name", [
    n for n in MODELS if not n.startswith("A_pysw") and n != "A_kagome_s3xs3_incomm"])  # these hold energies alone
def test_tensor(oracle: ModuleType, name: str) -> None:
    """Sum over modes above emin of S^ab, as complex numbers: fixes the sign of Q and the order of a and b."""
    meta, z = oracle.load(name)
    s = SpinModel.from_dict(meta["model"]).spectrum(
        z["q"], form_factor=bool(meta["options"].get("form_factor")), g_tensor=bool(meta["options"].get("gtensor")))
    emin = meta["compare"]["emin"]
    ours = (s.tensor * (s.energy > emin)[..., None, None]).sum(axis=1)
    theirs = (z["Sab"] * (z["omega"].real > emin)[..., None, None]).sum(axis=1)
    c = meta["compare"]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=c["atol_I"] + c["rtol_I"] * np.abs(theirs).max())


@pytest.mark.parametrize("name", [n for n in MODELS if n.startswith("B")])
def test_closed_forms(oracle: ModuleType, name: str) -> None:
    meta, z = oracle.load(name)
    s = SpinModel.from_dict(meta["model"]).spectrum(z["q"], tensor=False)
    analytic = np.sort(z["omega_analytic"].real, axis=1)
    analytic = analytic[:, -s.energy.shape[1]:]
    far = analytic > meta["compare"]["emin"]
    np.testing.assert_allclose(np.sort(s.energy, axis=1)[far], analytic[far], rtol=0, atol=meta["compare"]["etol"])

