"""insml: single-crystal inelastic neutron scattering, from measured runs to exchange parameters."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from insml import instruments, studies
    from insml.errors import (
        FormatError,
        GeometryError,
        InsmlError,
        MissingExtraError,
        ModelError,
        StudyError,
        UnstableStructureError,
    )
    from insml.inquiry import classify, fit, investigate
    from insml.io import open_any as open
    from insml.mosaic import Mosaic, MosaicLayout
    from insml.resolution.covariance import resolution_covariance
    from insml.simulation import simulate
    from insml.spinwave import Spectrum, SpinModel
    from insml.sqw.cut import cut
    from insml.sqw.projection import CylinderProj as cylinder_proj
    from insml.sqw.projection import LineProj as line_proj
    from insml.sqw.projection import SphereProj as sphere_proj

# name -> module and name there; imported on first use, so that `import insml` stays quick
_HOME = {
    **{name: ("insml.errors", name) for name in (
        "FormatError", "GeometryError", "InsmlError", "MissingExtraError", "ModelError", "StudyError",
        "UnstableStructureError")},
    **{name: ("insml.inquiry", name) for name in ("classify", "fit", "investigate")},
    "open": ("insml.io", "open_any"),
    "Mosaic": ("insml.mosaic", "Mosaic"),
    "MosaicLayout": ("insml.mosaic", "MosaicLayout"),
    "resolution_covariance": ("insml.resolution.covariance", "resolution_covariance"),
    "simulate": ("insml.simulation", "simulate"),
    "SpinModel": ("insml.spinwave", "SpinModel"),
    "Spectrum": ("insml.spinwave", "Spectrum"),
    "cut": ("insml.sqw.cut", "cut"),
    "cylinder_proj": ("insml.sqw.projection", "CylinderProj"),
    "line_proj": ("insml.sqw.projection", "LineProj"),
    "sphere_proj": ("insml.sqw.projection", "SphereProj"),
}

__all__ = [
    "FormatError",
    "GeometryError",
    "InsmlError",
    "MissingExtraError",
    "ModelError",
    "Mosaic",
    "MosaicLayout",
    "Spectrum",
    "SpinModel",
    "StudyError",
    "UnstableStructureError",
    "classify",
    "cut",
    "cylinder_proj",
    "fit",
    "instruments",
    "investigate",
    "line_proj",
    "open",
    "resolution_covariance",
    "simulate",
    "sphere_proj",
    "studies",
]


def __getattr__(name: str) -> Any:
    if name in ("instruments", "studies"):
        return import_module(f"insml.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'insml' has no attribute {name!r}")
    module, attribute = _HOME[name]
    value = getattr(import_module(module), attribute)
    # a submodule of the same name (insml.simulation) must not take the place of the function
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
