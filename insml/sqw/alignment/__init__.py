"""Lattice and orientation of a crystal from where its Bragg peaks are, and data as they are then (Horace's bragg_positions,
refine_crystal, change_crystal and crystal_pars_correct)."""

from insml.sqw.alignment.change import change_crystal, crystal_pars_correct
from insml.sqw.alignment.crystal import CrystalCorrection, refine_crystal
from insml.sqw.alignment.peaks import BraggPositions, bragg_positions

__all__ = ["BraggPositions", "CrystalCorrection", "bragg_positions", "change_crystal", "crystal_pars_correct",
           "refine_crystal"]
