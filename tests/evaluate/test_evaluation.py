"""Networks on trial, with planted images: what comes out, what is kept, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from small import planted, small_study

from insml.errors import FormatError, InsmlError
from insml.evaluate import wording
from insml.evaluate.document import write_evaluation
from insml.evaluate.evaluation import PHYSICAL, TOGETHER, Evaluation, Trial, evaluate
from insml.evaluate.metrics import auroc, false_positive_rate
from insml.evaluate.parts import Parts
from insml.evaluate.quantities import quantity, resampled_detection
from insml.evaluate.shifts import SEVERITIES
from insml.evaluate.shifts.family import CleanImages, Shifted
from insml.learn import Classifier, TrainingSettings, train
from insml.learn.answers import Answers
from insml.learn.trained import corruption_for
from insml.learn.whole import gathered, seen_whole
from insml.study import Study

LETTERS = "K"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return small_study(tmp_path_factory.mktemp("study"), bins=10)


@pytest.fixture(scope="module")
def network(study: Study) -> Classifier:
    data = planted(study, 80, 5).read()
    settings = TrainingSettings(method="softmax", epochs=9, batch=16, learning_rate=3e-3, seed=3, draws=1)
    return replace(train(data, corruption_for(study, None), settings, threads=1), study_digest=study.digest)


@pytest.fixture(scope="module")
def trial(study: Study, network: Classifier) -> Trial:
    return Trial(study, [network], planted(study, 500, 9), corruption_for(study, None), letters=LETTERS, shifted=200,
                 explained=0, reproduced=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(scope="module")
def found(trial: Trial, folder: Path) -> Evaluation:
    return evaluate(trial, folder, threads=1)


def test_numbers_are_those_of_the_network(found: Evaluation, trial: Trial, network: Classifier) -> None:
    value = {q.name: q for q in found.quantities}
    data = trial.test.read()
    seen = np.stack([network.form(c.astype(np.float32), np.zeros(c.shape, bool)) for c in data.clean])
    right = network.record(seen).scores.argmax(1) == data.labels
    assert value["accuracy, clean"].value == right.mean()
    measured = [network.form(*trial.corruption.apply(c, trial.seed, i)) for i, c in enumerate(data.clean)]
    right = network.record(np.stack(measured)).scores.argmax(1) == data.labels
    testing = np.arange(len(right)) // 2 % 5 != 0  # a fifth of the images calibrates
    assert value["accuracy, as measured"].value == pytest.approx(right[testing].mean())
    assert value["accuracy, as measured"].n == 800
    assert value["accuracy, as measured"].low > 0.5  # not by chance
    for q in found.quantities:
        assert q.low <= q.value <= q.high or q.name.startswith("ECE"), q
    assert value["conformal coverage at 90 %"].value == pytest.approx(0.9, abs=0.06)
    assert [(s.letter, s.severity) for s in found.steps] == [(letter, s) for letter in LETTERS for s in SEVERITIES]
    franken = [s for s in found.steps if s.letter == "K"]
    assert all(s.accuracy is None and s.loud is None for s in franken)  # no candidate is right
    area = [s.detection["density"].auroc.value for s in franken]
    assert area[-1] > max(area[0], 0.6)


def test_mistakes_are_the_clean_images_that_are_wrong(found: Evaluation, trial: Trial, network: Classifier,
                                                      tmp_path: Path) -> None:
    data = trial.test.read()
    seen = np.stack([network.form(c.astype(np.float32), np.zeros(c.shape, bool)) for c in data.clean])
    answers = network.answers(network.record(seen))
    wrong = np.flatnonzero(answers.probability.argmax(1) != data.labels)
    assert len(wrong) > 0
    assert {m.image for m in found.mistakes} == set(wrong.tolist())
    assert [m.probability for m in found.mistakes] == sorted((m.probability for m in found.mistakes), reverse=True)
    for m in found.mistakes:
        assert m.parameters == data.parameters(m.image)
        assert m.candidate == data.candidates[data.labels[m.image]] != m.taken_for
    write_evaluation(found, tmp_path, {})
    listed = json.loads((tmp_path / "evaluation.json").read_text())["mistakes"]
    assert [m["image"] for m in listed] == [m.image for m in found.mistakes]
    assert f"{len(wrong)} clean image" in (tmp_path / "evaluation.html").read_text()


def test_the_physical_score_is_that_of_the_images(found: Evaluation, folder: Path) -> None:
    """Of medium and severe shifts, against the four fifths of the test that do not calibrate."""
    usual, strange = (np.load(folder / "parts" / f"{name}-chi2.npz")["numbers"] for name in ("measured", "K5"))
    assert strange.mean() > usual.mean()
    testing = np.arange(len(usual)) // 2 % 5 != 0
    seen = {s.severity: s.detection for s in found.steps}
    assert seen[5][PHYSICAL].auroc.value == pytest.approx(auroc(usual[testing], strange))
    assert [PHYSICAL in seen[s] for s in SEVERITIES] == [False, False, True, False, True]


def test_it_goes_on_where_it_was(trial: Trial, folder: Path, found: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "parts" / "K3.npz").unlink()
    made: list[int] = []
    answered = Parts._answered

    def counted(self: Parts, images: object, seed: int, progress: Callable[[int, int], None]) -> object:
        made.append(1)
        return answered(self, images, seed, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(Parts, "_answered", counted)
    again = evaluate(trial, folder, threads=2)
    assert len(made) == 1
    assert again.quantities == found.quantities
    assert again.steps == found.steps
    assert replace(trial, seed=2).identity() != trial.identity()


def test_a_damaged_part_is_named(trial: Trial, folder: Path, found: Evaluation, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder, tmp_path / "copy")
    part = tmp_path / "copy" / "parts" / "clean.npz"
    for damaged in (b"PK nothing", part.read_bytes()[:-100]):
        part.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"clean\.npz"):
            evaluate(trial, tmp_path / "copy", threads=1)


def test_networks_and_images_must_belong(trial: Trial, study: Study, network: Classifier) -> None:
    with pytest.raises(InsmlError, match="at least one network"):
        replace(trial, networks=[])
    with pytest.raises(InsmlError, match="of another"):
        replace(trial, networks=[replace(network, study_digest="other")])
    with pytest.raises(InsmlError, match="another seed"):
        replace(trial, test=planted(study, 500, study.training.seed))
    with pytest.raises(InsmlError, match="shifts: expected"):
        replace(trial, letters="RX")


def test_a_rate_of_few_images_is_refused(trial: Trial, study: Study) -> None:
    with pytest.raises(InsmlError, match="at least 1000 images"):
        replace(trial, test=planted(study, 400, 9))


def test_files_hold_every_number(found: Evaluation, tmp_path: Path) -> None:
    written = write_evaluation(found, tmp_path, {"seed": "1"})
    assert {p.name for p in written} == {"evaluation.json", "evaluation.html", "shifts.png", "reliability.png"}
    kept = json.loads((tmp_path / "evaluation.json").read_text())
    assert [q["value"] for q in kept["quantities"]] == [q.value for q in found.quantities]
    assert len(kept["shifts"]) == len(found.steps)
    assert kept["provenance"]["seed"] == "1"
    page = (tmp_path / "evaluation.html").read_text()
    for q in found.quantities:
        assert q.name in page
        assert wording.number(q.value) in page


def test_an_interval_covers_the_truth() -> None:
    """Of a mean of known spread: 95 % of intervals, within the scatter of 100."""
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng([3, seed])
        right = rng.random(400) < 0.8
        p = np.where(right, 0.9, 0.1)
        answers = Answers(np.stack([p, 1 - p], 1), np.zeros(400), np.ones(400), np.zeros(400))
        q = quantity("accuracy", lambda a, y: float((a.probability.argmax(1) == y).mean()), [answers], np.zeros(400, int),
                     seed=seed)
        inside += q.low <= 0.8 <= q.high
    assert 88 <= inside <= 100


def test_samples_by_their_counts_are_samples() -> None:
    rng = np.random.default_rng(4)
    usual, strange = rng.integers(0, 40, 60) / 10, rng.integers(15, 60, 30) / 10  # with ties
    drawn = [[rng.integers(len(x), size=len(x)) for _ in range(20)] for x in (usual, strange)]
    counts = [np.stack([np.bincount(d, minlength=len(x)) for d in draws]) for draws, x in
              zip(drawn, (usual, strange), strict=True)]
    found = resampled_detection(usual, strange, *counts)
    for n, (a, b) in enumerate(zip(*drawn, strict=True)):
        assert found[0, n] == pytest.approx(auroc(usual[a], strange[b], smallest=1))
        assert found[1, n] == pytest.approx(false_positive_rate(usual[a], strange[b], smallest=1))


def test_several_are_also_asked_together(trial: Trial, study: Study, network: Classifier, tmp_path: Path) -> None:
    """In accuracy, detection and what they are wrong about through other widths."""
    data = planted(study, 80, 5).read()
    settings = TrainingSettings(method="softmax", epochs=9, batch=16, learning_rate=3e-3, seed=4, draws=1)
    other = replace(train(data, corruption_for(study, None), settings, threads=1), study_digest=study.digest)
    two = replace(trial, networks=[network, other], letters="R", reproduced=0)
    found = evaluate(two, tmp_path, threads=1)
    value = {q.name: q for q in found.quantities}
    usual = Answers.together(found.usual)
    assert value["ensemble: accuracy, as measured"].value == (usual.probability.argmax(1) == found.labels).mean()

    parts = Parts(tmp_path / "parts", two.networks, two.identity(), 1)
    wide = [parts.get(f"R{s}", pytest.fail, two.seed, of=200) for s in SEVERITIES]
    told = [Answers.together([n.answers(r) for n, r in zip(two.networks, part.records, strict=True)]) for part in wide]
    seen = found.steps[-1].detection[TOGETHER].auroc
    assert seen.value == auroc(usual.strangeness, told[-1].strangeness)
    assert seen.each == (seen.value,)
    wrong, accepted = 0, 0
    for answers, part in zip(told, wide, strict=True):
        known = answers.p_value >= 0.05
        accepted += known.sum()
        wrong += (known & (answers.probability.max(1) > 0.95) & (answers.probability.argmax(1) != part.labels)).sum()
    assert accepted > 0
    sure = value["ensemble: confidently wrong among accepted, wrong resolution"]
    assert sure.value == pytest.approx(wrong / accepted)
    assert sure.most == 0.01


def test_parts_depend_on_no_number_of_threads(trial: Trial, network: Classifier, tmp_path: Path) -> None:
    base = CleanImages.read(trial.test).take(np.arange(150))
    images = Shifted(np.asarray(base.clean), trial.corruption, base.labels, ("",) * len(base))
    one, three = (Parts(tmp_path / str(n), [network, network], trial.identity(), n).get("some", lambda: images, 1)
                  for n in (1, 3))
    for a, b in zip(one.records + one.records[::-1], three.records * 2, strict=True):
        for name in ("scores", "features", "appearance", "changes", "odd"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    plain = network.record(*gathered([seen_whole(network.form, *images.corruption.apply(images.clean[i], 1, i))
                                      for i in range(150)]))
    np.testing.assert_allclose(one.records[0].scores, plain.scores, rtol=1e-4, atol=1e-5)


def test_members_together() -> None:
    """Two that agree know; two that contradict each other do not."""
    def member(p: list[float]) -> Answers:
        first = np.array(p)
        return Answers(np.stack([first, 1 - first], 1), np.array([1.0, 3.0]), np.array([0.5, 0.2]), np.zeros(2))

    both = Answers.together([member([0.9, 1.0]), member([0.9, 0.0])])
    np.testing.assert_allclose(both.probability, [[0.9, 0.1], [0.5, 0.5]])
    np.testing.assert_allclose(both.epistemic, [0, 1], atol=1e-12)
    np.testing.assert_allclose(both.strangeness, [1, 3])
    np.testing.assert_allclose(both.p_value, [1.0, 0.4])
