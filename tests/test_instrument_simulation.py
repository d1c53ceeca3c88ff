"""Mosaics through a whole instrument, against drawing everything, and what must not change them."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from insml import GeometryError, InsmlError, ModelError, UnstableStructureError
from insml.instrument_simulation import InstrumentSimulator, instrument_of, simulate
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.resolution.element import DetectorElement
from insml.resolution.linear_map import ENERGY_PER_K2, linear_map
from insml.spinwave import SpinModel
from insml.studies import manganite
from insml.study import Study, bundled


def small() -> Study:
    """The manganite on a few bins that arcs of both bands cross."""
    axes = (Axis("h", (1, 0, 0), np.linspace(0.35, 0.6, 6)), Axis("k", (0, 1, 0), np.linspace(-0.2, 0.0, 5)))
    slices = (SliceSpec((11.0, 14.0), 50.0), SliceSpec((20.0, 23.0), 50.0), SliceSpec((64.4, 72.8), 140.0))
    return replace(manganite.STUDY, layout=MosaicLayout(axes, (0, 0, 1), slices, (1, 3)))


def drawn(study: Study, candidate: str, samples: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and its standard error: all eleven components drawn, every sample solved, energies counted."""
    rng = np.random.default_rng(3)
    chosen, layout, instrument = study.candidates[candidate], study.layout, instrument_of(study)
    model = SpinModel.from_dict(chosen.model(chosen.reference))
    v, orientation = model.lattice_vectors.T, instrument.orientation
    out, error = np.zeros(layout.stack_shape), np.zeros(layout.stack_shape)
    for s, spec in enumerate(layout.slices):
        assert spec.ei is not None
        setting = instrument.settings[spec.ei]
        box = setting.detector.covariance(3.0, 90.0).diagonal()
        widths = np.array([0, setting.aperture_width, setting.aperture_height, 0, *instrument.sample.size,
                           *np.sqrt(12 * box), 0])
        ki, (lo, hi) = np.sqrt(spec.ei / ENERGY_PER_K2), spec.energy
        for i, x in enumerate(layout.axes[0].centres):
            for j, y in enumerate(layout.axes[1].centres):
                plane = np.array([x, y, 0.0])
                across = np.linalg.inv(orientation.spec_to_rlu) @ plane

                def third(energy: float, across: NDArray[np.float64] = across, ki: float = ki, setting=setting) -> float:
                    kf = np.sqrt((setting.ei - energy) / ENERGY_PER_K2 - across[1] ** 2 - across[2] ** 2)
                    return float((ki - kf) * orientation.spec_to_rlu[2, 0])

                thirds = [third(e) for e in (lo, 0.5 * (lo + hi), hi)]
                q = across + np.linalg.inv(orientation.spec_to_rlu) @ [0, 0, thirds[1]]
                element = DetectorElement.along(np.array([ki, 0, 0]) - q, setting.sample_to_detector, widths[8], widths[9])
                dq = linear_map(setting, instrument.sample, element, 0.5 * (lo + hi), orientation)[0]
                t = widths * (rng.random((samples, 11)) - 0.5)
                t[:, 0] = setting.moderator.centred().quantile(rng.random(samples))
                t[:, 3] = setting.chopper.centred().quantile(rng.random(samples))
                moved = t @ dq.T
                hkl = plane + moved[:, :3]
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
                    low, middle, high = (f.intensity for f in found)
                    strength = middle + z * (high - low) / 2 + z**2 * ((high + low) / 2 - middle)
                    inside = (measured > lo) & (measured < hi)
                    total += twin.weight * (strength * inside).sum(axis=1) / (hi - lo)
                out[s, i, j], error[s, i, j] = total.mean(), total.std() / np.sqrt(samples)
    return out, error


@pytest.mark.parametrize("evaluation", ["exact", "table"])
def test_all_that_is_integrated_might_as_well_be_drawn(evaluation: str) -> None:
    study = small()
    expected, error = drawn(study, "goodenough", 3000)
    found = InstrumentSimulator(study, "goodenough", evaluation=evaluation, samples=512).stack()
    for tile, truth, sigma in zip(found, expected, error, strict=True):
        # straight dispersion over the reach of the times: 2 % of the tile's mean
        assert np.abs(tile - truth).max() < 4.5 * sigma.max() + 0.02 * truth.mean()
        assert tile.mean() == pytest.approx(truth.mean(), rel=0.02)


@pytest.mark.parametrize("name", ["goodenough", "dimer"])
def test_table_and_exact_agree_at_the_same_samples(name: str) -> None:
    one, other = (InstrumentSimulator(small(), name, evaluation=e, samples=64).stack() for e in ("table", "exact"))
    for tile, truth in zip(one, other, strict=True):
        assert np.sqrt(((tile - truth) ** 2).mean()) < 0.02 * truth.mean()


def test_cells_come_near_the_drawn_image() -> None:
    few, many = (InstrumentSimulator(small(), "dimer", samples=n).stack() for n in (16, 2048))
    for tile, truth in zip(few, many, strict=True):
        assert np.sqrt(((tile - truth) ** 2).mean()) < 0.05 * truth.max()
    assert few.sum() == pytest.approx(many.sum(), rel=0.03)


@pytest.mark.parametrize("evaluation", ["exact", "table"])
def test_the_same_bits_whatever_the_threads_and_on_a_second_run(evaluation: str) -> None:
    one, two = (InstrumentSimulator(small(), "goodenough", evaluation=evaluation, samples=64, threads=n) for n in (1, 2))
    first = one.stack()
    assert np.array_equal(first, two.stack())
    assert np.array_equal(first, one.stack())
    other = InstrumentSimulator(small(), "goodenough", evaluation=evaluation, samples=64, seed=1).stack()
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(other.mean(), first.mean(), rtol=0.05)


def test_no_intensity_is_lost() -> None:
    """Slices that hold the whole band: each bin has the mean of S_perp over its reach, at its own third component."""
    study = small()
    axes = (Axis("h", (1, 0, 0), np.array([0.35, 0.4])), Axis("k", (0, 1, 0), np.array([-0.1, -0.05])))
    edges = np.arange(1.0, 112.0, 3.0)
    slices = tuple(SliceSpec((lo, hi), 140.0) for lo, hi in pairwise(edges))
    study = replace(study, layout=MosaicLayout(axes, (0, 0, 1), slices, (1, len(slices))))
    found = (InstrumentSimulator(study, "goodenough", samples=256).stack()[:, 0, 0] * 3.0).sum()
    chosen, instrument = study.candidates["goodenough"], instrument_of(study)
    model = SpinModel.from_dict(chosen.model(chosen.reference))
    thirds = np.array([s.thirds[0, 1] for s in instrument.slices(study.layout)])
    q = np.stack([np.full(len(thirds), 0.375), np.full(len(thirds), -0.075), thirds], axis=1)
    s = model.spectrum(q, form_factor=True)
    middles = 0.5 * (edges[:-1] + edges[1:])
    expected = sum(np.interp(s.energy[0, m], middles, s.intensity[:, m]) for m in range(s.energy.shape[1]))
    assert found == pytest.approx(expected, rel=0.03)


def test_the_study_of_the_paper_as_an_image() -> None:
    image = manganite.simulate("goodenough", resolution="table", samples=4)
    gaussian = manganite.simulate("goodenough")
    assert image.values.shape == (240, 400)
    assert np.isfinite(image.values).all()
    assert np.array_equal(image.mask, gaussian.mask)
    assert np.corrcoef(image.values.ravel(), gaussian.values.ravel())[0, 1] > 0.97


def test_what_cannot_be_meant_is_refused() -> None:
    study = small()
    with pytest.raises(InsmlError, match="candidate: expected one of goodenough, dimer, found 'x'"):
        InstrumentSimulator(study, "x")
    with pytest.raises(InsmlError, match="evaluation: expected 'table' or 'exact', found 'brille'"):
        InstrumentSimulator(study, "dimer", evaluation="brille")
    with pytest.raises(InsmlError, match="samples: expected at least one"):
        InstrumentSimulator(study, "dimer", samples=0)
    with pytest.raises(GeometryError, match="direct-geometry"):
        InstrumentSimulator(bundled("square_antiferromagnet"), "neel")
    with pytest.raises(ModelError, match="JF1"):
        simulate(study, "goodenough", {"J": 1.0})
    unstable = study.candidates["goodenough"].reference | {"JF1": 5.0}
    with pytest.raises(UnstableStructureError):
        simulate(study, "goodenough", unstable)
