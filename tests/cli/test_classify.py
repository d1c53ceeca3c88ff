"""``insml classify`` and ``insml train --members``: which network answers, and what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import insml
import insml.studies
from insml.cli import main
from insml.datasets import Corruption, TrainingSet
from insml.learn import Classifier, Ensemble, TrainingSettings, load_network, train
from insml.learn.trained import shipped
from insml.study import Study, bundled, load

_SMALLER = {
    "stop = 2.0, n = 40": "stop = 2.0, n = 16", "samples = 16": "samples = 2",
    "start = 16.0, stop = 44.0, n = 14": "start = 16.0, stop = 44.0, n = 6", "grid = [2, 7]": "grid = [1, 6]",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("classify")


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    """The bundled square lattice with 6 slices of 16 x 16 bins."""
    text = Path(insml.studies.__file__).with_name("square_antiferromagnet.toml").read_text()
    for old, new in _SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "small.toml").write_text(text)
    return load(folder / "small.toml")


@pytest.fixture(scope="module")
def networks(study: Study, folder: Path) -> tuple[Path, Path]:
    """Files of a network and of an ensemble, hardly trained."""
    rng = np.random.default_rng(2)
    labels = np.arange(24) % 2
    names = tuple(tuple(c.names) for c in study.candidates.values())
    data = TrainingSet(rng.random((24, *study.layout.stack_shape), np.float32) + labels[:, None, None, None], labels,
                       np.zeros((24, max(map(len, names)))), names, tuple(study.candidates), study.layout, study.digest, 1)
    settings = TrainingSettings(epochs=1, batch=8, draws=1)
    one, two = (train(data, Corruption(), replace(settings, seed=seed), threads=1) for seed in (1, 2))
    one.save(folder / "one.safetensors")
    Ensemble((one, two)).save(folder / "both.safetensors")
    return folder / "one.safetensors", folder / "both.safetensors"


@pytest.fixture(scope="module")
def image(study: Study, folder: Path) -> Path:
    np.save(folder / "image.npy", np.random.default_rng(0).random(study.layout.shape))
    return folder / "image.npy"


def test_the_network_of_a_file_answers_and_is_named(networks: tuple[Path, Path], study: Study, image: Path,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    for path, words in zip(networks, ("slice-stack network", "ensemble of 2 networks"), strict=True):
        assert main(["classify", str(image), "--study", str(study.path), "--network", str(path)]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"{image}: ")
        assert f"network: {path}: {words}" in out


def test_json_is_one_object_per_input(networks: tuple[Path, Path], study: Study, image: Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classify", str(image), str(image), "--study", str(study.path), "--network", str(networks[1]),
                 "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == lines[1]
    answer = insml.classify(image, study, model=networks[1])
    assert lines[0] == {"input": str(image), "study": "square_antiferromagnet", "orientation": answer.orientation,
                        **answer.to_dict()}
    assert set(lines[0]) == {"input", "study", "orientation", "winner", "probabilities", "kernels", "epistemic",
                             "ood_score", "ood_p_value", "ood_threshold", "ood_parts", "asymmetry", "in_distribution",
                             "description"}


def test_a_model_may_be_a_file_or_an_object(networks: tuple[Path, Path], study: Study, image: Path) -> None:
    for path in networks:
        by_file, by_text, by_object = (insml.classify(image, study, model=model)
                                       for model in (path, str(path), load_network(path)))
        assert by_file.to_dict() == by_text.to_dict()
        assert by_file.network == f"{path}: {by_object.network}"
        assert by_file.to_dict() | {"description": ""} == by_object.to_dict() | {"description": ""}
        np.testing.assert_array_equal(by_file.saliency, by_object.saliency)


def test_without_a_model_the_shipped_network_answers() -> None:
    study = bundled("manganite")
    assert shipped(study) is not None
    values = np.random.default_rng(0).random(study.layout.shape)
    assert insml.classify(values, model=None).network.startswith("shipped with insml: ")


def _other_study(path: Path) -> Path:
    network = Classifier.load(path)
    other = path.with_name("other.safetensors")
    replace(network, study_digest="0123456789abcdef0123").save(other)
    return other


def _damaged(path: Path) -> Path:
    damaged = path.with_name("damaged.safetensors")
    damaged.write_bytes(path.read_bytes()[:-9] + bytes(9))
    return damaged


@pytest.mark.parametrize("command", ["classify", "report"])
@pytest.mark.parametrize(("wrong", "words"), [
    (_other_study, ["other.safetensors: expected a network for the study 'square_antiferromagnet'", "0123456789abcdef",
                    "neel, alternating"]),
    (_damaged, ["damaged.safetensors: checksum: expected insml classifier, found a damaged one"]),
    (lambda path: path.with_name("small.toml"), ["small.toml: expected a network of insml, found no readable"]),
])
def test_other_networks_are_refused_in_one_line(command: str, wrong: Callable[[Path], Path], words: list[str],
                                                networks: tuple[Path, Path], study: Study, image: Path, tmp_path: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [command, str(image), "--study", str(study.path), "--network", str(wrong(networks[0]))]
    assert main(arguments if command == "classify" else [*arguments, "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line, = captured.err.strip().splitlines()
    assert all(word in line for word in words), line
    assert not (tmp_path / "out").exists()


def test_an_ensemble_is_trained_from_a_data_set(study: Study, image: Path, tmp_path: Path,
                                                capsys: pytest.CaptureFixture[str]) -> None:
    path, data, out = str(study.path), str(tmp_path / "set"), tmp_path / "both.safetensors"
    assert main(["dataset", path, "--n", "8", "--out", data, "--threads", "1"]) == 0
    shared = ["--study", path, "--data", data, "--epochs", "1", "--cache", str(tmp_path / "cache"), "--threads", "1"]
    assert main(["train", *shared, "--members", "2", "--out", str(out)]) == 0
    assert "ensemble of 2 networks" in capsys.readouterr().out
    together = load_network(out)
    assert isinstance(together, Ensemble)
    assert together.study_digest == study.digest
    # a member is what the same seed gives by itself
    second = tmp_path / "second.safetensors"
    assert main(["train", *shared, "--seed", str(study.training.seed + 1), "--out", str(second)]) == 0
    together.members[1].save(tmp_path / "member.safetensors")
    assert (tmp_path / "member.safetensors").read_bytes() == second.read_bytes()
    assert main(["classify", str(image), "--study", path, "--network", str(out)]) == 0
    capsys.readouterr()
    for wrong, words in ((["--members", "0"], "--members: expected at least 1, found 0"),
                         (["--precision", "half"], "precision: expected one of float32, bfloat16, found 'half'"),
                         (["--device", "tpu"], "device: expected one of auto, cpu, cuda, found 'tpu'")):
        assert main(["train", *shared, *wrong, "--out", str(out)]) == 2
        assert words in capsys.readouterr().err
