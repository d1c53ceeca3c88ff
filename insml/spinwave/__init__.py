"""Linear spin wave theory: :class:`SpinModel` in, :class:`Spectrum` out."""

from insml.spinwave.model import SpinModel, Twin
from insml.spinwave.spectrum import Spectrum
from insml.spinwave.structure import MagneticStructure

__all__ = ["MagneticStructure", "Spectrum", "SpinModel", "Twin"]
