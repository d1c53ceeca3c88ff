"""True points of drawn flights, against the same computed in the open from exact quantiles."""

import numpy as np
import pytest
from numpy.typing import NDArray
from parts import cube, disk, fermi
from scipy.spatial.transform import Rotation
from scipy.special import ndtri

from insml import _core
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.instruments import DiskSpectrometer, FermiSpectrometer, Ikcarp, Sample, TubeDetector, merlin
from insml.instruments.detector import TOBYFIT_DEPTH
from insml.resolution.beam import contribution_columns
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import linear_map, time_bin, wavevectors
from insml.resolution.pixels import MeasuredPixels, ResolutionRun
from insml.resolution.sampling import DIMENSION, quantiles, true_points, uniform, wanted_contributions

Array = NDArray[np.float64]
ORIENTATION = Orientation(Lattice(3.0, 4.0, 5.0, 80.0, 95.0, 110.0), (1, 1, 0), (0, 0, 1), psi=20.0, gs=2.0)
TILTED = Sample((0.01, 0.04, 0.02), (1, 1, 0), (0, 1, 1), mosaic_fwhm=(3.0, 0.0, 1.0))
RUNS = {
    "maps": ResolutionRun(fermi(), cube(), ORIENTATION),
    "merlin, mosaic": ResolutionRun(merlin(60, 400), TILTED, ORIENTATION, ei=60.5),
    "let": ResolutionRun(disk(8.0), cube(), ORIENTATION),
}


def some(name: str, kind: str, n: int = 5) -> MeasuredPixels:
    run = RUNS[name]
    angle, energy = np.linspace(20.0, 60.0, n), run.incident * np.linspace(-0.2, 0.7, n)
    turn = Rotation.from_euler("y", 20.0, degrees=True).as_matrix()
    one = DetectorElement(6.0, angle, 7 * angle, np.linspace(0.02, 0.03, n), 0.0367, kind, turn)  # type: ignore[arg-type]
    return MeasuredPixels.one_run(run, one, energy, 1.0)


def in_the_open(pixels: MeasuredPixels, u: Array, names: frozenset[str]) -> Array:
    """(4, n, samples): deviations by exact quantiles, the map, the mosaic by scipy's rotations."""
    run = pixels.runs[0]
    instrument, sample = run.instrument, run.sample
    own = [u[..., d] for d in DIMENSION]
    y = np.zeros((*u.shape[:2], 11))
    if isinstance(instrument, FermiSpectrometer):
        y[..., 0] = instrument.moderator.quantile(own[0]) - instrument.moderator.mean
        y[..., 3] = instrument.chopper.quantile(own[3])
        y[..., 1] = instrument.aperture_width * (own[1] - 0.5)
        y[..., 2] = instrument.aperture_height * (own[2] - 0.5)
    else:
        assert isinstance(instrument, DiskSpectrometer)
        if "moderator" in names:
            y[..., (0, 3)] = instrument.times.sample(np.stack([own[0], own[3]], axis=-1))
        else:
            y[..., 0], y[..., 3] = instrument.times.shaping.quantile(own[0]), instrument.times.mono.quantile(own[3])
        y[..., 1] = instrument.horizontal_divergence.quantile(own[1])
        y[..., 2] = instrument.vertical_divergence.quantile(own[2])
    y[..., 4:7] = (np.stack(own[4:7], axis=-1) - 0.5) * sample.size
    _, kf = wavevectors(run.incident, pixels.energy)
    e = pixels.element
    for i, (width, height) in enumerate(zip(np.asarray(e.width), np.asarray(e.height), strict=True)):
        at = np.stack([d[i] for d in own[7:10]], axis=-1)
        y[i, :, 7:10] = ((at - 0.5) * [TOBYFIT_DEPTH * width, width, height] if e.kind == "block"
                         else TubeDetector(width, height).sample(at, kf[i], e.tube_angle))
    y[..., 10] = time_bin(kf, e.distance, pixels.energy_width)[:, None] * (own[10] - 0.5)
    columns = contribution_columns(instrument)
    kept = [c for name in names & set(columns) for c in columns[name]]
    y[..., [c for c in range(11) if c not in kept]] = 0.0
    rows = linear_map(instrument, sample, e, pixels.energy, ORIENTATION, ei=run.incident)
    out = np.einsum("nrc,nsc->rns", rows, y)
    out[:3] += pixels.hkl.T[:, :, None]
    out[3] += pixels.energy[:, None]
    if "mosaic" in names:
        frame = ORIENTATION.axes(sample.x_axis, sample.y_axis) @ ORIENTATION.b
        turn = Rotation.from_rotvec((-sample.mosaic_sigma * ndtri(np.stack(own[11:], axis=-1))).reshape(-1, 3))
        out[:3] = np.linalg.solve(frame, turn.apply(out[:3].reshape(3, -1).T @ frame.T).T).reshape(out[:3].shape)
    return out


@pytest.mark.parametrize("kind", ["block", "tube"])
@pytest.mark.parametrize("name", list(RUNS))
def test_points_are_those_of_the_formulas(name: str, kind: str) -> None:
    pixels = some(name, kind)
    known = wanted_contributions(pixels.runs, None)
    for names in (known, *(frozenset({one}) for one in sorted(known)), known - {"moderator"}, known - {"detector_depth"}):
        u = uniform(pixels, 400, 9)
        expected = in_the_open(pixels, u, names)
        found = true_points(pixels, 400, 9, names)
        # quantiles are straight between 64 points of each halving
        spread = np.maximum(expected.std(axis=2, keepdims=True), 1e-9)
        assert (np.abs(found - expected) / spread).max() < 2e-3, names
        moved = {n for n in names if not np.array_equal(true_points(pixels, 4, 9, names - {n}), found[..., :4])}
        idle = set() if pixels.runs[0].sample.mosaic_fwhm else {"mosaic"}
        # the moderator of disks does nothing alone
        assert moved >= names - idle - {"moderator"}


def test_means_of_pulses() -> None:
    """Horace's: the moderator's about its mean; the mean depth of a tube stays in."""
    pixels = some("maps", "tube", 1)
    rows = linear_map(fermi(), cube(), pixels.element, pixels.energy, ORIENTATION)[0]
    tube = TubeDetector(0.02, 0.0367)
    depth = tube.mean(wavevectors(100.0, pixels.energy)[1], pixels.element.tube_angle)[0, 0]
    for names, mean in ((frozenset({"moderator"}), 0.0), (frozenset({"detector_depth"}), rows[3, 7] * depth)):
        energy = true_points(pixels, 1 << 13, 0, names)[3, 0] - pixels.energy[0]
        assert energy.mean() == pytest.approx(mean, abs=2e-3 * energy.std())
    assert abs(rows[3, 7] * depth) > 0.01


def test_points_are_addressed() -> None:
    pixels = some("merlin, mosaic", "tube", 600)
    names = wanted_contributions(pixels.runs, None)
    whole = true_points(pixels, 5, 1, names, threads=1)
    assert np.array_equal(whole, true_points(pixels, 5, 1, names, threads=2))
    assert np.array_equal(whole[:, 17:301], true_points(pixels[17:301], 5, 1, names))
    assert np.array_equal(whole[..., :3], true_points(pixels, 3, 1, names))
    assert whole.shape == (4, 600, 5)
    assert true_points(pixels[:0], 5, 1, names).shape == (4, 0, 5)


def test_tables_of_quantiles_are_close_to_the_far_ends() -> None:
    pulse = Ikcarp(12.0, 30.0, 0.4)
    table = quantiles(pulse)
    p = _core.probabilities()
    assert len(p) == len(table) == 4097
    u = np.concatenate([10.0 ** np.linspace(-9, -1, 300), 1 - 10.0 ** np.linspace(-9, -1, 300), np.linspace(0.1, 0.9, 300)])
    np.testing.assert_allclose(np.interp(u, p, table), pulse.quantile(u), rtol=1e-4)
