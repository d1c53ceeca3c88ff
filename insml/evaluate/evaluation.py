"""Networks on trial: test images clean and as measured, near the references, and shifted in eight ways."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import Corruption
from insml.datasets.shards import DataSet
from insml.datasets.store import TrainingSet
from insml.errors import InsmlError
from insml.evaluate import metrics
from insml.evaluate.mistakes import Mistake, mistakes
from insml.evaluate.parts import Part, Parts
from insml.evaluate.quantities import Detection, Labels, Quantity, detection, mean_of, quantity, take
from insml.evaluate.shifts import FAMILIES, SEVERITIES, CleanImages, Shifted
from insml.evaluate.variants import Variant, variants
from insml.explain.counterfactual import exchanged_known
from insml.explain.quality import saliency_quality
from insml.explain.rival import nearest_rivals
from insml.infer.reproduction import nearest_chi2
from insml.learn.answers import Answers
from insml.learn.calibration import expected_calibration_error
from insml.learn.classifier import FALSE_ALARMS, Classifier
from insml.learn.conformal import ConformalSets, set_coverage
from insml.learn.isotonic import IsotonicCalibration
from insml.learn.record import Record
from insml.learn.scores import SCORES
from insml.study import Study

Array = NDArray[np.float64]
#: Called with (what is going on, done, total).
Progress = Callable[[str, int, int], None]

_CALIBRATION = 5   # every so-manieth image of each class calibrates what is fitted here
_MEDIUM, _SEVERE = 3, 5
_OWN = "density"   # the score that comes with a network
TOGETHER = "density of the ensemble"
PHYSICAL = "chi2 of the nearest simulation"


@dataclass(frozen=True)
class Step:
    """One family at one severity. ``accuracy`` is None where no candidate is right for any image. ``detection`` by the
    name of the score. ``variants``: the same of images that were changed alike."""

    letter: str
    severity: int
    accuracy: Quantity | None
    detection: dict[str, Detection]
    variants: tuple[Variant, ...] = ()

    @property
    def loud(self) -> bool | None:
        """Where accuracy falls below 95 %: whether the images are told apart with an AUROC above 0.95."""
        if self.accuracy is None or self.accuracy.value >= 0.95:
            return None
        return self.detection[_OWN].auroc.value > 0.95


@dataclass(frozen=True)
class Evaluation:
    """What came out. ``mistakes``: those on clean images. ``usual``: probabilities (networks, n, classes) and labels of the
    test as measured, for pictures."""

    study: str
    networks: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    steps: tuple[Step, ...]
    mistakes: tuple[Mistake, ...]
    usual: tuple[Answers, ...] = field(repr=False)
    labels: Labels = field(repr=False)


@dataclass(frozen=True, eq=False)
class Trial:
    """What is needed to evaluate.

    networks : one per seed, of one study. test : images of another seed than any of the training. near : the same, near
    the references. corruption : what a measurement does. letters : families. shifted : images of each family and severity.
    explained : images (near the references, where there are such) whose explanations are compared with likelihood ratios.
    reproduced : images of each medium and severe shift that are compared with all others of the test: does any parameter
    set reproduce them? 0 for none.
    """

    study: Study
    networks: Sequence[Classifier]
    test: DataSet
    corruption: Corruption
    near: DataSet | None = None
    letters: Sequence[str] = tuple(FAMILIES)
    shifted: int = 600
    explained: int = 100
    reproduced: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.networks:
            raise InsmlError("evaluation: expected at least one network, found none")
        for network in self.networks:
            if network.study_digest != self.study.digest:
                raise InsmlError(f"evaluation: expected networks of the study {self.study.name!r} as it is now, found one "
                                 f"of another: {network.description}")
        for data in (self.test, self.near):
            if data is not None and data.plan.study.simulation_digest != self.study.simulation_digest:
                raise InsmlError(f"{data.folder}: expected images of the study {self.study.name!r} as it is now, found "
                                 "those of another")
        if self.test.plan.seed in {self.study.training.seed, 1}:
            raise InsmlError(f"{self.test.folder}: expected images of another seed than those of the training, "
                             f"found seed {self.test.plan.seed}")
        n = self.test.plan.images
        least = n - n // _CALIBRATION + min(self.shifted, n) if self.letters else n
        if least < metrics.SMALLEST_SAMPLE:
            raise InsmlError(f"{self.test.folder}: expected at least {metrics.SMALLEST_SAMPLE} images (those of a shift "
                             f"and {_CALIBRATION - 1} of {_CALIBRATION} of the test together), found {least}")
        unknown = [letter for letter in self.letters if letter not in FAMILIES]
        if unknown:
            raise InsmlError(f"shifts: expected some of {', '.join(FAMILIES)}, found {', '.join(unknown)}")

    def identity(self) -> dict[str, Any]:
        """What all parts depend on."""
        weights = [hashlib.sha256(b"".join(v.numpy().tobytes() for v in n.method.state_dict().values())).hexdigest()
                   for n in self.networks]
        return {"networks": weights, "study": self.study.digest, "corruption": self.corruption.to_dict(), "seed": self.seed,
                "test": self.test.plan.header()}


def evaluate(trial: Trial, folder: str | Path, *, threads: int = 0, progress: Progress | None = None) -> Evaluation:
    """Everything a trial asks. Parts are kept in ``folder``/parts; stopped and called again it goes on where it was.

    Raises
    ------
    FormatError : a damaged shard, or a damaged part.
    """
    say = progress or (lambda what, done, total: None)
    parts = Parts(Path(folder) / "parts", trial.networks, trial.identity(), threads)
    test = trial.test.read()
    base = CleanImages.read(trial.test, test)

    def get(name: str, title: str, make: Callable[[], Shifted], of: Any = None) -> Part:
        say(title, 0, 0)
        return parts.get(name, make, trial.seed, lambda done, total: say(title, done, total), of)

    clean = get("clean", "clean images", lambda: _as_they_are(base, _Nothing()))
    usual = get("measured", "images as measured", lambda: _as_they_are(base, trial.corruption))
    near = None
    if (near_data := trial.near) is not None:
        near = get("near", "images near the references",
                   lambda: _as_they_are(CleanImages.read(near_data), trial.corruption), near_data.plan.header())
    some = base.take(np.arange(min(trial.shifted, len(base))))
    shifted: dict[tuple[str, int], Part] = {}
    reproduced: dict[str, Array] = {}
    nearest = _Nearest(trial, test, parts, say) if trial.reproduced else None
    if nearest is not None:
        reproduced[""] = nearest("measured", lambda: _as_they_are(base, trial.corruption), len(base))
    for letter in trial.letters:
        for severity in SEVERITIES:
            name = f"{letter}{severity}"
            make = lru_cache(maxsize=1)(partial(FAMILIES[letter].images, trial.study, some, severity, trial.seed,
                                                corruption=trial.corruption, threads=threads))
            shifted[letter, severity] = get(name, f"{name}: {FAMILIES[letter].title}", make, len(some))
            if nearest is not None and severity in (_MEDIUM, _SEVERE):
                reproduced[name] = nearest(name, make, min(trial.reproduced, len(some)))
    say("explanations", 0, 0)
    explained = _explained(trial, test if trial.near is None else trial.near.read()) if trial.explained else []
    say("intervals", 0, 0)
    return _judged(trial, test, clean, usual, near, shifted, reproduced, explained)


class _Nearest:
    """Chi2 of measured images against the nearest of the test; their own originals do not count."""

    def __init__(self, trial: Trial, images: TrainingSet, parts: Parts, say: Progress) -> None:
        self.trial, self.images, self.parts, self.say = trial, images, parts, say

    def __call__(self, name: str, make: Callable[[], Shifted], n: int) -> Array:
        self.say(f"chi2 of {name}", 0, 0)
        return self.parts.numbers(f"{name}-chi2", lambda: self._chi2(make(), n), n)

    def _chi2(self, made: Shifted, n: int) -> Array:
        measured = [made.corruption.apply(made.clean[i], self.trial.seed, i) for i in range(n)]
        return nearest_chi2(self.trial.study, self.images, measured, np.arange(n))


def _explained(trial: Trial, library: TrainingSet) -> list[Quantity]:
    """Maps of images as measured against the likelihood ratio to the nearest image of another candidate.

    Near the references images lie dense, so that the nearest is a fit; from the whole priors it differs by its parameters
    as much as by its model.
    """
    clean, labels = library.clean[:trial.explained], library.labels[:trial.explained]
    # networks fold or do not care, and the clean images lie as they lie
    corruption = replace(trial.corruption, mirror=(False, False), transpose=False)
    measured = [corruption.apply(stack, trial.seed, i) for i, stack in enumerate(clean)]
    truths = nearest_rivals(trial.study, library, clean, labels,
                            masks=np.stack([mask for _, mask in measured]))
    exchanged = [exchanged_known(trial.study, *image, own, library.clean[rival])
                 for image, own, rival in zip(measured, clean, truths.library, strict=True)]
    found = [saliency_quality(network, measured, truths, method="counterfactual", exchanged=exchanged)
             for network in trial.networks]
    without = [saliency_quality(network, measured, truths, method="layercam") for network in trial.networks]
    return [
        mean_of("saliency: first slice is one that decides", [f.pointing for f in found], least=0.9),
        mean_of("saliency: decisive slices among the first three", [f.recall for f in found]),
        mean_of("saliency: rank correlation with the likelihood ratio", [f.spearman for f in found], least=0.6),
        mean_of("saliency: rank correlation after randomisation", [f.randomised for f in found], most=0.2),
        mean_of("saliency: rank correlation of that with the likelihood ratio", [f.control for f in found]),
        mean_of("LayerCAM: first slice is one that decides", [f.pointing for f in without]),
        mean_of("LayerCAM: rank correlation with the likelihood ratio", [f.spearman for f in without]),
        mean_of("LayerCAM: rank correlation after randomisation", [f.randomised for f in without]),
    ]


def _judged(trial: Trial, test: TrainingSet, clean: Part, usual: Part, near: Part | None,
            shifted: dict[tuple[str, int], Part], reproduced: dict[str, Array], explained: list[Quantity]) -> Evaluation:
    networks, labels = trial.networks, usual.labels
    calibrating = np.arange(len(labels)) // len(trial.study.candidates) % _CALIBRATION == 0
    testing = ~calibrating
    answers = [_answers(networks, part) for part in (clean, usual)]
    tested = [take(a, testing) for a in answers[1]]
    truth = labels[testing]
    fitted = [_fitted_scores(record, labels, calibrating, len(trial.study.candidates)) for record in usual.records]

    found = [quantity("accuracy, clean", _accuracy, answers[0], clean.labels, least=0.985),
             quantity("accuracy, as measured", _accuracy, tested, truth, least=0.95)]
    if near is not None:
        found.append(quantity("accuracy, near the references", _accuracy, _answers(networks, near), near.labels, least=0.9))
    found += _quality(tested, truth)
    isotonic = [_mapped(a, IsotonicCalibration.fit(b.probability[calibrating], labels[calibrating]))
                for a, b in zip(tested, answers[1], strict=True)]
    found.append(quantity("ECE, isotonic", _calibration_error, isotonic, truth, most=0.01))
    if len(networks) > 1:
        found += _together(answers[0], clean.labels, tested, truth)
    sets = [ConformalSets.fit(b.probability[calibrating], labels[calibrating]) for b in answers[1]]
    inside = [set_coverage(s(a.probability), truth) for s, a in zip(sets, tested, strict=True)]
    # the binomial error of the test and of the calibration images
    error = float(np.sqrt(0.09 / len(truth) + 0.09 / calibrating.sum()))
    found.append(Quantity("conformal coverage at 90 %", float(np.mean(inside)), float(np.mean(inside)) - 1.96 * error,
                          float(np.mean(inside)) + 1.96 * error, tuple(inside), len(truth), 0.89, 0.91))
    steps, every = [], {at: _answers(networks, part) for at, part in shifted.items()}
    for (letter, severity), part in shifted.items():
        least, most = {_MEDIUM: (0.95, 0.15), _SEVERE: (0.99, None)}.get(severity, (None, None))
        told = every[letter, severity]
        seen = {_OWN: detection(f"{letter}{severity}", [a.strangeness for a in tested], [a.strangeness for a in told],
                                least=least, most=most)}
        if len(networks) > 1:
            usual_score, score = (Answers.together(a).strangeness for a in (tested, told))
            seen[TOGETHER] = detection(f"{letter}{severity}, ensemble", [usual_score], [score])
        for kind in SCORES:
            seen[kind] = detection(f"{letter}{severity}, {kind}", [
                f[kind](record)[testing] for f, record in zip(fitted, usual.records, strict=True)], [
                f[kind](record) for f, record in zip(fitted, part.records, strict=True)])
        if (chi2 := reproduced.get(f"{letter}{severity}")) is not None:
            seen[PHYSICAL] = detection(f"{letter}{severity}, {PHYSICAL}", [reproduced[""][testing]], [chi2])
        known = (part.labels >= 0).any()
        right = quantity(f"{letter}{severity}: accuracy", _accuracy, told, part.labels) if known else None
        steps.append(Step(letter, severity, right, seen, variants(part.variants, part.labels, tested, told)))
    wrong = [at for at in shifted if at[0] == "R"]
    if wrong:
        joined = [_joined(a) for a in zip(*(every[at] for at in wrong), strict=True)]
        named = {"": joined} | ({"ensemble: ": [Answers.together(joined)]} if len(networks) > 1 else {})
        found += [quantity(f"{name}confidently wrong among accepted, wrong resolution", _sure_and_wrong, answers,
                           np.concatenate([shifted[at].labels for at in wrong]), most=0.01)
                  for name, answers in named.items()]
    if shifted:
        found.append(_mixed(tested, truth, [(every[at], part.labels) for at, part in shifted.items()]))
    found += explained
    return Evaluation(trial.study.title, tuple(n.description for n in networks), tuple(found), tuple(steps),
                      mistakes(test, answers[0]), tuple(tested), truth)


def _quality(answers: list[Answers], labels: Labels) -> list[Quantity]:
    return [
        quantity("ECE, temperature", _calibration_error, answers, labels, most=0.01),
        quantity("Brier score", lambda a, y: float(metrics.brier(a.probability, y).mean()), answers, labels, most=0.02),
        quantity("negative log-likelihood", lambda a, y: float(metrics.negative_log_likelihood(a.probability, y).mean()),
                 answers, labels, most=0.08),
        quantity("AURC", lambda a, y: metrics.area_under_risk(metrics.correct(a.probability, y), 1 - a.probability.max(1)),
                 answers, labels),
        quantity("confidently wrong, as measured",
                 lambda a, y: float(metrics.confidently_wrong(a.probability, y).mean()), answers, labels),
    ]


def _together(clean: list[Answers], clean_labels: Labels, usual: list[Answers], labels: Labels) -> list[Quantity]:
    """The networks as one ensemble."""
    first, second = [Answers.together(clean)], [Answers.together(usual)]
    return [
        quantity("ensemble: accuracy, clean", _accuracy, first, clean_labels, least=0.985),
        quantity("ensemble: accuracy, as measured", _accuracy, second, labels, least=0.95),
        *(replace(q, name=f"ensemble: {q.name}") for q in _quality(second, labels)),
    ]


def _mixed(usual: list[Answers], truth: Labels, shifted: list[tuple[list[Answers], Labels]]) -> Quantity:
    """Error among the 80 % that look most usual, of usual and shifted images together; no candidate right is an error."""
    labels = np.concatenate([truth, *(y for _, y in shifted)])
    # class numbers from 0, so that images without a right candidate stay in
    together = [_joined([a, *(told[k] for told, _ in shifted)]) for k, a in enumerate(usual)]
    return quantity("error at 80 % coverage, usual and shifted",
                    lambda a, y: metrics.error_at_coverage(metrics.correct(a.probability, y - 1), a.strangeness),
                    together, labels + 1, most=0.005)


def _sure_and_wrong(answers: Answers, labels: Labels) -> float:
    accepted = answers.p_value >= FALSE_ALARMS
    return float(metrics.confidently_wrong(answers.probability, labels)[accepted].mean()) if accepted.any() else 0.0


def _accuracy(answers: Answers, labels: Labels) -> float:
    return metrics.accuracy(answers.probability, labels)


def _calibration_error(answers: Answers, labels: Labels) -> float:
    return expected_calibration_error(answers.probability, labels)


def _fitted_scores(record: Record, labels: Labels, calibrating: NDArray[np.bool_], classes: int) -> dict[str, Any]:
    known = record.take(calibrating)
    return {kind: score.fit(known, labels[calibrating], classes) for kind, score in SCORES.items()}


def _answers(networks: Sequence[Classifier], part: Part) -> list[Answers]:
    return [network.answers(record) for network, record in zip(networks, part.records, strict=True)]


def _joined(parts: Sequence[Answers]) -> Answers:
    return Answers(*(np.concatenate([getattr(p, name) for p in parts])
                     for name in ("probability", "strangeness", "p_value", "epistemic")))


def _mapped(a: Answers, calibration: IsotonicCalibration) -> Answers:
    return Answers(calibration(a.probability), a.strangeness, a.p_value, a.epistemic)


def _as_they_are(base: CleanImages, corruption: Any) -> Shifted:
    return Shifted(np.asarray(base.clean), corruption, base.labels, ("",) * len(base))


class _Nothing:
    """A measurement without noise that sees everything."""

    @staticmethod
    def apply(clean: NDArray[Any], seed: int, index: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return np.asarray(clean, np.float32), np.zeros(clean.shape, bool)


__all__ = ["Evaluation", "Step", "Trial", "evaluate"]
