"""Writing Mantid's MDHistoWorkspace files (SaveMD version 2), which LoadMD reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.crystal import Lattice
from insml.errors import GeometryError
from insml.io.hdf5 import new_hdf5
from insml.io.histogram import HistogramAxis

Array = NDArray[np.float64]

_HKL = 3


def write_mdhisto(path: str | Path, signal: Array, axes: Sequence[HistogramAxis], *, lattice: Lattice, ub: Array,
                  variance: Array | None = None, num_events: Array | None = None, title: str = "") -> None:
    """Write an intensity on a grid as ki - kf; the file is complete or not there.

    Parameters
    ----------
    signal : one dimension for each axis, in the order of ``axes``. NaN is masked.
    axes : three momentum axes with directions in r.l.u., then an energy axis if there is one; bins of equal width, the only
        ones Mantid has. Names and units are made here, from kind and direction.
    lattice, ub : the crystal and (3, 3) its orientation, Q = ub @ hkl in 1/Angstrom, 2 pi included.
    variance : of ``signal``; 0 by default. num_events : of each bin; 1 by default.

    Raises
    ------
    GeometryError : axes that the format cannot hold. InsmlError : there is no such directory.
    """

    _check(signal, axes)
    directions = np.array([axis.direction for axis in axes[:3]], float)
    known = np.isfinite(signal)
    errors = np.where(known, 0.0, np.nan) if variance is None else np.asarray(variance, float)
    events = known.astype(float) if num_events is None else num_events
    order = tuple(range(len(axes)))[::-1]  # the first axis runs fastest
    with new_hdf5(path) as file:
        entry = _group(file, "MDHistoWorkspace", "NXentry", SaveMDVersion=np.int32(2), QConvention="Inelastic")
        entry["title"] = np.bytes_((title or " ").encode())
        entry["coordinate_system"] = np.array([_HKL], np.uint32)
        entry["visual_normalization"] = np.array([0], np.uint32)
        data = _group(entry, "data", "NXdata")
        for d, axis in enumerate(axes):
            data[f"D{d}"] = np.asarray(axis.edges, float)
            if axis.kind == "energy":
                _attributes(data[f"D{d}"], long_name="DeltaE", units="DeltaE", frame="General Frame")
            else:
                _attributes(data[f"D{d}"], long_name=_name(directions[d]), units="r.l.u.", frame="HKL")
        for name, values in (("signal", signal), ("errors_squared", errors), ("num_events", events),
                             ("mask", (~known).astype(np.int8))):
            data.create_dataset(name, data=np.ascontiguousarray(values.transpose(order)), compression="gzip", shuffle=True)
        _attributes(data["signal"], signal=np.int32(1), axes=":".join(f"D{d}" for d in order))
        _experiment(_group(entry, "experiment0", "NXgroup", version=np.int32(1)), lattice, ub, directions)


def _check(signal: Array, axes: Sequence[HistogramAxis]) -> None:
    kinds = [axis.kind for axis in axes]
    if kinds not in (["momentum"] * 3, ["momentum"] * 3 + ["energy"]) or any(a.direction is None for a in axes[:3]):
        raise GeometryError("axes: expected three momenta with directions and perhaps an energy, found "
                            f"{', '.join(kinds) or 'none'}")
    if np.shape(signal) != (shape := tuple(axis.n for axis in axes)):
        raise GeometryError(f"signal: expected shape {shape} of the axes, found {np.shape(signal)}")
    for d, axis in enumerate(axes):
        steps = np.diff(axis.edges)
        if not (steps > 0).all() or np.ptp(steps) > 1e-6 * steps.mean():
            raise GeometryError(f"axes[{d}]: expected ascending bins of one width, found widths from {steps.min():g} to "
                                f"{steps.max():g}")


def _name(direction: Array) -> str:
    """Mantid's name of a direction: (1, 1, 0) is "[H,H,0]"."""
    letter = "HKL"[int(np.argmax(np.abs(direction)))]

    def term(x: float) -> str:
        rounded = f"{x:.4f}".rstrip("0").rstrip(".")
        return {"0": "0", "-0": "0", "1": letter, "-1": f"-{letter}"}.get(rounded, f"{rounded}{letter}")

    return "[" + ",".join(term(x) for x in direction) + "]"


def _experiment(group: Any, lattice: Lattice, ub: Array, directions: Array) -> None:
    logs = _group(group, "logs", "NXgroup", version=np.int32(1))
    w_matrix = _group(logs, "W_MATRIX", "NXlog")
    w_matrix["value"] = directions.T.ravel()
    _attributes(w_matrix["value"], units="")
    sample = _group(group, "sample", "NXsample", version=np.int32(1), name=" ",
                    shape_xml='<type name="userShape">  </type>')
    for name in ("num_oriented_lattice", "num_other_samples", "geom_id"):
        sample[name] = np.array([name == "num_oriented_lattice"], np.int32)
    for name in ("geom_height", "geom_thickness", "geom_width"):
        sample[name] = np.zeros(1)
    material = _group(sample, "material", "NXdata", formulaStyle="empty", name=" ", version=np.int32(2))
    for name in ("number_density", "packing_fraction", "pressure", "temperature"):
        material[name] = np.array([float(name == "packing_fraction")])
    crystal = _group(sample, "oriented_lattice", "NXcrystal")
    for name in ("a", "b", "c", "alpha", "beta", "gamma"):
        crystal[f"unit_cell_{name}"] = np.array([getattr(lattice, name)])
    crystal["orientation_matrix"] = np.asarray(ub, float) / (2 * np.pi)
    # LoadMD drops an experiment without instrument; a blank name stands for none
    instrument = _group(group, "instrument", "NXinstrument", version=np.int32(1))
    instrument["name"] = np.array([b" "])
    _group(instrument, "instrument_xml", "NXnote")["data"] = np.array([b"<instrument/>"])


def _group(parent: Any, name: str, nx_class: str, /, **attributes: Any) -> Any:
    group = parent.create_group(name)
    _attributes(group, NX_class=nx_class, **attributes)
    return group


def _attributes(item: Any, /, **attributes: Any) -> None:
    for name, value in attributes.items():
        # text of fixed length is all that Mantid's NeXus library reads; HDF5 has none of length 0
        item.attrs[name] = np.bytes_((value or " ").encode()) if isinstance(value, str) else value
