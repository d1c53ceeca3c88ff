"""The resolution experiment: what arms share, what is kept, and effects that are planted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from small import small_study

from insml.cli import main
from insml.datasets.conditions import Condition, simulator
from insml.errors import FormatError, InsmlError, UnstableStructureError
from insml.evaluate.resolution_experiment import Cells, Images, Plan, arms_of, run_experiment, write_result
from insml.evaluate.resolution_experiment import arms as module
from insml.evaluate.resolution_experiment.arms import ARMS, Arm
from insml.evaluate.resolution_experiment.images import check_equal, simulators
from insml.evaluate.resolution_experiment.matrices import calibration_errors
from insml.learn.calibration import expected_calibration_error
from insml.learn.classifier import Classifier
from insml.learn.tensorfile import read_tensors, write_tensors
from insml.study import Study, bundled

SHORT = {"networks": ("slice-stack",), "methods": ("softmax",), "augmentations": ("none",), "seeds": 1, "epochs": 1}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return small_study(tmp_path_factory.mktemp("study"))


@dataclass(frozen=True)
class Stripes:
    """Without physics: stripes along one axis for the first candidate and along the other for the second, or the other way
    round; unstable where J1 is above 0.6 of its prior."""

    study: Study
    label: int

    def stack(self, values: Mapping[str, float] | None = None) -> np.ndarray:
        assert values is not None
        low, high = next(iter(self.study.candidates.values())).parameters[0].prior
        if values["J1"] > low + 0.6 * (high - low):
            raise UnstableStructureError((0, 0, 0), -1.0)
        x = np.arange(16)
        wave = 1 + np.sin(1.5 * x + values["J1"])
        tile = np.broadcast_to(wave[:, None] if self.label else wave, (16, 16))
        return np.stack([tile] * len(self.study.layout.slices))


def stripes(swapped: bool) -> Arm:
    return Arm("stripes", lambda study, candidate, threads: Stripes(
        study, list(study.candidates).index(candidate) ^ swapped))


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three arms that are the same, and one in which the candidates are exchanged."""
    for name in ("accurate", "none", "half", "double"):
        monkeypatch.setitem(ARMS, name, stripes(name == "double"))


def planned(study: Study, n: int = 8, test: int = 4, **changes: object) -> Plan:
    return Plan(study, n, test, **{**SHORT, **changes})  # type: ignore[arg-type]


def test_arms_are_what_they_are_called(study: Study) -> None:
    """The accurate one is the study's own simulation; wider images are less sharp, and no resolution is sharpest."""
    made = simulators(planned(study, arms=("accurate", "none", "double")), 1)
    values = study.candidates["neel"].reference
    np.testing.assert_array_equal(made[0][0].stack(values), simulator(study, "neel", Condition(), 1).stack(values))
    sharpness = [(s**2).sum() / s.sum() ** 2 for s in (arm[0].stack(values) for arm in made)]
    assert sharpness[1] > sharpness[0] > sharpness[2]


def test_arms_share_parameters_and_noise(study: Study, toys: None, tmp_path: Path) -> None:
    """Arms of one simulation have the same images bit for bit, as networks see them too, and give the same networks."""
    plan = planned(study, arms=("accurate", "none", "double"), augmentations=("full",))
    result = run_experiment(plan, tmp_path, threads=1)
    images = Images(plan, tmp_path)
    one, same, other = (images.training(arm) for arm in plan.arms)
    np.testing.assert_array_equal(one.clean, same.clean)
    np.testing.assert_array_equal(one.theta, other.theta)
    assert not np.array_equal(one.clean, other.clean)
    tests = {arm: next(iter(images.test(arm))) for arm in plan.arms}
    for name in ("clean", "measured", "theta", "labels"):
        np.testing.assert_array_equal(tests["accurate"][name], tests["none"][name])
    # what is tested on was not trained on
    assert not set(one.theta[:, 0]) & set(tests["accurate"]["theta"][:, 0])
    assert one.labels.tolist() == [0, 1] * 8
    for matrix in result.matrices:
        for a in plan.arms:
            assert matrix.entries["accurate", a].numbers == matrix.entries["none", a].numbers
            assert matrix.entries[a, "accurate"].numbers == matrix.entries[a, "none"].numbers
    # unstable draws are in no arm and are counted: 12 of the first candidate, 0.6 of all are stable
    low, high = study.candidates["neel"].parameters[0].prior
    assert max(one.theta[::2, 0]) < low + 0.6 * (high - low)
    assert result.acceptance["neel"] == pytest.approx(0.6, abs=3.5 * np.sqrt(0.6 * 0.4 / (12 / 0.6)))


def test_without_augmentation_nothing_is_done(study: Study) -> None:
    plan = planned(study)
    clean = np.random.default_rng(1).random(study.layout.stack_shape).astype(np.float16)
    signal, mask = plan.corruption("none").apply(clean, 3, 5)
    np.testing.assert_array_equal(signal, clean)
    assert not mask.any()
    assert plan.settings(plan.cells()[0]).draws == 1


def test_a_planted_effect_is_found(study: Study, toys: None, tmp_path: Path) -> None:
    """Networks that learnt stripes are right about the same stripes, and sure and wrong where candidates are exchanged."""
    # 22 images to calibrate with, so that p > 0.95 can be meant
    plan = planned(study, 72, 10, arms=("accurate", "double"), epochs=6)
    result = run_experiment(plan, tmp_path, threads=1)
    clean = next(m for m in result.matrices if m.images == "clean")
    np.testing.assert_array_equal(clean.values("accuracy"), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(clean.values("confidently_wrong"), [[0, 1], [1, 0]])
    assert clean.values("ece")[0, 0] < 0.05 < 0.9 < clean.values("ece")[0, 1]
    swapped = clean.entries["accurate", "double"]
    for difference in (swapped.from_own_images["accuracy"], swapped.from_own_networks["accuracy"]):
        assert (difference.value, difference.low, difference.high) == (-1, -1, -1)
    assert not clean.entries["double", "double"].from_own_images
    network = Classifier.load(tmp_path / "cells" / plan.cells()[0].name / "network.safetensors")
    assert network.study_digest == study.digest


@pytest.mark.parametrize("n", [7, 40])
def test_calibration_errors_of_draws(n: int) -> None:
    rng = np.random.default_rng(3)
    probability = rng.dirichlet((1, 1, 1), n)
    labels, chosen = rng.integers(3, size=n), rng.integers(n, size=(5, n))
    expected = [expected_calibration_error(probability[c], labels[c]) for c in chosen]
    np.testing.assert_allclose(calibration_errors(probability, labels, chosen), expected, atol=1e-12)


def test_it_goes_on_where_it_was(study: Study, toys: None, tmp_path: Path) -> None:
    """Stopped among the images, in a training and between trainings: the same JSON. What is finished is not made again."""
    plan = planned(study, arms=("accurate", "double"), epochs=2, seeds=2)
    whole = write_result(run_experiment(plan, tmp_path / "whole", threads=1), tmp_path / "whole")
    folder = tmp_path / "stopped"

    def stopped(what: str, done: int) -> None:
        def progress(found: str, at: int, total: int) -> None:
            if (found, at) == (what, done):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_experiment(plan, folder, threads=1, progress=progress)

    stopped("simulating shards", 1)
    assert [part for part, _ in Images(plan, folder).missing()] == ["test"]
    # two arms' trainings of two seeds, each of two steps
    stopped("trainings", 1000 * 2 // 6)
    assert len(Cells(Images(plan, folder)).missing()) == 4
    stopped("trainings", 1000)
    assert len(Cells(Images(plan, folder)).missing()) == 2
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("answers.safetensors")}
    files = write_result(run_experiment(plan, folder, threads=1), folder)
    assert files[0].read_bytes() == whole[0].read_bytes()
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert not list(folder.rglob("checkpoint*"))
    found = json.loads(files[0].read_text())
    assert found["images_in_each_arm"] == {"training": 16, "training, to learn from": 8, "training, to watch": 4,
                                           "training, to calibrate": 4, "test": 8}
    entry = found["matrices"][0]["entries"][1]
    assert len(entry["numbers"]["accuracy"]["each"]) == 2
    assert set(entry["ensemble"]) == set(entry["numbers"]) - {"margin"}
    assert set(found["matrices"][0]["entries"][0]["numbers"]) == {
        "accuracy", "ece", "confidently_wrong", "in_distribution", "margin", "epistemic"}
    page = (folder / "resolution_experiment.html").read_text()
    assert page.count("<figure>") == 2
    assert "16 images of each arm (8 to learn from" in page
    # more seeds are more trainings on the same images
    more = planned(study, arms=("accurate", "double"), epochs=2, seeds=3)
    assert len(Cells(Images(more, folder)).missing()) == 2
    with pytest.raises(InsmlError, match="expected an empty folder or this resolution experiment, found another"):
        Images(planned(study, 9), folder)


def test_trainings_side_by_side_are_those_one_after_the_other(study: Study, toys: None, tmp_path: Path) -> None:
    plan = planned(study, arms=("accurate", "double"), augmentations=("full",), seeds=2)
    told: list[tuple[str, int, int]] = []
    found = []
    for threads in (1, 2):
        out = tmp_path / str(threads)
        result = run_experiment(plan, out, threads=threads, progress=lambda *said: told.append(said))
        found.append(write_result(result, out)[0].read_bytes())
        assert told[-2:] == [("trainings", 2000, 2000), ("comparing", 0, 0)]
    assert found[0] == found[1]


def test_arms_with_other_images_are_refused(study: Study, toys: None, tmp_path: Path) -> None:
    plan = planned(study, arms=("accurate", "double"))
    check_equal({"accurate": (4, "a"), "double": (4, "a")})
    for other, words in (((3, "b"), "found 4 in 'accurate' and 3 in 'double'"), ((4, "b"), "4 of other parameters")):
        with pytest.raises(InsmlError, match=words):
            check_equal({"accurate": (4, "a"), "double": other})
    images = Images(plan, tmp_path)
    images.simulate(lambda *told: None)
    path = images.path("training", 0, "double")
    whole = path.read_bytes()
    header, tensors = read_tensors(path, "images of a resolution experiment")
    write_tensors(path, "images of a resolution experiment", header, {k: v[:-2] for k, v in tensors.items()})
    with pytest.raises(InsmlError, match="expected the same images in all arms, found 16 in 'accurate' and 14 in 'double'"):
        run_experiment(plan, tmp_path, threads=1)
    path.write_bytes(whole[:-7] + bytes([whole[-7] ^ 1]) + whole[-6:])
    for threads in (1, 2):
        with pytest.raises(FormatError, match=r"training-00000.safetensors: checksum: expected .* a damaged one"):
            run_experiment(plan, tmp_path, threads=threads)


def test_the_command(study: Study, toys: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["resolution-experiment", str(study.path), "--n", "8", "--test", "3", "--out", str(tmp_path / "out"),
               "--arms", "double", "accurate", "--networks", "slice-stack", "--methods", "duq:preset=paper,size=8",
               "--augmentation", "none", "--seeds", "1", "--epochs", "1", "--threads", "1"]
    assert main([*command, "--estimate"]) == 0
    told = capsys.readouterr().out
    assert "22 images to simulate in each of 2 arms (accurate" in told
    assert "2 of 2 trainings left" in told
    assert not (tmp_path / "out").exists()
    assert main(command) == 0
    told, notes = capsys.readouterr()
    assert "in all about" in notes
    assert "slice-stack, duq:preset=paper,size=8, augmentation none, clean images" in told
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"cells", "images", "experiment.json", "resolution_experiment.json", "resolution_experiment.html",
                     *(f"matrix-slice-stack_duq_preset=paper_size=8_augmentation_none_{how}_images.png"
                       for how in ("clean", "measured"))}


@pytest.mark.parametrize(("changes", "words"), [
    (("--arms", "coarse"), "expected some of accurate, none, half, double, each once, for square_antiferromagnet, which "
                           "states no instrument, found coarse"),
    (("--arms", "half", "half"), "each once"),
    (("--networks", "deep"), "network: expected one of"),
    (("--methods", "duq:preset"), "expected NAME or NAME:OPTION=VALUE"),
    (("--methods", "duq:preset=other"), "DUQ preset"),
    (("--methods", "duq:depth=3"), "method duq: "),
    (("--augmentation", "some"), "augmentation: expected some of none, full, found some"),
    (("--n", "5"), "n: expected at least 6, found 5"),
    (("--seeds", "0"), "seeds: expected at least 1, found 0"),
    (("--epochs", "0"), "epochs: expected at least 1, found 0"),
])
def test_what_cannot_be_meant_is_refused(changes: tuple[str, ...], words: str, study: Study, tmp_path: Path,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["resolution-experiment", str(study.path), "--n", "8", "--out", str(out), *changes]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not out.exists()


def test_arms_of_an_instrument() -> None:
    """All six, and they differ."""
    assert arms_of(bundled("manganite")) == tuple(module.ARMS)
