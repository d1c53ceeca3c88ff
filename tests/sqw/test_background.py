"""Backgrounds against closed forms, against what images were made of, and in measured cuts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from insml import GeometryError
from insml.crystal.lattice import Lattice
from insml.io import open_any, read_sqw, write_sqw
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec
from insml.sqw import Axes, Dnd, LineProj, SphereProj, Sqw
from insml.sqw.background import split, spread, stitched, subtracted
from insml.sqw.background.places import expected_variance, places
from insml.sqw.background.surface import Grid, fitted
from insml.sqw.cut import cut

LATTICE = Lattice(4.0, 4.0, 6.0, 90.0, 90.0, 90.0)
LINE = LineProj((1, 0, 0), (0, 1, 0))
STAR = np.pi / 2


def flat(*edges: Any) -> Axes:
    """Plotted where there are more than two edges."""
    given = tuple(np.asarray(e, float) for e in edges)
    return Axes(given, tuple(n for n, e in enumerate(given) if e.size > 2))


def along_energy(signal: Any, variance: Any, npix: Any, *, at: float = 0.0, low: float = 0.0, offset: float = 0.0) -> Dnd:
    energies = low - offset + np.arange(len(signal) + 1.0)
    axes = Axes((np.array([at, at + 0.1]), np.array([0, 0.1]), np.array([0, 0.1]), energies), (3,))
    return Dnd.of(axes, LineProj((1, 0, 0), (0, 1, 0), offset=(0, 0, 0, offset)), LATTICE, signal, variance, npix)


def drawn(seed: int, n: int = 60, m: int = 40, *, background: float | None = None, height: float = 8.0, noise: float = 1.0,
          counts: float | None = None, low: float = -2.0, high: float = 2.0) -> tuple[Dnd, np.ndarray, np.ndarray]:
    """An image along (h, 0, 0) and E of a smooth background and a mode of FWHM 3 meV; the background and the mode."""
    rng = np.random.default_rng(seed)
    axes = flat(np.linspace(low, high, n + 1), [-0.1, 0.1], [-0.1, 0.1], np.linspace(2, 52, m + 1))
    h, e = np.meshgrid(*(0.5 * (x[1:] + x[:-1]) for x in axes.edges), indexing="ij")
    b = 10 * np.exp(-e / 12) + 3 + 0.4 * (STAR * h) ** 2 if background is None else np.full(h.shape, background)
    mode = height * np.exp(-0.5 * ((e - 5 - 30 * np.abs(np.sin(np.pi * h / 2))) / 1.3) ** 2)
    npix = rng.integers(3, 9, h.shape)
    if counts is None:
        signal, variance = rng.normal(b + mode, noise), np.full(h.shape, noise**2)
    else:
        n_counts = rng.poisson((b + mode) * npix * counts)
        signal, variance = n_counts / npix / counts, n_counts / (npix * counts) ** 2
    return Dnd.of(axes, LINE, LATTICE, signal, variance, npix), b, mode


# stitched cuts


def test_overlaps_are_weighted_means() -> None:
    first = along_energy([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [1, 2, 3, 4, 5, 0])
    second = along_energy([2.0, 4.0, 6.0, 8.0, 10.0, 12.0], [0.3, 0.2, 0.6, 0.1, 0.1, 0.1], [6, 5, 4, 3, 2, 1], at=1.0)
    w = stitched([first, second], [[(0.0, 3.0)], [(1.0, 2.0), (1.7, 5.0)]])
    # 0: the first; 1 and 2: both; 3 and 4: the second; 5: none
    np.testing.assert_allclose(w.signal, [1.0, 3.0, (3 / 0.3 + 6 / 0.6) / (1 / 0.3 + 1 / 0.6), 8.0, 10.0, 0.0])
    np.testing.assert_allclose(w.variance, [0.1, 0.1, 1 / (1 / 0.3 + 1 / 0.6), 0.1, 0.1, 0.0])
    np.testing.assert_array_equal(w.npix, [1, 7, 7, 3, 2, 0])
    assert w.axes.plotted == (3,)
    np.testing.assert_array_equal(w.edges[0], np.arange(7.0))


def test_bins_partly_in_a_range_are_not_used() -> None:
    w = stitched([along_energy([1.0, 2.0, 3.0], [1, 1, 1], [1, 1, 1])], [[(0.5, 2.4)]])
    np.testing.assert_array_equal(w.npix, [0, 1, 0])


def test_bins_without_counts_are_weighted_by_pixels() -> None:
    """A variance of 0 says that there were no counts, not that there is no error."""
    w = stitched([along_energy([0.0, 2.0], [0.0, 1.0], [3, 1]), along_energy([4.0, 2.0], [1.0, 1.0], [1, 1])],
                 [[(0, 2)], [(0, 2)]])
    np.testing.assert_allclose(w.signal, [1.0, 2.0])
    np.testing.assert_allclose(w.variance, [1 / 16, 0.5])


def test_energies_count_from_the_offset() -> None:
    w = stitched([along_energy([1.0, 2.0], [1, 1], [1, 1], low=5.0), along_energy([3.0, 4.0], [1, 1], [1, 1], low=5.0,
                                                                                 offset=2.0)], [[(5, 6)], [(6, 7)]])
    np.testing.assert_allclose(w.signal, [1.0, 4.0])


@pytest.mark.parametrize(("cuts", "ranges", "words"), [
    ([], [], "expected a list for each"), ([along_energy([1.0], [1], [1])], [], "found 0 for 1"),
    ([along_energy([1.0, 2.0], [1, 1], [1, 1]), along_energy([1.0, 2.0], [1, 1], [1, 1], low=0.5)], [[(0, 1)], [(0, 1)]],
     "cut 1: energy: expected the bins of cut 0, 2 from 0 to 2, found 2 from .+ to"),
    ([along_energy([1.0, 2.0], [1, 1], [1, 1]), along_energy([1.0], [1], [1])], [[(0, 1)], [(0, 1)]], "cut 1: energy"),
    ([drawn(0)[0]], [[(0, 1)]], "cut 0: expected one plotted axis, energy, found axes .1, 4."),
    ([along_energy([1.0], [1], [1])], [[(3, 4)]], "cut 0: ranges: expected at least one whole bin"),
    ([along_energy([1.0], [1], [1])], [[(1, 0)]], "cut 0: ranges: expected .low, high.")])
def test_cuts_that_do_not_fit_are_named(cuts: list[Dnd], ranges: Any, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        stitched(cuts, ranges)


def test_spread_and_subtracted() -> None:
    image, _, _ = drawn(1, 4, 3)
    hidden = Dnd.of(image.axes, LINE, LATTICE, image.signal, image.variance, image.npix * (np.arange(4) != 2)[:, None])
    axes = flat([0, 0.1], [0, 0.1], [0, 0.1], image.axes.all_edges[3])
    line = Dnd.of(axes, LINE, LATTICE, [1.0, 2.0, 0.0], [0.5, 0.25, 0.0], [7, 8, 0])
    b = spread(line, hidden)
    np.testing.assert_array_equal(b.signal, np.broadcast_to([1.0, 2.0, 0.0], (4, 3)))
    np.testing.assert_array_equal(b.npix, np.broadcast_to([7, 8, 0], (4, 3)))
    for w in (subtracted(hidden, line), subtracted(hidden, b)):
        there = (hidden.npix > 0) & (np.arange(3) < 2)
        np.testing.assert_array_equal(w.npix, np.where(there, hidden.npix, 0))
        np.testing.assert_allclose(w.signal, np.where(there, image.signal - b.signal, 0))
        np.testing.assert_allclose(w.variance, np.where(there, image.variance + b.variance, 0))


def test_backgrounds_that_do_not_fit_are_named() -> None:
    image, _, _ = drawn(1, 4, 3)
    with pytest.raises(GeometryError, match="background: energy: expected the bins of the image, 3 from 2 to 52, found 2"):
        spread(along_energy([1.0, 2.0], [1, 1], [1, 1]), image)
    plane = Dnd.of(flat([0, 1, 2], [0, 1], [0, 1], [0, 5]), LINE, LATTICE, [1, 1], [1, 1], [1, 1])
    with pytest.raises(GeometryError, match=r"image: expected energy among its plotted axes, found axes .1."):
        spread(along_energy([1.0, 2.0], [1, 1], [1, 1]), plane)
    with pytest.raises(GeometryError, match="background: expected the bins of the image"):
        subtracted(image, plane)
    with pytest.raises(GeometryError, match="background: axis 1: expected the bins of the image, 4 from -2 to 2"):
        subtracted(image, drawn(1, 4, 3, low=-1)[0])


def test_a_stitched_cut_is_a_file(tmp_path: Path) -> None:
    w = stitched([along_energy([1.0, 2.0], [1, 1], [1, 1])], [[(0, 1)]])
    for version in (2, 4):
        write_sqw(tmp_path / "w.dnd", w, version)
        again = open_any(tmp_path / "w.dnd")
        np.testing.assert_array_equal(again.npix, w.npix)
        assert not np.isfinite(again.axes.all_edges[0]).any()


# where bins are


def test_places_of_centres() -> None:
    image, _, _ = drawn(0, 4, 3)
    found = places(image).reshape(4, 3, 2)
    np.testing.assert_allclose(found[..., 0], np.abs(image.centres[0])[:, None] * STAR * np.ones(3))
    np.testing.assert_allclose(found[..., 1], image.centres[1] * np.ones((4, 1)))
    powder = Dnd.of(flat([0, 1, 2], [0, 180], [-180, 180], [0, 1, 2, 3]), SphereProj(), LATTICE, *np.ones((3, 2, 3)))
    np.testing.assert_allclose(places(powder)[::3, 0], [0.5, 1.5])
    without = Dnd.of(flat([0, 1, 2], [0, 1], [-np.inf, np.inf], [0, 1, 2]), LINE, LATTICE, *np.ones((3, 2, 2)))
    np.testing.assert_allclose(places(without)[::2, 0], STAR * np.hypot([0.5, 1.5], 0.5))


def test_places_of_pixels(data: Sqw) -> None:
    w = cut(data, LineProj((1, 0, 0), (0, 1, 0)), [-1, 0.5, 1], [-3, 3], [-3, 3], [0, 5, 30])
    pixels = w.pixels.read().astype(float)
    which = np.repeat(np.arange(w.counted.size), w.counted.astype(int))
    found = places(w).reshape(*w.shape, 2)
    for bin in np.argwhere(w.npix > 0):
        own = pixels[which == np.ravel_multi_index(tuple(bin), w.shape, order="F")]
        np.testing.assert_allclose(found[tuple(bin)], [np.linalg.norm(own[:, :3], axis=1).mean(), own[:, 3].mean()])


def test_the_expected_variance_is_the_neighbours() -> None:
    variance, npix = np.arange(1.0, 26.0).reshape(5, 5), np.arange(25).reshape(5, 5)
    image = Dnd.of(flat(np.arange(6), [0, 1], [0, 1], np.arange(6)), LINE, LATTICE, np.zeros((5, 5)), variance, npix)
    total = variance * npix**2
    expected = (total.sum() - total[2, 2]) / (npix.sum() - npix[2, 2]) / npix[2, 2]
    assert expected_variance(image)[2, 2] == pytest.approx(expected)
    assert expected_variance(image)[0, 0] == 0


# surfaces


def test_a_surface_without_outliers_is_penalised_least_squares() -> None:
    """The limit out of reach: the plain solution of the normal equations, with the roughness that is charged."""
    rng = np.random.default_rng(5)
    grid = Grid(np.array([0.0, 1.0, 2.5]), np.array([0.0, 2.0, 3.0, 5.0]))
    where = np.column_stack([rng.uniform(0, 2.5, 300), rng.uniform(0, 5, 300)])
    sigma = rng.uniform(0.5, 2, 300)
    values = rng.normal(1 + where[:, 0] * where[:, 1], sigma)
    design = grid.design(where).toarray()
    data = (design / sigma[:, None] ** 2).T @ design
    for smoothness in ((-9, -9), (0, 1)):
        found = fitted(grid, where, values, sigma, 50.0, smoothness)
        q, e, flat_ones = (r.toarray() for r in grid.roughness)
        charged = (1 / sigma**2).sum() / 12 * (10.0 ** smoothness[0] * q + 10.0 ** smoothness[1] * e + flat_ones)
        inverse = np.linalg.inv(data + charged)
        np.testing.assert_allclose(found.values, inverse @ design.T @ (values / sigma**2), rtol=1e-9)
        np.testing.assert_allclose(found.covariance, inverse, rtol=1e-7, atol=1e-12)
        assert found.parameters == pytest.approx(np.trace(inverse @ data), rel=1e-9)
    # second differences along three and four points: what is free of them all are 2 x 2 planes
    assert 4 < found.parameters < 12


def test_a_surface_is_where_the_slope_vanishes() -> None:
    """One value: the sum of min(r, limit) plus its share of normal noise is 0."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    values = np.random.default_rng(6).normal(size=400)
    values[:80] += 20
    found = fitted(Grid(np.array([0.0, 1.0]), np.array([0.0, 1.0])), np.full((400, 2), 0.5), values, np.ones(400), 1.0)
    shift = norm.pdf(1) - norm.sf(1)
    expected = brentq(lambda b: (np.minimum(values - b, 1) + shift).sum(), -5, 25)
    np.testing.assert_allclose(found.values, expected, atol=1e-7)


# split


def test_a_constant_is_found_without_bias() -> None:
    """Over 200 images without a signal: pulls of mean 0 and of the size that errors state; few false alarms."""
    grid = ([0.0, 1.6, 3.2], [2.0, 27.0, 52.0])
    for counts in (None, 0.2):
        pulls, flagged = [], []
        for seed in range(200):
            image, b, _ = drawn(seed, 16, 12, background=5.0, height=0.0, counts=counts)
            found = split(image, grid=grid)
            own = found.at(image)
            pulls.append((own.signal - b) / np.sqrt(own.variance))
            flagged.append(found.signal_mask(image).mean())
        # the mean is known to 0.04
        assert abs(np.mean(pulls)) < 0.1
        assert 0.5 < np.std(pulls) < 1.3
        assert np.mean(flagged) < 0.0014


def test_low_counts_do_not_pull_the_background_down() -> None:
    """Weights of 1/variance of a bin's own counts would give 20 % less here."""
    image, _, _ = drawn(3, 80, 40, background=1.0, height=0.0, counts=1.0)
    plain = np.average(image.signal, weights=np.where(image.variance > 0, 1 / np.maximum(image.variance, 1e-9), 0))
    assert plain < 0.85
    np.testing.assert_allclose(split(image).at(image).signal.mean(), 1.0, atol=0.03)


@pytest.mark.parametrize("counts", [None, 1.0])
def test_a_mode_is_parted_from_a_smooth_background(counts: float | None) -> None:
    image, b, mode = drawn(7, counts=counts)
    found = split(image)
    own = found.at(image)
    assert (own.npix > 0).all()
    assert np.sqrt(np.mean((own.signal / b - 1) ** 2)) < 0.04
    assert abs(np.mean(own.signal / b - 1)) < 0.015
    assert np.std((own.signal - b) / np.sqrt(own.variance)) < 1.6
    noise = np.ones_like(b) if counts is None else np.sqrt(b / image.npix / counts)
    mask = found.signal_mask(image)
    assert (mode > noise).mean() < 0.25
    assert mask[mode > 2 * noise].mean() > 0.9
    assert (mode > 0.25 * noise)[mask].mean() > 0.9
    assert mask[mode < 0.01 * noise].mean() < 0.005
    np.testing.assert_array_equal(found.background_mask(image), ~mask)
    rest = subtracted(image, own)
    assert abs(rest.signal[~mask].mean()) < 0.1


def test_errors_are_larger_where_all_is_signal_and_absent_beyond_the_data() -> None:
    image, b, _ = drawn(8, height=0.0)
    inside = np.abs(image.centres[0]) < 0.5
    high = np.outer(inside, (image.centres[1] > 20) & (image.centres[1] < 35))
    signal = image.signal + 50 * high
    found = split(Dnd.of(image.axes, LINE, LATTICE, signal, image.variance, image.npix))
    own = found.at(image)
    assert found.signal_mask(Dnd.of(image.axes, LINE, LATTICE, signal, image.variance, image.npix))[high].all()
    deep = np.outer(np.abs(image.centres[0]) < 0.2, np.abs(image.centres[1] - 27.5) < 4)
    assert np.sqrt(own.variance[deep].mean() / own.variance[~high].mean()) > 2
    assert (np.abs(own.signal - b)[high] < 4 * np.sqrt(own.variance[high])).all()
    wider = Dnd.of(flat(np.linspace(-4, 4, 81), [-0.1, 0.1], [-0.1, 0.1], np.linspace(-20, 80, 51)), LINE, LATTICE,
                   *np.ones((3, 80, 50)))
    beyond = found.at(wider)
    reached = np.outer(np.abs(wider.centres[0]) < 1.9, (wider.centres[1] > 3) & (wider.centres[1] < 51))
    assert (beyond.npix[reached] > 0).all()
    assert (beyond.npix[np.abs(wider.centres[0]) > 2.2] == 0).all()
    assert (beyond.npix[:, (wider.centres[1] < 0) | (wider.centres[1] > 54)] == 0).all()
    # nothing was measured in a corner of the image
    cut_off = Dnd.of(image.axes, LINE, LATTICE, image.signal, image.variance,
                     np.where(np.add.outer(2 - np.abs(image.centres[0]), 0 * image.centres[1]) < 1, 0, image.npix)
                     * (image.centres[1] > 20) + image.npix * (image.centres[1] <= 20))
    part = split(cut_off)
    assert np.isnan(part.background[-1, -1])
    assert np.isnan(part.error[-1, -1])
    assert np.isfinite(part.background[-1, 0])
    assert part.at(image).npix[-1, -1] == 0


def test_stated_errors_that_are_too_small_are_found_so() -> None:
    image, _, mode = drawn(9)
    bold = Dnd.of(image.axes, LINE, LATTICE, image.signal, image.variance / 4, image.npix)
    found = split(bold)
    assert found.scatter == pytest.approx(2, rel=0.06)
    assert found.signal_mask(bold)[mode < 0.01].mean() < 0.02


def test_the_same_numbers_every_time_and_in_any_unit() -> None:
    image, _, _ = drawn(10, 30, 20)
    first, again = split(image), split(image)
    np.testing.assert_array_equal(first.background, again.background)
    np.testing.assert_array_equal(first.error, again.error)
    scaled = split(Dnd.of(image.axes, LINE, LATTICE, 1e-5 * image.signal, 1e-10 * image.variance, image.npix))
    np.testing.assert_allclose(scaled.background, 1e-5 * first.background, rtol=1e-6)


def test_several_images_share_a_background() -> None:
    """Halves of an image give what the whole does but where they meet; each alone agrees within errors."""
    image, _, _ = drawn(11, 60, 30)

    def part(n: slice) -> Dnd:
        axes = flat(image.axes.edges[0][n.start : n.stop + 1], *image.axes.all_edges[1:])
        return Dnd.of(axes, LINE, LATTICE, image.signal[n], image.variance[n], image.npix[n])

    left, right = part(slice(0, 30)), part(slice(30, 60))
    whole, halves, other = split(image), split([left, right]), split([right, left])
    np.testing.assert_allclose(other.background, halves.background, rtol=1e-6)
    difference = (halves.background - whole.background) / whole.error
    assert np.sqrt(np.mean(difference**2)) < 0.3
    alone = [split(w, grid=whole.grid) for w in (left, right)]
    pull = (alone[0].background - alone[1].background) / np.hypot(alone[0].error, alone[1].error)
    assert np.sqrt(np.mean(pull**2)) < 1.5
    np.testing.assert_array_equal(whole.signal_mask(left)[:25], whole.signal_mask(image)[:25])


def test_single_cuts_and_pixels(data: Sqw) -> None:
    """An image of one energy, a cut along energy, one bin; data with pixels in runs of mean 1."""
    h = np.linspace(-1.975, 1.975, 80)
    peaks = 9 * np.exp(-0.5 * ((np.abs(h) - 1) / 0.04) ** 2)
    axes = flat(np.linspace(-2, 2, 81), [-0.1, 0.1], [-0.1, 0.1], [10, 12])
    line = Dnd.of(axes, LINE, LATTICE, np.random.default_rng(12).normal(4 + peaks, 0.3), np.full(80, 0.09), np.ones(80))
    found = split(line)
    assert found.background.shape[1] == 2
    np.testing.assert_allclose(found.at(line).signal, 4.0, atol=0.3)
    assert found.signal_mask(line)[peaks > 1].all()
    energy = along_energy(np.r_[np.ones(10), 9.0, 10.0, np.ones(10)], np.full(22, 0.04), np.full(22, 5))
    own = split(energy)
    np.testing.assert_array_equal(np.flatnonzero(own.signal_mask(energy)), [10, 11])
    np.testing.assert_allclose(own.at(energy).signal, 1.0, atol=0.1)
    single = Dnd.of(flat([0, 1], [0, 1], [0, 1], [0, 1]), LINE, LATTICE, 3.0, 0.25, 2)
    assert split(single).at(single).signal == pytest.approx(3.0, abs=0.1)
    w = cut(data, LineProj((1, 0, 0), (0, 1, 0)), [-1, 0.5, 1], [-3, 3], [-3, 3], [0, 5, 30])
    pixels = split(w)
    known = pixels.at(w)
    np.testing.assert_allclose(known.signal[w.npix > 0], 1.0, atol=0.1)
    assert not pixels.signal_mask(w).any()


def test_masks_of_a_mosaic() -> None:
    """Slices of one width in energy: what is left of the mosaic is the signal."""
    axes = (Axis("h", (1.0, 0.0, 0.0), np.linspace(0, 2, 31)), Axis("k", (0.0, 1.0, 0.0), np.linspace(0, 2, 31)))
    specs = tuple(SliceSpec((e, e + 5.0)) for e in (5.0, 10.0))
    layout = MosaicLayout(axes, (0, 0, 1), specs, (1, 2), ("-k", "+h"))
    rng = np.random.default_rng(13)
    ring = np.abs(np.hypot(axes[0].centres[:, None] - 1, axes[1].centres - 1) - 0.4) < 0.06
    stack = rng.normal(2 + 6 * np.stack([ring, np.zeros_like(ring)]), 0.5)
    mosaic = Mosaic.from_stack(stack, np.zeros_like(stack), layout, variance=np.full_like(stack, 0.25))
    slices = [Dnd.of(flat(axes[0].edges, axes[1].edges, [-0.1, 0.1], spec.energy), LINE, LATTICE, values, variance,
                     np.ones_like(values))
              for spec, values, variance in zip(specs, mosaic.stack, mosaic.stack_variance, strict=True)]
    found = split(slices)
    hidden = mosaic.mask | ~layout.assemble(np.stack([found.signal_mask(w) for w in slices]))
    left = ~layout.split(hidden)
    assert left[0][ring].all()
    assert left[1].mean() < 0.005
    assert left[0].sum() < 2 * ring.sum()


@pytest.mark.parametrize(("grid", "words"), [
    (([0, 1],), "grid: expected .Q. and E, found 1"), (([0.0], [0, 1]), "grid: .Q.: expected two or more ascending"),
    (([0, 1], [1, 0]), "grid: E: expected two or more ascending"),
    (([9, 10], [0, 1]), "grid: expected one that holds data, which are at")])
def test_grids_that_do_not_fit_are_named(grid: Any, words: str) -> None:
    with pytest.raises(GeometryError, match=words):
        split(drawn(0, 8, 6)[0], grid=grid)


def test_nothing_measured_is_named() -> None:
    image, _, _ = drawn(0, 8, 6)
    for given in ([], Dnd.of(image.axes, LINE, LATTICE, *np.zeros((3, 8, 6)))):
        with pytest.raises(GeometryError, match="images: expected bins with pixels and a variance, found none"):
            split(given)


# measured


def test_a_measured_cut_of_iron(shared_data: Path) -> None:
    """Four spin-wave peaks at about 0.23 and 0.8 on either side."""
    w = read_sqw(shared_data / "sqw" / "fe_cut.sqw")
    found = split(w)
    mask, h = found.signal_mask(w), w.centres[0]
    for peak in (-0.8, -0.2, 0.25, 0.8):
        assert mask[np.abs(h - peak) < 0.06].all()
    assert not mask[(np.abs(h) < 0.08) | (np.abs(np.abs(h) - 0.55) < 0.08)].any()
    own = found.at(w)
    free = (w.npix > 0) & ~mask
    assert np.mean((w.signal - own.signal)[free]) == pytest.approx(0, abs=0.02)
    np.testing.assert_allclose(own.signal[np.abs(h) < 1], 0.19, atol=0.03)


def test_a_file_of_a_damped_mode(shared_data: Path) -> None:
    """A calculation without noise, whose crest stands out at all energies while what is far from it does not."""
    w = open_any(shared_data / "sqw" / "w2d_qe_d2d.sqw")
    found = split(w)
    mask, there = found.signal_mask(w), w.npix > 0
    crest = there & (w.signal > 0.6 * np.where(there, w.signal, 0).max())
    assert mask[crest].all()
    assert 0.2 < mask[there].mean() < 0.5
    rest = subtracted(w, found.at(w))
    assert np.abs(rest.signal[there & ~mask]).max() < 0.1 * w.signal.max()
