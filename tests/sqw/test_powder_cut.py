"""A |Q| <= 3 cut that the authors of a study made of a powder run (Bi2Fe4O9 on MERLIN), against ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from insml.crystal.lattice import Lattice
from insml.io import read_nxspe
from insml.sqw import SphereProj
from insml.sqw.cut import cut
from insml.sqw.energy_constant import ENERGY_OF_K2
from insml.sqw.generate import generate


def test_the_authors_cut(shared_data: Path) -> None:
    """Means over the rings of detectors within |Q| = 3.

    Theirs count the ring that lies across the limit by its share within, ours by its centre, and theirs have narrower bins
    of energy. Where a bin of the file has its centre in one of theirs, and that share makes less than 0.1 %, the two agree
    to 0.1 %; elsewhere they differ by what the share makes.
    """
    folder = shared_data / "bi2fe4o9"
    theirs = loadmat(folder / "MER40874_Ei120_cut.mat", squeeze_me=True)
    run = read_nxspe(folder / "MER40874_Ei120.00meV_Rings.nxspe")
    data = generate([run.path], None, lattice=Lattice(6, 6, 6), u=(1, 0, 0), v=(0, 1, 0), psi=0)
    centres = 0.5 * (run.energy_edges[1:] + run.energy_edges[:-1])
    step = centres[1] - centres[0]
    ours = cut(data, SphereProj(), [0, 3], [0, 180], [-180, 180], [centres[0], step, centres[-1]], keep_pixels=False)
    np.testing.assert_allclose(ours.centres[0], centres, atol=1e-9)
    bins = np.floor((centres - theirs["x"][0]) / np.diff(theirs["x"])[0] + 0.5).astype(int)
    held = (bins >= 0) & (bins < len(theirs["x"])) & (ours.npix > 0)
    difference = ours.signal[held] / theirs["y"][bins[held]] - 1

    # rings touch halfway between their centres
    order = np.argsort(run.polar)
    middles = 0.5 * (run.polar[order][1:] + run.polar[order][:-1])
    border = np.concatenate([[2 * run.polar[order][0] - middles[0]], middles, [2 * run.polar[order][-1] - middles[-1]]])
    ki, kf = np.sqrt(run.ei / ENERGY_OF_K2), np.sqrt((run.ei - centres[held]) / ENERGY_OF_K2)

    def momentum(angle: np.ndarray) -> np.ndarray:
        return np.sqrt(ki**2 + kf**2 - 2 * ki * kf * np.cos(np.radians(angle[:, None])))

    low, high = momentum(border[:-1]), momentum(border[1:])
    signal = run.signal[order][:, held]
    known = np.isfinite(signal)
    share = np.where(known, np.clip((3 - low) / (high - low), 0, 1), 0)
    inside = known & (momentum(run.polar[order]) <= 3)
    by_share, by_centre = ((w * np.where(known, signal, 0)).sum(axis=0) / w.sum(axis=0) for w in (share, inside))
    np.testing.assert_allclose(by_centre, ours.signal[held], rtol=1e-6)
    made = by_share / by_centre - 1
    little = np.abs(made) < 1e-3
    assert held.sum() == 137
    assert little.sum() > 40
    assert np.abs(difference[little]).max() < 1e-3
    assert np.corrcoef(difference, -made)[0, 1] > 0.9
    assert np.median(np.abs(difference)) < 1e-3
