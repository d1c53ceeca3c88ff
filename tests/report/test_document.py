import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from made_answers import OTHER, TRUE, Made
from rich.console import Console

from insml.answer import Answer
from insml.errors import GeometryError, InsmlError
from insml.io import read_mosaic
from insml.report import ReportFiles, document, write_report
from insml.study import bundled

Make = Callable[[Made], Answer]

CONSOLE = Console(quiet=True)


@pytest.fixture(scope="module")
def written(make: Make, tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, ReportFiles]:
    answer = make(Made())
    out = tmp_path_factory.mktemp("report") / "new" / "folder"
    return answer, write_report(answer, out, console=CONSOLE, study=bundled("square_antiferromagnet"))


def test_every_file_is_there_and_nothing_else(written: tuple[Answer, ReportFiles]) -> None:
    _, files = written
    assert list(files.figures) == ["mosaic", f"best_fit_{TRUE}", f"best_fit_{OTHER}", "difference", "saliency",
                                   "slices"]
    assert sorted(files.all) == sorted(files.json.parent.iterdir())
    for path in files.all:
        assert path.stat().st_size > 0
    for path in files.figures.values():
        pixels = matplotlib.image.imread(path)
        assert min(pixels.shape[:2]) > 300
        assert np.unique((255 * pixels[..., :3]) @ (1, 256, 65536)).size > 50
        assert path.stat().st_size < 1_500_000


def test_json_holds_the_numbers_of_the_answer(written: tuple[Answer, ReportFiles]) -> None:
    answer, files = written

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    found = json.loads(files.json.read_text(encoding="utf-8"), parse_constant=refuse)
    assert list(found) == ["format", "version", "study", "mosaic", "candidates", "verdict", "reason", "warnings",
                           "network", "fit_probabilities", "fits", "slices", "provenance"]
    fit = answer.fits[TRUE]
    assert found["fits"][TRUE]["parameters"]["J1"] == {
        "value": fit.parameters["J1"], "error": fit.errors["J1"], "prior": [4.0, 16.0], "at_bound": False}
    assert found["fits"][TRUE]["parameters"]["D"]["error"] is None
    assert found["fits"][TRUE]["covariance"] == [[None] * 3] * 3
    assert found["fits"][OTHER]["parameters"]["D"]["at_bound"] is True
    assert found["fits"][OTHER]["reduced_chi2"] == answer.fits[OTHER].reduced_chi2
    assert found["verdict"] == TRUE
    assert found["network"]["probabilities"] == {TRUE: 0.97, OTHER: 0.03}
    assert len(found["slices"]) == 6
    assert found["slices"][1]["energy"] == [20.0, 24.0]
    assert found["slices"][1]["ei"] == 60.0
    assert math.fsum(s["chi2"][TRUE] for s in found["slices"]) == pytest.approx(fit.chi2, rel=1e-12)
    assert found["slices"][-1]["pixels"] == 0
    assert math.fsum(s["saliency_share"] for s in found["slices"]) == pytest.approx(1)
    ratio = sum(s["log_likelihood_ratio"][OTHER] for s in found["slices"])
    assert ratio == pytest.approx(answer.fits[TRUE].log_evidence - answer.fits[OTHER].log_evidence)


def test_two_runs_differ_in_provenance_alone(make: Make, tmp_path: Path) -> None:
    one = replace(make(Made()), provenance={"time": "noon"})
    two = replace(make(Made()), provenance={"time": "midnight"})
    files = [write_report(a, tmp_path / str(i), console=CONSOLE) for i, a in enumerate((one, one, two))]
    texts = [f.json.read_bytes() for f in files]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]
    assert texts[0].replace(b"noon", b"midnight") == texts[2]
    for name, path in files[0].figures.items():
        assert path.read_bytes() == files[1].figures[name].read_bytes()
    assert files[0].html.read_bytes() == files[1].html.read_bytes()


def test_nexus_file_opens_at_the_mosaic_and_reads_back(written: tuple[Answer, ReportFiles]) -> None:
    from nexusformat.nexus import nxload

    answer, files = written
    back = read_mosaic(files.nexus)
    assert np.array_equal(back.stack, answer.mosaic.stack)
    with nxload(str(files.nexus), "r") as root:
        data = root.plottable_data
        assert data is not None
        assert data.nxsignal.shape == answer.mosaic.layout.shape
        assert f"best_fit_{OTHER}" in data
        # the fit's own orientation is not the data's: what is stored must lie on the data
        shown = np.asarray(data[f"best_fit_{TRUE}"])
        residual = np.asarray(data[f"difference_{TRUE}"])
    assert np.array_equal(answer.mosaic.layout.split(shown), answer.fits[TRUE].best_fit.stack)
    assert np.isnan(residual[answer.mosaic.mask]).all()
    assert np.nansum(residual**2) == pytest.approx(answer.fits[TRUE].chi2, rel=1e-9)


def test_html_needs_no_other_file_and_escapes_text(make: Make, tmp_path: Path) -> None:
    answer = replace(make(Made(p_value=0.0)), reason="a < b & <script>", provenance={"version": "0.1 <dev>"})
    text = write_report(answer, tmp_path, console=CONSOLE).html.read_text(encoding="utf-8")
    assert text.count('src="data:image/png;base64,') == 6
    assert "<script" not in text
    assert "a &lt; b &amp; &lt;script&gt;" in text
    assert "0.1 &lt;dev&gt;" in text
    assert "10.123 ± 0.051" in text
    assert "The data do not look like what the network was trained on: none of the" in text
    for outside in ("http:", "https:", "<link"):
        assert outside not in text


def test_failing_write_leaves_the_earlier_report_whole(make: Make, tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    answer = make(Made())
    earlier = write_report(answer, tmp_path, console=CONSOLE)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}

    def half(self: Path, text: str, **options: object) -> int:
        with open(self, "w") as file:
            file.write(text[:10])
        raise OSError("disk full")

    monkeypatch.setattr(document.Path, "write_text", half)
    with pytest.raises(InsmlError, match="disk full"):
        write_report(make(Made(seed=1)), tmp_path, console=CONSOLE)
    assert set(tmp_path.iterdir()) == set(before)
    for path in (earlier.json, earlier.html, earlier.nexus):
        assert path.read_bytes() == before[path]


@pytest.mark.parametrize(("network", "names"), [(False, ["mosaic", "best_fit_only-one", "difference", "slices"]),
                                                (True, ["mosaic", "best_fit_only-one", "difference", "saliency",
                                                        "slices"])])
def test_one_candidate_with_a_hyphen(make: Make, tmp_path: Path, network: bool, names: list[str]) -> None:
    answer = make(Made(network=network))
    fit = replace(answer.fits[TRUE], name="only-one")
    answer = replace(answer, fits={"only-one": fit}, fit_probabilities={"only-one": 1.0},
                     candidate_titles={"only-one": "Only"})
    files = write_report(answer, tmp_path, console=CONSOLE)
    assert list(files.figures) == names
    assert (json.loads(files.json.read_text())["network"] is not None) == network


def test_classification_alone_is_reported(make: Make, tmp_path: Path) -> None:
    answer = replace(make(Made()), fits={}, fit_probabilities={})
    assert list(write_report(answer, tmp_path, console=CONSOLE).figures) == ["mosaic", "saliency", "slices"]


def test_bad_input_is_one_clear_error(make: Make, tmp_path: Path) -> None:
    answer = make(Made())
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(InsmlError, match=r"taken: expected a directory.*found a file"):
        write_report(answer, tmp_path / "taken", console=CONSOLE)
    assert (tmp_path / "taken").read_text() == "mine"
    with pytest.raises(InsmlError, match=r"rings\.nxs: expected a variance"):
        write_report(replace(answer, mosaic=replace(answer.mosaic, variance=None)), tmp_path / "a", console=CONSOLE)
    assert answer.classification is not None
    small = replace(answer, classification=replace(answer.classification, saliency=np.zeros((3, 3))))
    with pytest.raises(GeometryError, match=r"expected shape .* found \(3, 3\)"):
        write_report(small, tmp_path / "b", console=CONSOLE)
