"""Instruments and samples as Horace's files describe them (its IX_... classes)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import GeometryError, ModelError
from insml.instruments import (
    BlockDetector,
    Delta,
    DiskSpectrometer,
    Distribution,
    FermiPackage,
    FermiPulse,
    FermiSpectrometer,
    Ikcarp,
    Sample,
    Tabulated,
    ikcarp_param,
)
from insml.instruments.moderator import MICROSECOND
from insml.instruments.neutron import speed
from insml.sqw.data import Sqw

Array = NDArray[np.float64]

#: Radius, m, with which a pulse is written: slit and curvature are those that give the pulse with it.
_RADIUS = 0.049
_SOURCE = {"serial_name": "IX_source", "version": 2.0, "name": "", "target_name": "", "frequency": 0.0}


def instrument_of(tree: Any, ei: float, distance: float, diameter: float, height: float) -> FermiSpectrometer | None:
    """Moderator, aperture and Fermi chopper of a file; None where there is nothing.

    Parameters
    ----------
    tree : what :attr:`insml.sqw.Sqw.equipment` holds. ei : meV, of the run, where the chopper states none. distance,
        diameter, height : of the run's detectors, m; files of instruments have none.

    Raises
    ------
    ModelError : an instrument of another kind, or with numbers that make none.
    """
    if isinstance(tree, dict) and "mono_chopper" in tree:
        raise ModelError("instrument of the file: expected moderator, aperture and fermi_chopper, found disk choppers, "
                         "which are not read; set_instrument(w, ...) gives one")
    if not isinstance(tree, dict) or not {"moderator", "aperture", "fermi_chopper"} & set(tree):
        return None
    moderator, aperture, chopper = (_part(tree, name) for name in ("moderator", "aperture", "fermi_chopper"))
    energy = _number(chopper, "energy", "fermi_chopper", 0.0) or ei
    jitter = _number(chopper, "jitter", "fermi_chopper", 0.0)
    if jitter or not _number(chopper, "phase", "fermi_chopper", 1.0):
        raise ModelError(f"instrument of the file: fermi_chopper: expected no jitter and the optimal phase, found jitter "
                         f"{jitter:g} microseconds, phase {chopper.get('phase')}")
    frequency, radius, curvature, slit = (_number(chopper, n, "fermi_chopper")
                                          for n in ("frequency", "radius", "curvature", "slit_width"))
    # distances are from the sample; an aperture upstream counts as negative
    first, third = (_number(p, "distance", n) for p, n in ((moderator, "moderator"), (chopper, "fermi_chopper")))
    second = -_number(aperture, "distance", "aperture")
    try:
        package = FermiPackage(slit, radius, curvature)
        pulse = FermiPulse(package.opening(frequency), package.gamma(energy, frequency))
        return FermiSpectrometer(
            name=_text(tree, "name"), ei=float(ei), frequency=frequency, package=_text(chopper, "name"),
            moderator_to_chopper=first - third, aperture_to_chopper=second - third, chopper_to_sample=third,
            sample_to_detector=distance, moderator_angle=_number(moderator, "angle", "moderator"),
            aperture_width=_number(aperture, "width", "aperture"),
            aperture_height=_number(aperture, "height", "aperture"), moderator=_pulse(moderator, energy), chopper=pulse,
            detector=BlockDetector(diameter, height))
    except GeometryError as error:
        raise ModelError(f"instrument of the file: {error}; set_instrument(w, ...) gives another") from None


def _pulse(moderator: dict[str, Any], ei: float) -> Distribution:
    model, pp = _text(moderator, "pulse_model"), moderator.get("pp", [])
    if model == "table" and isinstance(pp, list) and len(pp) == 2:
        x, y = (_floats(p, "instrument of the file: moderator: pp") for p in pp)
        return Tabulated(x * MICROSECOND, y)
    if model == "delta_function":
        return Delta()
    numbers = _floats(pp, "instrument of the file: moderator: pp")
    if model in ("ikcarp", "ikcarp_param") and numbers.size == 3:
        first, second, third = numbers.tolist()
        return Ikcarp(first, second, third) if model == "ikcarp" else ikcarp_param(first, second, third, ei)
    raise ModelError("instrument of the file: moderator: pulse_model: expected ikcarp or ikcarp_param with three numbers, "
                     f"delta_function or table, found {model!r} with {numbers.size} numbers")


def sample_of(tree: Any) -> Sample | None:
    """A sample of a file; None where there is nothing but a lattice.

    Raises
    ------
    ModelError : a shape that is not known, or numbers that make no sample.
    """
    if not isinstance(tree, dict) or "shape" not in tree:
        return None
    shape = _text(tree, "shape")
    size, *axes = (_floats(tree.get(n, []), f"sample of the file: {n}") for n in ("ps", "xgeom", "ygeom"))
    eta = tree.get("eta", 0.0)
    # a number, or a mosaic of another class with its parameters
    mosaic = _floats(eta.get("parameters", []) if isinstance(eta, dict) else eta, "sample of the file: eta")
    try:
        if axes[0].size != 3 or axes[1].size != 3 or (shape != "point" and size.size != 3):
            raise GeometryError(f"expected three numbers each in xgeom, ygeom and ps, found {axes[0].size}, {axes[1].size} "
                                f"and {size.size}")
        wide = None if not mosaic.any() else mosaic.item() if mosaic.size == 1 else tuple(mosaic.tolist())
        return Sample(tuple(size.tolist()) if shape != "point" else (0.0, 0.0, 0.0), tuple(axes[0].tolist()),
                      tuple(axes[1].tolist()), shape, wide)
    except GeometryError as error:
        raise ModelError(f"sample of the file: {error}; set_sample(w, ...) gives another") from None


def instrument_tree(instrument: Any) -> dict[str, Any] | None:
    """How a file of version 4 describes an instrument; None where it cannot.

    A chopper's pulse is what counts: slit width and curvature that give it stand for the package it came from.
    """
    if not isinstance(instrument, FermiSpectrometer) or not isinstance(instrument.chopper, FermiPulse):
        return None
    pulse = _pulse_tree(instrument.moderator)
    if pulse is None:
        return None
    model, pp = pulse
    omega, opening = 2 * np.pi * instrument.frequency, instrument.chopper.opening
    slit = 2 * _RADIUS * omega * opening
    mismatch = instrument.chopper.gamma * slit / (2 * _RADIUS**2)
    chopper_distance = instrument.chopper_to_sample
    return {
        "serial_name": "IX_inst_DGfermi", "version": 2.0, "source": _SOURCE, "name": instrument.name,
        "moderator": {"serial_name": "IX_moderator", "version": 3.0, "name": "",
                      "distance": instrument.moderator_to_chopper + chopper_distance,
                      "angle": float(instrument.moderator_angle), "pulse_model": model, "pp": pp, "flux_model": "uniform",
                      "pf": np.zeros(0), "width": 0.0, "height": 0.0, "thickness": 0.0, "temperature": 0.0,
                      "energy": float(instrument.ei)},
        "aperture": {"serial_name": "IX_aperture", "version": 2.0, "name": "",
                     "distance": -(instrument.aperture_to_chopper + chopper_distance),
                     "width": float(instrument.aperture_width), "height": float(instrument.aperture_height)},
        "fermi_chopper": {"serial_name": "IX_fermi_chopper", "version": 2.0, "name": instrument.package,
                          "distance": float(chopper_distance), "frequency": float(instrument.frequency),
                          "radius": _RADIUS, "curvature": 1 / (2 * omega / float(speed(instrument.ei)) + mismatch),
                          "slit_width": slit, "slit_spacing": slit, "width": 0.0, "height": 0.0,
                          "energy": float(instrument.ei), "phase": True, "jitter": 0.0}}


def _pulse_tree(moderator: Distribution) -> tuple[str, Any] | None:
    if isinstance(moderator, Ikcarp):
        return "ikcarp", np.array([moderator.tau_f, moderator.tau_s, moderator.r])
    if isinstance(moderator, Tabulated):
        return "table", [moderator.x / MICROSECOND, moderator.density * MICROSECOND]
    return ("delta_function", np.zeros(0)) if isinstance(moderator, Delta) else None


def sample_tree(sample: Sample, cell: dict[str, Any]) -> dict[str, Any]:
    """How a file of version 4 describes a sample of a lattice ``cell``."""
    mosaic = 0.0 if sample.mosaic_fwhm is None else sample.mosaic_fwhm
    return {"serial_name": "IX_sample", "version": 3.0, **cell, "name": "", "single_crystal": True,
            "xgeom": np.array(sample.x_axis, float), "ygeom": np.array(sample.y_axis, float), "shape": sample.shape,
            "ps": np.array(sample.size, float) if sample.shape != "point" else np.zeros(0),
            "eta": mosaic if isinstance(mosaic, float) else np.array(mosaic, float), "temperature": 0.0}


def instruments_of(w: Sqw) -> list[Any]:
    """Of each run: what was set, or what the file says.

    Raises
    ------
    ModelError : as :func:`instrument_of`.
    """
    table = w.detectors
    distance, diameter, height = (float(np.median(x)) if len(table) else 1.0
                                  for x in (table.distance, table.width, table.height))
    given = w.equipment.get("instruments", [])
    return _each(w, given, lambda tree, n: tree if isinstance(tree, (FermiSpectrometer, DiskSpectrometer)) else
                 instrument_of(tree, w.runs[n].efix, distance, diameter, height))


def samples_of(w: Sqw) -> list[Any]:
    """Of each run: what was set, or what the file says.

    Raises
    ------
    ModelError : as :func:`sample_of`.
    """
    return _each(w, w.equipment.get("samples", []), lambda tree, n: tree if isinstance(tree, Sample) else sample_of(tree))


def _each(w: Sqw, given: list[Any], made: Callable[[Any, int], Any]) -> list[Any]:
    """Runs that share a description share what is made of it."""
    if len(given) != len(w.runs):
        return [None] * len(w.runs)
    seen: dict[tuple[int, float], Any] = {}
    for n, tree in enumerate(given):
        key = (id(tree), w.runs[n].efix)
        if key not in seen:
            seen[key] = made(tree, n)
    return [seen[id(tree), w.runs[n].efix] for n, tree in enumerate(given)]


def _part(tree: dict[str, Any], name: str) -> dict[str, Any]:
    found = tree.get(name)
    if not isinstance(found, dict):
        raise ModelError(f"instrument of the file: {name}: expected a description, found {type(found).__name__}")
    return found


def _number(tree: dict[str, Any], name: str, of: str, default: float | None = None) -> float:
    value = _floats(tree.get(name, [] if default is None else default), f"instrument of the file: {of}: {name}", "a number")
    if value.size != 1 or not np.isfinite(value[0]):
        raise ModelError(f"instrument of the file: {of}: {name}: expected a number, found {tree.get(name)!r}")
    return float(value[0])


def _floats(value: Any, field: str, expected: str = "numbers") -> Array:
    try:
        return np.ravel(np.asarray(value, float))
    except (TypeError, ValueError):
        raise ModelError(f"{field}: expected {expected}, found {str(value)[:40]!r}") from None


def _text(tree: dict[str, Any], name: str) -> str:
    found = tree.get(name, "")
    return found if isinstance(found, str) else ""
