"""The examples of docs/spectra.md, from top to bottom."""

import re
from pathlib import Path

import matplotlib as mpl

PAGE = Path(__file__).resolve().parents[2] / "docs" / "spectra.md"


def test_every_block_runs(tmp_path, monkeypatch):
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    plt.close("all")
    assert {p.name for p in tmp_path.iterdir()} == {"dispersion.png", "map.png", "powder.png", "slice.png", "plane.nxs"}
