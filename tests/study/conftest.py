"""A small study as text, and a way to spoil it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from insml.study import Study, load

CHAIN = """
name = "chain"
title = "Antiferromagnetic chain"

[lattice]
a = 3.0
b = 8.0
c = 9.0

[magnetic]
supercell = [2, 1, 1]
spin = 0.5
ion = "Cu2+"

[[sites]]
label = "up"
position = [0.0, 0.0, 0.0]
moment = "+c"
[[sites]]
label = "down"
position = [0.5, 0.0, 0.0]
moment = [0, 0, -2]

[[twins]]
weight = 3
[[twins]]
axis = "c"
angle = 90
weight = 1

[mosaic]
grid = [2, 2]
orientation = ["-k", "+h"]
[mosaic.u]
label = "h"
vector = [1, 0, 0]
edges = { start = 0.0, stop = 2.0, n = 8 }
[mosaic.v]
label = "k"
vector = [0, 1, 0]
centres = { start = -1.0, stop = 1.0, n = 5 }
[mosaic.third]
vector = [0, 0, 1]
kind = "integrated"
range = [-1.0, 1.0]
samples = 4
[mosaic.slices]
energy = [2.0, 4.0, 7.0]

[resolution]
kind = "gaussian"
energy_fwhm = [0.5]
q_fwhm = [0.02, 0.03]

[background]
terms = ["constant"]

[training]
images = 40

[[candidates]]
name = "uniform"
title = "J along the chain"
[candidates.parameters]
J = { prior = [0.0, 10.0], reference = 4.0 }
D = { prior = [-1.0, 0.0] }
[[candidates.bonds]]
exchange = "J"
shell = 1
[[candidates.anisotropy]]
axis = "c"
value = "D"

[[candidates]]
name = "alternating"
[candidates.parameters]
J = { prior = [0.0, 10.0] }
delta = { prior = [0.0, 1.0] }
[[candidates.bonds]]
exchange = "J + delta"
pairs = [[0, 1, 0, 0, 0]]
[[candidates.bonds]]
exchange = "J - delta"
pairs = [[1, 0, 1, 0, 0]]
"""


@pytest.fixture
def study_from(tmp_path: Path) -> Callable[..., Study]:
    """study_from((old, new), ...): the chain with each old text, which must occur, replaced."""

    def build(*changes: tuple[str, str]) -> Study:
        text = CHAIN
        for old, new in changes:
            assert old in text, f"the example no longer contains {old!r}"
            text = text.replace(old, new, 1)
        path = tmp_path / "chain.toml"
        path.write_text(text)
        return load(path)

    return build
