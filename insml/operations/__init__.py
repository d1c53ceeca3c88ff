"""What is done with images and pixels between a cut and a fit."""

from insml.operations.arithmetic import applied
from insml.operations.evaluate import disp2sqw_eval, func_eval, sqw_eval
from insml.operations.merging import combine, rebinned, symmetrise
from insml.operations.noise import noisify
from insml.operations.pages import rewritten
from insml.operations.reshape import permute, replicate, smooth
from insml.operations.select import compact, mask, mask_points, mask_runs, section

__all__ = ["applied", "combine", "compact", "disp2sqw_eval", "func_eval", "mask", "mask_points", "mask_runs", "noisify",
           "permute", "rebinned", "replicate", "rewritten", "section", "smooth", "sqw_eval", "symmetrise"]
