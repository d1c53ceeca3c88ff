"""The study file: how a user states a question. See docs/study-file.md."""

from insml.study.candidate import Bond, Candidate, Parameter
from insml.study.load import bundled, load
from insml.study.structure import MagneticStructure, Site, Twin
from insml.study.study import Background, DataRules, Integrated, Kinematic, Study, Training

__all__ = [
    "Background",
    "Bond",
    "Candidate",
    "DataRules",
    "Integrated",
    "Kinematic",
    "MagneticStructure",
    "Parameter",
    "Site",
    "Study",
    "Training",
    "Twin",
    "bundled",
    "load",
]
