"""Fits of simulated measurements with known answers."""

from dataclasses import replace

import numpy as np
import pytest

from insml import InsmlError
from insml.cleaning import clean
from insml.infer import refine
from insml.infer.linear import LinearModel
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec
from insml.resolution import GaussianBroadening
from insml.simulation import simulate_stack
from insml.study import Background, DataRules, Integrated, Study, bundled

TRUTH = {"J1": 10.4, "J2": 0.5, "D": -0.08}


def small(**changes: object) -> Study:
    study = bundled("square_antiferromagnet")
    axes = (Axis("h", (1, 0, 0), np.linspace(0.2, 0.8, 16)), Axis("k", (0, 1, 0), np.linspace(0.2, 0.8, 16)))
    slices = tuple(SliceSpec((e, e + 5.0), 60.0) for e in (18.0, 28.0, 38.0))
    defaults: dict[str, object] = {
        "layout": MosaicLayout(axes, (0, 0, 1), slices, (1, 3)), "third": Integrated((0.0, 2.0), 2),
        "broadening": GaussianBroadening(energy_fwhm=(3.0,), q_fwhm=(0.05, 0.05)), "free_widths": False,
        "background": Background(("constant",), 2), "data": DataRules(),
    }
    return replace(study, **(defaults | changes))


def measured(study: Study, candidate: str, values: dict[str, float], noise: float, seed: int = 3) -> Mosaic:
    """Scales, a sloping background and Gaussian noise of ``noise`` times the slice's maximum."""
    rng = np.random.default_rng(seed)
    stack = simulate_stack(study, candidate, values)
    top = stack.max(axis=(1, 2), keepdims=True)
    slope = np.linspace(0.1, 0.3, stack.shape[1])[None, :, None]
    values_ = np.array([2.0, 0.5, 1.3])[:, None, None] * (stack + top * slope + noise * top * rng.normal(size=stack.shape))
    variance = np.broadcast_to((np.array([2.0, 0.5, 1.3])[:, None, None] * noise * top) ** 2, stack.shape)
    mask = np.zeros(stack.shape, bool)
    mask[:, 3:5, 7:] = True
    return Mosaic.from_stack(values_, mask, study.layout, variance=variance)


def test_truth_is_found_within_its_errors() -> None:
    study = small()
    mosaic = measured(study, "neel", TRUTH, 0.03)
    fits = refine(study, mosaic, starts=16)
    fit = fits["neel"]
    assert fit.converged
    assert abs(fit.reduced_chi2 - 1) < 5 * np.sqrt(2 / fit.dof)
    for name, value in TRUTH.items():
        assert abs(fit.parameters[name] - value) < 4 * fit.errors[name], name
    assert fit.errors["J1"] < 0.5
    assert fit.log_evidence > fits["alternating"].log_evidence
    assert fit.chi2_per_slice.sum() == pytest.approx(fit.chi2)
    assert fit.pixels_per_slice.sum() == (~mosaic.mask).sum()
    # what is drawn is what was fitted
    sigma = np.sqrt(np.where(mosaic.mask, 1, mosaic.variance))
    drawn = ((mosaic.values - fit.best_fit.values) / sigma)[~mosaic.mask]
    assert float(drawn @ drawn) == pytest.approx(fit.chi2, rel=1e-6)


def test_the_other_model_is_found_too() -> None:
    study = small()
    fits = refine(study, measured(study, "alternating", {"J1": 11.0, "J1p": 6.0, "D": -0.08}, 0.03), starts=16)
    assert fits["alternating"].log_evidence > fits["neel"].log_evidence + 5
    assert fits["alternating"].parameters["J1p"] == pytest.approx(6.0, abs=4 * fits["alternating"].errors["J1p"])


def test_free_widths_are_found() -> None:
    broad = small(broadening=GaussianBroadening(energy_fwhm=(3.6,), q_fwhm=(0.07, 0.07)))
    mosaic = measured(broad, "neel", TRUTH, 0.02)
    fit = refine(small(free_widths=True), mosaic, ["neel"], starts=8)["neel"]
    assert fit.widths["Q"] == pytest.approx(1.4, abs=0.12)
    assert fit.parameters["J1"] == pytest.approx(TRUTH["J1"], abs=5 * fit.errors["J1"])


def test_same_seed_same_numbers() -> None:
    study = small()
    mosaic = measured(study, "neel", TRUTH, 0.1)
    one, two = (refine(study, mosaic, ["neel"], starts=4, refined=1, threads=t)["neel"] for t in (1, 2))
    assert one.parameters == two.parameters
    assert one.chi2 == two.chi2


def test_linear_part_is_the_least_squares_optimum() -> None:
    """Scale and background of one slice against numpy's solver on the full design matrix."""
    study = small()
    mosaic = measured(study, "neel", TRUTH, 0.05)
    stack = simulate_stack(study, "neel", TRUTH)
    linear = LinearModel(study, mosaic)
    found = linear.solve(stack)
    variance = mosaic.stack_variance
    assert variance is not None
    used = ~mosaic.stack_mask[1]
    weight = 1 / np.sqrt(variance[1][used])
    design = np.column_stack([stack[1][used], *(t[used] for t in linear.terms)]) * weight[:, None]
    best, *_ = np.linalg.lstsq(design, mosaic.stack[1][used] * weight, rcond=None)
    assert found.scale[1] == pytest.approx(best[0])
    np.testing.assert_allclose(found.background[1], best[1:], rtol=1e-6, atol=1e-9)


def test_one_scale_for_each_incident_energy() -> None:
    study = small(scale="ei")
    linear = LinearModel(study, measured(study, "neel", TRUTH, 0.05))
    scale = linear.solve(simulate_stack(study, "neel", TRUTH)).scale
    assert np.ptp(scale) == 0
    assert linear.n_free == 1 + 3 * 6


def test_correlated_residuals_count_less() -> None:
    study = small()
    linear = LinearModel(study, measured(study, "neel", TRUTH, 0.05))
    rng = np.random.default_rng(1)
    white = rng.normal(size=linear.shape)
    smooth = sum(np.roll(white, (i, j), (1, 2)) for i in range(3) for j in range(3)) / 3
    used = linear.used
    assert linear.correlated_pixels(white[used]) < 1.6
    assert linear.correlated_pixels(smooth[used]) > 3


def test_too_little_data_is_said() -> None:
    study = small()
    mosaic = measured(study, "neel", TRUTH, 0.05)
    with pytest.raises(InsmlError, match="unmasked pixels"):
        refine(study, replace(mosaic, mask=np.ones_like(mosaic.mask)))
    with pytest.raises(InsmlError, match="candidate"):
        refine(study, mosaic, ["ferro"])


def test_cleaning() -> None:
    study = small(data=DataRules(hot_pixel_sigma=8.0, edge_pixels=1))
    mosaic = measured(study, "neel", TRUTH, 0.03)
    values = mosaic.values.copy()
    values[10, 2] = 50 * np.abs(values).max()
    cleaned = clean(replace(mosaic, values=values), study.data)
    assert cleaned.mask[10, 2]
    assert (cleaned.mask & ~mosaic.mask).sum() > 20  # the rim of the hole
    narrow = ~clean(mosaic, DataRules(hot_pixel_sigma=8.0)).mask
    assert (narrow == ~mosaic.mask).mean() > 0.995  # rings are not hot pixels
    assert cleaned.variance is not None
    assert (cleaned.variance[~cleaned.mask] > 0).all()
    assert cleaned.metadata["variance"] == "measured"


def test_missing_variance_is_estimated() -> None:
    rng = np.random.default_rng(0)
    study = small(background=Background(("constant",)))
    level = np.broadcast_to(np.linspace(2, 60, 15)[None, :, None], study.layout.stack_shape)
    mosaic = Mosaic.from_stack(rng.poisson(level), np.zeros(level.shape, bool), study.layout)
    variance = clean(mosaic, DataRules()).stack_variance
    assert variance is not None
    assert np.median(variance / level) == pytest.approx(1.0, abs=0.4)


def test_pixels_without_counts_keep_a_variance() -> None:
    rng = np.random.default_rng(0)
    study = small()
    counts = rng.poisson(np.full(study.layout.stack_shape, 0.7))
    mosaic = Mosaic.from_stack(0.1 * counts, np.zeros(counts.shape, bool), study.layout, variance=0.01 * counts)
    variance = clean(mosaic, DataRules()).stack_variance
    assert variance is not None
    assert variance.min() > 0.002
