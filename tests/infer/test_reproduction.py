"""A library of images at once against the one-by-one comparison of fits, and what it says of images beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from insml.cleaning import estimate_variance
from insml.datasets import TrainingSet
from insml.infer.library import chi2_of_library
from insml.infer.linear import LinearModel
from insml.infer.reproduction import nearest_chi2
from insml.mosaic import Mosaic
from insml.study import Study, bundled

N = 6


@pytest.fixture(scope="module")
def study() -> Study:
    whole = bundled("square_antiferromagnet")
    axes = tuple(replace(a, edges=np.linspace(0, 2, 15)) for a in whole.layout.axes)
    slices = whole.layout.slices[:4]
    return replace(whole, layout=replace(whole.layout, axes=axes, slices=slices, grid=(1, 4)),
                   background=replace(whole.background, polynomial=2))


@pytest.fixture(scope="module")
def library(study: Study) -> TrainingSet:
    rng = np.random.default_rng(2)
    x = study.layout.axes[0].centres
    clean = np.stack([[np.exp(-0.5 * ((np.hypot(x[:, None] - 1, x - 1) - r * (1 + s) / 4) / 0.15) ** 2) for s in range(4)]
                      for r in rng.uniform(0.5, 1.3, N)]).astype(np.float32)
    names = tuple(tuple(c.names) for c in study.candidates.values())
    return TrainingSet(clean, np.arange(N) % 2, np.zeros((N, 3)), names, tuple(study.candidates), study.layout, "", 0)


@pytest.mark.parametrize("scale", ["slice", "ei"])
def test_chi2_is_that_of_fits_one_by_one(study: Study, library: TrainingSet, scale: str) -> None:
    study = replace(study, scale=scale)
    rng = np.random.default_rng(3)
    images = library.clean[:3] * 2.5 + 0.3 + 0.2 * rng.standard_normal(library.clean[:3].shape)
    variance, hidden = rng.uniform(0.02, 0.08, images.shape), rng.random(images.shape) < 0.2
    found = chi2_of_library(study, library, images, variance, hidden)
    for i, (image, v, mask) in enumerate(zip(images, variance, hidden, strict=True)):
        linear = LinearModel(study, Mosaic.from_stack(image, mask, study.layout, variance=v))
        for k, stack in enumerate(library.clean):
            expected = linear.chi2_per_slice(linear.residual(np.asarray(stack, float)))
            np.testing.assert_allclose(found[:, k, i], expected, rtol=1e-8)


def test_what_the_library_has_is_reproduced_and_what_it_has_not_is_not(study: Study, library: TrainingSet) -> None:
    rng = np.random.default_rng(4)
    noise = 0.1 * rng.standard_normal((2, *library.clean.shape[1:]))
    square = (np.abs(study.layout.axes[0].centres - 1) < 0.5).astype(float)
    other = np.broadcast_to(2 * square[:, None] * (1 - square), library.clean.shape[1:])
    mask = np.zeros(other.shape, bool)
    usual, strange = nearest_chi2(study, library, [(3 * library.clean[1] + noise[0], mask), (other + noise[1], mask)])
    assert usual < 2
    assert strange > 2 * usual
    # its own original does not count
    (without,) = nearest_chi2(study, library, [(3 * library.clean[1] + noise[0], mask)], own=np.array([1]))
    assert without > usual


def test_a_slice_of_nothing_but_zeros_has_a_variance() -> None:
    """All of it was negative and set to zero."""
    values, mask = np.zeros((1, 12, 12)), np.zeros((1, 12, 12), bool)
    variance = estimate_variance(values, mask)
    assert (variance > 0).all()
    assert np.isfinite(variance).all()
