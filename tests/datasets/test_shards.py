"""Data sets in shards: the same images however they are divided, and nothing damaged is read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from insml import FormatError, InsmlError
from insml.cli import main
from insml.datasets import shards as module
from insml.datasets.conditions import Condition, draw_conditions, simulator
from insml.datasets.prior import draw_stable
from insml.datasets.shards import DataSet, DataSetPlan, read_plan, simulate_set
from insml.simulation import simulate_stack
from insml.study import bundled

SQUARE = bundled("square_antiferromagnet")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD", 4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SHARD", 4)
        assert simulate_set(DataSetPlan(SQUARE, 3, 5), folder) == 2
    return folder


def test_shares_make_the_same_set(whole: Path, tmp_path: Path) -> None:
    """Two machines with one folder, any number of threads, and a set that was begun before."""
    plan = DataSetPlan(SQUARE, 3, 5)
    assert simulate_set(plan, tmp_path, share=(1, 2), threads=1) == 1
    with pytest.raises(FormatError, match="expected 2 shards, found 1; 00000 is missing"):
        DataSet.open(tmp_path)
    assert simulate_set(plan, tmp_path) == 1
    assert simulate_set(plan, tmp_path) == 0
    one, other = DataSet.open(whole).read(), DataSet.open(tmp_path).read()
    np.testing.assert_array_equal(one.clean, other.clean)
    np.testing.assert_array_equal(one.theta, other.theta)
    names = ["00000.json", "00000.npy", "00001.json", "00001.npy", "dataset.json", "study.toml"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_what_a_set_holds(whole: Path) -> None:
    """Classes take turns; images are those of their parameters and conditions; a longer set begins with a shorter one."""
    data = DataSet.open(whole)
    images = data.read()
    assert images.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert images.clean.dtype == np.float16
    conditions = data.plan.conditions
    assert len(set(conditions)) == len(conditions) == 32
    for n in (0, 3):
        record = data.records[0]
        name = images.candidates[images.labels[n]]
        stack = simulator(SQUARE, name, conditions[record["condition"][n]]).stack(images.parameters(n))
        np.testing.assert_allclose(images.clean[n] * record["scale"][n], stack, rtol=1e-3, atol=1e-3 * stack.max())
        assert images.clean[n].max() == 1000
    assert all(0 < share <= 1 for share in data.acceptance.values())
    longer = DataSetPlan(SQUARE, 9, 5)
    assert [longer.condition_of(c, i) for c in (0, 1) for i in range(3)] == \
        [data.plan.condition_of(c, i) for c in (0, 1) for i in range(3)]


def test_conditions_change_images_as_they_should() -> None:
    """None changes nothing; a mosaic and wider pulses blur and keep the sum; a turn and its opposite are mirrored."""
    study = bundled("manganite")
    candidate = study.candidates["goodenough"]
    plain = simulator(study, "goodenough", Condition()).stack(candidate.reference)
    from insml.instrument_simulation import InstrumentSimulator

    np.testing.assert_array_equal(plain, InstrumentSimulator(study, "goodenough").stack(candidate.reference))
    for condition in (Condition(mosaic_fwhm=3.0), Condition(widths=1.3)):
        blurred = simulator(study, "goodenough", condition).stack(candidate.reference)
        assert (blurred**2).sum() < 0.99 * (plain**2).sum()
        assert blurred.sum() == pytest.approx(plain.sum(), rel=0.01)
    left, right = (simulator(study, "goodenough", Condition(turn=t)).stack(candidate.reference) for t in (3.0, -3.0))
    assert np.abs(left - plain).max() > 0.1 * plain.max()
    # h to -h is a symmetry of crystal, twins and instrument; the grid of the simulation is good to some per cent
    assert np.linalg.norm(left - right[:, ::-1, :]) < 0.1 * np.linalg.norm(left - plain)
    wider = simulator(SQUARE, "neel", Condition(mosaic_fwhm=3.0)).stack(None)
    assert (wider**2).sum() < (simulate_stack(SQUARE, "neel") ** 2).sum()


def test_conditions_are_spread() -> None:
    drawn = draw_conditions(3, 2000)
    mosaic, turn, widths = (np.array([getattr(c, n) for c in drawn]) for n in ("mosaic_fwhm", "turn", "widths"))
    assert (mosaic == 0).mean() == pytest.approx(0.25, abs=0.04)
    assert 2.9 < mosaic.max() <= 3
    assert turn.std() == pytest.approx(0.4, rel=0.06)
    assert 0.85 <= widths.min() < 0.87
    assert 1.27 < widths.max() <= 1.3
    assert np.std([c.tilt for c in drawn]) == pytest.approx(0.4, rel=0.06)
    assert draw_conditions(3, 10) == drawn[:10]


def test_a_tilt_moves_shares_between_twins_and_keeps_their_sum() -> None:
    from insml.simulation import distinct_twins
    from insml.study import bundled

    model = bundled("manganite").candidates["goodenough"].spin_model()
    first, second = distinct_twins(model, tilt=np.log(1.5))
    assert (first.weight, second.weight) == pytest.approx((0.4, 0.6))
    assert [t.weight for t in distinct_twins(model)] == [0.5, 0.5]


def test_damage_is_named(whole: Path, tmp_path: Path) -> None:
    import shutil

    def changed(name: str, content: bytes) -> Path:
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        target = folder / name
        target.write_bytes(content)
        return folder

    raw = bytearray((whole / "00001.npy").read_bytes())
    raw[-5] ^= 1
    with pytest.raises(FormatError, match=r"00001\.npy: expected checksum"):
        DataSet.open(changed("00001.npy", bytes(raw))).read()
    with pytest.raises(FormatError, match=r"00000\.json: expected a shard"):
        DataSet.open(changed("00000.json", b"{"))
    header = json.loads((whole / "dataset.json").read_text())
    for change, words in (({"seed": 6}, "expected what study.toml and this version simulate"),
                          ({"version": 9}, "version 9")):
        shutil.rmtree(tmp_path / "dataset.json", ignore_errors=True)
        with pytest.raises(FormatError, match=words):
            read_plan(changed("dataset.json", json.dumps(header | change).encode()))
    with pytest.raises(FormatError, match="expected the header of a data set, found no file"):
        DataSet.open(tmp_path / "none")
    with pytest.raises(InsmlError, match="expected an empty folder or this data set, found another"):
        simulate_set(DataSetPlan(SQUARE, 4, 5), whole)
    for arguments, words in (((SQUARE, 0), "n of at least 1"), ((SQUARE, 1, -1), "seed of at least 0")):
        with pytest.raises(InsmlError, match=words):
            DataSetPlan(*arguments)
    with pytest.raises(InsmlError, match="share: expected i of n"):
        simulate_set(DataSetPlan(SQUARE, 3, 5), whole, share=(2, 2))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["dataset", "square_antiferromagnet", "--n", "2", "--out", str(tmp_path / "set"), "--as-stated"]
    assert main([*command, "--shard", "0/2"]) == 0
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "4 images in 1 shards, 0 made now; stable draws: " in out
    images = DataSet.open(tmp_path / "set").read()
    np.testing.assert_allclose(images.clean[0] / images.clean[0].max(), (s := simulate_stack(
        SQUARE, images.candidates[0], images.parameters(0))) / s.max(), atol=1e-3)
    assert main([*command, "--shard", "x"]) == 2
    assert main([*command, "--n", "3"]) == 2
    err = capsys.readouterr().err
    assert "--shard: expected I/N, found 'x'" in err
    assert "found another" in err


def test_parameters_near_the_references(tmp_path: Path) -> None:
    """Within so many errors of the references, and inside the prior."""
    plan = DataSetPlan(bundled("manganite"), 1, 5, near=3)
    for candidate in plan.drawn_from():
        for p, whole in zip(candidate.parameters, plan.study.candidates[candidate.name].parameters, strict=True):
            assert whole.reference is not None
            assert whole.error is not None
            assert p.prior == pytest.approx((whole.reference - 3 * whole.error, whole.reference + 3 * whole.error))
    cut = DataSetPlan(bundled("manganite"), 1, 5, near=1000).drawn_from()[0]
    assert [p.prior for p in cut.parameters] == [
        p.prior for p in bundled("manganite").candidates["goodenough"].parameters]
    with pytest.raises(InsmlError, match="J1: expected a reference and its error"):
        DataSetPlan(SQUARE, 1, near=3)
    with pytest.raises(InsmlError, match="positive number of errors"):
        DataSetPlan(bundled("manganite"), 1, near=-1.0)


def test_a_set_near_the_references_is_another(tmp_path: Path) -> None:
    told = {c: replace(SQUARE.candidates[c], parameters=tuple(
        replace(p, reference=0.5 * (p.prior[0] + p.prior[1]), error=0.01) for p in SQUARE.candidates[c].parameters))
        for c in SQUARE.candidates}
    plan = DataSetPlan(replace(SQUARE, candidates=told), 1, 5, near=2)
    drawn = [draw_stable(c, i, lambda v: np.ones(1), 5, 0).values for i, c in enumerate(plan.drawn_from())]
    for candidate, values in zip(told.values(), drawn, strict=True):
        assert all(abs(values[p.name] - p.reference) <= 0.02 for p in candidate.parameters if p.reference is not None)
    assert plan.header()["near"] == 2
    assert "near" not in DataSetPlan(SQUARE, 1, 5).header()
