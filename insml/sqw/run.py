"""What a file of pixels says of each run in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.crystal.orientation import Orientation
from insml.sqw.frame import Frame

Array = NDArray[np.float64]

ELASTIC, DIRECT, INDIRECT = 0, 1, 2


@dataclass(frozen=True, eq=False)
class RunHeader:
    """A run.

    Attributes
    ----------
    id : as pixels call it. filename, filepath : where it was read from, as recorded.
    fixed_energy : (1,) or one for each detector, meV: Ei of direct geometry (``mode`` 1), Ef of indirect (2).
    orientation : lattice and goniometer. energies : bin edges of the energy transfer, meV.
    frame : the axes its pixels were first binned on, as older files record them; None where not recorded.
    """

    id: int
    filename: str
    filepath: str
    fixed_energy: Array
    mode: int
    orientation: Orientation
    energies: Array
    frame: Frame | None = None

    @property
    def efix(self) -> float:
        """The fixed energy, meV; the mean of those of detectors."""
        return float(self.fixed_energy.mean())
