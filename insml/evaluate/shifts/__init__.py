"""Graded shifts: images that differ from those of the training in one known way, at five severities.

R, C and T simulate each image again: the manganite in 0.5 to 0.8 CPU-seconds, and 1.5 to 2 more whenever the
instrument is prepared anew, once for each condition among the images times 2 (R), 4 (C: signs of energy and Q) or
1 (T). Through Gaussian widths there is nothing to prepare: the square lattice takes 0.3, 1 where it is turned (C)
and up to 1.4 where it is sharp (R). K takes some 10 ms an image, S a few, N, M and B nothing: theirs is paid when
the corruption is applied.
"""

from insml.evaluate.shifts.background import Background
from insml.evaluate.shifts.calibration import Calibration
from insml.evaluate.shifts.counts import Counts
from insml.evaluate.shifts.family import SEVERITIES, CleanImages, Family, Measurement, Shifted
from insml.evaluate.shifts.franken import Franken
from insml.evaluate.shifts.mask import Mask
from insml.evaluate.shifts.resolution import Resolution
from insml.evaluate.shifts.scale import Scale
from insml.evaluate.shifts.topology import Topology

#: By letter.
FAMILIES: dict[str, Family] = {f.letter: f for f in (
    Resolution(), Calibration(), Counts(), Mask(), Background(), Topology(), Franken(), Scale())}

__all__ = [
    "FAMILIES",
    "SEVERITIES",
    "Background",
    "Calibration",
    "CleanImages",
    "Counts",
    "Family",
    "Franken",
    "Mask",
    "Measurement",
    "Resolution",
    "Scale",
    "Shifted",
    "Topology",
]
