"""Tables of covariances (h, k, E) made for the manganite on MAPS: ki along c, a horizontal, b up."""

import numpy as np
import pytest

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.instruments import Sample, maps
from insml.resolution.covariance import resolution_covariance
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import wavevectors

ORIENTATION = Orientation(Lattice(5.408, 5.4599, 19.266), (0, 0, 1), (1, 0, 0))
# the table of 100 meV was made at 250 Hz
SETTINGS = {25: 300, 35: 200, 50: 200, 70: 250, 100: 250, 140: 400}


def ratios(shared_data, ei, size, width, height):
    """Widths in h, k and E, ours over the table's, at |h|, |k| <= 1 and 0 <= E <= 0.7 Ei: (n, 3)."""
    table = np.loadtxt(shared_data / "pcsmo" / f"PCSMO_ei{ei}_resolution.txt")
    h, k, energy = table[:, :3].T
    table = table[(abs(h) <= 1.01) & (abs(k) <= 1.01) & (energy >= 0) & (energy <= 0.7 * ei)]
    energy = table[:, 2]
    _, kf = wavevectors(ei, energy)
    q = np.linalg.solve(ORIENTATION.spec_to_rlu, np.column_stack([table[:, :2], np.zeros(len(table))]).T).T
    across = -q[:, 1:]
    direction = np.column_stack([np.sqrt(kf**2 - (across**2).sum(axis=1)), across])
    c = resolution_covariance(
        maps(ei, SETTINGS[ei]), Sample(size, (0, 0, 1), (0, 1, 0)), DetectorElement.along(direction, 6.0, width, height),
        energy_bin=np.column_stack([energy - 1e-6, energy + 1e-6]), orientation=ORIENTATION)
    return np.sqrt(np.diagonal(c, axis1=1, axis2=2)[:, [0, 1, 3]] / table[:, [3, 7, 11]])


@pytest.mark.parametrize("ei", SETTINGS)
def test_energy_widths_of_the_stated_sample(shared_data, ei):
    energy = ratios(shared_data, ei, (0.01, 0.05, 0.01), 0.0254, 0.0367)[:, 2]
    np.testing.assert_allclose(energy, 1, atol=0.05)


@pytest.mark.parametrize("ei", SETTINGS)
def test_momentum_widths_of_a_round_sample_of_equal_mean_square(shared_data, ei):
    """The tables have one width for h and k at h = k = 0: no upright plate. Its mean square length, 0.03 m, fits."""
    found = ratios(shared_data, ei, (0.03, 0.03, 0.03), 0.0254, 0.0254)
    np.testing.assert_allclose(found[:, :2], 1, atol=0.06)
    np.testing.assert_allclose(found.mean(axis=0), 1, atol=0.05)


def test_the_table_of_100_mev_is_not_300_hertz(shared_data, monkeypatch):
    monkeypatch.setitem(SETTINGS, 100, 300)
    assert ratios(shared_data, 100, (0.01, 0.05, 0.01), 0.0254, 0.0367)[:, 2].max() < 0.92
