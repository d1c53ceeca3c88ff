"""Axes of an image as vectors in r.l.u.: Horace's u_to_rlu."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LABELS = (r"Q_\zeta", r"Q_\xi", r"Q_\eta", "E")


@dataclass(frozen=True, eq=False)
class Frame:
    """(h, k, l, E) = ``u_to_rlu`` x + ``offset``.

    u_to_rlu : (4, 4). offset : (4,) r.l.u. and meV. lengths : (4,) of one unit of each axis, 1/Angstrom and meV.
    """

    u_to_rlu: Array
    offset: Array
    lengths: Array
    labels: tuple[str, ...] = LABELS

    @property
    def momenta(self) -> Array:
        """(3, 3) r.l.u., columns along the first three axes."""
        return self.u_to_rlu[:3, :3]


def crystal_cartesian(b: Array) -> Frame:
    """Axes of pixels themselves: 1/Angstrom along a*, in the plane of a* and b*, and across."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.linalg.inv(b)
    return Frame(matrix, np.zeros(4), np.ones(4))
