"""Slices through S(Q, E) laid side by side as one image, with mask, axes and orientation.

A slice is an image of intensity over two momentum directions at one energy window. A *stack* is the array of slices
``(n_slices, n0, n1)`` with both momentum axes ascending; it is what physics and networks work on. A *mosaic* is the
flat picture ``(rows, columns)`` that people exchange as a bare array; which way each axis runs in it is part of
``MosaicLayout.orientation`` and never guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import GeometryError

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Axis:
    """One momentum axis of every tile.

    ``vector`` is its direction in r.l.u. of the chemical cell; a coordinate x on the axis stands for x * vector.
    ``edges`` are the ascending bin edges in units of ``vector``.
    """

    label: str
    vector: tuple[float, float, float]
    edges: Array

    def __post_init__(self) -> None:
        edges = np.array(self.edges, float)
        if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0):
            raise GeometryError(f"axis {self.label}: expected at least two ascending bin edges, found {self.edges}")
        edges.setflags(write=False)
        object.__setattr__(self, "edges", edges)

    @property
    def n(self) -> int:
        return self.edges.size - 1

    @property
    def centres(self) -> Array:
        return 0.5 * (self.edges[1:] + self.edges[:-1])


@dataclass(frozen=True)
class SliceSpec:
    """One tile: an energy-transfer window in meV, and the incident energy it was measured with where known."""

    energy: tuple[float, float]
    ei: float | None = None

    def __post_init__(self) -> None:
        if not self.energy[0] < self.energy[1]:
            raise GeometryError(f"slice: expected an ascending energy window, found {self.energy}")

    @property
    def label(self) -> str:
        window = f"{self.energy[0]:g} to {self.energy[1]:g} meV"
        return window if self.ei is None else f"Ei {self.ei:g}: {window}"


@dataclass(frozen=True, eq=False)
class MosaicLayout:
    """How slices become one image.

    Parameters
    ----------
    axes : two momentum axes shared by all slices; axis 0 and 1 of a stack's tiles.
    third : direction (r.l.u.) along which each slice is integrated or determined by the kinematics.
    slices : in tile order, row by row.
    grid : tiles down and across.
    orientation : direction of increasing row, then of increasing column, as sign + axis label; ("-h", "+k") means
        that h falls down the image and k rises to the right. The two labels must be those of ``axes``, in any order.
    """

    axes: tuple[Axis, Axis]
    third: tuple[float, float, float]
    slices: tuple[SliceSpec, ...]
    grid: tuple[int, int]
    orientation: tuple[str, str] = ("+h", "+k")

    def __post_init__(self) -> None:
        labels = [a.label for a in self.axes]
        if sorted(o[1:] for o in self.orientation) != sorted(labels) or any(o[0] not in "+-" for o in self.orientation):
            raise GeometryError(f"orientation: expected one signed entry for each of {labels}, found {self.orientation}")
        if not 0 < len(self.slices) <= self.grid[0] * self.grid[1]:
            raise GeometryError(f"grid: expected room for {len(self.slices)} slices, found {self.grid}")

    @property
    def _transposed(self) -> bool:
        return self.orientation[0][1:] != self.axes[0].label

    @property
    def tile_shape(self) -> tuple[int, int]:
        """(rows, columns) of one tile in the image."""
        n0, n1 = self.axes[0].n, self.axes[1].n
        return (n1, n0) if self._transposed else (n0, n1)

    @property
    def stack_shape(self) -> tuple[int, int, int]:
        return (len(self.slices), self.axes[0].n, self.axes[1].n)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the whole image."""
        rows, columns = self.tile_shape
        return (rows * self.grid[0], columns * self.grid[1])

    def tile(self, s: int) -> tuple[slice, slice]:
        """Index of slice ``s`` in the image."""
        rows, columns = self.tile_shape
        r, c = divmod(s, self.grid[1])
        return slice(r * rows, (r + 1) * rows), slice(c * columns, (c + 1) * columns)

    def _orient(self, stack: NDArray[Any], back: bool) -> NDArray[Any]:
        """Stack tiles to image tiles (or back): transpose and flips of the last two axes."""
        signs = [o[0] for o in self.orientation]
        flips = tuple(axis for axis, sign in zip((-2, -1), signs, strict=True) if sign == "-")
        if back:
            stack = np.flip(stack, flips)
            return stack.swapaxes(-1, -2) if self._transposed else stack
        if self._transposed:
            stack = stack.swapaxes(-1, -2)
        return np.flip(stack, flips)

    def assemble(self, stack: ArrayLike, fill: float | bool = 0.0) -> NDArray[Any]:
        """Image from a stack ``(n_slices, n0, n1)``; tiles of the grid that hold no slice get ``fill``."""
        stack = np.asarray(stack)
        if stack.shape != self.stack_shape:
            raise GeometryError(f"stack: expected shape {self.stack_shape}, found {stack.shape}")
        image = np.full(self.shape, fill, dtype=stack.dtype)
        for s, tile in enumerate(self._orient(stack, back=False)):
            image[self.tile(s)] = tile
        return image

    def split(self, image: ArrayLike) -> NDArray[Any]:
        """Stack from an image; the inverse of :meth:`assemble`."""
        image = np.asarray(image)
        if image.shape != self.shape:
            raise GeometryError(f"image: expected shape {self.shape}, found {image.shape}")
        return self._orient(np.stack([image[self.tile(s)] for s in range(len(self.slices))]), back=True).copy()

    def oriented(self, orientation: tuple[str, str]) -> MosaicLayout:
        """The same slices, written to the image another way round."""
        return replace(self, orientation=orientation)

    def to_dict(self) -> dict[str, Any]:
        return {
            "axes": [{"label": a.label, "vector": list(a.vector), "edges": a.edges.tolist()} for a in self.axes],
            "third": list(self.third),
            "slices": [{"energy": list(s.energy), "ei": s.ei} for s in self.slices],
            "grid": list(self.grid),
            "orientation": list(self.orientation),
        }

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> MosaicLayout:
        first, second = (Axis(a["label"], tuple(a["vector"]), np.asarray(a["edges"], float)) for a in d["axes"])
        return cls(
            axes=(first, second), third=tuple(d["third"]),
            slices=tuple(SliceSpec(tuple(s["energy"]), s["ei"]) for s in d["slices"]),
            grid=tuple(d["grid"]), orientation=tuple(d["orientation"]),
        )

    def same_bins(self, other: MosaicLayout, tolerance: float = 1e-6) -> bool:
        """Whether both describe the same slices and bins (orientation and grid aside)."""
        return (
            self.stack_shape == other.stack_shape
            and all(np.allclose(a.vector, b.vector, atol=tolerance) and np.allclose(a.edges, b.edges, atol=tolerance)
                    for a, b in zip(self.axes, other.axes, strict=True))
            and all(np.allclose(a.energy, b.energy, atol=tolerance)
                    for a, b in zip(self.slices, other.slices, strict=True))
        )


@dataclass(frozen=True, eq=False)
class Mosaic:
    """A measured or simulated mosaic.

    Attributes
    ----------
    values : (rows, columns) float64, NaN-free; 0 where masked.
    mask : (rows, columns) bool, True where there is no detector.
    variance : (rows, columns) float64 of ``values``, or None when unknown.
    """

    values: Array
    mask: BoolArray
    layout: MosaicLayout
    variance: Array | None = None
    title: str = ""
    source: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("values", "mask") + (("variance",) if self.variance is not None else ()):
            if np.shape(getattr(self, name)) != self.layout.shape:
                raise GeometryError(f"mosaic {name}: expected shape {self.layout.shape}, "
                                    f"found {np.shape(getattr(self, name))}")
        mask = np.array(self.mask, bool) | ~np.isfinite(self.values)
        variance = self.variance
        if variance is not None:
            mask |= ~np.isfinite(variance)
            variance = np.where(mask, 0.0, np.asarray(variance, float))
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "values", np.where(mask, 0.0, np.asarray(self.values, float)))
        object.__setattr__(self, "variance", variance)

    @classmethod
    def from_stack(cls, values: ArrayLike, mask: ArrayLike, layout: MosaicLayout, *,
                   variance: ArrayLike | None = None, **rest: Any) -> Mosaic:
        """From arrays ``(n_slices, n0, n1)`` with ascending axes."""
        return cls(
            layout.assemble(np.asarray(values, float)), layout.assemble(np.asarray(mask, bool), fill=True), layout,
            None if variance is None else layout.assemble(np.asarray(variance, float)), **rest,
        )

    @property
    def stack(self) -> Array:
        """(n_slices, n0, n1) intensities, both axes ascending."""
        return self.layout.split(self.values)

    @property
    def stack_mask(self) -> BoolArray:
        return self.layout.split(self.mask)

    @property
    def stack_variance(self) -> Array | None:
        return None if self.variance is None else self.layout.split(self.variance)

    @property
    def axes(self) -> list[dict[str, Any]]:
        """Bin edges of every tile, in tile order: keys are the axis labels, ``energy`` and ``ei``."""
        return [
            {**{a.label: a.edges for a in self.layout.axes}, "energy": s.energy, "ei": s.ei} for s in self.layout.slices
        ]

    def oriented(self, orientation: tuple[str, str]) -> Mosaic:
        """The same measurement as an image that runs another way."""
        layout = self.layout.oriented(orientation)
        v = self.stack_variance
        return replace(self, values=layout.assemble(self.stack), mask=layout.assemble(self.stack_mask, fill=True),
                       variance=None if v is None else layout.assemble(v), layout=layout)
