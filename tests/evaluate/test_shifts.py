"""Graded shifts, on a square antiferromagnet of few bins that counts as measured with two incident energies."""

from dataclasses import replace

import numpy as np
import pytest

from insml.datasets import Corruption, TrainingSet, standardise
from insml.datasets.conditions import Condition, simulator
from insml.datasets.placement import Placement
from insml.datasets.prior import draw_stable
from insml.errors import InsmlError
from insml.evaluate.shifts import (
    FAMILIES,
    SEVERITIES,
    Background,
    Calibration,
    CleanImages,
    Counts,
    Franken,
    Mask,
    Resolution,
    Scale,
    Shifted,
    Topology,
)
from insml.evaluate.shifts.calibration import beside
from insml.evaluate.shifts.mask import Uncovered
from insml.evaluate.shifts.materials import MATERIALS, material_slices, square_antiferromagnet
from insml.evaluate.shifts.resolution import with_widths
from insml.study import Study, bundled

N, BINS = 4, 16
QUIET = Corruption(relative_noise=(0.1, 0.1), background=(0.0, 0.1), scale_jitter=0, mask_fraction=(0, 0),
                   hot_pixels=0, clip_probability=0, slice_dropout=(0, 0))
SIMULATED = ("R", "C", "T")
#: Turned images of studies without an instrument are slow; one test has them.
TESTED = {**FAMILIES, "C": Calibration(("energy", "q-scale"))}


@pytest.fixture(scope="module")
def study() -> Study:
    whole = bundled("square_antiferromagnet")
    axes = tuple(replace(a, edges=np.linspace(0, 2, BINS + 1)) for a in whole.layout.axes)
    slices = [replace(s, ei=60.0 if n < 3 else 80.0) for n, s in enumerate(whole.layout.slices[::2])]
    return replace(whole, layout=replace(whole.layout, axes=axes, slices=tuple(slices), grid=(1, 7)),
                   third=replace(whole.third, samples=2))


@pytest.fixture(scope="module")
def base(study: Study) -> TrainingSet:
    candidates = list(study.candidates.values())
    simulators = [simulator(study, c.name, Condition(), 1) for c in candidates]
    made = [draw_stable(candidates[i % 2], i % 2, simulators[i % 2].stack, 5, i // 2) for i in range(N)]
    theta = np.array([list(d.values.values()) for d in made])
    return TrainingSet(np.array([d.stack for d in made], np.float32), np.arange(N) % 2, theta,
                       tuple(c.names for c in candidates), tuple(study.candidates), study.layout,
                       study.simulation_digest, 5)


def distances(shifted: Shifted, base: CleanImages) -> np.ndarray:
    """Of each measured image from that of the clean one without shift and without noise."""
    none = np.zeros(base.clean.shape[1:], bool)
    seen = [standardise(*shifted.corruption.apply(c, 3, i)) for i, c in enumerate(shifted.clean)]
    own = [standardise(b, none) for b in base.clean]
    return np.array([np.sqrt(np.mean((a - b) ** 2)) for a, b in zip(seen, own, strict=True)])


@pytest.mark.parametrize("letter", FAMILIES)
def test_severity_is_graded(letter: str, study: Study, base: TrainingSet) -> None:
    steps, which = ((1, 3, 5), [0, 1]) if letter in SIMULATED else (SEVERITIES, [0, 1, 2, 3])
    images = CleanImages.of(base).take(which)
    # what changes clean images is looked at without noise
    still = replace(QUIET, relative_noise=(0, 0), background=(0, 0)) if letter in "RCTKS" else QUIET
    found = [distances(TESTED[letter].images(study, images, s, 7, corruption=still, threads=1), images).mean()
             for s in steps]
    assert (np.diff(found) > 0).all(), found
    assert found[-1] > 1.2 * found[0]


@pytest.mark.parametrize("letter", FAMILIES)
def test_images_depend_on_seed_and_number_alone(letter: str, study: Study, base: TrainingSet) -> None:
    def made(which: list[int], seed: int) -> list:
        images = CleanImages.of(base).take(which)
        out = TESTED[letter].images(study, images, 3, seed, corruption=QUIET, threads=1)
        assert out.clean.dtype == np.float32
        assert out.clean.shape == (len(which), *study.layout.stack_shape)
        assert len(out.labels) == len(out.variants) == len(which)
        return [(c, *out.corruption.apply(c, 3, i)) for i, c in enumerate(out.clean)]

    all_of_them, first = made([0, 1] if letter in "RC" else [0, 1, 2], 7), made([0, 1], 7)
    # a part has other donors to choose from
    for a, b in zip(all_of_them if letter != "K" else made([0, 1], 7), first, strict=False):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    if letter not in "NB":  # these draw at the corruption's address
        assert any(not np.array_equal(x, y) for a, b in zip(first, made([0, 1], 8), strict=True)
                   for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("letter", [*"NMBS"])
def test_labels_stay_where_physics_does(letter: str, study: Study, base: TrainingSet) -> None:
    np.testing.assert_array_equal(FAMILIES[letter].images(study, base, 5, 7, corruption=QUIET).labels, base.labels)


def test_no_label_is_right_for_what_is_put_together(study: Study, base: TrainingSet) -> None:
    made = Franken().images(study, base, 1, 7, corruption=QUIET)
    assert (made.labels == -1).all()


@pytest.mark.parametrize("condition", [Condition(), Condition(mosaic_fwhm=2.0, widths=1.2)])
def test_widths_times_one_are_the_images_without_shift(condition: Condition, study: Study,
                                                       base: TrainingSet) -> None:
    names = list(study.candidates)
    expected = np.array([simulator(study, names[i % 2], condition, 1).stack(base.parameters(i)) for i in range(2)])
    images = CleanImages.of(base, [condition] * N).take([0, 1])
    np.testing.assert_allclose(with_widths(study, images, [1.0, 1.0], 1), expected, rtol=1e-6, atol=1e-9)


def test_half_the_images_are_sharper_and_half_are_wider(study: Study, base: TrainingSet) -> None:
    made = Resolution().images(study, base, 5, 1, corruption=QUIET, threads=1)
    assert set(made.variants) == {"widths x0", "widths x3"}
    sharpness = (made.clean**2).sum((1, 2, 3)) / made.clean.sum((1, 2, 3)) ** 2
    own = (base.clean**2).sum((1, 2, 3)) / base.clean.sum((1, 2, 3)) ** 2
    for name, more, less in zip(made.variants, sharpness, own, strict=True):
        assert (more > less) == (name == "widths x0")


def test_widths_of_a_whole_instrument() -> None:
    whole = bundled("manganite")
    axes = tuple(replace(a, edges=np.linspace(-1, 1, 9)) for a in whole.layout.axes)
    layout = replace(whole.layout, axes=axes, slices=whole.layout.slices[3:60:20], grid=(1, 3))
    small = replace(whole, layout=layout)
    condition = Condition(mosaic_fwhm=1.0, turn=0.3, widths=1.1, tilt=0.5)
    expected = simulator(small, "dimer", condition, 1).stack()
    images = CleanImages(expected[None], np.array([1]), (small.candidates["dimer"].reference,), (condition,))
    np.testing.assert_allclose(with_widths(small, images, [1.0], 1)[0], expected, rtol=1e-6, atol=1e-9)
    widths = [with_widths(small, images, [f], 1)[0] for f in (0.0, 3.0)]
    spread = [(w**2).sum() / w.sum() ** 2 for w in (widths[0], expected, widths[1])]
    assert spread[0] > spread[1] > spread[2]


def test_an_energy_offset_is_that_of_the_bins(study: Study, base: TrainingSet) -> None:
    made = Calibration(("energy",)).images(study, base, 5, 7, corruption=QUIET, threads=1)
    i = 0
    offset = 0.04 if "+" in made.variants[i] else -0.04
    slices = tuple(replace(s, energy=(s.energy[0] + offset * s.ei, s.energy[1] + offset * s.ei))
                   for s in study.layout.slices)
    moved = replace(study, layout=replace(study.layout, slices=slices))
    expected = simulator(moved, "neel", Condition(), 1).stack(base.parameters(i))
    np.testing.assert_allclose(made.clean[i], expected, rtol=1e-6, atol=1e-9)


def test_turns_grow_and_a_quarter_of_one_is_none(study: Study, base: TrainingSet) -> None:
    none, one = np.zeros(base.clean.shape[1:], bool), CleanImages.of(base).take([0])
    own = standardise(base.clean[0], none)
    turns = Calibration(("angle",))
    found = [standardise(turns.images(study, one, s, 7, corruption=QUIET, threads=1).clean[0], none)
             for s in (3, 5)]
    assert 0.02 < np.abs(found[0] - own).mean() < np.abs(found[1] - own).mean()
    turned = beside(study, 0.0, 90.0, 0.0)
    expected = simulator(study, "neel", Condition(), 1).stack(base.parameters(0))
    np.testing.assert_allclose(simulator(turned, "neel", Condition(), 1).stack(base.parameters(0)), expected,
                               rtol=0.02, atol=0.002 * expected.max())


def test_counts_are_whole_and_as_noisy_as_stated(study: Study, base: TrainingSet) -> None:
    flat = np.full(base.clean.shape[1:], 2.0, np.float32)
    for severity, factor in zip(SEVERITIES, (4, 1, 0.5, 0.25, 0.1), strict=True):
        made = Counts().images(study, base, severity, 7, corruption=replace(QUIET, background=(0, 0)))
        signals = np.array([made.corruption.apply(flat, 3, i)[0] for i in range(20)])
        # 2 % of the level was subtracted and still counts
        assert signals.std() / 2 == pytest.approx(0.21 / np.sqrt(factor) * np.sqrt(1.02), rel=0.05)
        assert signals.mean() == pytest.approx(2, rel=0.05)
        steps = np.diff(np.unique(signals[0][0].round(4)))
        unit = 0.21**2 / factor * 2
        np.testing.assert_allclose(steps / unit, np.round(steps / unit), atol=0.01)


def test_masks_drop_the_stated_share(study: Study, base: TrainingSet) -> None:
    for severity, share in ((1, 0.01), (2, 0.03), (3, 0.10), (4, 0.25)):
        made = Mask(("tubes",)).images(study, base, severity, 7, corruption=QUIET).corruption
        missing = np.array([made.missing(i) for i in range(300)])
        # tubes are lines of 1/16 and the draws are independent between the two incident energies
        assert missing.mean() == pytest.approx(share, abs=4 * np.sqrt(share / BINS / 600) + 0.001)
        assert (missing[:, :3] == missing[:, :1]).all()
        assert (missing[:, 3:] == missing[:, 3:4]).all()


def test_banks_rows_and_transposed_masks(study: Study, base: TrainingSet) -> None:
    bank = Mask(("bank",)).images(study, base, 4, 7, corruption=QUIET).corruption
    for i in range(10):
        missing = bank.missing(i)
        assert (missing == missing[0]).all()
        assert 0.18 < missing.mean() < 0.37
    row = Mask(("row",)).images(study, base, 5, 7, corruption=QUIET).corruption
    lost = {tuple(row.missing(i).all((1, 2)).tolist()) for i in range(20)}
    assert lost == {(True,) * 3 + (False,) * 4, (False,) * 3 + (True,) * 4}
    known = np.zeros((1, *study.layout.stack_shape), bool)
    known[0, :, :5, 2] = True
    made = Mask(("transposed",)).images(study, base, 3, 7, corruption=replace(QUIET, masks=known))
    signal, mask = made.corruption.apply(base.clean[0], 3, 0)
    assert mask[:, 2, :5].all()
    assert not signal[mask].any()
    with pytest.raises(InsmlError, match="transposed: expected a corruption with masks"):
        Mask(("transposed",)).images(study, base, 3, 7, corruption=QUIET)


def test_what_is_covered_is_measured_as_without_shift(study: Study, base: TrainingSet) -> None:
    made = Mask().images(study, base, 5, 7, corruption=QUIET)
    assert isinstance(made.corruption, Uncovered)
    (signal, mask), (own, none) = made.corruption.apply(made.clean[0], 3, 0), QUIET.apply(base.clean[0], 3, 0)
    assert not none.any()
    np.testing.assert_array_equal(signal, np.where(mask, 0, own))


def test_background_is_as_high_as_stated(study: Study, base: TrainingSet) -> None:
    plain = replace(QUIET, relative_noise=(0, 0), background=(0, 0))
    for kind in ("residual", "rings", "tail", "cones", "spurions"):
        low, high = (Background((kind,)).images(study, base, s, 7, corruption=plain) for s in (2, 5))
        added = [x.corruption.apply(x.clean[0], 3, 0)[0] - base.clean[0] for x in (low, high)]
        assert np.abs(added[0]).max() > 0
        # the same shape, eight times as high
        np.testing.assert_allclose(added[1], 8 * added[0], rtol=1e-3, atol=1e-4 * np.abs(added[1]).max())
    salt = Background(("salt",)).images(study, base, 5, 7, corruption=plain)
    bright = np.mean([(salt.corruption.apply(base.clean[0], 3, i)[0] != base.clean[0]).mean() for i in range(200)])
    assert bright == pytest.approx(0.01, rel=0.1)


def test_scales_are_those_stated(study: Study, base: TrainingSet) -> None:
    made = Scale(("run",)).images(study, base, 5, 7, corruption=QUIET)
    bright = base.clean > 1e-6 * base.clean.max()
    ratios = [np.unique((made.clean[:, s] / base.clean[:, s])[bright[:, s]].round(3)) for s in range(7)]
    assert all(np.isin(r, [np.float32(0.333), 3]).all() for r in ratios)
    fall = Scale(("form factor",)).images(study, base, 5, 7, corruption=QUIET)
    q = Placement.of(study.lattice, study.layout).q
    power = np.log(fall.clean[0] / base.clean[0])[bright[0]] / np.log(3)
    expected = np.broadcast_to((q / q.max()) ** 2, bright[0].shape)[bright[0]]
    np.testing.assert_allclose(np.abs(power), expected, atol=1e-4)
    slope = Scale(("slope",)).images(study, base, 5, 7, corruption=QUIET)
    assert np.ptp(np.log(slope.clean[0] / base.clean[0])[bright[0]]) == pytest.approx(np.log(3), rel=0.05)


@pytest.mark.parametrize("kind", ["twins", "bond", "further", "dm", "ferromagnet"])
def test_other_topologies_are_stable_and_differ_from_both_candidates(kind: str, study: Study,
                                                                     base: TrainingSet) -> None:
    images = CleanImages.of(base).take([0, 1])
    made = Topology((kind,)).images(study, images, 5, 7, corruption=QUIET, threads=1)
    right = kind in ("twins", "dm")
    np.testing.assert_array_equal(made.labels, images.labels if right else [-1, -1])
    none = np.zeros(base.clean.shape[1:], bool)
    for i in range(2):
        assert made.variants[i].startswith(kind)
        for other in base.clean[:2]:
            a, b = standardise(made.clean[i], none), standardise(other, none)
            assert np.sqrt(np.mean((a - b) ** 2)) > (0.02 if right else 0.15)


def test_a_ferromagnet_has_its_cone_at_the_origin(study: Study) -> None:
    # along h of the square lattice: 2 S (J1 (1 - cos) + 2 J2 (1 - cos))
    made = Topology(("ferromagnet",)).candidates(study, 5, 1)[0, "ferromagnet"]
    values = {"J1": 5.0, "J2": 0.0, "D": 0.0}
    extras = made.extras(values, 1.0)
    spectrum = made.candidate.spin_model({**values, **extras}).spectrum(np.array([[0.3, 0.0, 0.0]]), tensor=False)
    one, two = (1 - np.cos(2 * np.pi * 0.3)), 2 - 2 * np.cos(2 * np.pi * 0.3)
    diagonal = extras["shell_1"]
    expected = 2 * 1.5 * (5.0 * one + diagonal * two)
    domain = spectrum.domains[0]
    shining = domain.energy[0][domain.intensity[0] > 0.01 * domain.intensity[0].max()]
    np.testing.assert_allclose(shining, expected, rtol=1e-6)


def test_orders_and_chains_of_the_manganite() -> None:
    whole = bundled("manganite")
    made = Topology().candidates(whole, 3, 1)
    assert {k for label, k in made if label == 0} == {"twins", "chains", "bond", "further", "dm", "ferromagnet",
                                                      "antiferromagnet"}
    moments = np.array([np.sign(s.spin[1]) for s in made[0, "antiferromagnet"].candidate.structure.sites])
    structure = whole.structure
    for b in made[0, "antiferromagnet"].candidate.bonds:
        at = structure.positions
        length = np.linalg.norm((at[b.j] + b.dl - at[b.i]) @ structure.cell)
        if length < 3.86:  # in the plane and between the layers of the bilayer
            assert moments[b.i] == -moments[b.j]
    weights = [t.weight for t in made[1, "twins"].candidate.structure.twins]
    np.testing.assert_allclose(sorted(weights), [0.2, 0.8])
    reference = whole.candidates["goodenough"].reference
    weakened = made[0, "chains"].extras(reference, 1.0)
    assert sorted(weakened.values()) == pytest.approx([-0.9 * 1.50, -0.9 * 0.88])


def test_chains_need_parallel_spins(study: Study, base: TrainingSet) -> None:
    with pytest.raises(InsmlError, match="shift T: expected kinds that apply to square_antiferromagnet"):
        Topology(("chains",)).images(study, base, 3, 7, corruption=QUIET)


def test_put_together_of_rows_of_others(study: Study, base: TrainingSet) -> None:
    made = Franken(("models",)).images(study, base, 5, 7, corruption=QUIET)
    parts = [[0], [1], [2], [3, 4], [5], [6]]  # three of each of two incident energies
    for i in range(N):
        others = [part for part in parts if not np.array_equal(made.clean[i][part], base.clean[i][part])]
        assert len(others) == 5
        for part in others:
            shapes = [base.clean[j][part] / base.clean[j][part].sum() for j in range(N) if j % 2 != i % 2]
            found = made.clean[i][part] / made.clean[i][part].sum()
            assert min(np.abs(found - s).max() for s in shapes) < 1e-6
        assert made.clean[i].sum() == pytest.approx(float(base.clean[i].sum()), rel=1e-3)


def test_other_materials_shine_where_their_modes_are(study: Study) -> None:
    # 4 J S at the zone boundary of the nearest-neighbour antiferromagnet; 2 sqrt(2) J S a from (pi, pi) on
    places = np.pi / 4 * np.array([[1, 0.0], [0.5, 0.5], [1.002, 1.0]])
    omega, intensity = square_antiferromagnet(4.0, 2.5, 0.65)(places)
    np.testing.assert_allclose(omega[:2], 4 * 0.65 * 2.5)
    assert omega[2] == pytest.approx(2 * np.sqrt(2) * 0.65 * 2.5 * 0.002 * np.pi, rel=1e-4)
    assert intensity[2] > 10 * intensity[0]
    for name in MATERIALS:
        stack = material_slices(study, name, np.arange(7))
        assert stack.shape == study.layout.stack_shape
        assert (stack >= 0).all()
    assert material_slices(study, "La2NiO4", np.arange(7)).max((1, 2)).min() > 0.01
    assert material_slices(study, "Rb2MnF4", np.arange(7)).max() < 1e-3  # its band ends at 6.5 meV


def test_what_does_not_fit_is_refused(study: Study, base: TrainingSet) -> None:
    with pytest.raises(InsmlError, match=r"severity: expected one of \[1, 2, 3, 4, 5\], found 6"):
        Counts().images(study, base, 6, 1, corruption=QUIET)
    with pytest.raises(InsmlError, match="shift N: expected images of shape"):
        Counts().images(bundled("manganite"), base, 1, 1, corruption=QUIET)
    with pytest.raises(InsmlError, match="shift K: models: expected images of two candidates"):
        Franken().images(study, CleanImages.of(base).take([0, 2]), 1, 1, corruption=QUIET)
    with pytest.raises(InsmlError, match="kinds: expected some of energy"):
        Calibration(("time",))
