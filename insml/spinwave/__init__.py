"""Linear spin wave theory: :class:`SpinModel` in, :class:`Spectrum` out."""

from insml.spinwave.model import SpinModel, Twin
from insml.spinwave.spectrum import Spectrum

__all__ = ["Spectrum", "SpinModel", "Twin"]
