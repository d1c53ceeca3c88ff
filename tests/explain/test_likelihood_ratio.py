from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toys import layout

from insml.answer import ModelFit
from insml.errors import InsmlError
from insml.explain import pixel_ratio, slice_ratio
from insml.mosaic import Mosaic


def fit(name: str, mosaic: Mosaic, model: np.ndarray, noise: float) -> ModelFit:
    """A fit that stopped at a model."""
    used, variance = ~mosaic.stack_mask, mosaic.stack_variance
    assert variance is not None
    squares = np.where(used, (mosaic.stack - model) ** 2 / np.where(used, variance, 1), 0)
    per_slice = squares.sum((1, 2))
    drawn = Mosaic.from_stack(model, mosaic.stack_mask, mosaic.layout.oriented(("+k", "-h")))
    return ModelFit(name, {}, {}, np.zeros((0, 0)), float(per_slice.sum()), 1, per_slice, used.sum((1, 2)), 0.0, drawn,
                    True, "", noise=noise)


@pytest.fixture
def case() -> tuple[Mosaic, ModelFit, ModelFit]:
    rng = np.random.default_rng(0)
    where = layout(4, 6, 2)
    truth, data = rng.normal(size=(2, *where.stack_shape))
    variance = rng.uniform(0.5, 2, data.shape)
    mask = rng.random(data.shape) < 0.2
    mask[2] = True
    mosaic = Mosaic.from_stack(data, mask, where, variance=variance)
    return mosaic, fit("one", mosaic, truth, 2.0), fit("other", mosaic, 0.5 * truth, 2.0)


def test_it_is_the_logarithm_of_gaussian_likelihoods(case: tuple[Mosaic, ModelFit, ModelFit]) -> None:
    """Against scipy's density, with variances times the noise; the normalisation cancels."""
    from scipy.stats import norm

    mosaic, one, other = case
    sigma = np.sqrt(2.0 * np.where(mosaic.stack_mask, 1, mosaic.stack_variance))
    logs = [norm.logpdf(mosaic.stack, f.best_fit.stack, sigma) for f in (one, other)]
    expected = np.where(mosaic.stack_mask, 0, logs[0] - logs[1])
    np.testing.assert_allclose(pixel_ratio(mosaic, one, other), expected, atol=1e-12)
    np.testing.assert_allclose(slice_ratio(one, other), expected.sum((1, 2)), atol=1e-12)
    np.testing.assert_allclose(slice_ratio(other, one), -slice_ratio(one, other))
    assert slice_ratio(one, other)[2] == 0


def test_fits_of_different_calls_are_refused(case: tuple[Mosaic, ModelFit, ModelFit]) -> None:
    mosaic, one, other = case
    for call in (lambda: slice_ratio(one, replace(other, noise=1.5)),
                 lambda: pixel_ratio(mosaic, one, replace(other, noise=1.5))):
        with pytest.raises(InsmlError, match=r"one call of refine, found 'one' and 'other' with noise 2 and 1\.5"):
            call()
    with pytest.raises(InsmlError, match="expected a variance"):
        pixel_ratio(replace(mosaic, variance=None), one, other)
