"""The tables ``mosaic`` and ``resolution`` of a study file."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError, InsmlError
from insml.instruments import Sample
from insml.mosaic import Axis, MosaicLayout, SliceSpec
from insml.resolution import Broadening, DirectGeometry, GaussianBroadening
from insml.study.reader import Table, describe, is_number, is_numbers
from insml.study.study import Integrated, Kinematic

Array = NDArray[np.float64]

MOSAIC_KEYS = ("u", "v", "third", "slices", "grid", "orientation")
AXIS_KEYS = ("label", "vector", "edges", "centres")
SLICE_KEYS = ("energy", "ei", "fractions")
THIRD_KEYS = ("kind", "vector", "range", "samples", "scattering_angle", "ki")
RESOLUTION_KEYS = ("kind", "energy_fwhm", "q_fwhm", "instrument", "version", "package", "frequency", "sample",
                   "horizontal", "energy_bin", "two_theta")
SAMPLE_KEYS = ("size", "x_axis", "y_axis", "mosaic_fwhm")


def read_mosaic(top: Table) -> tuple[MosaicLayout, Integrated | Kinematic]:
    mosaic = top.table("mosaic", MOSAIC_KEYS)
    u, v = _axis(mosaic, "u"), _axis(mosaic, "v")
    if u.label == v.label:
        raise mosaic.mistake("v.label", "a label that differs from that of u", describe(v.label))
    third = mosaic.table("third", THIRD_KEYS)
    w = third.direction("vector")
    if abs(np.linalg.det(np.array([u.vector, v.vector, w]))) < 1e-9:
        raise third.mistake("vector", "a direction that is not in the plane of u and v", describe(list(w)))
    slices = _slices(mosaic.table("slices", SLICE_KEYS))
    grid = _grid(mosaic, len(slices))
    orientation = _orientation(mosaic, (u.label, v.label))
    try:
        layout = MosaicLayout((u, v), w, slices, grid, orientation)
    except GeometryError as error:
        raise mosaic.mistake("", "axes, slices and grid that fit together", str(error)) from None
    return layout, _third(third, slices)


def read_resolution(top: Table, layout: MosaicLayout) -> Broadening:
    table = top.table("resolution", RESOLUTION_KEYS)
    kinds = {"gaussian": ("energy_fwhm", "q_fwhm"),
             "direct-geometry": ("instrument", "version", "package", "frequency", "sample", "horizontal",
                                "energy_bin", "two_theta")}
    kind = table.choice("kind", tuple(kinds))
    _refuse_others(table, kind, kinds[kind])
    return _gaussian(table, layout) if kind == "gaussian" else _direct_geometry(table, layout)


def read_bins(table: Table, name: str) -> Array:
    """Numbers as a list, or evenly spaced as { start, stop, n } with n intervals between start and stop."""
    expected = "an ascending list of at least two numbers, or { start, stop, n }"
    value = table.require(name, expected)
    if isinstance(value, dict):
        spaced = table.table(name, ("start", "stop", "n"))
        start, stop, n = spaced.number("start"), spaced.number("stop"), spaced.whole("n", least=1)
        if not start < stop:
            raise spaced.mistake("stop", f"a number above start = {start:g}", describe(stop))
        return np.linspace(start, stop, n + 1)
    if not is_numbers(value) or len(value) < 2 or not all(low < high for low, high in pairwise(value)):
        raise table.mistake(name, expected, describe(value))
    return np.array(value, float)


def _axis(mosaic: Table, name: str) -> Axis:
    table = mosaic.table(name, AXIS_KEYS)
    label = table.identifier("label")
    vector = table.direction("vector")
    if table.only_one_of(("edges", "centres")) == "edges":
        return Axis(label, vector, read_bins(table, "edges"))
    centres = table.table("centres", ("start", "stop", "n"))
    start, stop, n = centres.number("start"), centres.number("stop"), centres.whole("n", least=2)
    if not start < stop:
        raise centres.mistake("stop", f"a number above start = {start:g}", describe(stop))
    half = 0.5 * (stop - start) / (n - 1)
    return Axis(label, vector, np.linspace(start - half, stop + half, n + 1))


def _slices(table: Table) -> tuple[SliceSpec, ...]:
    if table.only_one_of(("energy", "fractions")) == "energy":
        ei = table.number("ei", above=0.0) if "ei" in table else None
        edges = read_bins(table, "energy")
        if ei is not None and edges[-1] >= ei:
            raise table.mistake("energy", f"energy transfers below ei = {ei:g} meV", f"{edges[-1]:g}")
        return tuple(SliceSpec((float(low), float(high)), ei) for low, high in pairwise(edges))
    fractions = read_bins(table, "fractions")
    if fractions[-1] >= 1.0:
        raise table.mistake("fractions", "fractions of ei below 1", f"{fractions[-1]:g}")
    energies = [table.number("ei", above=0.0)] if is_number(table.data.get("ei")) else list(table.numbers("ei"))
    if min(energies) <= 0.0 or len(set(energies)) != len(energies):
        raise table.mistake("ei", "incident energies above 0, each once", describe(energies))
    return tuple(SliceSpec((float(low * ei), float(high * ei)), ei)
                 for ei in energies for low, high in pairwise(fractions))


def _grid(mosaic: Table, n_slices: int) -> tuple[int, int]:
    expected = "[tiles down, tiles across], two whole numbers"
    value = mosaic.require("grid", expected)
    if not is_numbers(value, 2) or any(type(n) is not int or n < 1 for n in value):
        raise mosaic.mistake("grid", expected, describe(value))
    if value[0] * value[1] < n_slices:
        raise mosaic.mistake("grid", f"room for {n_slices} slices", f"{value[0]} x {value[1]} tiles")
    return (value[0], value[1])


def _orientation(mosaic: Table, labels: tuple[str, str]) -> tuple[str, str]:
    expected = (f"[direction down, direction to the right], such as ['+{labels[0]}', '+{labels[1]}'], "
                "each label once with its sign")
    value = mosaic.require("orientation", expected)
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(o, str) and o for o in value) \
            or any(o[0] not in "+-" for o in value) or sorted(o[1:] for o in value) != sorted(labels):
        raise mosaic.mistake("orientation", expected, describe(value))
    return (value[0], value[1])


def _third(table: Table, slices: tuple[SliceSpec, ...]) -> Integrated | Kinematic:
    kind = table.choice("kind", ("integrated", "kinematic"))
    if kind == "integrated":
        _refuse_others(table, kind, ("vector", "range", "samples", "scattering_angle"))
        angles = None
        if "scattering_angle" in table:
            angles = table.interval("scattering_angle")
            if angles[0] < 0 or angles[1] > 180:
                raise table.mistake("scattering_angle", "2 theta from 0 to 180 degrees", describe(list(angles)))
            if any(s.ei is None for s in slices):
                raise table.mistake("scattering_angle", "mosaic.slices with ei beside it", "slices without ei")
        return Integrated(table.interval("range"), table.whole("samples", least=1), angles)
    _refuse_others(table, kind, ("vector", "ki"))
    if any(s.ei is None for s in slices):
        raise table.mistake("kind", "'integrated', or mosaic.slices with ei", "'kinematic' and slices without ei")
    return Kinematic(table.direction("ki"))


def _gaussian(table: Table, layout: MosaicLayout) -> GaussianBroadening:
    energy = table.numbers("energy_fwhm")
    edges = np.array([s.energy for s in layout.slices]).ravel()
    widths = np.polynomial.polynomial.polyval(edges, np.array(energy))
    if widths.min() <= 0.0:
        raise table.mistake("energy_fwhm", "a polynomial that is positive over all slices",
                            f"{widths.min():.3g} meV at {edges[widths.argmin()]:g} meV")
    q0, q1 = table.numbers("q_fwhm", 2)
    if min(q0, q1) < 0.0:
        raise table.mistake("q_fwhm", "two widths of at least 0", describe([q0, q1]))
    return GaussianBroadening(energy_fwhm=energy, q_fwhm=(q0, q1))


def _direct_geometry(table: Table, layout: MosaicLayout) -> Broadening:
    energies = list(dict.fromkeys(s.ei for s in layout.slices if s.ei is not None))
    if not energies:
        raise table.mistake("kind", "'gaussian', or mosaic.slices with ei", "'direct-geometry' and slices without ei")
    value = table.data.get("frequency")
    frequency = [table.number("frequency", above=0.0)] * len(energies) if is_number(value) \
        else list(table.numbers("frequency"))
    if len(frequency) != len(energies) or min(frequency) <= 0.0:
        raise table.mistake("frequency", f"one frequency in Hz, or one for each of the {len(energies)} ei of "
                            "mosaic.slices", describe(value))
    try:
        return DirectGeometry(instrument=table.text("instrument"), version=table.whole("version", least=1),
                              package=table.text("package"),
                              frequency=dict(zip(energies, frequency, strict=True)), crystal=_sample(table),
                              horizontal=table.direction("horizontal") if "horizontal" in table.data else None,
                              energy_bin=_energy_bin(table), two_theta=_two_theta(table))
    except InsmlError as error:
        raise table.mistake("", "an instrument that is known", str(error)) from None


def _sample(table: Table) -> Sample | None:
    if "sample" not in table.data:
        return None
    sample = table.table("sample", SAMPLE_KEYS)
    size = sample.numbers("size", 3)
    mosaic = sample.number("mosaic_fwhm") if "mosaic_fwhm" in sample.data else None
    return Sample((size[0], size[1], size[2]), sample.direction("x_axis"), sample.direction("y_axis"), mosaic_fwhm=mosaic)


def _energy_bin(table: Table) -> float:
    width = table.number("energy_bin") if "energy_bin" in table.data else 0.0
    if not 0.0 <= width < 0.5:
        raise table.mistake("energy_bin", "a share of Ei from 0 to 0.5", f"{width:g}")
    return width


def _two_theta(table: Table) -> tuple[float, float] | None:
    if "two_theta" not in table.data:
        return None
    smallest, largest = table.numbers("two_theta", 2)
    if not 0.0 <= smallest < largest <= 180.0:
        raise table.mistake("two_theta", "two ascending angles from 0 to 180 degrees", describe([smallest, largest]))
    return smallest, largest


def _refuse_others(table: Table, kind: str, used: tuple[str, ...]) -> None:
    for name in table.data:
        if name not in ("kind", *used):
            raise table.mistake(name, f"only {', '.join(used)} beside kind = '{kind}'", name)
