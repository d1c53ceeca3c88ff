"""What a wrong resolution does to networks: trained on images of one, tested on images of another.

One set of parameters is simulated through several resolutions ("arms"). In every arm networks see the same number of
images, of the same parameters, with the same noise, so that what differs between arms is the resolution.
"""

from insml.evaluate.resolution_experiment.arms import ARMS, arms_of
from insml.evaluate.resolution_experiment.cells import Cells
from insml.evaluate.resolution_experiment.cost import Cost, estimate
from insml.evaluate.resolution_experiment.images import Images
from insml.evaluate.resolution_experiment.matrices import METRICS, Matrix, Result
from insml.evaluate.resolution_experiment.output import write_result
from insml.evaluate.resolution_experiment.plan import AUGMENTATIONS, Plan
from insml.evaluate.resolution_experiment.run import run_experiment
from insml.evaluate.resolution_experiment.terminal import render, render_cost

__all__ = ["ARMS", "AUGMENTATIONS", "METRICS", "Cells", "Cost", "Images", "Matrix", "Plan", "Result", "arms_of", "estimate",
           "render", "render_cost", "run_experiment", "write_result"]
