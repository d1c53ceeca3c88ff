"""Other collinear orders of a candidate's sites, on its bonds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from insml.study import Candidate, MagneticStructure

_SAME = 1e-3  # Angstrom, as shells of a study


def shells(candidate: Candidate) -> list[list[int]]:
    """Numbers of the bonds by length, the shortest first."""
    at, cell = candidate.structure.positions, candidate.structure.cell
    lengths = [float(np.linalg.norm((at[b.j] + b.dl - at[b.i]) @ cell)) for b in candidate.bonds]
    out: list[list[int]] = []
    for n in np.argsort(lengths, kind="stable"):
        if out and lengths[n] - lengths[out[-1][0]] <= _SAME:
            out[-1].append(int(n))
        else:
            out.append([int(n)])
    return out


def ferromagnetic(structure: MagneticStructure) -> MagneticStructure:
    """All moments along that of the first site."""
    return _along(structure, [1] * len(structure.sites))


def neel(candidate: Candidate) -> MagneticStructure | None:
    """Moments opposite on the shortest bonds, and on longer ones as far as these leave it open; None where they
    form odd rings."""
    structure = candidate.structure
    root, parity = list(range(len(structure.sites))), [1] * len(structure.sites)

    def find(i: int) -> tuple[int, int]:
        sign = 1
        while root[i] != i:
            sign *= parity[i]
            i = root[i]
        return i, sign

    for number, members in enumerate(shells(candidate)):
        for k in members:
            b = candidate.bonds[k]
            (first, s), (second, t) = find(b.i), find(b.j)
            if first != second:
                root[second], parity[second] = first, -s * t
            elif s == t and number == 0:
                return None
    signs = []
    for i in range(len(root)):
        _, sign = find(i)
        signs.append(sign)
    return _along(structure, signs)


def _along(structure: MagneticStructure, signs: list[int]) -> MagneticStructure:
    n = np.array(structure.sites[0].spin) / np.linalg.norm(structure.sites[0].spin)
    sites = []
    for site, sign in zip(structure.sites, signs, strict=True):
        x, y, z = (float(np.linalg.norm(site.spin)) * sign * n).tolist()
        sites.append(replace(site, spin=(x, y, z)))
    return replace(structure, sites=tuple(sites))
