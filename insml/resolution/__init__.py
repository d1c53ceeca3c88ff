"""Instrument resolution: Gaussian widths of mosaics."""

from insml.resolution.gaussian import (
    FWHM_PER_SIGMA,
    Broadening,
    DirectGeometry,
    GaussianBroadening,
    SliceWidths,
)

__all__ = ["FWHM_PER_SIGMA", "Broadening", "DirectGeometry", "GaussianBroadening", "SliceWidths"]
