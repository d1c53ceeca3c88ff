"""Direct-geometry instruments as data, with the source of every number."""

from insml.instruments.fermi import FermiInstrument, FermiPackage
from insml.instruments.maps import MAPS

__all__ = ["MAPS", "FermiInstrument", "FermiPackage"]
