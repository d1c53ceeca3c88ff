"""Ellipses of the resolution at half its maximum, on the plane of a slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
Kind = Literal["section", "projection"]

HALF_MAXIMUM = float(2 * np.log(2))  # x^T C^-1 x there


def plane_covariance(covariance: ArrayLike, axes: tuple[int, int], kind: Kind = "section") -> Array:
    """(..., 2, 2) of a covariance (..., m, m) on the plane of two of its coordinates.

    "section": the others are at their centres, as in a thin slice. "projection": the others are summed.

    Raises
    ------
    GeometryError : not square matrices, axes that are not two different ones of them, not positive definite on the plane.
    """
    c = np.asarray(covariance, float)
    if c.ndim < 2 or c.shape[-1] != c.shape[-2]:
        raise GeometryError(f"covariance: expected shape (..., m, m), found {c.shape}")
    i, j = axes
    if i == j or not {i, j} <= set(range(c.shape[-1])):
        raise GeometryError(f"axes: expected two of 0 to {c.shape[-1] - 1}, found {axes}")
    if kind not in ("section", "projection"):
        raise GeometryError(f"kind: expected section or projection, found {kind!r}")
    # coordinates in r.l.u. and in meV differ by orders: unit variances before any inverse
    sigma = np.sqrt(np.diagonal(c, axis1=-2, axis2=-1))
    if not (sigma > 0).all():
        raise GeometryError("covariance: expected a positive variance of every coordinate, found none of some")
    scaled = c / (sigma[..., :, None] * sigma[..., None, :])
    if not (np.linalg.eigvalsh(scaled)[..., 0] > 1e-13).all():
        raise GeometryError("covariance: expected a positive definite matrix, found one that is flat or indefinite")
    pick = np.ix_(axes, axes)
    if kind == "projection":
        flat = scaled[..., pick[0], pick[1]]
    else:
        flat = np.linalg.inv(np.linalg.inv(scaled)[..., pick[0], pick[1]])
    kept = sigma[..., list(axes)]
    return np.asarray(flat * kept[..., :, None] * kept[..., None, :])


def ellipse_points(
    covariance: ArrayLike,
    axes: tuple[int, int],
    *,
    centre: ArrayLike = (0.0, 0.0),
    kind: Kind = "section",
    points: int = 97,
) -> Array:
    """(..., points, 2) closed curves where the resolution is half its maximum, about ``centre`` (..., 2)."""
    flat = plane_covariance(covariance, axes, kind)
    angle = np.linspace(0.0, 2 * np.pi, points)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * np.sqrt(HALF_MAXIMUM)
    return np.asarray(np.asarray(centre, float)[..., None, :] + circle @ np.linalg.cholesky(flat).swapaxes(-1, -2))


def half_widths(covariance: ArrayLike, axes: tuple[int, int], kind: Kind = "section") -> Array:
    """(..., 2) half of the FWHM along each of the two axes: where the curve has its extremes."""
    return np.asarray(np.sqrt(HALF_MAXIMUM * np.diagonal(plane_covariance(covariance, axes, kind), axis1=-2, axis2=-1)))


def draw_ellipses(
    ax: Axes,
    covariance: ArrayLike,
    axes: tuple[int, int],
    *,
    centre: ArrayLike = (0.0, 0.0),
    kinds: Sequence[Kind] = ("projection", "section"),
    colour: str = "black",
    **line: Any,
) -> None:
    """Draws ellipses at half maximum on ``ax``, whose axes are the covariance's ``axes``: projection dashed, section solid.

    ``covariance`` (m, m) or (n, m, m); ``centre`` (2,) or (n, 2). Further keywords go to matplotlib's ``plot``.
    """
    for kind in kinds:
        curves = ellipse_points(covariance, axes, centre=centre, kind=kind)
        style = {"linestyle": "-" if kind == "section" else "--", "linewidth": 1.2, "color": colour, **line}
        for n, curve in enumerate(curves.reshape(-1, curves.shape[-2], 2)):
            ax.plot(curve[:, 0], curve[:, 1], label=kind if n == 0 else "_nolegend_", **style)
