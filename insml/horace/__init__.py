"""Horace's words. They translate; what they call computes."""

from insml.horace.cuts import (
    accumulate_sqw,
    cut,
    cut_dnd,
    cut_sqw,
    cylinder_proj,
    gen_sqw,
    head,
    line_proj,
    ortho_proj,
    read_dnd,
    read_horace,
    read_sqw,
    save,
    set_instrument,
    set_sample,
    sphere_proj,
)
from insml.horace.functions import gauss, gauss_bkgd, linear_bg, lorentz, quad_bg
from insml.horace.monte_carlo import Tobyfit, tobyfit
from insml.horace.multifit import FitParameters, Multifit, multifit, multifit_func, multifit_sqw
from insml.horace.pixel_cut import PixelCut
from insml.sqw.symmetry import SymopGeneral, SymopIdentity, SymopReflection, SymopRotation

__all__ = [
    "FitParameters",
    "Multifit",
    "PixelCut",
    "SymopGeneral",
    "SymopIdentity",
    "SymopReflection",
    "SymopRotation",
    "Tobyfit",
    "accumulate_sqw",
    "cut",
    "cut_dnd",
    "cut_sqw",
    "cylinder_proj",
    "gauss",
    "gauss_bkgd",
    "gen_sqw",
    "head",
    "line_proj",
    "linear_bg",
    "lorentz",
    "multifit",
    "multifit_func",
    "multifit_sqw",
    "ortho_proj",
    "quad_bg",
    "read_dnd",
    "read_horace",
    "read_sqw",
    "save",
    "set_instrument",
    "set_sample",
    "sphere_proj",
    "tobyfit",
]
