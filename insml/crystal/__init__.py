"""Crystals: cell, space group, sites and the bonds between them."""

from insml.crystal.lattice import Lattice

__all__ = ["Lattice"]
