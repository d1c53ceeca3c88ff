"""Networks that answer together, and files of either kind."""

import multiprocessing
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import toy
from scipy.stats import entropy

from insml.datasets import Corruption, TrainingSet
from insml.errors import FormatError, GeometryError, InsmlError
from insml.learn import Classifier, Ensemble, TrainingSettings, load_network, train
from insml.learn.answers import Answers
from insml.learn.tensorfile import read_tensors, state_arrays, write_tensors
from insml.learn.train_ensemble import train_ensemble
from insml.learn.trained import train_network
from insml.study import Study, bundled

SHORT = TrainingSettings(epochs=2, batch=8, draws=1)
MASK = np.zeros((toy.N_SLICES, toy.SIZE, toy.SIZE), bool)
MASK[3] = True
MASK[5, 2:7] = True


@pytest.fixture(scope="module")
def members(corruption: Corruption) -> tuple[Classifier, ...]:
    data = toy.training_set(40)
    return tuple(train(data, corruption, replace(SHORT, seed=seed), threads=1) for seed in (1, 2, 3))


@pytest.fixture(scope="module")
def ensemble(members: tuple[Classifier, ...]) -> Ensemble:
    return Ensemble(members)


@pytest.fixture(scope="module")
def file(ensemble: Ensemble, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ensemble") / "together.safetensors"
    ensemble.save(path)
    return path


def said(*rows: tuple[float, ...], p: float = 0.5, strangeness: float = 0.0) -> Answers:
    n = len(rows)
    return Answers(np.array(rows), np.full(n, strangeness), np.full(n, p), np.zeros(n))


def test_epistemic_is_the_mutual_information_of_class_and_member() -> None:
    """Three images: members of one opinion, of opposite certain ones, and of any."""
    one, other = said((0.7, 0.3), (1, 0), (0.9, 0.1)), said((0.7, 0.3), (0, 1), (0.4, 0.6))
    together = Answers.together([one, other])
    np.testing.assert_allclose(together.probability, [(0.7, 0.3), (0.5, 0.5), (0.65, 0.35)])
    between = entropy((0.65, 0.35)) - (entropy((0.9, 0.1)) + entropy((0.4, 0.6))) / 2
    np.testing.assert_allclose(together.epistemic, [0, 1, between / np.log(2)], atol=1e-12)


def test_epistemic_of_more_classes_is_in_units_of_their_logarithm() -> None:
    certain = [said(tuple(row)) for row in np.eye(4)]
    np.testing.assert_allclose(Answers.together(certain).epistemic, 1)
    np.testing.assert_allclose(Answers.together(certain[:2]).epistemic, 0.5)


@pytest.mark.parametrize("dependence", ["equal", "independent", "opposite", "worst"])
def test_the_combined_p_value_is_small_no_more_often_than_it_says(dependence: str) -> None:
    rng = np.random.default_rng(0)
    p = rng.random((2, 20000))
    # the worst brings 20 % of all pairs to a mean of 0.1
    worst = np.where(p[0] < 0.2, 0.2 - p[0], p[0])
    p[1] = {"equal": p[0], "independent": p[1], "opposite": 1 - p[0], "worst": worst}[dependence]
    filler = np.full((p.shape[1], 2), 0.5)
    together = Answers.together([Answers(filler, np.zeros(len(q)), q, np.zeros(len(q))) for q in p])
    assert together.p_value.max() <= 1
    for level in (0.01, 0.05, 0.1, 0.2):
        assert (together.p_value <= level).mean() <= 1.1 * level
    few = Answers.together([said((1, 0), p=0.02, strangeness=3.0), said((1, 0), p=0.06, strangeness=1.0)])
    assert few.p_value == pytest.approx(0.08)
    assert few.strangeness == pytest.approx(2)


def test_a_mosaic_gets_what_the_members_say_together(ensemble: Ensemble, members: tuple[Classifier, ...]) -> None:
    mosaic = toy.mosaic(toy.rings(1, 0.9, 0.08), MASK)
    answer, own = ensemble.predict(mosaic), [m.predict(mosaic) for m in members]
    p = np.array([list(a.probabilities.values()) for a in own])
    np.testing.assert_allclose(list(answer.probabilities.values()), p.mean(0))
    assert answer.epistemic == pytest.approx((entropy(p.mean(0)) - np.mean([entropy(q) for q in p])) / np.log(2), abs=1e-9)
    assert answer.ood_p_value == pytest.approx(min(1, 2 * np.mean([a.ood_p_value for a in own])))
    scaled = [(a.ood_score - m.held_out_scores.mean()) / m.held_out_scores.std() for a, m in zip(own, members, strict=True)]
    assert answer.ood_score == pytest.approx(np.mean(scaled))
    assert answer.ood_parts == pytest.approx({n: np.mean([a.ood_parts[n] for a in own]) for n in own[0].ood_parts})
    maps = [toy.layout().split(a.saliency) for a in own]
    np.testing.assert_allclose(toy.layout().split(answer.saliency), np.mean([m / m[~MASK].mean() for m in maps], axis=0))
    assert not toy.layout().split(answer.saliency)[MASK].any()
    assert answer.slice_saliency[3] == 0
    assert toy.layout().split(answer.saliency)[~MASK].mean() == pytest.approx(1)
    assert "ensemble of 3" in answer.network


def test_many_images_get_what_one_gets(ensemble: Ensemble, fresh: tuple[np.ndarray, np.ndarray]) -> None:
    stacks = fresh[0][:5]
    all_at_once = ensemble.answers(ensemble.records(stacks))
    for i, stack in enumerate(stacks):
        alone = ensemble.answers(ensemble.records(stack[None]))
        for name in ("probability", "strangeness", "p_value", "epistemic"):
            np.testing.assert_allclose(getattr(alone, name)[0], getattr(all_at_once, name)[i], rtol=1e-4, atol=1e-6)


def test_a_network_twice_says_what_it_says_alone(members: tuple[Classifier, ...]) -> None:
    mosaic, member = toy.mosaic(toy.rings(0, 0.9, 0.08), MASK), members[0]
    twice, alone = Ensemble((member, member)), member.predict(mosaic)
    answer = twice.predict(mosaic)
    assert answer.probabilities == pytest.approx(alone.probabilities)
    assert answer.kernels == pytest.approx(alone.kernels)
    assert answer.epistemic == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(answer.slice_saliency * alone.slice_saliency.sum(),
                               alone.slice_saliency * answer.slice_saliency.sum(), rtol=1e-6)
    np.testing.assert_allclose(twice.slice_occlusion(mosaic), member.slice_occlusion(mosaic) / member.temperature)


def test_members_that_do_not_belong_together_are_refused(members: tuple[Classifier, ...]) -> None:
    first = members[0]
    with pytest.raises(InsmlError, match="at least two networks, found 1"):
        Ensemble((first,))
    for change, word in (({"study_digest": "x"}, "study"), ({"candidates": ("a", "b")}, "candidates"),
                         ({"ood_threshold": 0.3}, "threshold"),
                         ({"form": replace(first.form, mirrors=(True, False))}, "mirrors"),
                         ({"form": replace(first.form, measured=toy.layout(size=22))}, "slices and bins")):
        with pytest.raises(InsmlError, match=f"network 2: .*found another {word}$"):
            Ensemble((first, replace(first, **change)))


def test_other_bins_are_refused(ensemble: Ensemble) -> None:
    with pytest.raises(GeometryError, match="layout: expected"):
        ensemble.predict(toy.mosaic(toy.rings(0, 0.9, 0.08, n_slices=8), n_slices=8))


def test_saved_and_loaded_it_answers_the_same(ensemble: Ensemble, file: Path, tmp_path: Path) -> None:
    back = load_network(file)
    assert isinstance(back, Ensemble)
    mosaic = toy.mosaic(toy.rings(1, 0.8, 0.08), MASK)
    a, b = ensemble.predict(mosaic), back.predict(mosaic)
    assert a.to_dict() == b.to_dict()
    np.testing.assert_array_equal(a.saliency, b.saliency)
    assert (back.n_training, back.study_digest, back.candidates) == (
        ensemble.n_training, ensemble.study_digest, ensemble.candidates)
    back.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


def test_a_file_says_which_kind_it_is(members: tuple[Classifier, ...], file: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.safetensors"
    members[0].save(alone)
    assert isinstance(load_network(alone), Classifier)
    with pytest.raises(FormatError, match=r"alone\.safetensors: expected insml ensemble, found insml classifier"):
        Ensemble.load(alone)
    with pytest.raises(FormatError, match=r"together\.safetensors: expected insml classifier, found insml ensemble"):
        Classifier.load(file)
    other = tmp_path / "other.safetensors"
    write_tensors(other, "insml denoiser", {}, {})
    with pytest.raises(FormatError, match="insml classifier or insml ensemble, found insml denoiser"):
        load_network(other)


@pytest.mark.parametrize("where", [0.0, 0.0005, 0.01, 0.4, 0.9999])
def test_damage_is_refused_and_named(file: Path, tmp_path: Path, where: float) -> None:
    content = bytearray(file.read_bytes())
    content[int(where * len(content))] ^= 0x11
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(content)
    with pytest.raises(FormatError, match=r"damaged\.safetensors"):
        load_network(damaged)


def test_contents_that_contradict_themselves_are_refused(file: Path, tmp_path: Path) -> None:
    header, tensors = read_tensors(file, "insml ensemble")
    alone, path = header["members"][:1], tmp_path / "odd.safetensors"
    other = [header["members"][0], header["members"][1] | {"study_digest": "another"}]
    for change, word in (({"version": 7}, "version 7"), ({"members": 3}, "members"), ({"members": alone}, "two networks"),
                         ({"members": other}, "another study"), ({"members": [{}, {}]}, "version None")):
        write_tensors(path, "insml ensemble", header | change, tensors)
        with pytest.raises(FormatError, match=rf"odd\.safetensors.*{word}"):
            load_network(path)
    write_tensors(path, "insml ensemble", header, {n: a for n, a in tensors.items() if not n.startswith("2.")})
    with pytest.raises(FormatError, match=r"odd\.safetensors"):
        load_network(path)


class Trap:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_files_that_would_run_something_are_refused_and_do_not(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    (tmp_path / "plain.safetensors").write_bytes(pickle.dumps(Trap(sprung)))
    torch.save({"method": Trap(sprung)}, tmp_path / "torch.safetensors")
    for name in ("plain", "torch"):
        with pytest.raises(FormatError, match=rf"{name}\.safetensors"):
            load_network(tmp_path / f"{name}.safetensors")
    assert not sprung.exists()
    pickle.loads((tmp_path / "plain.safetensors").read_bytes())
    assert sprung.exists()  # the trap works


def study_and_images() -> tuple[Study, TrainingSet]:
    study = bundled("square_antiferromagnet")
    rng = np.random.default_rng(2)
    labels = np.arange(24) % 2
    clean = rng.random((24, *study.layout.stack_shape), np.float32) + labels[:, None, None, None]
    names = tuple(tuple(c.names) for c in study.candidates.values())
    theta = np.zeros((24, max(map(len, names))))
    return study, TrainingSet(clean, labels, theta, names, tuple(study.candidates), study.layout, study.simulation_digest,
                              seed=1)


def test_members_are_what_is_trained_apart_and_an_interruption_changes_nothing(tmp_path: Path) -> None:
    study, data = study_and_images()
    settings = replace(SHORT, seed=4)

    def interrupt(what: str, done: int, total: int) -> None:
        if what == "training the network, 2 of 2" and done == total // 2 + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ensemble(study, 2, data=data, settings=settings, cache=tmp_path / "one", threads=1, progress=interrupt)
    assert len(list((tmp_path / "one").glob("*/network.safetensors"))) == 1
    assert len(list((tmp_path / "one").glob("*/checkpoint.safetensors"))) == 2
    told: list[tuple[str, int]] = []
    made = train_ensemble(study, 2, data=data, settings=settings, cache=tmp_path / "one", threads=1,
                          progress=lambda what, done, total: told.append((what, done)))
    # the first member is there, the second goes on after its first epoch
    assert told[0] == ("training the network, 2 of 2", 2)
    for number, member in enumerate(made.members):
        apart = train_network(study, data=data, settings=replace(settings, seed=4 + number), cache=tmp_path / "two",
                              threads=1)
        first, second = (state_arrays(method=c.method) for c in (member, apart))
        assert all(np.array_equal(first[name], second[name]) for name in first)
        assert (member.temperature, member.n_training) == (apart.temperature, apart.n_training)
        np.testing.assert_array_equal(member.held_out_scores, apart.held_out_scores)
    different = [state_arrays(method=m.method)["method.backbone.embed.weight"] for m in made.members]
    assert not np.array_equal(*different)
    assert made.study_digest == study.digest
    with pytest.raises(InsmlError, match="networks: expected at least 2, found 1"):
        train_ensemble(study, 1, data=data, settings=settings, cache=tmp_path / "one")


def test_members_side_by_side_are_those_one_after_the_other(tmp_path: Path) -> None:
    study, data = study_and_images()
    settings = replace(SHORT, seed=4)
    told: list[tuple[str, int, int]] = []
    made = train_ensemble(study, 2, data=data, settings=settings, cache=tmp_path / "one", threads=2, processes=2,
                          progress=lambda what, done, total: told.append((what, done, total)))
    assert ("training 2 networks, 2 at a time", 2000, 2000) in told
    plain = train_ensemble(study, 2, data=data, settings=settings, cache=tmp_path / "two", threads=1)
    for a, b in zip(made.members, plain.members, strict=True):
        first, second = (state_arrays(method=c.method) for c in (a, b))
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_member_that_fails_is_told_and_the_others_end(tmp_path: Path) -> None:
    study, data = study_and_images()
    few = TrainingSet(data.clean[:4], data.labels[:4], data.theta[:4], data.parameter_names, data.candidates, data.layout,
                      data.study_digest, seed=1)
    with pytest.raises(InsmlError, match=r"network [12] of 2: training set: expected at least 6 images"):
        train_ensemble(study, 2, data=few, settings=SHORT, cache=tmp_path, threads=2, processes=2)
    assert not multiprocessing.active_children()
    with pytest.raises(InsmlError, match="processes: expected at least 1, found 0"):
        train_ensemble(study, 2, data=few, settings=SHORT, cache=tmp_path, processes=0)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc which processes there are")
def test_members_end_with_the_process_that_trains_them(tmp_path: Path) -> None:
    script = tmp_path / "forever.py"
    script.write_text(f"""
import multiprocessing
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})

if __name__ == "__main__":
    from dataclasses import replace
    from pathlib import Path
    from insml.learn.train_ensemble import train_ensemble
    from test_ensemble import SHORT, study_and_images

    def told(what, done, total):
        print(*(process.pid for process in multiprocessing.active_children()), flush=True)

    study, data = study_and_images()
    train_ensemble(study, 2, data=data, settings=replace(SHORT, epochs=100000), cache=Path({str(tmp_path)!r}), threads=2,
                   processes=2, progress=told)
""")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = parent.stdout.readline().split()
        parent.kill()
    assert len(pids) == 2
    waited = time.monotonic() + 30
    while not all(map(gone, pids)):
        assert time.monotonic() < waited
        time.sleep(0.1)


def gone(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rsplit(") ", 1)[1][0] in "ZX"
    except OSError:
        return True
