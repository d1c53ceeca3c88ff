"""Crystals: cell, space group, sites and the bonds between them."""

from insml.crystal.bonds import BondTable
from insml.crystal.cif import read_cif, read_mcif
from insml.crystal.crystal import Atom, Crystal, Site
from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.crystal.space_group import SpaceGroup

__all__ = ["Atom", "BondTable", "Crystal", "Lattice", "Orientation", "Site", "SpaceGroup", "read_cif", "read_mcif"]
