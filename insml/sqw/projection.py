"""Coordinates of a cut: straight axes, spheres and cylinders in reciprocal space (Horace's line_proj, sphere_proj,
cylinder_proj)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.sqw.frame import LABELS, Frame

Array = NDArray[np.float64]
Vector = tuple[float, float, float]


def vector(value: Any, name: str, size: int = 3) -> tuple[float, ...]:
    found = np.asarray(value, float)
    if found.shape != (size,) or not np.isfinite(found).all():
        raise GeometryError(f"projection: {name}: expected {size} finite numbers, found {value}")
    return tuple(found.tolist())


@dataclass(frozen=True, eq=False)
class LineProj:
    """Straight axes along ``u``, then ``v`` and ``w`` (r.l.u.), and energy transfer.

    Parameters
    ----------
    w : across u and v where None.
    type : of each axis how long one unit is: "a" 1/Angstrom; "r" the length at which the largest of h, k, l is 1; "p" the
        vector itself. "ppr" where None and without w, else "ppp".
    nonorthogonal : axes along u, v, w as they are. Otherwise the second is across u in the plane of u and v, the third
        across both.
    offset : (h, k, l, E) of the origin.

    Raises
    ------
    GeometryError : vectors in one line or plane, another type.
    """

    u: Any = (1.0, 0.0, 0.0)
    v: Any = (0.0, 1.0, 0.0)
    w: Any = None
    type: str | None = None
    nonorthogonal: bool = False
    offset: Any = (0.0, 0.0, 0.0, 0.0)
    label: tuple[str, ...] = LABELS
    title: str = ""
    #: of a file, as it is stored there
    stored: Frame | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "u", vector(self.u, "u"))
        object.__setattr__(self, "v", vector(self.v, "v"))
        if self.w is not None:
            object.__setattr__(self, "w", vector(self.w, "w"))
        offset = np.atleast_1d(np.asarray(self.offset, float))
        object.__setattr__(self, "offset", vector(np.append(offset, 0.0) if offset.size == 3 else offset, "offset", 4))
        kind = self.type if self.type is not None else "ppr" if self.w is None else "ppp"
        if len(kind) != 3 or set(kind) - set("arp"):
            raise GeometryError(f"projection: type: expected three of a, r and p, found {kind!r}")
        object.__setattr__(self, "type", kind)
        if len(self.label) != 4:
            raise GeometryError(f"projection: label: expected four, found {len(self.label)}")
        if np.linalg.norm(np.cross(self.u, self.v)) < 1e-9 * np.linalg.norm(self.u) * np.linalg.norm(self.v):
            raise GeometryError(f"projection: expected u and v that are not parallel, found {self.u} and {self.v}")
        if self.w is not None and abs(np.linalg.det([self.u, self.v, self.w])) < 1e-9 * np.prod(
                [np.linalg.norm(x) for x in (self.u, self.v, self.w)]):
            raise GeometryError(f"projection: expected u, v and w that span a volume, found {self.u}, {self.v}, {self.w}")

    @classmethod
    def of_frame(cls, frame: Frame) -> Self:
        """Axes that a file gives by their vectors."""
        u, v, w = frame.momenta.T
        try:
            return cls(u, v, w, "ppp", True, frame.offset, frame.labels, stored=frame)
        except GeometryError:
            raise GeometryError(f"projection: expected axes that span a volume, found u_to_rlu {frame.momenta.tolist()}") \
                from None

    def frame(self, lattice: Lattice) -> Frame:
        """The axes as vectors in a lattice."""
        if self.stored is not None:
            return self.stored
        orientation = Orientation(lattice, self.u, self.v)
        b, ub = orientation.b, orientation.ub
        assert self.type is not None
        if self.nonorthogonal:
            across = np.linalg.solve(b, np.cross(b @ self.u, b @ self.v)) if self.w is None else np.asarray(self.w)
            hkl = np.stack([np.asarray(self.u), np.asarray(self.v), across])
            hkl[2] *= np.sign(np.linalg.det((b @ hkl.T).T)) or 1.0
            whole = np.linalg.norm(hkl @ b.T, axis=1)
            lengths = np.array([{"a": 1.0, "p": x, "r": x / np.abs(h).max()}[t]
                                for t, x, h in zip(self.type, whole, hkl, strict=True)])
            columns = hkl.T / whole * lengths
        else:
            inverse = np.linalg.inv(ub)
            third = np.linalg.solve(ub, [0.0, 0.0, 1.0]) if self.w is None else np.asarray(self.w)
            along = np.abs(np.diag(ub @ np.stack([np.asarray(self.u), np.asarray(self.v), third], axis=1)))
            lengths = np.array([{"a": 1.0, "p": p, "r": 1 / np.abs(i).max()}[t]
                                for t, p, i in zip(self.type, along, inverse.T, strict=True)])
            if not (lengths > 1e-9).all():
                raise GeometryError(f"projection: type 'p': expected w off the plane of u and v, found {self.w}")
            columns = inverse * lengths
        matrix = np.eye(4)
        matrix[:3, :3] = columns
        return Frame(matrix, np.array(self.offset), np.append(lengths, 1.0), tuple(self.label))

    def core(self, lattice: Lattice, to_rlu: Array | None = None) -> dict[str, Any]:
        """What the core needs to give pixels their coordinates. ``to_rlu``: (3, 3) of what pixels hold; B's inverse where
        None."""
        frame = self.frame(lattice)
        to_axes = np.linalg.inv(frame.momenta)
        rows = to_axes @ (np.linalg.inv(Orientation(lattice, (1, 0, 0), (0, 1, 0)).b) if to_rlu is None else to_rlu)
        shift = [*(to_axes @ frame.offset[:3]).tolist(), float(frame.offset[3])]
        return {"shape": "line", "frame": rows.tolist(), "offset": shift, "scale": [1.0] * 4}


@dataclass(frozen=True, eq=False)
class _Round:
    u: Any = (1.0, 0.0, 0.0)
    v: Any = (0.0, 1.0, 0.0)
    type: str = ""
    offset: Any = (0.0, 0.0, 0.0, 0.0)
    label: tuple[str, ...] = ()
    title: str = ""

    #: letters that each axis may have, and what a whole turn is in them
    _letters = ("", "", "")
    _shape = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "u", vector(self.u, "u"))
        object.__setattr__(self, "v", vector(self.v, "v"))
        offset = np.atleast_1d(np.asarray(self.offset, float))
        object.__setattr__(self, "offset", vector(np.append(offset, 0.0) if offset.size == 3 else offset, "offset", 4))
        if len(self.type) != 3 or any(t not in known for t, known in zip(self.type, self._letters, strict=True)):
            raise GeometryError(f"projection: type: expected one of each of {', '.join(self._letters)}, found "
                                f"{self.type!r}")

    def _length(self, letter: str, along: Array, lattice: Lattice, b: Array) -> float:
        if letter == "a":
            return 1.0
        if letter == "p":
            return float(np.linalg.norm(along))
        stars = np.linalg.norm(b, axis=0)
        if letter in "hkl":
            return float(stars["hkl".index(letter)])
        return float(np.abs(along / np.linalg.norm(along) @ (b / stars)).max() * np.linalg.norm(along))

    def core(self, lattice: Lattice, to_rlu: Array | None = None) -> dict[str, Any]:
        """As :meth:`LineProj.core`."""
        orientation = Orientation(lattice, self.u, self.v)
        axes, b = orientation.axes(self.u, self.v), orientation.b
        rows = axes if to_rlu is None else axes @ b @ to_rlu
        shift = [*(axes @ b @ np.asarray(self.offset[:3])).tolist(), self.offset[3]]
        along = [b @ np.asarray(self.u), b @ np.asarray(self.v)]
        return {"shape": self._shape, "frame": rows.tolist(), "offset": shift,
                "scale": [*self._scales(along, lattice, b), 1.0]}

    def _scales(self, along: Sequence[Array], lattice: Lattice, b: Array) -> list[float]:
        raise NotImplementedError


def _angle(letter: str) -> float:
    return 1.0 if letter == "d" else float(np.degrees(1.0))


@dataclass(frozen=True, eq=False)
class SphereProj(_Round):
    """|Q|, the angle from ``u``, the angle about it (from the plane of u and v), and energy transfer.

    ``type``: |Q| in "a" 1/Angstrom, "p" of |u|, "r", or "h", "k", "l" of a*, b*, c*; angles "d" degrees or "r" radians.
    Q is counted from ``offset`` (h, k, l, E).
    """

    type: str = "add"
    label: tuple[str, ...] = ("|Q|", r"\theta", r"\phi", "E")
    _letters = ("aprhkl", "dr", "dr")
    _shape = "sphere"

    def _scales(self, along: Sequence[Array], lattice: Lattice, b: Array) -> list[float]:
        return [self._length(self.type[0], along[0], lattice, b), _angle(self.type[1]), _angle(self.type[2])]

    @property
    def limits(self) -> list[tuple[float, float]]:
        """Of the second and third axis."""
        return [(0.0, 180.0 / _angle(self.type[1])), (-180.0 / _angle(self.type[2]), 180.0 / _angle(self.type[2]))]


@dataclass(frozen=True, eq=False)
class CylinderProj(_Round):
    """Distance of Q from the axis ``u``, the part along it, the angle about it (from the plane of u and v), and energy.

    ``type`` as of :class:`SphereProj`, "p" of the first axis being |v|.
    """

    type: str = "aad"
    label: tuple[str, ...] = (r"Q_\perp", r"Q_{||}", r"\phi", "E")
    _letters = ("aprhkl", "aprhkl", "dr")
    _shape = "cylinder"

    def _scales(self, along: Sequence[Array], lattice: Lattice, b: Array) -> list[float]:
        return [self._length(self.type[0], along[1], lattice, b), self._length(self.type[1], along[0], lattice, b),
                _angle(self.type[2])]

    @property
    def limits(self) -> list[tuple[float, float]]:
        """Of the third axis."""
        return [(-180.0 / _angle(self.type[2]), 180.0 / _angle(self.type[2]))]


Projection = LineProj | SphereProj | CylinderProj
