"""What the axes of an image are, in words."""

from __future__ import annotations

from insml.sqw.image import Dnd
from insml.sqw.projection import LineProj, SphereProj


def axis_name(image: Dnd, axis: int) -> tuple[str, str]:
    """Of one of the four axes: a direction in r.l.u. or a quantity, and its unit."""
    projection = image.projection
    if axis == 3:
        return "energy transfer", "meV"
    if not isinstance(projection, LineProj):
        letter, first = projection.type[axis], 1 if isinstance(projection, SphereProj) else 2
        unit = {"d": "degree", "r": "radian"}[letter] if axis >= first else {"a": "1/Angstrom"}.get(letter, "r.l.u.")
        return projection.label[axis].replace("\\", ""), unit
    frame = projection.frame(image.lattice)
    direction = ", ".join(f"{x:.3g}" for x in (frame.momenta[:, axis].round(4) + 0.0).tolist())
    return f"[{direction}]", f"{frame.lengths[axis]:.4g} 1/Angstrom"


def axis_label(image: Dnd, axis: int) -> str:
    """Under a plot: a direction in r.l.u. and how long one unit of it is, or energy transfer."""
    projection = image.projection
    if axis == 3:
        return "Energy transfer (meV)"
    if not isinstance(projection, LineProj):
        return f"${projection.label[axis]}$"
    name, unit = axis_name(image, axis)
    return f"{name} in {unit.split()[0]} " + r"$\mathrm{\AA}^{-1}$"


def caption(image: Dnd) -> str:
    """The title, and over what is integrated."""
    parts = [image.title] if image.title else []
    for n, edges in enumerate(image.axes.all_edges):
        if n not in image.axes.plotted:
            name = "E" if n == 3 else image.projection.label[n].replace("\\", "")
            parts.append(f"{edges[0]:.4g} < {name} < {edges[-1]:.4g}")
    return ", ".join(parts)
