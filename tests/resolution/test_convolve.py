"""Means over draws of the flight: against covariances, closed forms, and what must not change."""

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from parts import cube, disk, fermi

from insml import GeometryError, InsmlError, ModelError, SpinModel, resolution_covariance
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.instruments import Sample, merlin
from insml.resolution import convolve as module
from insml.resolution.convolve import Convolution, Factors, Line, bose, convolve, convolve_covariance, spin_waves
from insml.resolution.element import DetectorElement
from insml.resolution.line_shapes import DampedOscillator, GaussianLine, LorentzianLine
from insml.resolution.linear_map import linear_map, wavevectors
from insml.resolution.pixels import MeasuredPixels, ResolutionRun

Array = NDArray[np.float64]
ORIENTATION = Orientation(Lattice(3.0, 4.0, 5.0), (1, 1, 0), (0, 0, 1), psi=20.0)


def element(n: int, kind: str = "block") -> DetectorElement:
    angle = np.linspace(20.0, 40.0, n)
    return DetectorElement(6.0, angle, 7.0 * angle, 0.0254, 0.0367, kind=kind)  # type: ignore[arg-type]


def some(n: int = 6, run: ResolutionRun | None = None, kind: str = "block") -> MeasuredPixels:
    run = run or ResolutionRun(fermi(), cube(), ORIENTATION)
    share = run.incident / 100
    return MeasuredPixels.one_run(run, element(n, kind), share * np.linspace(5.0, 60.0, n), share * np.full(n, 1.0))


RUNS = {
    "maps": ResolutionRun(fermi(), cube(), ORIENTATION),
    "flat crystal with mosaic": ResolutionRun(
        fermi(), Sample((0.01, 0.04, 0.02), (1, 1, 0), (0, 1, 1), mosaic_fwhm=(1.0, 0.3, 0.6)), ORIENTATION),
    "merlin": ResolutionRun(merlin(60, 400), Sample(shape="point"), ORIENTATION),
    "let": ResolutionRun(disk(8.0), cube(), ORIENTATION),
}


@pytest.mark.parametrize("name", list(RUNS))
@pytest.mark.parametrize("kind", ["block", "tube"])
def test_moments_are_those_of_the_covariance(name: str, kind: str) -> None:
    pixels = some(3, RUNS[name], kind)
    run, n = RUNS[name], 1 << 15
    points = Convolution(pixels, samples=n, seed=2).points()
    e = pixels.element
    expected = resolution_covariance(
        run.instrument, run.sample, e, orientation=ORIENTATION,
        energy_bin=np.stack([pixels.energy - pixels.energy_width / 2, pixels.energy + pixels.energy_width / 2], axis=1))
    for found, c in zip(points, expected, strict=True):
        scale = np.sqrt(np.outer(np.diag(c), np.diag(c)))
        # Sobol: far below 1 / sqrt(n); 1 % of the product of the widths
        np.testing.assert_allclose(np.cov(found.T) / scale, c / scale, atol=0.01)


@pytest.mark.parametrize(("name", "azimuth"), [
    ("test_indepOfSampleOrientation.ww1", 0), ("test_differentDetectors.wwE", 180)])
def test_moments_are_horaces(shared_data: Path, name: str, azimuth: float) -> None:
    """The covariances of Horace's own tests, spectrometer frame and r.l.u., within the error that scrambles state."""
    expected = np.array(json.loads((shared_data / "oracles" / "horace" / "tobyfit_cov.json").read_text())[name])
    orientation = Orientation(Lattice(3.0, 4.0, 5.0), (1, 1, 0), (0, 0, 1))
    run = ResolutionRun(fermi(100, moderator_ei=90), cube(), orientation)
    pixels = MeasuredPixels.one_run(run, DetectorElement(6.0, 30.0, azimuth, 0.0254, 0.0367), 13.0, 1.0)
    over = Convolution(pixels, samples=1024)
    to = np.eye(4)
    to[:3, :3] = orientation.spec_to_rlu
    for back, want in ((np.eye(4), to @ expected @ to.T), (np.linalg.inv(to), expected)):
        scale = np.sqrt(np.diag(want))
        for i, j in zip(*np.triu_indices(4), strict=True):
            row, column = back[i] / scale[i], back[j] / scale[j]
            centre = np.array([*pixels.hkl[0], 13.0])

            def second(*x: Array, row: Array = row, column: Array = column, centre: Array = centre) -> Array:
                y = np.stack(x, axis=-1) - centre
                return (y @ row) * (y @ column)

            found, error = over.error(second, scrambles=16)
            assert abs(found[0] - want[i, j] / scale[i] / scale[j]) < 5 * error[0]
            assert error[0] < 0.01


def test_means_of_pulses_are_the_pixel_itself() -> None:
    pixels = some()
    points = Convolution(pixels, samples=4096).points()
    width = points.std(axis=1)
    assert (np.abs(points.mean(axis=1) - np.column_stack([pixels.hkl, pixels.energy])) < 2e-3 * width).all()


def test_nominal_hkl_is_kinematics() -> None:
    pixels = some()
    ki, kf = wavevectors(100.0, pixels.energy)
    q = pixels.hkl @ ORIENTATION.b.T
    two_theta = np.radians(np.asarray(pixels.element.two_theta))
    np.testing.assert_allclose((q**2).sum(axis=1), ki**2 + kf**2 - 2 * ki * kf * np.cos(two_theta), rtol=1e-12)


def test_linear_and_quadratic_functions() -> None:
    pixels = some()
    over = Convolution(pixels, samples=4096, seed=1)
    h, k, l, e = (*pixels.hkl.T, pixels.energy)  # noqa: E741
    linear = over.mean(lambda h, k, l, e: 2 * h - k + 3 * l + 0.1 * e)  # noqa: E741
    np.testing.assert_allclose(linear, 2 * h - k + 3 * l + 0.1 * e, rtol=1e-4)
    c = resolution_covariance(fermi(), cube(), pixels.element, orientation=ORIENTATION,
                              energy_bin=np.stack([pixels.energy - 0.5, pixels.energy + 0.5], axis=1))
    square = over.mean(lambda h, k, l, e: h * e) - h * pixels.energy  # noqa: E741
    np.testing.assert_allclose(square, c[:, 0, 3], rtol=0.02, atol=0.02 * np.sqrt(c[:, 0, 0] * c[:, 3, 3]).max())


def test_without_contributions_it_is_the_function() -> None:
    def s(h: Array, k: Array, l: Array, e: Array) -> Array:  # noqa: E741
        return np.cos(h) * k + l**2 * np.exp(-e / 10)

    pixels = some()
    np.testing.assert_array_equal(Convolution(pixels, samples=4, contributions=()).mean(s),
                                  s(*pixels.hkl.T, pixels.energy))


def test_same_bits_from_any_chunk_thread_and_order(monkeypatch: pytest.MonkeyPatch) -> None:
    one = RUNS["flat crystal with mosaic"]
    runs = [replace(one, orientation=replace(ORIENTATION, psi=psi)) for psi in (0.0, 5.0, 10.0)]
    energy = np.linspace(5.0, 60.0, 700)
    pixels = MeasuredPixels(runs, np.arange(700) % 3, element(700), energy, 1.0)

    def s(h: Array, k: Array, l: Array, e: Array) -> Array:  # noqa: E741
        return 3 * h + k**2 - l * e

    twins = [(np.eye(3), 0.3), (np.array([[0.0, 1, 0], [-1, 0, 0.1], [0, 0, 1]]), 0.7)]
    hot = Factors(kf_over_ki=True, temperature=20.0, form_factor="Mn3+")

    def seen(part: MeasuredPixels, seed: int = 5, threads: int = 0) -> Array:
        over = Convolution(part, samples=8, seed=seed, threads=threads, twins=twins, factors=hot)
        return np.stack([over.mean(s), over.modes(ferromagnet, GaussianLine(2.0)), over.points()[:, 3, 2]])

    whole = seen(pixels, threads=1)
    assert np.array_equal(whole, seen(pixels, threads=2))
    order = np.random.default_rng(0).permutation(700)
    assert np.array_equal(whole[:, order], seen(pixels[order]))
    monkeypatch.setattr(module, "_CHUNK", 24)
    monkeypatch.setattr(module, "_CHUNK_MODES", 88)
    assert np.array_equal(whole, seen(pixels))
    assert not np.any(whole[2] == seen(pixels, seed=6)[2])


def test_parts_of_a_set_keep_their_draws() -> None:
    pixels = some(9)
    whole = Convolution(pixels, samples=8).points()
    np.testing.assert_array_equal(Convolution(pixels, samples=8).points(3, 7), whole[3:7])
    np.testing.assert_array_equal(Convolution(pixels[4:], samples=8).points(), whole[4:])
    last = replace(pixels, run=pixels.run[4:], element=pixels[4:].element, energy=pixels.energy[4:], energy_width=1.0,
                   number=np.arange(4, 9))
    np.testing.assert_array_equal(Convolution(last, samples=8).points(), whole[4:])


def test_memory_does_not_grow_with_pixels() -> None:
    """What is held beside pixels and result are the draws of a chunk."""
    n = 1 << 18
    pixels = MeasuredPixels([RUNS["maps"]], np.zeros(n, int), element(1), np.linspace(5, 60, n), 1.0)
    over = Convolution(pixels, samples=16)
    tracemalloc.start()
    over.mean(lambda h, k, l, e: h)  # noqa: E741
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # all draws at once would be 134 MB
    assert peak < 48e6


def test_sobol_is_better_than_random_and_says_how_good_it_is() -> None:
    pixels = some(64)

    def s(h: Array, k: Array, l: Array, e: Array) -> Array:  # noqa: E741
        return np.exp(-0.5 * ((e - 30 - 4 * h) / 6) ** 2)

    truth = Convolution(pixels, samples=1 << 13, seed=99).mean(s)
    errors = {}
    for generator in ("sobol", "random"):
        over = Convolution(pixels, samples=64, generator=generator)
        mean, stated = over.error(s, scrambles=8)
        actual = np.sqrt(((mean - truth) ** 2).mean())
        assert actual == pytest.approx(np.sqrt((stated**2).mean()), rel=0.6)
        errors[generator] = actual
    assert errors["sobol"] < 0.4 * errors["random"]


def spin_model() -> SpinModel:
    """A ferromagnetic chain along h with a gap."""
    return SpinModel(lattice_vectors=np.diag([3.0, 4.0, 5.0]), positions=[[0, 0, 0]], spins=[[0, 0, 1.0]],
                     bonds=[(0, 0, (1, 0, 0), -6.0 * np.eye(3))], anisotropy=[np.diag([0, 0, -8.0])])


def ferromagnet(h: Array, k: Array, l: Array) -> tuple[Array, Array]:  # noqa: E741
    return 20.0 + 12.0 * (1 - np.cos(2 * np.pi * h)), 1.0 + 0.2 * np.cos(2 * np.pi * l)


def test_modes_are_lines_integrated_in_closed_form() -> None:
    """Against the same lines, given a small width, as a function of (h, k, l, E)."""
    pixels = some(24)
    line = GaussianLine(2.0)
    found = Convolution(pixels, samples=512).modes(ferromagnet, line)

    def s(h: Array, k: Array, l: Array, e: Array) -> Array:  # noqa: E741
        energy, strength = ferromagnet(h, k, l)
        return strength * line(e, energy)

    expected, error = Convolution(pixels, samples=4096).error(s)
    assert np.abs(found - expected).max() < 0.01 * expected.max() + 5 * error.max()
    # infinitely narrow, the integral still has a value; a finite width near zero tends to it
    narrow = Convolution(pixels, samples=512).modes(ferromagnet)
    np.testing.assert_allclose(Convolution(pixels, samples=512).modes(ferromagnet, GaussianLine(1e-6)), narrow,
                               rtol=1e-3, atol=1e-4 * narrow.max())


@pytest.mark.parametrize("name", ["maps", "let"])
@pytest.mark.parametrize("line", [GaussianLine(2.0), LorentzianLine(0.8), DampedOscillator(4.0)])
def test_modes_of_any_line_and_instrument(name: str, line: Line) -> None:
    """What a function of (h, k, l, E) gives with many draws, `modes` gives with few."""
    run = RUNS[name]
    share = run.incident / 100
    line = replace(line, fwhm=share * line.fwhm)  # type: ignore[type-var]
    energy = np.linspace(24.0, 44.0, 40)
    detector = DetectorElement(6.0, np.linspace(20, 35, 40), 20.0, 0.0254, 0.0367)
    pixels = MeasuredPixels.one_run(run, detector, share * energy, share)

    def modes(h: Array, k: Array, l: Array) -> tuple[Array, Array]:  # noqa: E741
        e, s = ferromagnet(h, k, l)
        # a second, weaker mode
        return share * np.stack([e, e + 9.0], axis=-1), np.stack([s, 0.3 * s], axis=-1)

    def s(h: Array, k: Array, l: Array, e: Array) -> Array:  # noqa: E741
        energies, strengths = modes(h, k, l)
        return (strengths * line(e[:, None], energies)).sum(axis=-1)

    factors = Factors(kf_over_ki=True, temperature=100.0, form_factor="Mn3+")
    expected, error = Convolution(pixels, samples=4096, factors=factors).error(s)
    few = Convolution(pixels, samples=64, factors=factors)
    found, stated = few.modes_error(modes, line)
    assert np.abs(found - expected).max() < 0.03 * expected.max() + 5 * error.max()
    # as good as the scrambles say
    assert np.sqrt(((found - expected) ** 2).mean()) < 0.015 * expected.max() + 2 * np.sqrt((stated**2 + error**2).mean())


def test_modes_without_times_are_lines_at_the_draws() -> None:
    pixels, line = some(8), GaussianLine(3.0)
    over = Convolution(pixels, samples=32, contributions=["sample", "detector_area", "energy_bin"])

    def s(h: Array, k: Array, l: Array, e: Array) -> Array:  # noqa: E741
        energy, strength = ferromagnet(h, k, l)
        return strength * line(e, energy)

    np.testing.assert_allclose(over.modes(ferromagnet, line), over.mean(s), rtol=1e-10, atol=1e-300)


def test_a_line_on_a_flat_mode_is_the_density_of_times() -> None:
    """Of one time alone, a flat narrow mode shows the pulse itself."""
    run = replace(RUNS["maps"], sample=Sample(shape="point"))
    energy = np.arange(20.0, 44.0, 0.05)
    pixels = MeasuredPixels.one_run(run, DetectorElement(6.0, 25.0, 30.0, 0.0254, 0.0367), energy, 0.05)
    # one draw: the path is the same for all
    found = Convolution(pixels, samples=1, contributions=["chopper"]).modes(
        lambda h, k, l: (np.full(len(h), 33.0), np.ones(len(h))))  # noqa: E741
    rows = linear_map(run.instrument, run.sample, pixels.element, pixels.energy, ORIENTATION)
    rate = rows[:, 3, 3]
    pulse = run.instrument.chopper.pdf((33.0 - energy) / rate) / np.abs(rate)  # type: ignore[union-attr]
    # a staircase of 24 pieces
    np.testing.assert_allclose(found, pulse, atol=0.05 * pulse.max())
    assert found.sum() == pytest.approx(pulse.sum(), rel=5e-3)


def test_total_intensity_and_centre_of_mass_are_kept() -> None:
    run = RUNS["maps"]
    energy = np.arange(2.0, 70.0, 0.25)
    pixels = MeasuredPixels.one_run(run, DetectorElement(6.0, 25.0, 30.0, 0.0254, 0.0367), energy, 0.25)
    # one flat mode: what is seen in one detector over all energies
    spectrum = Convolution(pixels, samples=64).modes(lambda h, k, l: (np.full(len(h), 33.0), np.ones(len(h))))  # noqa: E741
    assert spectrum.sum() * 0.25 == pytest.approx(1.0, rel=0.01)
    # pixels at lower transfers see it more broadly: the centre moves by the slope of the variance
    bounds = np.array([[32.875, 33.125], [33.875, 34.125]]) - 0.5
    one = pixels[:1].element
    variance = [resolution_covariance(run.instrument, run.sample, one, energy_bin=b, orientation=ORIENTATION)[0, 3, 3]
                for b in bounds]
    assert (spectrum * energy).sum() / spectrum.sum() == pytest.approx(33.0 + float(np.diff(variance)[0]), abs=0.01)


def test_a_spin_model_is_its_own_dispersion() -> None:
    m = spin_model()
    pixels = some(12)
    over = Convolution(pixels, samples=64)
    found = convolve(m, pixels, samples=64, line=GaussianLine(3.0))
    np.testing.assert_array_equal(found, over.modes(spin_waves(m), GaussianLine(3.0)))
    assert found.max() > 0


def test_factors_multiply() -> None:
    pixels = some()

    def one(h: Array, k: Array, l: Array, e: Array) -> Array:  # noqa: E741
        return np.ones_like(e)

    bare = {"samples": 1, "contributions": ()}
    ratio = convolve(one, pixels, factors=Factors(kf_over_ki=True), **bare)  # type: ignore[arg-type]
    ki, kf = wavevectors(100.0, pixels.energy)
    np.testing.assert_allclose(ratio, kf / ki, rtol=1e-6)
    hot = convolve(one, pixels, factors=Factors(temperature=300.0), **bare)  # type: ignore[arg-type]
    np.testing.assert_allclose(hot, 1 / (1 - np.exp(-pixels.energy / (0.08617333262 * 300))))
    np.testing.assert_allclose(bose(3.0, 50.0) / bose(-3.0, 50.0), -np.exp(3.0 / (0.08617333262 * 50.0)))
    iron = convolve(one, pixels, factors=Factors(form_factor="Fe2+"), **bare)  # type: ignore[arg-type]
    assert (iron < 1).all()
    assert (np.diff(iron[np.argsort(np.linalg.norm(pixels.hkl @ ORIENTATION.b.T, axis=1))]) <= 0).all()
    # twins: the mean over turned coordinates
    swap = np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
    twins = [(np.eye(3), 0.25), (swap, 0.75)]
    found = convolve(lambda h, k, l, e: h, pixels, twins=twins, **bare)  # type: ignore[arg-type]  # noqa: E741
    np.testing.assert_allclose(found, 0.25 * pixels.hkl[:, 0] + 0.75 * pixels.hkl[:, 1])


def test_fixed_covariance() -> None:
    c = np.diag([0.01, 0.02, 0.0, 4.0])
    c[0, 3] = c[3, 0] = 0.1
    hkl, energy = np.array([[1.0, 0.5, 0.0], [0.2, 0.0, 2.0]]), np.array([10.0, 20.0])
    found = convolve_covariance(lambda h, k, l, e: h * e + k * k, hkl, energy, c, samples=1024)  # noqa: E741
    np.testing.assert_allclose(found, hkl[:, 0] * energy + 0.1 + hkl[:, 1] ** 2 + 0.02, rtol=2e-3)
    each = convolve_covariance(lambda h, k, l, e: h * e, hkl, energy, np.stack([c, 0 * c]), samples=1024)  # noqa: E741
    assert each[1] == hkl[1, 0] * energy[1]


def test_what_cannot_be_meant_is_refused() -> None:
    pixels = some()
    with pytest.raises(InsmlError, match="samples: expected at least 1, found 0"):
        Convolution(pixels, samples=0)
    with pytest.raises(InsmlError, match="generator: expected one of sobol, random, found 'halton'"):
        Convolution(pixels, generator="halton")
    with pytest.raises(GeometryError, match="contributions: expected names of"):
        Convolution(pixels, contributions=["gravity"])
    with pytest.raises(ModelError, match="expected one S"):
        Convolution(pixels).mean(lambda h, k, l, e: np.ones(3))  # noqa: E741
    with pytest.raises(ModelError, match=r"expected finite S\(Q, E\), found another at"):
        Convolution(pixels).mean(lambda h, k, l, e: e * np.nan)  # noqa: E741
    with pytest.raises(ModelError, match="dispersion: expected energies and intensities"):
        Convolution(pixels).modes(lambda h, k, l: (h[:2], h[:2]))  # noqa: E741
    with pytest.raises(ModelError, match="modes: expected a line, or a time of the beam"):
        Convolution(pixels, contributions=["sample"]).modes(ferromagnet)
    with pytest.raises(ModelError, match="modes: expected both shape_chopper and mono_chopper"):
        Convolution(some(2, RUNS["let"]), contributions=["moderator", "mono_chopper"]).modes(ferromagnet)
    with pytest.raises(ModelError, match=r"dispersion: expected finite energies and intensities, found others at \(h"):
        Convolution(pixels).modes(lambda h, k, l: (h + np.nan, h))  # noqa: E741
    with pytest.raises(ModelError, match="line: expected none with a function"):
        convolve(lambda h, k, l, e: h, pixels, line=GaussianLine(1.0))  # noqa: E741
    with pytest.raises(GeometryError, match="twins: expected"):
        Convolution(pixels, twins=[(np.eye(2), 1.0)])
    with pytest.raises(InsmlError, match="seed: expected less than 2\\^64"):
        Convolution(pixels, seed=2**64)
    with pytest.raises(InsmlError, match="generator: expected one of"):
        convolve_covariance(lambda h, k, l, e: h, np.zeros((1, 3)), [1.0], np.eye(4), generator="halton")  # noqa: E741
    with pytest.raises(ModelError, match="form_factor: expected"):
        Factors(form_factor="Unobtainium2+")
    with pytest.raises(GeometryError, match="covariance: expected eigenvalues >= 0"):
        convolve_covariance(lambda h, k, l, e: h, np.zeros((1, 3)), [1.0], -np.eye(4))  # noqa: E741
    with pytest.raises(GeometryError, match="below Ei"):
        MeasuredPixels.one_run(RUNS["maps"], element(1), 120.0, 1.0)
    with pytest.raises(GeometryError, match="run: expected indices"):
        replace(pixels, run=np.full(6, 3))
