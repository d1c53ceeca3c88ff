import os
import stat
from pathlib import Path

import pytest

from insml.errors import InsmlError
from insml.io.atomic import atomic_path


def test_the_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "answer.json"
    with atomic_path(target) as aside:
        aside.write_text("1")
        assert aside.parent == tmp_path
        assert aside.suffix == ".json"
        assert not target.exists()
    assert target.read_text() == "1"
    assert os.listdir(tmp_path) == ["answer.json"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    target = tmp_path / "answer.json"
    target.write_text("old")

    def write() -> None:
        with atomic_path(target) as aside:
            aside.write_text("half")
            raise failure

    with pytest.raises(failure):
        write()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["answer.json"]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    with atomic_path(tmp_path / "atomic") as aside:
        aside.write_text("")
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_bad_targets_are_named(tmp_path: Path) -> None:
    with pytest.raises(InsmlError, match=r"nowhere/x\.nxs: expected an existing directory"), \
            atomic_path(tmp_path / "nowhere" / "x.nxs"):
        pass
    with pytest.raises(InsmlError, match="found a directory"), atomic_path(tmp_path):
        pass
