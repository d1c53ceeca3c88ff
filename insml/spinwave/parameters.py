"""Named parameters: directions in which the couplings of a model can move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Parameter:
    """A number ``value`` on which couplings depend linearly: moving it by d adds d times the matrices given here.

    Attributes
    ----------
    value : where the parameter stands in the model.
    exchange : by index into ``SpinModel.bonds``, (3, 3) dJ/dvalue.
    biquadratic : by index into ``SpinModel.biquadratic``, dB/dvalue.
    anisotropy : by site, (3, 3) dA/dvalue.
    field : (3,) dB/dvalue in tesla per unit.
    """

    value: float
    exchange: Mapping[int, Array] = field(default_factory=dict)
    biquadratic: Mapping[int, float] = field(default_factory=dict)
    anisotropy: Mapping[int, Array] = field(default_factory=dict)
    field: Array | None = None


def from_labels(bonds: list[tuple[int, int, NDArray[np.int64], Array]], bond_labels: list[str],
                applied_field: Array) -> dict[str, Parameter]:
    """Parameters that labelled bonds imply.

    ``J1`` is the exchange constant where all bonds of that label share one scalar matrix J 1; otherwise the factor, now 1,
    by which all matrices of the label are multiplied. ``J1(a,b)``, a and b from 1 to 3, is one entry of the matrix where
    all bonds of the label share it. ``B`` is the length of the applied field in tesla, if there is one, and ``B(a)`` its
    components.
    """
    out: dict[str, Parameter] = {}
    members: dict[str, list[int]] = {}
    for index, label in enumerate(bond_labels):
        if label:
            members.setdefault(label, []).append(index)
    for label, indices in members.items():
        first = bonds[indices[0]][3]
        shared = all(np.array_equal(bonds[b][3], first) for b in indices)
        if shared and first[0, 0] != 0 and np.array_equal(first, first[0, 0] * np.eye(3)):
            out[label] = Parameter(float(first[0, 0]), {b: np.eye(3) for b in indices})
        else:
            out[label] = Parameter(1.0, {b: bonds[b][3] for b in indices})
        if shared:
            for a, c in np.ndindex(3, 3):
                unit = np.zeros((3, 3))
                unit[a, c] = 1.0
                out[f"{label}({a + 1},{c + 1})"] = Parameter(float(first[a, c]), dict.fromkeys(indices, unit))
    length = float(np.linalg.norm(applied_field))
    if length > 0:
        out.setdefault("B", Parameter(length, field=applied_field / length))
    for a in range(3):
        out.setdefault(f"B({a + 1})", Parameter(float(applied_field[a]), field=np.eye(3)[a]))
    return out
