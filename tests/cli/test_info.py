import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from insml.cli import main
from insml.io import write_mosaic
from insml.mosaic import Axis, Mosaic, MosaicLayout, SliceSpec


def test_every_shared_file_is_described_or_refused_in_one_line(shared_data: Path,
                                                               capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"aluminium_Ei60.nxspe", "Ba3Mn2O8_CNCS_data.dat", "Ba3Mn2O8_OCD_2008132.cif", "lrcs3701_hdf4.nxs",
               "mer46207_ei18_cut.nxs"}
    files = sorted([*(shared_data / "nxspe").iterdir(), *(shared_data / "nexus").iterdir()])
    assert main(["info", *map(str, files)]) == 2
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert len(lines) == len(refused)
    for line in lines:
        assert line.startswith("insml: error: ")
        assert Path(line.removeprefix("insml: error: ").partition(": ")[0]).name in refused
    for file in files:
        assert (f"{file}: " in out) == (file.name not in refused)
    assert "24.4994 deg" in out


def test_good_files_succeed(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(shared_data / "lasrcro4" / "LaSrCrO4_experiment_data_normalized.nxs")]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "[H,0,0]: 0 to 2 in 40 bins along [1, 0, 0] r.l.u." in out
    assert "37860 of 65600 (57.7 %)" in out
    assert "3.853 3.853 12.475 Angstrom" in out


def test_a_mosaic_and_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    axes = (Axis("h", (1, 0, 0), np.linspace(-1, 1, 3)), Axis("k", (0, 1, 0), np.linspace(0, 1, 4)))
    layout = MosaicLayout(axes, (0, 0, 1), (SliceSpec((1, 2), 25.0),), (1, 1), ("-h", "+k"))
    write_mosaic(tmp_path / "m", Mosaic(np.ones((2, 3)), np.eye(2, 3, dtype=bool), layout, title="[bold]x"))
    np.save(tmp_path / "i.npy", np.array([[1.0, np.nan]]))
    assert main(["info", str(tmp_path / "m"), str(tmp_path / "i.npy")]) == 0
    out = capsys.readouterr().out
    assert "-h down, +k to the right" in out
    assert "[bold]x" in out  # a title is text, not markup
    assert "4 of 6 (66.7 %)" in out
    assert "25 meV" in out
    assert "1 of 2 (50.0 %)" in out


def test_the_program_starts_light_and_fails_without_a_traceback(tmp_path: Path) -> None:
    bad = tmp_path / "bad.nxspe"
    bad.touch()
    code = ("import sys; from insml.cli import main; status = main(sys.argv[1:]); "
            "assert not {'torch', 'matplotlib'} & set(sys.modules); sys.exit(status)")
    done = subprocess.run([sys.executable, "-c", code, "info", str(bad)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"insml: error: {bad}: expected ")
    assert done.stderr.rstrip().endswith("found an empty file")


def test_version_and_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("insml ")
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2


def test_an_interrupt_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from insml.cli import info

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(info, "run", interrupted)
    assert main(["info", "x"]) == 130
    assert capsys.readouterr().err == "insml: interrupted\n"


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    np.save(tmp_path / "i.npy", np.ones((2, 2)))
    program = subprocess.Popen([sys.executable, "-m", "insml", "info", *[str(tmp_path / "i.npy")] * 3],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    assert program.stderr.read() == ""
    program.stderr.close()
    assert program.wait() == 1
