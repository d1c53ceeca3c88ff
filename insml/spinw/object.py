"""The class SpinW."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from insml.crystal import Crystal
from insml.spinw.fitspec import Fits
from insml.spinw.picture import Pictures
from insml.spinw.tables import Tables


class SpinW(Tables, Pictures, Fits):
    """A crystal with its magnetic Hamiltonian and structure, in SpinW's vocabulary.

    Methods take SpinW's options as keywords or, as from MATLAB, as 'name', value pairs; an option that is not known is
    refused with those that are. Fields are those of :class:`insml.spinw.state.State`. :meth:`model` gives the native model.

    Parameters
    ----------
    source : a CIF, or a native crystal; an empty object where None.
    spins : S by label or ion for a CIF, see :func:`insml.crystal.cif.read_cif`.
    """

    def __init__(self, source: str | Path | Crystal | None = None, spins: Mapping[str, float] | None = None) -> None:
        super().__init__()
        if source is None:
            return
        crystal = source if isinstance(source, Crystal) else Crystal.from_cif(source, spins)
        group, cell = crystal.space_group, crystal.lattice
        self.genlattice(lat_const=[cell.a, cell.b, cell.c], angled=[cell.alpha, cell.beta, cell.gamma])
        self.lattice.sym = np.concatenate([group.rotations, group.translations[:, :, None]], axis=2).transpose(1, 2, 0)
        self.lattice.label = group.name
        for site in crystal.sites:
            self.addatom(r=site.position, S=site.spin, label=site.label, occ=site.occupancy,
                         formfactn=1.0 if site.form_factor is None else site.form_factor, update=False)

    def __repr__(self) -> str:
        a, b, c, alpha, beta, gamma = self.abc()
        return (f"SpinW({a:g} {b:g} {c:g} {alpha:g} {beta:g} {gamma:g}, {self.lattice.label!r}, {self.natom} atoms, "
                f"{self.coupling.idx.max(initial=0)} bonds, {len(self.matrix.label)} matrices, {self.nmagext} spins)")
