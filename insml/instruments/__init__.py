"""Direct-geometry spectrometers as data, with the source of every number, and the distributions of their components."""

from insml.instruments.detector import BlockDetector, Detector, TubeDetector
from insml.instruments.disk import DiskInstrument
from insml.instruments.disk_chopper import ChopperTimes, double_disk
from insml.instruments.distribution import Delta, Distribution, Gaussian, Shifted, Tabulated, Uniform
from insml.instruments.family import load_family
from insml.instruments.fermi import FermiInstrument, GuideGain, PulseLaw
from insml.instruments.fermi_chopper import FermiPackage, FermiPulse
from insml.instruments.library import LET, MAPS, MERLIN, let, maps, merlin
from insml.instruments.moderator import Ikcarp, ikcarp_param
from insml.instruments.sample import Sample
from insml.instruments.spectrometer import DiskSpectrometer, FermiSpectrometer

__all__ = [
    "LET",
    "MAPS",
    "MERLIN",
    "BlockDetector",
    "ChopperTimes",
    "Delta",
    "Detector",
    "DiskInstrument",
    "DiskSpectrometer",
    "Distribution",
    "FermiInstrument",
    "FermiPackage",
    "FermiPulse",
    "FermiSpectrometer",
    "Gaussian",
    "GuideGain",
    "Ikcarp",
    "PulseLaw",
    "Sample",
    "Shifted",
    "Tabulated",
    "TubeDetector",
    "Uniform",
    "double_disk",
    "ikcarp_param",
    "let",
    "load_family",
    "maps",
    "merlin",
]
