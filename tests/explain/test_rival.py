"""Nearest rivals against brute force, and a rival that is known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.explain import nearest_rivals, refined_rival
from insml.explain.rival import noise_variance
from insml.infer.linear import LinearModel
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec
from insml.resolution import GaussianBroadening
from insml.simulation import simulate_stack
from insml.study import Background, Integrated, Study, bundled


def small(**changes: object) -> Study:
    axes = (Axis("h", (1, 0, 0), np.linspace(0.2, 0.8, 13)), Axis("k", (0, 1, 0), np.linspace(0.2, 0.8, 13)))
    slices = tuple(SliceSpec((e, e + 5.0), ei) for e, ei in ((18.0, 60.0), (28.0, 60.0), (38.0, 80.0)))
    defaults: dict[str, object] = {
        "layout": MosaicLayout(axes, (0, 0, 1), slices, (1, 3)), "third": Integrated((0.0, 2.0), 2),
        "broadening": GaussianBroadening(energy_fwhm=(3.0,), q_fwhm=(0.05, 0.05)), "free_widths": False,
        "background": Background(("constant",), 1),
    }
    return replace(bundled("square_antiferromagnet"), **(defaults | changes))


@cache
def library() -> TrainingSet:
    study = small()
    rng = np.random.default_rng(3)
    labels = np.arange(8) % 2
    theta = np.stack([rng.uniform(9, 13, 8), np.where(labels, rng.uniform(3, 7, 8), rng.uniform(-0.3, 0.3, 8)),
                      np.full(8, -0.1)], 1)
    names = [tuple(c.names) for c in study.candidates.values()]
    clean = np.stack([simulate_stack(study, list(study.candidates)[c], dict(zip(names[c], t, strict=True)), threads=1)
                      for c, t in zip(labels, theta.tolist(), strict=True)]).astype(np.float32)
    return TrainingSet(clean, labels, theta, tuple(names), tuple(study.candidates), study.layout, "small", 3)


@pytest.mark.parametrize("changes", [{}, {"scale": "ei"}, {"background": Background((), 0)},
                                     {"background": Background(("constant", "q2", "q4"), 2)}])
def test_chi2_is_that_of_the_linear_model(changes: dict[str, object]) -> None:
    study, data = small(**changes), library()
    mask = np.zeros(data.clean.shape, bool)
    mask[:, :, :3, :5] = True
    mask[1, 2] = True
    mask[2, :, 6] = True
    found = nearest_rivals(study, data, data.clean, data.labels, masks=mask, relative_noise=0.2)
    for i, (image, hidden) in enumerate(zip(data.clean.astype(float), mask, strict=True)):
        linear = LinearModel(study, Mosaic.from_stack(image, hidden, study.layout, variance=noise_variance(image, 0.2)))
        slices = {k: linear.chi2_per_slice(linear.residual(data.clean[k].astype(float)))
                  for k in np.flatnonzero(data.labels != data.labels[i])}
        nearest = min(slices, key=lambda k, s=slices: s[k].sum())
        assert found.library[i] == nearest
        assert found.values[i] == data.parameters(nearest)
        assert found.rivals[i] == 1 - data.labels[i]
        np.testing.assert_allclose(found.ratio[i], slices[nearest] / 2, rtol=1e-6, atol=1e-9 * slices[nearest].sum())
    assert found.ratio[1, 2] == 0


def test_scale_and_background_of_slices_do_not_matter() -> None:
    data = library()
    image = data.clean[:1].astype(float)
    expected = nearest_rivals(small(), data, image, data.labels[:1])
    scaled = replace(data, clean=data.clean * np.array([3, 0.2, 1.5], np.float32)[:, None, None] + np.float32(0.7))
    found = nearest_rivals(small(), scaled, image, data.labels[:1])
    assert found.library == expected.library
    np.testing.assert_allclose(found.ratio, expected.ratio, rtol=1e-3)


def test_twice_the_noise_is_a_quarter_of_the_ratio() -> None:
    data = library()
    one, two = (nearest_rivals(small(), data, data.clean, data.labels, relative_noise=r).ratio for r in (0.1, 0.2))
    np.testing.assert_allclose(two, one / 4)


def test_the_rival_that_made_an_image_is_found_again() -> None:
    """An image of the second candidate that is called one of the first: its rival can reproduce it."""
    study, data = small(), library()
    truth = {"J1": 11.2, "J1p": 5.4, "D": -0.12}
    image = simulate_stack(study, "alternating", truth, threads=1)
    start = nearest_rivals(study, data, image[None], np.zeros(1, int))
    found = refined_rival(study, start, 0, image, steps=5, threads=1)
    assert found.ratio.sum() < 1e-3 * start.ratio.sum()
    assert found.values[0] == pytest.approx(truth, abs=0.02)
    assert start.values[0] == data.parameters(int(start.library[0])), "the start stays as it is"


def test_refinement_never_goes_away() -> None:
    study, data = small(), library()
    start = nearest_rivals(study, data, data.clean[:2], data.labels[:2])
    for i in range(2):
        found = refined_rival(study, start, i, data.clean[i], steps=2, threads=1)
        assert 0 < found.ratio[i].sum() <= start.ratio[i].sum()
        assert found.ratio[1 - i] == pytest.approx(start.ratio[1 - i])


def test_wrong_images_are_told() -> None:
    data = library()
    with pytest.raises(InsmlError, match=r"nearest rivals: expected images of shape \(3, 12, 12\)"):
        nearest_rivals(small(), data, data.clean[:, :2], data.labels)
    ones = np.flatnonzero(data.labels == 0)
    alone = replace(data, clean=data.clean[ones], labels=data.labels[ones], theta=data.theta[ones])
    with pytest.raises(InsmlError, match="of at least one other candidate"):
        nearest_rivals(small(), alone, data.clean[:1], np.zeros(1, int))
