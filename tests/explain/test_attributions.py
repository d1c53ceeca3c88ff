"""All methods behind one call."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toys import bright, layout, planted_classifier, subject

from insml.errors import GeometryError, InsmlError
from insml.explain import ATTRIBUTIONS, Subject, attribute, explain
from insml.explain.activation import input_gradient
from insml.explain.attributions import FORMULAE, WHOLE
from insml.explain.layers import layer_maps
from insml.explain.occlusion import occlude_slices
from insml.explain.registration import register
from insml.learn.ensemble import Ensemble
from insml.learn.networks import NETWORKS
from insml.mosaic import Mosaic, MosaicLayout


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", ATTRIBUTIONS)
def test_every_method_for_every_architecture(name: str, method: str) -> None:
    """A map per slice with zeros where masked, and nothing left behind; or one line that says why not."""
    asked = subject(name, layout(12, 22, 4))
    asked.mask[2, 5:9] = True
    asked.x[0, torch.from_numpy(asked.mask)] = 0
    state = {key: t.clone() for key, t in asked.method.state_dict().items()}
    random = torch.get_rng_state()
    if (method == "cam" and name != "pooled") or (method == "slices" and name != "slice-stack"):
        with pytest.raises(InsmlError, match="expected a network"):
            attribute(asked, method)
    else:
        maps, layer = attribute(asked, method)
        assert maps.shape == asked.layout.stack_shape
        assert np.isfinite(maps).all()
        assert not maps[asked.mask].any()
        assert maps.any() or method == "grad-cam"  # may be 0 everywhere behind its ReLU
        assert (layer in asked.method.backbone.maps()) == (method not in WHOLE)
        assert method in ("cam", "counterfactual", "integrated-gradients", "occlusion") or maps.min() >= 0
    assert all(torch.equal(t, state[key]) for key, t in asked.method.state_dict().items())
    assert all(p.grad is None for p in asked.method.parameters())
    assert not any(m._forward_hooks for m in asked.method.modules())
    assert not asked.x.requires_grad
    assert torch.equal(random, torch.get_rng_state())


def test_training_mode_changes_nothing() -> None:
    asked = subject("pooled", layout(12, 22, 4))
    expected, _ = attribute(asked, "layercam")
    asked.method.train()
    found, _ = attribute(asked, "layercam")
    np.testing.assert_array_equal(found, expected)
    assert all(m.training for m in asked.method.modules())


@pytest.mark.parametrize("method", FORMULAE)
def test_channels_of_a_slice_are_a_network_of_their_own(method: str) -> None:
    asked = subject("slice-stack", layout(5, 16, 5))
    with torch.no_grad():
        asked.method.backbone.mix[0].weight[:, 4:6] = 0
    maps = layer_maps(asked, "slices", FORMULAE[method])
    assert not maps[2].any()
    assert sum(m.any() for m in maps) >= 2


def test_a_layer_that_mixes_slices_gives_one_place_and_the_input_divides_it() -> None:
    asked = subject("slice-stack", layout(5, 40, 5))
    coarse = []

    def formula(activation: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        coarse.append(FORMULAE["layercam"](activation, gradient))
        return coarse[0]

    maps = layer_maps(asked, "block3", formula)
    place = register(coarse[0].double().numpy(), (8, 8), (0.0, 0.0), (40, 40))
    share = np.abs((asked.x * input_gradient(asked.score, asked.x))[0].numpy())
    np.testing.assert_allclose(maps, place * share, rtol=1e-5)


def test_wrong_names_are_told() -> None:
    asked = subject("slice-stack", layout(3, 8, 3))
    for arguments, words in ((("saliency",), "method: expected one of cam, grad-cam"),
                             (("layercam", "block9"), "layer: expected one of slices, mix, block1"),
                             (("occlusion", "mix"), "layer: expected none for the method occlusion")):
        with pytest.raises(InsmlError, match=words):
            attribute(asked, *arguments)


def test_occlusion_is_exact_for_a_linear_score() -> None:
    weights = torch.randn(40, generator=torch.Generator().manual_seed(2))
    x = torch.randn(1, 40, 3, 3, generator=torch.Generator().manual_seed(1))
    drops = occlude_slices(lambda t: (t.sum((2, 3)) * weights).sum(1), x)
    np.testing.assert_allclose(drops, (x[0].sum((1, 2)) * weights).numpy(), atol=1e-4)


def mosaic(where: MosaicLayout) -> Mosaic:
    return Mosaic.from_stack(*bright(), where)


@pytest.mark.parametrize("method", ["layercam", "grad-cam++", "integrated-gradients", "occlusion", "slices"])
def test_an_explanation_finds_the_one_slice_the_network_sees(method: str) -> None:
    classifier = planted_classifier(mirrors=(True, True))
    seen = mosaic(classifier.layout)
    found = explain(classifier, seen, method)
    assert found.maps.shape == seen.layout.stack_shape
    assert not found.maps[seen.stack_mask].any()
    # but for the rounding of each slice
    rounding = 1e-5
    assert np.abs(np.delete(found.slices, 3)).max() < rounding * np.abs(found.slices[3])
    assert found.shares[3] == pytest.approx(1, abs=rounding * len(found.slices))
    probability = classifier.predict(seen).probabilities
    assert found.log_odds == pytest.approx(np.log(probability[found.winner] / probability[found.runner_up]), rel=1e-4)
    # mirror images of a pixel get the same, where they have a detector
    turned = found.maps[:, ::-1, ::-1]
    both = (found.maps != 0) & (turned != 0)
    np.testing.assert_array_equal(found.maps[both], turned[both])


def test_orientation_moves_nothing_and_other_bins_are_refused() -> None:
    classifier = planted_classifier()
    seen = mosaic(classifier.layout)
    one, other = (explain(classifier, m) for m in (seen, seen.oriented(("+k", "-h"))))
    np.testing.assert_array_equal(one.maps, other.maps)
    with pytest.raises(GeometryError, match="expected the slices and bins"):
        explain(classifier, Mosaic.from_stack(*bright(5), layout(5, 16, 5)))


def test_an_ensemble_is_the_mean_of_its_members() -> None:
    members = (planted_classifier(3), planted_classifier(1))
    seen = mosaic(members[0].layout)
    together = explain(Ensemble(members), seen)
    classes = [members[0].candidates.index(name) for name in (together.winner, together.runner_up)]
    own = [attribute(Subject.of(m, *bright(), tuple(classes)), "layercam")[0] / m.temperature for m in members]
    np.testing.assert_allclose(together.maps, np.mean(own, axis=0), rtol=1e-12)
