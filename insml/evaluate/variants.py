"""What became of the images of a shift that were changed alike: which other physics, say, is told from usual images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from insml.evaluate.metrics import SMALLEST_SAMPLE, accuracy, auroc
from insml.learn.answers import Answers

_LEAST = 10  # images of a kind


@dataclass(frozen=True)
class Variant:
    """``name`` : what was done to ``n`` images, in words. ``accuracy`` : None where no candidate is right. ``auroc`` : of
    the score that comes with a network. Both are means over networks."""

    name: str
    n: int
    accuracy: float | None
    auroc: float


def variants(names: Sequence[str], labels: NDArray[np.int64], usual: Sequence[Answers], shifted: Sequence[Answers]
             ) -> tuple[Variant, ...]:
    """By name; none where all images were changed alike. Kinds of fewer than ten images are left out, and those of fewer
    than 1,000 together with the usual ones.

    Parameters
    ----------
    names, labels : (n,) of the shifted images, labels -1 where no candidate is right.
    usual, shifted : what each network says of usual images and of the shifted ones.
    """
    found = []
    for name in sorted(set(names)):
        own = np.array([n == name for n in names])
        if not _LEAST <= own.sum() < len(own) or len(usual[0].strangeness) + own.sum() < SMALLEST_SAMPLE:
            continue
        known = own & (labels >= 0)
        right = float(np.mean([accuracy(a.probability[known], labels[known]) for a in shifted])) if known.any() else None
        area = float(np.mean([auroc(u.strangeness, a.strangeness[own]) for u, a in zip(usual, shifted, strict=True)]))
        found.append(Variant(name, int(own.sum()), right, area))
    return tuple(found)
