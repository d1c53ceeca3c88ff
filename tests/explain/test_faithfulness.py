"""Tests of maps, on scores and networks whose answer is planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import bright, layout, planted_classifier, subject

from insml.errors import InsmlError
from insml.explain import Rivals, Subject, attribute, saliency_quality
from insml.explain.activation import Score
from insml.explain.faithfulness import (
    areas,
    blocks_from_the_top,
    cascade,
    curve,
    edges,
    pixel_ranks,
    pointing,
    random_ranks,
    randomisation,
    rank_correlation,
    recall,
    sigmas_above,
    slice_ranks,
    truth_set,
)
from insml.explain.faithfulness.randomisation import fresh_method
from insml.explain.occlusion import occlude_slices
from insml.explain.quality import faithfulness_areas

SHAPE = (5, 4, 4)


def linear_score(weights: np.ndarray) -> Score:
    w = torch.from_numpy(weights).float()
    return lambda t: (t.sum((2, 3)) * w).sum(1)


def test_curves_of_a_linear_score_by_hand() -> None:
    weights = np.array([1.0, 0.0, 4.0, 0.0, 2.0])
    x = torch.ones(1, *SHAPE)
    covered = np.array([True, True, True, False, True])
    ranks = slice_ranks(weights, covered, SHAPE[1:])
    assert ranks[:, 0, 0].tolist() == [2, 3, 0, -1, 1]
    score = linear_score(weights)
    np.testing.assert_allclose(curve(score, x, ranks), 16 * np.array([7, 3, 1, 0, 0]))
    np.testing.assert_allclose(curve(score, x, ranks, insert=True), 16 * np.array([0, 4, 6, 7, 7]))
    found = areas(score, x, ranks)
    assert found.deletion == pytest.approx(16 * (10 / 2 + 4 / 2 + 1 / 2) / 4)
    assert found.insertion == pytest.approx(16 * (4 / 2 + 10 / 2 + 13 / 2 + 7) / 4)


def test_pixels_go_in_equal_steps() -> None:
    maps = np.random.default_rng(0).random(SHAPE)
    mask = np.zeros(SHAPE, bool)
    mask[1] = True
    ranks = pixel_ranks(maps, mask, steps=8)
    assert (ranks[mask] == -1).all()
    assert np.bincount(ranks[~mask]).tolist() == [8] * 8
    for step in range(7):
        assert maps[ranks == step].min() >= maps[ranks == step + 1].max()


def test_random_orders_keep_the_steps() -> None:
    rng = np.random.default_rng(1)
    whole = slice_ranks(np.arange(5.0), np.ones(5, bool), SHAPE[1:])
    shuffled = random_ranks(whole, rng)
    assert sorted(shuffled[:, 0, 0].tolist()) == [0, 1, 2, 3, 4]
    assert (shuffled == shuffled[:, :1, :1]).all()
    mask = np.zeros(SHAPE, bool)
    mask[0, 0] = True
    pixels = pixel_ranks(rng.random(SHAPE), mask, 4)
    mixed = random_ranks(pixels, rng)
    assert np.bincount(mixed[~mask]).tolist() == np.bincount(pixels[~mask]).tolist()
    assert (mixed[mask] == -1).all()
    partly = random_ranks(slice_ranks(np.arange(5.0), np.array([1, 1, 0, 1, 1], bool), SHAPE[1:]), rng)
    assert (partly[2] == -1).all()


def test_sigmas_are_those_of_the_mean_over_images() -> None:
    random = np.array([[1.0, 3.0], [2.0, 4.0]])  # means over images 1.5 and 3.5
    assert sigmas_above(np.array([5.0, 6.0]), random) == pytest.approx((5.5 - 2.5) / np.sqrt(2))
    assert sigmas_above(np.array([5.0, 6.0]), random, smaller_is_better=True) == pytest.approx(-3 / np.sqrt(2))
    assert sigmas_above(np.ones(2), np.ones((2, 3))) == 0


def test_truth_pointing_and_recall_by_hand() -> None:
    ratio = np.array([0.5, 6.0, -3.0, 2.5, 1.0])
    assert truth_set(ratio).tolist() == [1, 3]  # 8.5 of 10
    assert truth_set(ratio, 0.86).tolist() == [1, 3, 4]
    assert truth_set(ratio, 1.0).tolist() == [1, 3, 4, 0]
    assert truth_set(-np.abs(ratio)).tolist() == []
    truth = truth_set(ratio)
    assert pointing(np.array([0, 0.2, 0, 0.9, 0.1]), truth)
    assert not pointing(np.array([0, 0.2, 0.95, 0.9, 0.1]), truth)
    assert recall(np.array([0.5, 0.2, 0.95, 0.9, 0.1]), truth) == 0.5
    assert recall(ratio, np.array([1, 3, 4, 0]), top=3) == 1
    assert recall(ratio, np.zeros(0, int)) == 0


def test_rank_correlation_is_spearmans() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 6, (2, 40)).astype(float)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert rank_correlation(a, np.exp(a)) == pytest.approx(1)
    assert rank_correlation(a, np.ones(40)) == 0


def test_edges_are_zero_in_flat_slices_and_know_no_mask() -> None:
    x = np.zeros((2, 8, 8))
    x[1, :, 4:] = 1
    mask = np.zeros(x.shape, bool)
    mask[1, 0] = True
    found = edges(x, mask)
    assert not found[0].any()
    assert found[1, 3, 3] == found[1, 3, 4] == 4
    assert not found[mask].any()


def test_blocks_come_from_the_top() -> None:
    asked = subject("slice-stack", layout(3, 16, 3))
    expected = ["backbone.readout", "backbone.embed", "backbone.blocks.2", "backbone.blocks.1", "backbone.blocks.0",
                "backbone.mix.1", "backbone.mix.0", "backbone.slices.0"]
    assert blocks_from_the_top(asked.method, asked.score, asked.x) == expected
    kernels = subject("slice-stack", layout(3, 16, 3), "duq")
    found = blocks_from_the_top(kernels.method, kernels.score, kernels.x)
    assert found == ["head", *expected[1:]], "the readout that guides training is not on the way"
    published = subject("dense", layout(4, 24, 2))
    assert blocks_from_the_top(published.method, published.score, published.x)[:4] == [
        "backbone.readout", "backbone.hidden", "backbone.trunk.last_norm", "backbone.trunk.sixth"]


def test_a_cascade_replaces_block_after_block_and_leaves_the_network() -> None:
    asked, other = (subject("slice-stack", layout(3, 16, 3), seed=seed) for seed in (0, 5))
    before = {key: t.clone() for key, t in asked.method.state_dict().items()}
    blocks = blocks_from_the_top(asked.method, asked.score, asked.x)
    *_, last = cascade(asked.method, other.method, blocks)
    assert all(torch.equal(t, other.method.state_dict()[key]) for key, t in last.state_dict().items())
    first = next(cascade(asked.method, other.method, blocks))
    changed = {key for key, t in first.state_dict().items() if not torch.equal(t, before[key])}
    assert changed == {"backbone.readout.weight", "backbone.readout.bias"}
    assert all(torch.equal(t, before[key]) for key, t in asked.method.state_dict().items())


def test_randomisation_tells_a_map_of_the_network_from_a_picture_of_the_image() -> None:
    classifier = planted_classifier()
    asked = Subject.of(classifier, *bright(), (0, 1))
    fresh = fresh_method(classifier, seed=1)
    blocks = blocks_from_the_top(asked.method, asked.score, asked.x)
    used = ~asked.mask

    def of_network(method: torch.nn.Module) -> np.ndarray:
        return attribute(Subject(method, asked.layout, asked.x, asked.mask, 0, 1), "layercam")[0]

    rho = randomisation(of_network, asked.method, fresh, blocks, used)
    assert rho[blocks.index("backbone.slices.0")] < 0.2, "the planted slice is forgotten"
    picture = edges(asked.x[0].numpy(), asked.mask)
    assert randomisation(lambda method: picture, asked.method, fresh, blocks, used) == pytest.approx([1.0] * len(blocks))


def truths(n: int, ratio: np.ndarray) -> Rivals:
    return Rivals(np.zeros(n, int), np.ones(n, int), np.zeros(n, int), ({},) * n, np.broadcast_to(ratio, (n, len(ratio))))


def test_a_planted_slice_is_found_deleted_and_ranked() -> None:
    classifier = planted_classifier(which=3)
    images = [bright(seed=seed) for seed in range(2)]
    found = saliency_quality(classifier, images, truths(2, np.array([0.1, 0.2, 0.3, 9.0, 0.1, 0.2])))
    assert found.pointing.tolist() == [1, 1]
    assert found.recall.tolist() == [1, 1]
    assert (found.spearman > 0.3).all()
    assert found.randomised.shape == (2,)
    elsewhere = saliency_quality(classifier, images, truths(2, np.array([9.0, 0.2, 0.3, 0.1, 0.1, 0.2])))
    assert elsewhere.pointing.tolist() == [0, 0]
    right = [Subject.of(classifier, *image, (0, 1)).margin > 0 for image in images]
    assert found.right.tolist() == right
    with pytest.raises(InsmlError, match="expected a truth for each image, found 1 images and 2 truths"):
        saliency_quality(classifier, images[:1], truths(2, np.ones(6)))


def test_deletion_in_the_order_of_the_map_beats_chance() -> None:
    """Whole slices: all that matters goes in the first step and comes in the first, so areas are known."""
    classifier = planted_classifier(which=3)
    images, truth = [bright(seed=seed) for seed in range(2)], truths(2, np.ones(6))
    drops = [occlude_slices(Subject.of(classifier, *image, (0, 1)).score, Subject.of(classifier, *image, (0, 1)).x)[3]
             for image in images]
    labels = np.where(np.array(drops) > 0, 0, 1)  # so that the planted slice speaks for what is called the truth
    truth = replace(truth, labels=labels, rivals=1 - labels)
    found = faithfulness_areas(classifier, images, truth, method="occlusion", draws=8)
    for image, label, own in zip(images, labels, found.maps, strict=True):
        asked = Subject.of(classifier, *image, (int(label), 1 - int(label)))
        with torch.no_grad():
            whole, nothing = (float(torch.sigmoid(asked.score(x) / classifier.temperature))
                              for x in (asked.x, torch.zeros_like(asked.x)))
        assert own.deletion == pytest.approx(((whole + nothing) / 2 + 5 * nothing) / 6, rel=1e-4)
        assert own.insertion == pytest.approx(((whole + nothing) / 2 + 5 * whole) / 6, rel=1e-4)
    for name, smaller in (("deletion", True), ("insertion", False)):
        assert sigmas_above(found.column(name), found.column(name, "random"), smaller_is_better=smaller) > 1
        assert found.column(name, "edges").shape == (2,)


def test_deletion_by_pixels() -> None:
    classifier, images = planted_classifier(size=8), [bright(size=8)]
    found = faithfulness_areas(classifier, images, truths(1, np.ones(6)), by="pixel", draws=2)
    assert found.column("insertion", "random").shape == (1, 2)
    assert np.ptp(found.column("insertion", "random")) > 0
    with pytest.raises(InsmlError, match="by: expected slice or pixel, found 'tile'"):
        faithfulness_areas(classifier, images, truths(1, np.ones(6)), by="tile")
