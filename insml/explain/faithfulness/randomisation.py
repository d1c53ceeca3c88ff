"""Does a map depend on what the network has learned (Adebayo et al. 2018, parameter randomisation from the top)?"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from insml.explain.faithfulness.pointing import rank_correlation

if TYPE_CHECKING:
    from insml.learn.classifier import Classifier
    from insml.learn.method import Method

Array = NDArray[np.float64]
Module = TypeVar("Module", bound=nn.Module)

_DEPTH = 3  # of module names: "backbone.blocks.0", "head"


def blocks_from_the_top(module: nn.Module, score: Callable[[Tensor], Tensor], x: Tensor) -> list[str]:
    """Names of the blocks whose weights bear on the score, the last one first.

    A block is a module two levels below its owner (``backbone.blocks.0``) or higher up where there is none. Modules are
    defined in the order in which they are passed.
    """
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    with torch.enable_grad():
        gradients = torch.autograd.grad(score(x).sum(), [p for _, p in named], allow_unused=True)
    used = [_block(name) for (name, _), gradient in zip(named, gradients, strict=True) if gradient is not None]
    return list(dict.fromkeys(reversed(used)))


def _block(name: str) -> str:
    return ".".join(name.split(".")[:-1][:_DEPTH])


def cascade(module: Module, fresh: Module, blocks: list[str]) -> Iterator[Module]:
    """Copies of ``module`` in which the first one, two, ... of ``blocks`` are those of ``fresh``, buffers included."""
    random, state = fresh.state_dict(), dict(module.state_dict())
    for block in blocks:
        state |= {name: value for name, value in random.items() if _block(name) == block}
        changed = copy.deepcopy(module)
        changed.load_state_dict(state)
        yield changed.eval()


def fresh_method(classifier: Classifier, seed: int) -> Method:
    """The classifier's method with weights as before any training."""
    from insml.learn.method import METHODS
    from insml.learn.networks import network

    method, classes = classifier.method, len(classifier.candidates)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = network(classifier.architecture, classifier.form.layout, classes)
        return METHODS.make(method.kind, backbone, classes, **method.options).eval()


def randomisation(maps: Callable[[Module], Array], module: Module, fresh: Module, blocks: list[str],
                                     used: NDArray[np.bool_]) -> list[float]:
    """Spearman's rho between a map and that after each step of a cascade; near 0 for a map that shows what was learned.

    Parameters
    ----------
    maps : of a network. used : where maps are compared, True for pixels with detector.
    """
    original = maps(module)[used]
    return [rank_correlation(original, maps(changed)[used]) for changed in cascade(module, fresh, blocks)]
