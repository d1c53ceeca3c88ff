"""Data as Horace has them: images in up to four dimensions, and the pixels they are made of."""

from insml.sqw.axes import Axes
from insml.sqw.data import Sqw
from insml.sqw.image import Dnd
from insml.sqw.pixels import Pixels
from insml.sqw.projection import CylinderProj, LineProj, SphereProj
from insml.sqw.run import RunHeader

__all__ = ["Axes", "CylinderProj", "Dnd", "LineProj", "Pixels", "RunHeader", "SphereProj", "Sqw"]
