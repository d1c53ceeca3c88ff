from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from insml.errors import FormatError
from insml.learn.tensorfile import read_tensors, write_tensors

KIND = "insml test file"
TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.array(2.5), "b": np.arange(4)}
HEADER = {"n": 3, "names": ["x", "y"], "value": 0.1}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tensors") / "a.safetensors"
    write_tensors(path, KIND, HEADER, TENSORS)
    return path


def test_round_trip(written: Path) -> None:
    header, tensors = read_tensors(written, KIND)
    assert header == HEADER
    assert {n: (t.dtype, t.shape) for n, t in tensors.items()} == {n: (t.dtype, t.shape) for n, t in TENSORS.items()}
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], tensor)


@settings(max_examples=80, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_flipped_byte_is_refused_or_changes_nothing(written: Path, where: float, flip: int) -> None:
    content = bytearray(written.read_bytes())
    content[int(where * len(content))] ^= flip
    path = written.with_name("flipped.safetensors")
    path.write_bytes(content)
    try:
        header, tensors = read_tensors(path, KIND)
    except FormatError as e:
        message = str(e)
    else:
        assert header == HEADER  # for example white space of the header
        assert all(np.array_equal(tensors[name], t) for name, t in TENSORS.items())
        return
    assert str(path) in message
    assert "\n" not in message


def test_other_files_are_refused(written: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    save_file(TENSORS, str(foreign))
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(written.read_bytes()[:-5])
    empty = tmp_path / "empty"
    empty.touch()
    for path, found in ((foreign, "another program"), (cut, "readable"), (empty, "readable"), (tmp_path, "readable"),
                        (tmp_path / "absent", "readable")):
        with pytest.raises(FormatError, match=found):
            read_tensors(path, KIND)
    with pytest.raises(FormatError, match="insml test file"):
        read_tensors(written, "insml classifier")
