"""Where the bins of an image are, in r.l.u. and meV."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.sqw.axes import Axes
from insml.sqw.image import Dnd
from insml.sqw.projection import CylinderProj, LineProj, Projection

Array = NDArray[np.float64]


def hkle(projection: Projection, lattice: Lattice, x: Array) -> Array:
    """(n, 4) h, k, l, E of points (n, 4) along the axes of a projection."""
    out = np.empty_like(x)
    out[:, 3] = x[:, 3] + projection.offset[3]
    if isinstance(projection, LineProj):
        frame = projection.frame(lattice)
        out[:, :3] = x[:, :3] @ frame.momenta.T + frame.offset[:3]
        return out
    core = projection.core(lattice)
    first, second, third = (x[:, n] * core["scale"][n] for n in range(3))
    about = np.radians(third)
    if isinstance(projection, CylinderProj):
        along, across = second, first
    else:
        along, across = first * np.cos(np.radians(second)), first * np.sin(np.radians(second))
    y = np.stack([along, across * np.cos(about), across * np.sin(about)], axis=-1)
    b = Orientation(lattice, (1, 0, 0), (0, 1, 0)).b
    out[:, :3] = np.linalg.solve(b, np.linalg.solve(np.array(core["frame"]), y.T)).T + np.asarray(projection.offset[:3])
    return out


def middles(axes: Axes) -> list[Array]:
    """Of the bins of all four axes.

    Raises
    ------
    GeometryError : an axis that is integrated without limits, which has none.
    """
    for n, edges in enumerate(axes.all_edges):
        if not np.isfinite(edges).all():
            raise GeometryError(f"axis {n + 1}: expected finite limits, as a point within is needed, found {edges[0]:g} to "
                                f"{edges[-1]:g}")
    return [0.5 * (e[1:] + e[:-1]) for e in axes.all_edges]


def bin_centres(image: Dnd) -> Array:
    """(bins, 4) h, k, l, E of the centres of all bins, the last plotted axis fastest; of the middle of what is integrated.

    Raises
    ------
    GeometryError : an axis that is integrated without limits.
    """
    grid = np.meshgrid(*middles(image.axes), indexing="ij")
    return hkle(image.projection, image.lattice, np.stack([g.ravel() for g in grid], axis=-1))
