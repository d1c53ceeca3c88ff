"""Tables of measured mode energies."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from insml.errors import FormatError
from insml.spinw.struct import Struct
from insml.spinwave.components import parse


def sw_readspec(path: str | Path) -> list[Struct]:
    """Mode energies from a text file with columns QH QK QL minE maxE I1 E1 s1 I2 E2 s2 ...

    A line "[Mxx+Myy] [1 0 0]" before rows names what was measured (Sperp by default) and the normal of the scattering
    plane ([0 0 1] by default). Entries with zero intensity or energy are left out.

    Returns
    -------
    For each block a struct: Q (3, nQ) r.l.u., minE, maxE (nQ,), E, I, sigma (nMode, nQ; NaN where there is none),
    nMode (nQ,), corr (text), n (3,).

    Raises
    ------
    FormatError : naming the line.
    """
    blocks: list[tuple[str, list[float], list[list[float]]]] = [("Sperp", [0.0, 0.0, 1.0], [])]
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        text = line.strip()
        if not text or text[0] == "#" or (number == 1 and re.match(r"[A-Za-z]", text)):
            continue
        if text[0] == "[":
            tags = re.findall(r"\[([^\]]*)\]", text)
            try:
                parse(tags[0])
                normal = [float(x) for x in tags[1].split()] if len(tags) > 1 else [0.0, 0.0, 1.0]
            except (IndexError, ValueError):
                raise FormatError(path, "a tag such as '[Mxx+Myy] [1 0 0]'", repr(text), f"line {number}") from None
            blocks.append((tags[0], normal, []))
            continue
        try:
            row = [float(x) for x in text.split()]
        except ValueError:
            row = []
        if len(row) < 8 or (len(row) - 5) % 3:
            raise FormatError(path, "numbers QH QK QL minE maxE and I E s for each mode", repr(text), f"line {number}")
        blocks[-1][2].append(row)
    found = [_block(*block) for block in blocks if block[2]]
    if not found:
        raise FormatError(path, "rows of numbers", "none")
    return found


def _block(corr: str, normal: list[float], rows: list[list[float]]) -> Struct:
    most = max(map(len, rows))
    table = np.array([row + [0.0] * (most - len(row)) for row in rows])
    intensity, energy, sigma = (table[:, start::3].T.copy() for start in (5, 6, 7))
    missing = (intensity == 0) | (energy == 0)
    order = np.argsort(np.where(missing, np.inf, energy), axis=0)
    values = [np.take_along_axis(np.where(missing, np.nan, v), order, axis=0) for v in (energy, intensity, sigma)]
    return Struct(Q=table[:, :3].T, minE=table[:, 3], maxE=table[:, 4], E=values[0], I=values[1], sigma=values[2],
                  nMode=(~missing).sum(axis=0), corr=corr, n=np.array(normal))
