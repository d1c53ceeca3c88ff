"""One file per method that says how much a network's answer is worth."""

from insml.learn.uncertainty.ddu import Ddu
from insml.learn.uncertainty.dropout import Dropout
from insml.learn.uncertainty.duq import Duq, DuqHead
from insml.learn.uncertainty.laplace import Laplace
from insml.learn.uncertainty.mean_field import MeanField
from insml.learn.uncertainty.radial import Radial
from insml.learn.uncertainty.sde_net import SdeNet
from insml.learn.uncertainty.sngp import Sngp
from insml.learn.uncertainty.softmax import Softmax
from insml.learn.uncertainty.swag import Swag

__all__ = ["Ddu", "Dropout", "Duq", "DuqHead", "Laplace", "MeanField", "Radial", "SdeNet", "Sngp", "Softmax", "Swag"]
