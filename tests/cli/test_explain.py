"""``insml explain``, with a network that is not trained."""

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from test_report import STUDY

from insml.cleaning import clean
from insml.cli import main
from insml.io import read_mosaic, write_mosaic
from insml.mosaic import Mosaic
from insml.simulation import simulate_stack
from insml.study import load

pytest.importorskip("torch")

import torch

from insml.explain import explain
from insml.infer.refine import refine
from insml.learn.classifier import Classifier
from insml.learn.form import Form
from insml.learn.method import METHODS
from insml.learn.networks import network
from insml.learn.strangeness import Part, Strangeness
from insml.learn.uncertainty.density import FeatureDensity


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Study, measurement and network."""
    out = tmp_path_factory.mktemp("explain")
    (out / "small.toml").write_text(STUDY.format(images=64, epochs=2))
    study = load(out / "small.toml")
    stack = simulate_stack(study, "neel", {"J1": 11.3}, threads=1)
    sigma = 0.04 * stack.max()
    mask = np.zeros(stack.shape, bool)
    mask[:, :4, :5] = True
    noisy = stack + sigma * np.random.default_rng(4).normal(size=stack.shape)
    variance = np.full(stack.shape, sigma**2)
    write_mosaic(out / "measured.nxs", Mosaic.from_stack(noisy, mask, study.layout, variance=variance))
    torch.manual_seed(0)
    form = Form(study.layout)
    method = METHODS.make("softmax", network("slice-stack", form.layout, 2), 2)
    strangeness = Strangeness(
        {"network": Part(FeatureDensity(np.zeros((2, 96)), np.stack([np.eye(96)] * 2)))}, np.zeros((64, 0)))
    Classifier(method, "slice-stack", form, strangeness, 1.0, np.linspace(0, 9, 50), ("neel", "alternating"), study.digest,
               "toy").save(out / "network.safetensors")
    return out


def run(folder: Path, *arguments: str) -> int:
    return main(["explain", str(folder / "measured.nxs"), "--study", str(folder / "small.toml"), "--network",
                 str(folder / "network.safetensors"), "--threads", "1", *arguments])


def test_table_pictures_and_json(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "why"
    assert run(folder, "--method", "layercam", "--out", str(out)) == 0
    screen = capsys.readouterr().out
    assert all(len(line) <= 80 for line in screen.splitlines() if not line.startswith("written"))
    assert sorted(p.name for p in out.iterdir()) == ["explanation.json", "explanation.png", "likelihood_ratio.png"]
    found = json.loads((out / "explanation.json").read_text())
    network_ = Classifier.load(folder / "network.safetensors")
    study = load(folder / "small.toml")
    mosaic = clean(read_mosaic(folder / "measured.nxs"), study.data)
    expected = explain(network_, mosaic)
    assert (found["winner"], found["method"], found["layer"]) == (expected.winner, "layercam", "slices")
    np.testing.assert_allclose([s["value"] for s in found["slices"]], expected.slices, rtol=1e-5)
    drops = explain(network_, mosaic, "occlusion").slices
    np.testing.assert_allclose([s["drop"] for s in found["slices"]], drops, rtol=1e-4)
    ratio = sum(s["log_likelihood_ratio"] for s in found["slices"])
    assert (ratio > 0) == (found["winner"] == "neel"), "the fits know the truth, whatever an untrained network says"
    shares = [100 * s["share"] for s in found["slices"]]
    rows = [line for line in screen.splitlines() if " meV " in line and " %" in line]
    assert len(rows) == 3
    for row, s in zip(rows, np.argsort(-np.array(shares)), strict=True):
        energy = found["slices"][s]["energy"]
        assert row.startswith(f"{energy[0]:g} to {energy[1]:g} meV")
        assert f"{shares[s]:.1f} %" in row
    for name in ("explanation", "likelihood_ratio"):
        pixels = matplotlib.image.imread(out / f"{name}.png")
        assert np.unique((255 * pixels[..., :3]) @ (1, 256, 65536)).size > 50


def test_with_fits_the_signal_of_the_runner_up_is_what_images_are_compared_with(folder: Path, tmp_path: Path) -> None:
    assert run(folder, "--out", str(tmp_path / "why")) == 0
    found = json.loads((tmp_path / "why/explanation.json").read_text())
    asked, study = Classifier.load(folder / "network.safetensors"), load(folder / "small.toml")
    mosaic = clean(read_mosaic(folder / "measured.nxs"), study.data)
    fits = refine(study, mosaic, [found["winner"], found["runner_up"]], seed=0, threads=1)
    expected = explain(asked, mosaic, "counterfactual", fits=fits)
    assert (found["method"], found["layer"]) == ("counterfactual", None)
    np.testing.assert_allclose([s["value"] for s in found["slices"]], expected.slices, rtol=1e-3, atol=1e-6)


def test_without_fits(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "why"
    assert run(folder, "--no-fit", "--method", "grad-cam++", "--layer", "block1", "--out", str(out)) == 0
    assert sorted(p.name for p in out.iterdir()) == ["explanation.json", "explanation.png"]
    found = json.loads((out / "explanation.json").read_text())
    assert found["sharing"].startswith("the layer mixes slices")
    assert all(s["log_likelihood_ratio"] is None for s in found["slices"])
    assert "the layer mixes slices" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("arguments", "words"), [
    (["--method", "saliency"], "method: expected one of cam"), (["--layer", "block9"], "layer: expected one of slices"),
    (["--method", "cam"], "class activation map: expected a network"),
    (["--method", "counterfactual", "--no-fit"], "counterfactual: expected best fits"),
    (["--method", "counterfactual", "--layer", "mix"], "layer: expected none for the method counterfactual")])
def test_mistakes_are_told_before_anything_is_fitted(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                                     arguments: list[str], words: str) -> None:
    assert run(folder, *arguments, "--out", str(tmp_path / "why")) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert words in captured.err
    assert "fitting" not in captured.err
    assert not (tmp_path / "why").exists()
