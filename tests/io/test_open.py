"""What cannot be read is refused with one line that says what it is."""

import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from insml.errors import FormatError
from insml.io import Histogram, Run, open_any


def refusal(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        open_any(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ")
    assert "\n" not in message
    return message.partition(", found ")[2]


def test_no_file_no_content_or_a_directory(tmp_path: Path) -> None:
    (tmp_path / "empty.nxspe").touch()
    assert refusal(tmp_path / "none.nxspe") == "no file"
    assert refusal(tmp_path / "empty.nxspe") == "an empty file"
    assert refusal(tmp_path) == "a directory"


def test_truncated_and_damaged_hdf5_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "whole", "w") as file:
        file["x"] = np.arange(10000.0)
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "half").write_bytes(whole[:len(whole) // 2])
    assert refusal(tmp_path / "half") == f"a truncated one ({len(whole) // 2} of {len(whole)} bytes)"
    (tmp_path / "rotten").write_bytes(whole.replace(b"HEAP", b"\0\0\0\0"))
    assert refusal(tmp_path / "rotten").startswith("one that cannot be read")
    (tmp_path / "stub").write_bytes(whole[:20])
    assert refusal(tmp_path / "stub").startswith("one that cannot be read")


@pytest.mark.parametrize(("content", "found"), [
    (b"\x0e\x03\x13\x01" + bytes(50), "an HDF4 file"),
    (pickle.dumps(np.ones(3)), "a Python pickle, which is not loaded"),
    (b"PK\x03\x04rest", "a zip archive"),
    (b"2 3\n### Phi Grid\n 0 0 0\n", "an ASCII .spe file"),
    (b"2\n 2.5 6.0 0 .01 .1\n", "an ASCII .par detector table"),
    (b"data_x\n_cell_length_a 3.8\n", "a crystal structure in CIF"),
    (b"<!DOCTYPE html><html>404</html>", "an HTML page"),
    (b"# Intensity Error [H,0,0] DeltaE\n0 0 0 0", "a text table of an MD slice"),
    ("Ångström 3".encode(), "text that begins 'Ångström 3'"),
    # the last character is cut where the first block ends
    (b"a" * 4095 + "Å".encode(), "text that begins 'aaaa"),
    (b"\n\n", "only blank lines"),
    (b"\x00\x01\x02\x03binary", "binary data of an unknown kind"),
    (b"ab\xff\xfe" + bytes(range(128, 200)), "binary data of an unknown kind"),
])
def test_files_of_other_kinds(tmp_path: Path, content: bytes, found: str) -> None:
    (tmp_path / "file.nxspe").write_bytes(content)
    assert refusal(tmp_path / "file.nxspe").startswith(found)


def test_other_hdf5_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "empty", "w"):
        pass
    assert refusal(tmp_path / "empty") == "an HDF5 file with no contents"
    with h5py.File(tmp_path / "raw", "w") as file:
        entry = file.create_group("raw_data_1")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtofraw"
    assert refusal(tmp_path / "raw") == "an HDF5 file with definition NXtofraw, root groups raw_data_1"
    with h5py.File(tmp_path / "events", "w") as file:
        group = file.create_group("MDEventWorkspace")
        group.attrs.update(NX_class="NXentry", dimension0="<Dimension/>")
    assert refusal(tmp_path / "events").startswith("a Mantid MD event workspace")


@pytest.mark.parametrize(("name", "found"), [
    ("nxspe/aluminium_Ei60.nxspe", "a Mantid processed workspace named SR_MAR021335_spe"),
    ("nexus/mer46207_ei18_cut.nxs", "a Mantid processed workspace named MER46207"),
    ("nexus/lrcs3701_hdf4.nxs", "an HDF4 file"),
    ("nexus/Ba3Mn2O8_CNCS_data.dat", "a text table of an MD slice"),
    ("lasrcro4/LaSrCrO4_130149_2015.cif", "a crystal structure in CIF"),
    ("ascii/spe_with_NANs.spe", "an ASCII .spe file"),
    ("ascii/MAPS_4to1_102.par", "an ASCII .par detector table"),
    ("pcsmo/nanmask.mat", "a MATLAB file"),
])
def test_real_files_of_other_kinds(shared_data: Path, name: str, found: str) -> None:
    assert refusal(shared_data / name).startswith(found)


def test_the_name_plays_no_part(shared_data: Path, tmp_path: Path) -> None:
    shutil.copyfile(shared_data / "nxspe" / "CNCS_7860_coarse.nxspe", tmp_path / "image.npy")
    shutil.copyfile(shared_data / "nexus" / "1Dcut_sym_0p00T_K.nxs", tmp_path / "run.nxspe")
    assert isinstance(open_any(tmp_path / "image.npy"), Run)
    assert isinstance(open_any(tmp_path / "run.nxspe"), Histogram)
