"""Horace's words. They translate; what they call computes."""

from insml.horace.cut import PixelCut
from insml.horace.functions import gauss, gauss_bkgd, linear_bg, lorentz, quad_bg
from insml.horace.monte_carlo import Tobyfit, tobyfit
from insml.horace.multifit import FitParameters, Multifit, multifit, multifit_func, multifit_sqw

__all__ = [
    "FitParameters",
    "Multifit",
    "PixelCut",
    "Tobyfit",
    "gauss",
    "gauss_bkgd",
    "linear_bg",
    "lorentz",
    "multifit",
    "multifit_func",
    "multifit_sqw",
    "quad_bg",
    "tobyfit",
]
