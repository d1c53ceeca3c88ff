"""SpinW's vocabulary: a MATLAB script carries over line by line (docs/from-spinw.md).

Nothing is computed here; everything is translated to :mod:`insml.crystal` and :mod:`insml.spinwave`.
"""

from insml.spinw.constraints import gm_planar, gm_planard, gm_spherical3d, gm_spherical3dd
from insml.spinw.fitpowder import sw_fitpowder
from insml.spinw.grid import sw_egrid, sw_omegasum
from insml.spinw.instrument import sw_instrument, sw_tofres
from insml.spinw.ions import sw_mff
from insml.spinw.models import sw_model
from insml.spinw.neutron import sw_neutron
from insml.spinw.object import SpinW
from insml.spinw.paths import sw_qgrid, sw_qscan
from insml.spinw.plotspec import sw_plotspec
from insml.spinw.read_mat import read_mat
from insml.spinw.read_spw import read_spw
from insml.spinw.readspec import sw_readspec
from insml.spinw.struct import Struct

spinw = SpinW
"""The name that scripts for the Python wrapper of MATLAB's SpinW use."""

__all__ = [
    "SpinW",
    "Struct",
    "gm_planar",
    "gm_planard",
    "gm_spherical3d",
    "gm_spherical3dd",
    "read_mat",
    "read_spw",
    "spinw",
    "sw_egrid",
    "sw_fitpowder",
    "sw_instrument",
    "sw_mff",
    "sw_model",
    "sw_neutron",
    "sw_omegasum",
    "sw_plotspec",
    "sw_qgrid",
    "sw_qscan",
    "sw_readspec",
    "sw_tofres",
]
