"""Bose factors, both signs of energy, and units."""

import json

import numpy as np
import pytest

from insml.errors import ModelError
from insml.spinwave import SpinModel, Twin
from insml.spinwave.polarised import plane_normal
from insml.spinwave.temperature import K_B, bose, gain_lines, loss_lines, thermal_lines
from insml.spinwave.units import intensity_factor, intensity_unit

D = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 0]])


def spiralling(field=2.0, twins=()):
    """A ferromagnetic chain with DM along its spins: E(q) is not E(-q)."""
    return SpinModel(lattice_vectors=np.diag([4.0, 5, 6]), positions=[[0, 0, 0]], spins=[[0, 0, 1]],
                     bonds=[(0, 0, (1, 0, 0), -np.eye(3) + 0.3 * D)], field=[0, 0, field],
                     anisotropy=[np.diag([0, 0, -0.3])], twins=twins)


Q = np.array([[0.2, 0.1, 0.0], [0.4, 0.0, 0.3]])


def test_energy_gain_is_spinw_s_negative_modes(shared_data):
    folder = shared_data / "oracles" / "lswt"
    model = SpinModel.from_dict(json.loads((folder / "C30_polarised.json").read_text())["model"])
    with np.load(folder / "C30_polarised.npz") as file:
        q, omega, Sab, Sperp, intP = (file[name] for name in ("q", "omega", "Sab", "Sperp", "intP"))
    T, normal = 300.0, plane_normal(model.lattice_vectors, [1, 0, 0], [0, 1, 0])
    lines = gain_lines(model.spectrum(-q), temperature=T)
    mixed = gain_lines(model.spectrum(-q), "Sxx+Sxy-0.4*Syz", temperature=T)
    chiral = gain_lines(model.spectrum(-q), "Px-Py", temperature=T, normal=normal)
    for at in range(len(q)):
        order = np.argsort(-omega[at])[5:]
        n = bose(-omega[at][order], T)
        np.testing.assert_allclose(lines.energy[at], omega[at][order], atol=1e-6)
        np.testing.assert_allclose(lines.intensity[at] / n, Sperp[at][order], atol=1e-5)
        S = Sab[at][order].real
        np.testing.assert_allclose(mixed.intensity[at] / n, S[:, 0, 0] + S[:, 0, 1] - 0.4 * S[:, 1, 2], atol=1e-5)
        np.testing.assert_allclose(chiral.intensity[at] / n, intP[at][order, 0] - intP[at][order, 1], atol=1e-5)
        np.testing.assert_allclose(lines.q[at], q[at])


def test_detailed_balance_without_inversion():
    T = 30.0
    here, there = thermal_lines(spiralling(), Q, temperature=T), thermal_lines(spiralling(), -Q, temperature=T)
    assert np.abs(here.energy[:, 1] + here.energy[:, 0]).min() > 0.1  # not the same mode
    np.testing.assert_allclose(here.energy[:, 0], -there.energy[:, 1])
    np.testing.assert_allclose(here.intensity[:, 0], np.exp(here.energy[:, 0] / (K_B * T)) * there.intensity[:, 1])


def test_the_first_moment_knows_no_temperature():
    twins = (Twin(np.diag([1.0, -1, -1]), 0.4), Twin(np.eye(3), 0.6))
    model = spiralling(field=0.0, twins=twins)
    both = [np.vstack([Q, -Q]) for _ in range(2)]
    moments = []
    for T in (0.0, 5.0, 500.0):
        lines = thermal_lines(model, both[0], temperature=T)
        # the mean over Q and -Q, where gain at one cancels loss at the other
        moments.append(np.nansum(lines.energy * lines.intensity, axis=1).reshape(2, -1).mean(axis=0))
    np.testing.assert_allclose(moments[1], moments[0])
    np.testing.assert_allclose(moments[2], moments[0])


def test_bose_factor():
    assert bose(2.0, 0) == 0
    assert bose(K_B * 10 * np.log(2), 10) == pytest.approx(1)
    assert bose(1e-3, 300) == pytest.approx(K_B * 300 / 1e-3 - 0.5, rel=1e-6)
    assert bose(1e6, 1) < 1e-300
    for energy, temperature in ((1.0, -1), (1.0, np.nan), (0.0, 10), (-1.0, 10)):
        with pytest.raises(ModelError, match="expected"):
            bose(energy, temperature)


def test_zero_energy_and_unstable_modes_are_left_out():
    model = SpinModel(lattice_vectors=np.eye(3), positions=[[0, 0, 0]], spins=[[0, 0, 1]],
                      bonds=[(0, 0, (1, 0, 0), -np.eye(3))])
    lines = loss_lines(model.spectrum([[0, 0, 0], [0.5, 0, 0]]), temperature=100)
    np.testing.assert_array_equal(np.isnan(lines.energy[:, 0]), [True, False])
    assert lines.intensity[0, 0] == 0
    assert lines.intensity[1, 0] == pytest.approx(0.5 * (bose(4.0, 100) + 1))


def test_units():
    model = SpinModel(lattice_vectors=np.eye(3), supercell=(2, 1, 1), spins=[[0, 0, 1]] * 6,
                      positions=[[x / 2, y, 0] for x in (0, 1) for y in (0, 0.1, 0.2)])
    assert intensity_factor(model) == 1
    assert intensity_factor(model, per="spin") == pytest.approx(1 / 3)
    assert intensity_factor(model, absolute=True) == pytest.approx(290.6, abs=0.05)  # g = 2
    assert intensity_factor(model, absolute=True, g_tensor=True) == pytest.approx(72.65, abs=0.01)
    assert intensity_unit() == "1/meV/cell"
    assert intensity_unit(absolute=True) == "mbarn/meV/sr/cell"
    assert intensity_unit(absolute=True, per="spin", binned=False) == "mbarn/sr/spin"
    with pytest.raises(ModelError, match="per: expected"):
        intensity_factor(model, per="atom")


def test_g_tensor_and_factor_agree():
    model = spiralling()
    plain, with_g = model.spectrum(Q), model.spectrum(Q, g_tensor=True)
    np.testing.assert_allclose(plain.intensity * intensity_factor(model, absolute=True),
                               with_g.intensity * intensity_factor(model, absolute=True, g_tensor=True))
