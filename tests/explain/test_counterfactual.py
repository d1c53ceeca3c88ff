"""The image with the rival's signal in place of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toys import layout, subject

from insml.datasets import Corruption
from insml.datasets.shards import DataSet, DataSetPlan, simulate_set
from insml.errors import InsmlError
from insml.explain import Subject, attribute, explain, nearest_rivals, saliency_quality
from insml.explain.counterfactual import exchanged, exchanged_known
from insml.infer.refine import refine
from insml.learn.trained import shipped
from insml.mosaic import Mosaic
from insml.simulation import simulate_stack
from insml.study import bundled


def test_it_adds_up_to_the_difference_and_is_nothing_where_images_agree() -> None:
    asked = subject("slice-stack", layout(6, 16, 6))
    assert asked.exchanged is not None
    asked.exchanged[0, 2] = asked.x[0, 2]
    maps, layer = attribute(asked, "counterfactual")
    with torch.no_grad():
        change = float(asked.score(asked.x) - asked.score(asked.exchanged))
    assert maps.sum() == pytest.approx(change, rel=0.1, abs=0.05)
    assert layer == ""
    assert not maps[2].any()
    assert maps[0].any()


def test_without_a_rival_there_is_none() -> None:
    asked = replace(subject("slice-stack", layout(3, 8, 3)), exchanged=None)
    with pytest.raises(InsmlError, match="counterfactual: expected best fits"):
        attribute(asked, "counterfactual")


STUDY = bundled("square_antiferromagnet")
ALTERNATING = {"J1": 11.0, "J1p": 4.0, "D": -0.05}


@pytest.fixture(scope="module")
def spoilt() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A clean stack, that of a rival, and the first as measured."""
    names = list(STUDY.candidates)
    rival = next(name for name in names if name != "alternating")
    own, other = (simulate_stack(STUDY, name, values) for name, values in (("alternating", ALTERNATING), (rival, None)))
    signal, mask = Corruption(relative_noise=(0.1, 0.1), mask_fraction=(0.1, 0.1), hot_pixels=0).apply(own, 3, 0)
    return own, other, signal, mask


def test_a_known_signal_is_exchanged_and_noise_stays(spoilt: tuple[np.ndarray, ...]) -> None:
    own, other, signal, mask = spoilt
    there = exchanged_known(STUDY, signal, mask, own, other)
    back = exchanged_known(STUDY, there, mask, own, own)
    assert np.abs(there - signal)[~mask].max() > 0.1 * np.abs(signal).max()
    np.testing.assert_allclose(back, there, atol=1e-9 * np.abs(there).max())  # the own for the own
    # scale and background are those of the spoilt image
    scaled = exchanged_known(STUDY, 7 * signal + 3, mask, own, other)
    np.testing.assert_allclose(scaled, 7 * there + 3, atol=1e-6 * np.abs(there).max())


def test_fits_are_exchanged_in_a_measured_image(spoilt: tuple[np.ndarray, ...]) -> None:
    own, _, signal, mask = spoilt
    variance = np.full(own.shape, float(np.var((signal - own)[~mask])))
    mosaic = Mosaic.from_stack(signal.astype(float), mask, STUDY.layout, variance=variance)
    network = shipped(STUDY)
    assert network is not None
    names = list(STUDY.candidates)[:2]
    fits = refine(STUDY, mosaic, names, seed=0, threads=2)
    other = exchanged(mosaic.stack, *(fits[name] for name in names))
    residual = mosaic.stack - fits[names[0]].best_fit.stack
    np.testing.assert_allclose(other - fits[names[1]].best_fit.stack, residual, atol=1e-9 * np.abs(signal).max())
    found = explain(network, mosaic, "counterfactual", fits=fits)
    classes = tuple(network.candidates.index(name) for name in (found.winner, found.runner_up))
    asked = Subject.of(network, mosaic.stack, mosaic.stack_mask, classes,
                       exchanged(mosaic.stack, fits[found.winner], fits[found.runner_up]))
    with torch.no_grad():
        change = float(asked.score(asked.x) - asked.score(asked.exchanged)) / network.temperature
    assert found.slices.sum() == pytest.approx(change, rel=0.1, abs=0.1)


def test_quality_is_asked_of_exchanged_images(spoilt: tuple[np.ndarray, ...], tmp_path: Path) -> None:
    own, _, signal, mask = spoilt
    network = shipped(STUDY)
    assert network is not None
    label = list(STUDY.candidates).index("alternating")
    simulate_set(DataSetPlan(STUDY, n=3, seed=7, nuisances=False), tmp_path)
    library = DataSet.open(tmp_path).read()
    truths = nearest_rivals(STUDY, library, own[None], np.array([label]), masks=mask[None])
    there = exchanged_known(STUDY, signal, mask, own, library.clean[truths.library[0]])
    found = saliency_quality(network, [(signal, mask)], truths, method="counterfactual", exchanged=[there])
    assert found.spearman.shape == (1,)
    with pytest.raises(InsmlError, match="expected best fits"):
        saliency_quality(network, [(signal, mask)], truths, method="counterfactual")
    with pytest.raises(InsmlError, match="an exchanged stack for each of 1 images, found 2"):
        saliency_quality(network, [(signal, mask)], truths, method="counterfactual", exchanged=[there, there])
