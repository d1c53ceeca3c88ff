"""A structure with one propagation vector, in a rotating frame and written out as a supercell, gives the same numbers."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from insml import SpinModel, UnstableStructureError
from insml.spinwave.relax import relax

Q = np.random.default_rng(11).uniform(-1.5, 1.5, (9, 3))
CELLS = 5
FE3 = [0.3972, 13.2442, 0.6295, 4.9034, -0.0314, 0.3496, 0.0, 1.0, 0.0, 1.0, 0.0044]


def invariant(n: NDArray[np.float64], along: float, across: float, twist: float) -> NDArray[np.float64]:
    """Exchange that looks the same after any rotation about n."""
    cross = np.array([[0, -n[2], n[1]], [n[2], 0, -n[0]], [-n[1], n[0], 0]])
    return across * np.eye(3) + (along - across) * np.outer(n, n) + twist * cross


def pair(seed: int) -> tuple[SpinModel, SpinModel]:
    """Two sites of different spin in a cell, chains along a that turn by 2 pi/5; the same in five cells."""
    rng = np.random.default_rng(seed)
    n = rng.normal(size=3)
    n /= np.linalg.norm(n)
    lattice = np.array([[4.1, 0, 0], [0.6, 5.2, 0], [0.3, 0.5, 7.0]])
    positions = rng.random((2, 3))
    lengths = (1.0, 2.5)
    spins = [s * rng.normal(size=3) for s in lengths]
    spins = [s * x / np.linalg.norm(x) for s, x in zip(lengths, spins, strict=True)]
    bonds = [(i, j, dl, invariant(n, *(scale * rng.uniform(-1, 1, 3)))) for i, j, dl, scale in (
        (0, 0, (1, 0, 0), 0.5), (1, 1, (1, 0, 0), 0.5), (0, 1, (0, 0, 0), 1.0), (1, 0, (1, 0, 0), 0.6),
        (0, 1, (0, 1, -1), 0.4))]
    quartic = [(0, 1, (0, 0, 0), 0.05 * rng.uniform(-1, 1)), (0, 0, (1, 0, 0), 0.05 * rng.uniform(-1, 1))]
    anisotropy = [invariant(n, a, 0.0, 0.0) for a in (2.5, 1.5)]
    common = {"lattice_vectors": lattice, "field": 6.0 * n}
    g = [invariant(n, 2.2, 1.9, 0.0), invariant(n, 2.0, 2.1, 0.0)]
    turning = SpinModel(positions=positions, spins=spins, bonds=bonds, biquadratic=quartic, anisotropy=anisotropy, g=g,
                        k=(1 / CELLS, 0, 0), n=n, form_factors=[FE3, None], **common)
    settled = relax(turning, seed=1)
    assume(settled.converged)
    turning = settled.model

    def cells(entries: list[tuple]) -> list[tuple]:
        return [(i + 2 * c, j + 2 * ((c + dl[0]) % CELLS), ((c + dl[0]) // CELLS, dl[1], dl[2]), x)
                for c in range(CELLS) for i, j, dl, x in entries]

    turns = [Rotation.from_rotvec(2 * np.pi * c / CELLS * n) for c in range(CELLS)]
    written = SpinModel(
        supercell=(CELLS, 1, 1),
        positions=[(positions[i] + [c, 0, 0]) / [CELLS, 1, 1] for c in range(CELLS) for i in range(2)],
        spins=[turn.apply(spin) for turn in turns for spin in turning.spins],
        bonds=cells(bonds), biquadratic=cells(quartic), anisotropy=anisotropy * CELLS, g=g * CELLS,
        form_factors=[FE3, None] * CELLS, **common)
    return turning, written


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6))
@pytest.mark.parametrize("options", [{}, {"form_factor": True, "g_tensor": True}, {"blocks": False}])
def test_rotating_frame_is_its_supercell(options: dict[str, bool], seed: int) -> None:
    turning, written = pair(seed)
    try:
        a, b = turning.spectrum(Q, **options), written.spectrum(Q, **options)
    except UnstableStructureError:
        assume(False)
    assume(b.energy.min() > 1e-3)
    for power in (0, 1, 2):
        np.testing.assert_allclose(np.einsum("qm,qmab->qab", a.energy**power, a.tensor),
                                   np.einsum("qm,qmab->qab", b.energy**power, b.tensor), rtol=0,
                                   atol=1e-8 * b.energy.max()**power)
    # every level of the rotating frame is one of the supercell
    nearest = np.abs(np.sort(a.energy, axis=1)[:, :, None] - b.energy[:, None, :]).min(axis=2)
    assert nearest.max() < 1e-8
