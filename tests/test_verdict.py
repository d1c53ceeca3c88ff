"""Two witnesses, one statement."""

from dataclasses import replace

import numpy as np
import pytest

from insml.answer import Answer, Classification, ModelFit
from insml.mosaic import Mosaic
from insml.study import bundled
from insml.verdict import draw, fit_probabilities

STUDY = bundled("square_antiferromagnet")
MOSAIC = Mosaic(np.zeros(STUDY.layout.shape), np.zeros(STUDY.layout.shape, bool), STUDY.layout)


def fit(name: str, log_evidence: float, chi2: float = 1000.0, **rest: object) -> ModelFit:
    n = len(STUDY.layout.slices)
    return replace(
        ModelFit(name=name, parameters={"J1": 10.0}, errors={"J1": 0.1}, covariance=np.eye(1), chi2=chi2, dof=1000,
                 chi2_per_slice=np.full(n, chi2 / n), pixels_per_slice=np.full(n, 100), log_evidence=log_evidence,
                 best_fit=MOSAIC, converged=True, message=""),
        **rest,  # type: ignore[arg-type]
    )


def network(neel: float, p_value: float = 0.5) -> Classification:
    return Classification(
        probabilities={"neel": neel, "alternating": 1 - neel}, kernels={"neel": 0.9, "alternating": 0.1}, epistemic=0.1,
        ood_score=0.0, ood_p_value=p_value, ood_threshold=0.01, saliency=np.zeros(STUDY.layout.shape),
        slice_saliency=np.zeros(len(STUDY.layout.slices)), network="made up")


def answer(neel: float, alternating: float, classification: Classification | None, **rest: object) -> Answer:
    return draw(STUDY, MOSAIC, {"neel": fit("neel", neel, **rest), "alternating": fit("alternating", alternating)},
                classification, {})


def test_probabilities_are_the_evidence_ratio() -> None:
    odds = fit_probabilities({"a": fit("a", -1e6), "b": fit("b", -1e6 - np.log(3))})
    assert odds["a"] == pytest.approx(0.75)
    assert sum(odds.values()) == pytest.approx(1)


@pytest.mark.parametrize(("neel", "alternating", "p", "verdict"), [
    (0.0, -50.0, 0.99, "neel"),
    (0.0, -1.0, 0.99, "neel"),       # one convinced, the other leans the same way
    (0.0, -50.0, 0.60, "neel"),
    (0.0, -50.0, 0.40, "neel"),      # an undecided network does not contradict
    (0.0, -1.0, 0.40, "neel"),       # odds 2.7 to 1: a weak preference
    (0.0, -0.2, 0.60, None),         # nobody is convinced, the fit is undecided
    (0.0, -50.0, 0.01, None),        # both convinced, of different models
    (0.0, -1.0, 0.01, None),         # the network is never the only witness
    (-50.0, 0.0, 0.99, None),
    (-50.0, 0.0, 0.01, "alternating"),
])
def test_a_model_is_named_only_without_contradiction(neel: float, alternating: float, p: float,
                                                     verdict: str | None) -> None:
    assert answer(neel, alternating, network(p)).verdict == verdict


def test_a_weak_preference_says_so() -> None:
    weak = answer(0.0, -1.0, network(0.6))
    assert "weak preference" in weak.reason
    assert any("convinced" in w for w in weak.warnings)
    assert "weak" not in answer(0.0, -50.0, network(0.6)).reason


def test_one_witness_has_to_be_convinced() -> None:
    assert answer(0.0, -50.0, None).verdict == "neel"
    assert answer(0.0, -0.1, None).verdict is None
    assert any("only witness" in w for w in answer(0.0, -50.0, None).warnings)


@pytest.mark.parametrize(("change", "word"), [
    ({"chi2": 5000.0}, "reduced chi2"), ({"at_bound": ("J1",)}, "edge"), ({"converged": False}, "converge"),
])
def test_what_speaks_against_it_is_said(change: dict[str, object], word: str) -> None:
    plain = answer(0.0, -50.0, network(0.99)).warnings
    assert plain == ()
    assert any(word in w for w in answer(0.0, -50.0, network(0.99), **change).warnings)


def test_strange_data_are_flagged_and_do_not_convince() -> None:
    strange = answer(0.0, -50.0, network(0.99, p_value=0.001))
    assert any("out of distribution" in w for w in strange.warnings)
    assert strange.verdict == "neel"
    assert answer(0.0, -0.1, network(0.99, p_value=0.001)).verdict is None
    assert answer(0.0, -50.0, network(0.01, p_value=0.001)).verdict == "neel"
