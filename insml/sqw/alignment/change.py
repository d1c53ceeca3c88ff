"""Data of a crystal that is not as it was supposed to be."""

from __future__ import annotations

from dataclasses import replace
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import GeometryError
from insml.sqw.alignment.crystal import CrystalCorrection
from insml.sqw.alignment.vectors import to_cartesian
from insml.sqw.data import Sqw
from insml.sqw.frame import Frame
from insml.sqw.image import Dnd
from insml.sqw.projection import LineProj, Projection, SphereProj

Array = NDArray[np.float64]


@overload
def change_crystal(data: Sqw, correction: CrystalCorrection) -> Sqw: ...
@overload
def change_crystal(data: Dnd, correction: CrystalCorrection) -> Dnd: ...
def change_crystal(data: Sqw | Dnd, correction: CrystalCorrection) -> Sqw | Dnd:
    """The same data of the crystal as it is. Pixels, bins and axes of the image stay where they are in Q, with other
    h, k, l. u and v of runs become rlu_corr @ u and rlu_corr @ v.

    Raises
    ------
    GeometryError : data of another lattice than the one corrected.
    """
    if not isinstance(data, (Sqw, Dnd)):
        raise GeometryError(f"change_crystal: expected an Sqw or a Dnd, found {type(data).__name__}")
    _same(data.image.lattice, correction.original)
    corr = correction.rlu_corr
    projection = _moved(data.image.projection, correction.original, corr)
    image = replace(data.image, projection=projection, lattice=correction.lattice)
    if isinstance(data, Dnd):
        return image
    matrix = np.eye(4)
    matrix[:3, :3] = corr @ data.to_rlu
    frame = Frame(matrix, np.zeros(4), np.ones(4))
    runs = []
    for run in data.runs:
        u, v = (tuple((corr @ np.asarray(x)).tolist()) for x in (run.orientation.u, run.orientation.v))
        runs.append(replace(run, frame=frame, orientation=replace(run.orientation, lattice=correction.lattice, u=u, v=v)))
    kept = data.kept
    if kept is not None:
        # these blocks of the file say how the crystal was
        blocks = {name: b for name, b in kept.blocks.items() if name[1] not in ("samples", "expdata")}
        kept = replace(kept, blocks=blocks)
    return replace(data, image=image, runs=tuple(runs), kept=kept)


def crystal_pars_correct(u: ArrayLike, v: ArrayLike, psi: float, omega: float, dpsi: float, gl: float, gs: float,
                         lattice: Lattice, correction: CrystalCorrection) -> Orientation:
    """How the crystal as it is stands, with the same u, v, psi and omega and other dpsi, gl, gs: what to generate the data
    with again. Degrees. The same is said by rlu_corr @ u and rlu_corr @ v with dpsi, gl and gs as they were.

    Raises
    ------
    GeometryError : another lattice than the one corrected.
    """
    _same(lattice, correction.original)
    first, second = (tuple(np.asarray(x, float).tolist()) for x in (u, v))
    before = Orientation(lattice, first, second, psi, omega, dpsi, gl, gs)
    new = replace(before, lattice=correction.lattice)
    # spec_to_cc = axes^T (axis arcs axis^T)^T turn by psi, which is the same before and after
    still = new.axes(new.u, new.v) @ correction.rotation @ replace(before, psi=0.0).spec_to_cc
    axis = Rotation.from_euler("z", omega, degrees=True).as_matrix()
    arcs = axis.T @ still.T @ axis
    # arcs = turn by dpsi about z, by gl about y, by gs about x
    angles = np.degrees([np.arctan2(arcs[1, 0], arcs[0, 0]), np.arcsin(np.clip(-arcs[2, 0], -1, 1)),
                         np.arctan2(arcs[2, 1], arcs[2, 2])])
    return replace(new, **dict(zip(("dpsi", "gl", "gs"), angles.tolist(), strict=True)))


def _same(found: Lattice, expected: Lattice) -> None:
    # as near as float32 of files leaves it
    if not np.allclose(to_cartesian(found), to_cartesian(expected), rtol=1e-5, atol=1e-5):
        raise GeometryError(f"correction: expected one of the lattice of the data, {found}, found one of {expected}")


def _moved(projection: Projection, lattice: Lattice, corr: Array) -> Projection:
    """The same axes in Q, in r.l.u. of the crystal as it is."""
    if isinstance(projection, LineProj):
        frame = projection.frame(lattice)
        matrix, offset = frame.u_to_rlu.copy(), frame.offset.copy()
        matrix[:3, :3], offset[:3] = corr @ frame.momenta, corr @ frame.offset[:3]
        return replace(LineProj.of_frame(replace(frame, u_to_rlu=matrix, offset=offset)), title=projection.title)
    # lengths in units that change with the lattice become those of u and v, which are made as long
    b, scale = to_cartesian(lattice), projection.core(lattice)["scale"]
    round_axes = 1 if isinstance(projection, SphereProj) else 2
    letters = "".join("a" if t == "a" else "p" for t in projection.type[:round_axes]) + projection.type[round_axes:]
    lengths = (scale[0], 1.0) if round_axes == 1 else (scale[1], scale[0])
    u, v = (corr @ np.asarray(x) * (length / np.linalg.norm(b @ np.asarray(x)))
            for x, length in zip((projection.u, projection.v), lengths, strict=True))
    return replace(projection, u=u, v=v, type=letters,
                   offset=[*(corr @ np.asarray(projection.offset[:3])).tolist(), projection.offset[3]])

