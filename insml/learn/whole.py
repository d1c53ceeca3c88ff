"""Images in full: as networks see them, and what folding takes from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import BoolArray
from insml.learn.form import Form
from insml.learn.oddness import oddness

#: A stack in a form and its :func:`insml.learn.oddness.oddness`; of several images (n, ...) each.
Whole = tuple[NDArray[np.float32], NDArray[np.float64]]


def seen_whole(form: Form, signal: NDArray[Any], mask: BoolArray) -> Whole:
    """Of one stack as measured, (n_slices, n0, n1); mask True without detector."""
    return form(signal, mask), oddness(form, signal, mask)


def gathered(whole: Sequence[Whole]) -> Whole:
    """Of several images."""
    stacks, odd = zip(*whole, strict=True)
    return np.stack(stacks), np.stack(odd)
