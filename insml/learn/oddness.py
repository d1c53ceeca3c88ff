"""What of an image is odd where all candidates are even: intensity that slopes across it, and a crystal that is turned.

Folding about the mirrors of the candidates takes the mean over mirror images; what they differ by is lost to networks.
Noise differs and so do backgrounds, but in each slice in another way. A slope (self-shielding, detectors that see
unequally) or a crystal that is turned is the same in all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.datasets.corrupt import BoolArray, standardise
from insml.learn.form import Form

Array = NDArray[np.float64]

_RIDGE = 1e-3  # of what slices say on average: one that says little finds nothing odd


def odd_names(form: Form) -> tuple[str, ...]:
    """Of the numbers of :func:`oddness`, slopes by the labels of their axes; none without a mirror."""
    slopes = tuple(f"slope {axis.label}" for axis, mirror in zip(form.measured.axes, form.mirrors, strict=True) if mirror)
    return (*slopes, "turn") if slopes else ()


def oddness(form: Form, signal: NDArray[Any], mask: BoolArray) -> Array:
    """(k,) of a stack as measured, named by :func:`odd_names`.

    Slopes are relative, from the middle of a folded axis to its edge, of the standardised intensity above the median. The
    turn is in degrees about the origin of the plane, from axis 0 to axis 1, where r.l.u. of both axes are of one length
    (else it is sheared as well). They are fitted to the difference between each standardised slice and the mean over its
    mirror images, with a shift along each folded axis beside them, which is as usual as none and is not told. What is
    returned is the median over slices, so that backgrounds of some of them hardly matter. Noise in the mean over mirror
    images makes all of it too small.

    signal, mask : (n_slices, n0, n1), mask True without detector.
    """
    kept = len(odd_names(form))
    if not kept:
        return np.zeros(0)
    z = standardise(signal, mask)
    even, alone = (form.unfold(a) for a in form.fold(z, mask))
    covered = ~mask
    images = 2 ** sum(form.mirrors) * form.unfold(form.fold(covered.astype(np.float32), np.zeros_like(mask))[0])
    # what has no mirror image with a detector is its own mean
    pairs = covered & (images > 1.5)
    patterns = _patterns(form, even, ~alone)
    patterns = np.where(pairs, patterns, 0).reshape(len(patterns), len(z), -1).swapaxes(0, 1)
    odd = np.where(pairs, z - even, 0).reshape(len(z), -1, 1)
    normal, right = (patterns @ patterns.swapaxes(1, 2)).astype(float), (patterns @ odd).astype(float)
    seen = normal.any((1, 2))
    if not seen.any():
        return np.zeros(kept)
    normal += np.diag(_RIDGE * normal.mean(0).diagonal() + np.finfo(float).tiny ** 0.5)
    return np.asarray(np.median(np.linalg.solve(normal[seen], right[seen])[:, :kept, 0], axis=0))


def mirrored(odd: Array) -> Array:
    """(m n, k) of (n, k): of all m mirror images, block by block."""
    signs = [(-1) ** np.array(turned) for turned in np.ndindex(*(2,) * (odd.shape[1] - 1))]
    return np.concatenate([odd * np.array([*sign, sign.prod()]) for sign in signs])


def _patterns(form: Form, even: NDArray[np.float32], covered: BoolArray) -> NDArray[np.float32]:
    """(k, n_slices, n0, n1) of what slopes, a turn and shifts add to ``even``."""
    folded = [axis for axis in (0, 1) if form.mirrors[axis]]
    across = [np.linspace(-1, 1, n, dtype=np.float32) for n in even.shape[1:]]
    edgewise = across[0][:, None], across[1][None, :]
    steps = [_step(even, covered, axis) for axis in (1, 2)]
    bright = np.maximum(even, 0)
    # in units of hkl, and radians to degrees
    lengths = [float(np.linalg.norm(a.vector)) for a in form.measured.axes]
    at = [np.asarray(a.centres * length, np.float32) for a, length in zip(form.measured.axes, lengths, strict=True)]
    bins = [float(np.ptp(x)) / max(len(x) - 1, 1) for x in at]
    turn = np.float32(np.pi / 180) * (at[1][None, :] / bins[0] * steps[0] - at[0][:, None] / bins[1] * steps[1])
    shifts = [steps[axis] for axis in folded]
    if len(folded) == 2:
        shifts.append(_step(steps[0], covered, 2))  # of second order, as even as a turn is
    return np.stack([*(edgewise[axis] * bright for axis in folded), turn, *shifts])


def _step(even: NDArray[np.float32], covered: BoolArray, axis: int) -> NDArray[np.float32]:
    """From a pixel to the next along an axis, where both neighbours are covered."""
    before, after = np.roll(even, 1, axis), np.roll(even, -1, axis)
    both = np.roll(covered, 1, axis) & np.roll(covered, -1, axis)
    both[(slice(None),) * axis + ([0, -1],)] = False
    return np.where(both, (after - before) / 2, 0)
