"""Mosaics through a whole instrument, against drawing everything, and what must not change them."""

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from insml import GeometryError, InsmlError, ModelError, UnstableStructureError, resolution_covariance
from insml.instrument_simulation import InstrumentSimulator, instrument_of, simulate
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.resolution import DirectGeometry
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import ENERGY_PER_K2, linear_map
from insml.spinwave import SpinModel
from insml.studies import manganite
from insml.study import Study, Twin, bundled

Array = NDArray[np.float64]


def small() -> Study:
    """The manganite on a few bins that arcs of both bands cross."""
    axes = (Axis("h", (1, 0, 0), np.linspace(0.35, 0.6, 6)), Axis("k", (0, 1, 0), np.linspace(-0.2, 0.0, 5)))
    slices = (SliceSpec((11.0, 14.0), 50.0), SliceSpec((20.0, 23.0), 50.0), SliceSpec((64.4, 72.8), 140.0))
    return replace(manganite.STUDY, layout=MosaicLayout(axes, (0, 0, 1), slices, (1, 3)))


def drawn(study: Study, candidate: str, samples: int, gaussian: bool = False) -> tuple[Array, Array]:
    """Mean and its standard error: all components drawn, every sample solved, energies counted. ``gaussian``: drawn from
    the covariance of each bin."""
    rng = np.random.default_rng(3)
    chosen, layout, instrument = study.candidates[candidate], study.layout, instrument_of(study)
    model = SpinModel.from_dict(chosen.model(chosen.reference))
    v, orientation, sample = model.lattice_vectors.T, instrument.orientation, instrument.sample
    out, error = np.zeros(layout.stack_shape), np.zeros(layout.stack_shape)
    for s, spec in enumerate(layout.slices):
        assert spec.ei is not None
        setting = instrument.settings[spec.ei]
        box = setting.detector.covariance(3.0, 90.0).diagonal()
        widths = np.array([0, setting.aperture_width, setting.aperture_height, 0, *sample.size, *np.sqrt(12 * box), 0])
        ki, (lo, hi) = np.sqrt(spec.ei / ENERGY_PER_K2), spec.energy
        for i, x in enumerate(layout.axes[0].centres):
            for j, y in enumerate(layout.axes[1].centres):
                plane = np.array([x, y, 0.0])
                across = np.linalg.inv(orientation.spec_to_rlu) @ plane

                def third(energy: float, across: Array = across, ki: float = ki, setting=setting) -> float:
                    kf = np.sqrt((setting.ei - energy) / ENERGY_PER_K2 - across[1] ** 2 - across[2] ** 2)
                    return float((ki - kf) * orientation.spec_to_rlu[2, 0])

                thirds = [third(e) for e in (lo, 0.5 * (lo + hi), hi)]
                q = across + np.linalg.inv(orientation.spec_to_rlu) @ [0, 0, thirds[1]]
                element = DetectorElement.along(np.array([ki, 0, 0]) - q, setting.sample_to_detector, widths[8], widths[9])
                middle = 0.5 * (lo + hi)
                if gaussian:
                    covariance = resolution_covariance(setting, sample, element, energy_bin=(middle - 1e-6, middle + 1e-6),
                                                       orientation=orientation)
                    moved = rng.multivariate_normal(np.zeros(4), covariance, samples)
                else:
                    dq = linear_map(setting, sample, element, middle, orientation)[0]
                    t = widths * (rng.random((samples, 11)) - 0.5)
                    t[:, 0] = setting.moderator.centred().quantile(rng.random(samples))
                    t[:, 3] = setting.chopper.centred().quantile(rng.random(samples))
                    moved = t @ dq.T
                hkl = plane + moved[:, :3]
                if np.any(sample.mosaic_sigma) and not gaussian:
                    # crystallites are turned by X: they see Q turned by -X
                    q_rlu = np.concatenate([hkl[:, :2], np.full((samples, 1), thirds[1])], axis=1)
                    axes = orientation.axes(sample.x_axis, sample.y_axis) @ orientation.b
                    turn = Rotation.from_rotvec(-sample.mosaic_sigma * rng.standard_normal((samples, 3)))
                    hkl = np.linalg.solve(axes, turn.apply(q_rlu @ axes.T).T).T
                for a in (0, 1):
                    edges = layout.axes[a].edges
                    hkl[:, a] += (edges[1] - edges[0]) * (rng.random(samples) - 0.5)
                total = np.zeros(samples)
                for twin in model.twins:
                    into = np.linalg.inv(v) @ twin.rotation @ v
                    found = []
                    for l in thirds:  # noqa: E741
                        hkl[:, 2] = l
                        found.append(model.replace(twins=()).spectrum(hkl @ into, form_factor=True))
                    measured = found[1].energy - moved[:, 3:]
                    z = np.clip((2 * measured - lo - hi) / (hi - lo), -1, 1)
                    low, middle_, high = (f.intensity for f in found)
                    strength = middle_ + z * (high - low) / 2 + z**2 * ((high + low) / 2 - middle_)
                    inside = (measured > lo) & (measured < hi)
                    total += twin.weight * (strength * inside).sum(axis=1) / (hi - lo)
                out[s, i, j], error[s, i, j] = total.mean(), total.std() / np.sqrt(samples)
    return out, error


def with_mosaic(study: Study, fwhm: float) -> Study:
    resolution = study.broadening
    assert isinstance(resolution, DirectGeometry)
    assert resolution.crystal is not None
    return replace(study, broadening=replace(resolution, crystal=replace(resolution.crystal, mosaic_fwhm=fwhm)))


def agree(found: Array, expected: Array, error: Array) -> None:
    for tile, truth, sigma in zip(found, expected, error, strict=True):
        # straight dispersion over the reach of the times: 2 % of the tile's mean
        assert np.abs(tile - truth).max() < 4.5 * sigma.max() + 0.02 * truth.mean()
        assert abs(tile.mean() - truth.mean()) < 4.5 * np.sqrt((sigma**2).mean() / sigma.size) + 0.01 * truth.mean()


@pytest.mark.parametrize("how", [{"evaluation": "exact", "samples": 512}, {"samples": 512}, {"cells": 2}, {"cells": 4}])
def test_all_that_is_integrated_might_as_well_be_drawn(how: dict[str, Any]) -> None:
    agree(InstrumentSimulator(small(), "goodenough", **how).stack(), *all_drawn())


@cache
def all_drawn() -> tuple[Array, Array]:
    return drawn(small(), "goodenough", 3000)


def test_gaussians_of_the_same_covariance_might_as_well_be_drawn() -> None:
    found = InstrumentSimulator(small(), "goodenough", evaluation="covariance", cells=3).stack()
    agree(found, *drawn(small(), "goodenough", 3000, gaussian=True))
    # ... and are something else than pulses
    pulses = InstrumentSimulator(small(), "goodenough", cells=3).stack()
    assert (np.abs(found - pulses) / (pulses + 1e-3 * pulses.max())).max() > 0.05


@pytest.mark.parametrize("how", [{"samples": 512}, {"cells": 3}])
def test_a_crystal_with_mosaic(how: dict[str, Any]) -> None:
    study = with_mosaic(small(), 2.0)
    found = InstrumentSimulator(study, "goodenough", **how).stack()
    agree(found, *drawn(study, "goodenough", 3000))
    perfect = InstrumentSimulator(small(), "goodenough", **how).stack()
    assert (np.abs(found - perfect) / (perfect + 1e-3 * perfect.max())).max() > 0.5


def test_energy_bins_of_detectors_add_their_variance() -> None:
    study = small()
    plain = instrument_of(study)
    for share in (0.01, 0.02):
        for a, b, spec in zip(plain.slices(study.layout), replace(plain, energy_bin=share).slices(study.layout),
                              study.layout.slices, strict=True):
            assert spec.ei is not None
            # flat modes: A (P - beta R) t with beta = kf / ki, R of the detector's time; a box of the bin's width
            k = np.sqrt(np.array([spec.ei, spec.ei - np.mean(spec.energy)]) / ENERGY_PER_K2)
            beta = k[1] / k[0]
            added = np.polynomial.polynomial.polyval(beta, np.subtract(b.kernel.variance, a.kernel.variance))
            assert (2 * ENERGY_PER_K2 * k[0]) ** 2 * added == pytest.approx((share * spec.ei) ** 2 / 12, rel=1e-3)


@pytest.mark.parametrize("name", ["goodenough", "dimer"])
def test_table_and_exact_agree_at_the_same_samples(name: str) -> None:
    one, other = (InstrumentSimulator(small(), name, evaluation=e, samples=64).stack() for e in ("table", "exact"))
    for tile, truth in zip(one, other, strict=True):
        assert np.sqrt(((tile - truth) ** 2).mean()) < 0.02 * truth.mean()


@pytest.mark.parametrize("name", ["goodenough", "dimer"])
def test_cells_converge(name: str) -> None:
    one, two, three, six = (InstrumentSimulator(small(), name, cells=n).stack() for n in (1, 2, 3, 6))
    for tiles in zip(one, two, three, six, strict=True):
        errors = [np.sqrt(((t - tiles[3]) ** 2).mean()) / tiles[3].mean() for t in tiles[:3]]
        assert errors[1] < 0.04
        assert errors[2] < 0.01
        assert errors[2] < errors[0]


def test_parts_of_an_image_are_what_they_are_in_the_whole() -> None:
    """Rows are computed in bands of 40, and footprints are interpolated between bins."""
    study = small()
    edges = np.linspace(-1.0, 1.0, 101)

    def image(edges: Array) -> Array:
        axes = (Axis("h", (1, 0, 0), edges), Axis("k", (0, 1, 0), np.linspace(-0.2, 0.0, 5)))
        layout = MosaicLayout(axes, (0, 0, 1), study.layout.slices, (1, 3))
        return InstrumentSimulator(replace(study, layout=layout), "goodenough").stack()

    whole, part = image(edges), image(edges[30:51])
    np.testing.assert_allclose(whole[:, 30:50], part, rtol=5e-3, atol=1e-4 * whole.max())


@pytest.mark.parametrize("evaluation", ["exact", "table"])
def test_the_same_bits_whatever_the_threads_and_on_a_second_run(evaluation: str) -> None:
    one, two = (InstrumentSimulator(small(), "goodenough", evaluation=evaluation, samples=64, threads=n) for n in (1, 2))
    first = one.stack()
    assert np.array_equal(first, two.stack())
    assert np.array_equal(first, one.stack())
    other = InstrumentSimulator(small(), "goodenough", evaluation=evaluation, samples=64, seed=1).stack()
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(other.mean(), first.mean(), rtol=0.05)


def test_the_grid_gives_the_same_bits_whatever_the_threads() -> None:
    one, two = (InstrumentSimulator(small(), "dimer", threads=n) for n in (1, 2))
    first = one.stack()
    assert np.array_equal(first, two.stack())
    assert np.array_equal(first, one.stack())


@pytest.mark.parametrize("how", [{"samples": 256}, {"cells": 3}, {"evaluation": "covariance"}])
def test_no_intensity_is_lost(how: dict[str, Any]) -> None:
    """Slices that hold the whole band: each bin has the mean of S_perp over its reach, at its own third component."""
    study = small()
    axes = (Axis("h", (1, 0, 0), np.array([0.35, 0.4])), Axis("k", (0, 1, 0), np.array([-0.1, -0.05])))
    edges = np.arange(1.0, 112.0, 3.0)
    slices = tuple(SliceSpec((lo, hi), 140.0) for lo, hi in pairwise(edges))
    study = replace(study, layout=MosaicLayout(axes, (0, 0, 1), slices, (1, len(slices))))
    found = (InstrumentSimulator(study, "goodenough", **how).stack()[:, 0, 0] * 3.0).sum()
    chosen, instrument = study.candidates["goodenough"], instrument_of(study)
    model = SpinModel.from_dict(chosen.model(chosen.reference))
    thirds = np.array([s.thirds[0, 1] for s in instrument.slices(study.layout)])
    q = np.stack([np.full(len(thirds), 0.375), np.full(len(thirds), -0.075), thirds], axis=1)
    s = model.spectrum(q, form_factor=True)
    middles = 0.5 * (edges[:-1] + edges[1:])
    expected = sum(np.interp(s.energy[0, m], middles, s.intensity[:, m]) for m in range(s.energy.shape[1]))
    assert found == pytest.approx(expected, rel=0.03)


def test_the_study_of_the_paper_as_an_image() -> None:
    image = manganite.simulate("goodenough", resolution="table", samples=None)
    gaussian = manganite.simulate("goodenough")
    assert image.values.shape == (240, 400)
    assert np.isfinite(image.values).all()
    assert np.array_equal(image.mask, gaussian.mask)
    assert np.corrcoef(image.values.ravel(), gaussian.values.ravel())[0, 1] > 0.97
    covariance = manganite.simulate("goodenough", resolution="covariance", samples=64)
    assert np.corrcoef(image.values.ravel(), covariance.values.ravel())[0, 1] > 0.999
    # neighbouring bins see next to nothing of a mode: the sharper image
    coarse = manganite.simulate("goodenough", resolution="coarse covariance")
    assert coarse.values.shape == (240, 400)
    assert np.isfinite(coarse.values).all()

    def roughness(values: Array) -> float:
        return float(np.abs(np.diff(values, axis=0)).sum() / values.sum())

    assert roughness(coarse.values) > 1.1 * roughness(covariance.values)


def test_every_stable_set_of_the_prior_has_an_image() -> None:
    """Also those whose couplings nearly make them more symmetric than they are."""
    study = small()
    sets = {"goodenough": {"JF1": -12.753840990309, "JA": 1.252344336613, "JF2": 0.248459901781, "JF3": -2.324318006757,
                           "Jperp": 1.220843401918, "D": 6.0138021e-05},
            "dimer": {"JFW": -12.830199801502, "JA1": 0.510840243391, "JA2": 0.245239904638, "JFS": -19.374475147035,
                      "Jperp": 0.0935154003, "D": 0.087864772046}}
    for name, values in sets.items():
        found = InstrumentSimulator(study, name).stack(values)
        assert found.max() > 0


def test_detectors_and_masks_decide_what_is_seen() -> None:
    study = small()
    resolution = study.broadening
    assert isinstance(resolution, DirectGeometry)
    whole = simulate(study, "dimer")
    assert not whole.mask.any()
    # scattering angle of each bin: kf, and what lies across the beam (b* in h and k)
    orientation = instrument_of(study).orientation
    h, k = np.meshgrid(*(a.centres for a in study.layout.axes), indexing="ij")
    across = np.linalg.norm(np.stack([h, k, 0 * h], axis=-1) @ orientation.b.T, axis=-1)
    angles = np.array([np.degrees(np.arcsin(across / np.sqrt((s.ei - np.mean(s.energy)) / ENERGY_PER_K2)))
                       for s in study.layout.slices if s.ei])
    limit = (float(np.median(angles)), 90.0)
    seen = simulate(replace(study, broadening=replace(resolution, two_theta=limit)), "dimer")
    assert np.array_equal(seen.stack_mask, angles < limit[0])
    np.testing.assert_array_equal(seen.values[~seen.mask], whole.values[~seen.mask])
    mask = np.zeros(whole.values.shape, bool)
    mask[1:3, 2] = True
    assert np.array_equal(simulate(study, "dimer", mask=mask).mask, mask)
    with pytest.raises(GeometryError, match="image: expected shape"):
        simulate(study, "dimer", mask=mask[:, 1:])


def test_what_cannot_be_meant_is_refused() -> None:
    study = small()
    with pytest.raises(InsmlError, match="candidate: expected one of goodenough, dimer, found 'x'"):
        InstrumentSimulator(study, "x")
    with pytest.raises(InsmlError, match="evaluation: expected one of table, exact, covariance, found 'brille'"):
        InstrumentSimulator(study, "dimer", evaluation="brille")
    with pytest.raises(InsmlError, match="samples: expected at least one"):
        InstrumentSimulator(study, "dimer", samples=0)
    with pytest.raises(InsmlError, match="cells: expected at least one"):
        InstrumentSimulator(study, "dimer", cells=0)
    with pytest.raises(InsmlError, match="samples: expected none beside evaluation = 'covariance'"):
        InstrumentSimulator(study, "dimer", evaluation="covariance", samples=64)
    uneven = (replace(study.layout.axes[0], edges=np.array([0.0, 0.1, 0.3])), study.layout.axes[1])
    with pytest.raises(GeometryError, match=r"axis h: expected bins of one width, found 0\.1 to 0\.2"):
        InstrumentSimulator(replace(study, layout=replace(study.layout, axes=uneven)), "dimer")
    with pytest.raises(GeometryError, match="direct-geometry"):
        InstrumentSimulator(bundled("square_antiferromagnet"), "neel")
    with pytest.raises(ModelError, match="JF1"):
        simulate(study, "goodenough", {"J": 1.0})
    unstable = study.candidates["goodenough"].reference | {"JF1": 5.0}
    with pytest.raises(UnstableStructureError):
        simulate(study, "goodenough", unstable)


def test_a_structure_that_is_hardly_unstable_says_so() -> None:
    """Drawn for a data set: where it has no modes, no eigenvalue is further below zero than zero modes are by rounding."""
    values = {"JFW": -0.13831733311796057, "JA1": 0.23219437181198455, "JA2": -0.08673906945801146,
              "JFS": -5.246722064039918, "Jperp": 0.26050872132159986, "D": 0.049244443157478605}
    with pytest.raises(UnstableStructureError):
        InstrumentSimulator(bundled("manganite"), "dimer").stack(values)


def test_a_turned_crystal_takes_its_twins_along() -> None:
    """As a sample whose domains, rotated in the laboratory, state the turn themselves. Those of the manganite are
    related by a twofold axis in the plane, which a turn about its normal does not commute with."""
    study = small()
    candidate = study.candidates["goodenough"]
    turn = Rotation.from_rotvec([0, 0, 2.0], degrees=True).as_matrix()
    twins = tuple(Twin((turn @ np.array(t.rotation)).tolist(), t.weight) for t in candidate.structure.twins)
    stated = replace(candidate, structure=replace(candidate.structure, twins=twins))
    there = replace(study, candidates={**study.candidates, "goodenough": stated})
    expected = InstrumentSimulator(there, "goodenough").stack(candidate.reference)
    found = InstrumentSimulator(study, "goodenough", turn=2.0).stack(candidate.reference)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * expected.max())
    still = InstrumentSimulator(study, "goodenough").stack(candidate.reference)
    assert np.abs(found - still).max() > 0.05 * still.max()
