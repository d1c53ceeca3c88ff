"""Instrument resolution: Gaussian widths of mosaics, covariances, and convolution over measured pixels."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from insml.resolution.gaussian import (
    FWHM_PER_SIGMA,
    Broadening,
    DirectGeometry,
    GaussianBroadening,
    SliceWidths,
)

if TYPE_CHECKING:
    from insml.resolution.convolve import Convolution, Factors, convolve_covariance
    from insml.resolution.covariance import resolution_covariance
    from insml.resolution.element import DetectorElement
    from insml.resolution.line_shapes import DampedOscillator, GaussianLine, LorentzianLine
    from insml.resolution.pixels import MeasuredPixels, ResolutionRun

# name -> module, imported on first use: they need scipy's special functions and the spin waves
_HOME = {
    **dict.fromkeys(("Convolution", "Factors", "convolve_covariance"), "convolve"),
    "resolution_covariance": "covariance",
    "DetectorElement": "element",
    **dict.fromkeys(("DampedOscillator", "GaussianLine", "LorentzianLine"), "line_shapes"),
    **dict.fromkeys(("MeasuredPixels", "ResolutionRun"), "pixels"),
}

__all__ = [
    "FWHM_PER_SIGMA",
    "Broadening",
    "Convolution",
    "DampedOscillator",
    "DetectorElement",
    "DirectGeometry",
    "Factors",
    "GaussianBroadening",
    "GaussianLine",
    "LorentzianLine",
    "MeasuredPixels",
    "ResolutionRun",
    "SliceWidths",
    "convolve_covariance",
    "resolution_covariance",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
