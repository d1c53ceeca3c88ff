from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insml.datasets import TrainingSet
from insml.errors import FormatError, InsmlError
from insml.mosaic import Axis, MosaicLayout, SliceSpec


def make() -> TrainingSet:
    rng = np.random.default_rng(0)
    axis = np.linspace(-1, 1, 6)
    layout = MosaicLayout((Axis("h", (1, 0, 0), axis), Axis("k", (0, 1, 0), axis)), (0, 0, 1),
                          (SliceSpec((1, 2), 25.0), SliceSpec((2, 3))), (1, 2), ("-h", "+k"))
    return TrainingSet(
        rng.random((4, 2, 5, 5), np.float32), np.array([0, 1, 0, 1]),
        np.array([[1, 2], [3, np.nan], [4, 5], [6, np.nan]]), (("J1", "J2"), ("J",)), ("a", "b"), layout, "digest", 7)


@pytest.fixture
def small() -> TrainingSet:
    return make()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    make().save(folder / "set.npz")
    return folder


def test_round_trip(small: TrainingSet, tmp_path: Path) -> None:
    small.save(tmp_path / "set.npz")
    back = TrainingSet.load(tmp_path / "set.npz")
    for name in ("clean", "labels", "theta"):
        np.testing.assert_array_equal(getattr(back, name), getattr(small, name))
    assert back.layout.to_dict() == small.layout.to_dict()
    assert (back.candidates, back.parameter_names, back.study_digest, back.seed) == (
        small.candidates, small.parameter_names, small.study_digest, small.seed)
    assert back.digest == small.digest
    assert back.parameters(1) == {"J": 3.0}
    assert back.parameters(2) == {"J1": 4.0, "J2": 5.0}
    assert [p.name for p in tmp_path.iterdir()] == ["set.npz"]


def test_digest_sees_every_part(small: TrainingSet) -> None:
    others = [replace(small, clean=small.clean + 1), replace(small, labels=1 - small.labels),
              replace(small, seed=8), replace(small, candidates=("a", "c"))]
    assert len({small.digest, *(o.digest for o in others)}) == 5


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_one_flipped_byte_is_noticed_or_harmless(folder: Path, where: float, flip: int) -> None:
    content = bytearray((folder / "set.npz").read_bytes())
    content[int(where * len(content))] ^= flip
    path = folder / "flipped.npz"
    path.write_bytes(content)
    try:
        back = TrainingSet.load(path)
    except FormatError as e:
        message = str(e)
    else:
        assert back.digest == make().digest  # a time stamp of the archive, or the like
        return
    assert str(path) in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello", None])
def test_other_files_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.npz"
    if content is None:
        np.savez(path, a=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=r"x\.npz"):
        TrainingSet.load(path)


def test_a_bare_array_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "bare.npy", np.zeros(3))
    for path in (tmp_path / "bare.npy", tmp_path, tmp_path / "absent"):
        with pytest.raises(FormatError):
            TrainingSet.load(path)


def test_truncated_file_is_refused(small: TrainingSet, tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    small.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FormatError):
        TrainingSet.load(path)


@pytest.mark.parametrize("change", [{"labels": np.array([0, 1, 0, 2])}, {"labels": np.zeros(3, int)},
                                    {"theta": np.zeros((4, 3))}, {"clean": np.zeros((4, 2, 5, 4), np.float32)},
                                    {"candidates": ("a", "b", "c")}])
def test_parts_that_do_not_fit_are_refused(small: TrainingSet, change: dict) -> None:
    with pytest.raises(InsmlError, match="training set"):
        replace(small, **change)
