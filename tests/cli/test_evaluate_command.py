"""``insml evaluate``: what it refuses, in one line each; what it computes is tested in tests/evaluate."""

from pathlib import Path

import pytest

from insml.cli import main
from insml.datasets.shards import DataSetPlan, simulate_set
from insml.study import bundled

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images") / "set"
    simulate_set(DataSetPlan(bundled("square_antiferromagnet"), 1, 5, nuisances=False), folder)
    return folder


@pytest.mark.parametrize(("arguments", "words"), [
    (["--test", "nowhere"], "nowhere"),
    (["--network", "nothing.safetensors"], "nothing.safetensors"),
    ([], "at least 1000 images"),
])
def test_refusals(arguments: list[str], words: str, images: Path, tmp_path: Path,
                  capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--test", str(images)] if "--test" not in arguments else []
    command = ["evaluate", "--study", "square_antiferromagnet", *given, "--shifts", "N", "--near-n", "0", "--out",
               str(tmp_path / "out"), *arguments]
    assert main(command) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("insml: error: ")
    assert words in said
    assert not (tmp_path / "out" / "evaluation.json").exists()


def test_images_of_another_study_are_refused(images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--test", str(images), "--near-n", "0", "--out", str(tmp_path)]) == 2
    assert "expected images of the study 'manganite' as it is now" in capsys.readouterr().err
