"""What a study states, once read and checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from insml.crystal import Lattice
from insml.mosaic import MosaicLayout
from insml.resolution import Broadening
from insml.study.candidate import Candidate
from insml.study.neighbours import canonical
from insml.study.structure import MagneticStructure

_DIGEST_VERSION = 1  # raise when the meaning of a study's content changes, so that old networks are not matched


@dataclass(frozen=True)
class Integrated:
    """Each slice is the average over ``range``, in units of ``layout.third``; ``samples`` points represent it.

    ``scattering_angle``: (smallest, largest) 2 theta in degrees that detectors cover; points of the range outside it
    are never measured and do not count in the average. Needs an ``ei`` on every slice.
    """

    range: tuple[float, float]
    samples: int
    scattering_angle: tuple[float, float] | None = None


@dataclass(frozen=True)
class Kinematic:
    """The third coordinate follows from energy and momentum conservation for a crystal that stands still.

    ``ki``: direction of the incident beam in r.l.u. of the crystal. Every slice has an ``ei``.
    """

    ki: tuple[float, float, float]


@dataclass(frozen=True)
class Background:
    """Shape of each slice's background, amplitudes linear.

    ``terms``: ``constant``, ``q2``, ``q4`` (powers of |Q| in 1/Angstrom). ``polynomial``: order of a free polynomial in
    the two momentum axes beside them, 0 for none; far smoother than any spin wave it takes up what |Q| does not explain.
    """

    terms: tuple[str, ...] = ()
    polynomial: int = 0


@dataclass(frozen=True)
class DataRules:
    """How measured data are cleaned before they are compared with anything.

    ``hot_pixel_sigma``: a single pixel that stands out from its neighbours by more of the slice's robust sigmas than
    this is masked; None keeps all. ``edge_pixels``: so many pixels next to uncovered ones are masked, where coverage
    is partial and normalisation poor.
    """

    hot_pixel_sigma: float | None = None
    edge_pixels: int = 0


@dataclass(frozen=True)
class Training:
    """How a network for this study is trained.

    images : simulated images in all, shared equally between the candidates.
    epochs, seed : of the training.
    relative_noise : (lo, hi) noise sigma relative to a slice's typical signal, drawn log-uniformly for each image.
    background : (lo, hi) residual background of a slice relative to its typical signal.
    scale_jitter : sigma of the natural logarithm of each slice's (or Ei's) intensity scale.
    mask_fraction : (lo, hi) share of pixels without detector.
    mirror : every candidate looks the same after either momentum axis is reversed, so training may mirror images.
    """

    images: int = 1000
    epochs: int = 20
    seed: int = 1
    relative_noise: tuple[float, float] = (0.1, 0.6)
    background: tuple[float, float] = (0.0, 0.5)
    scale_jitter: float = 0.2
    mask_fraction: tuple[float, float] = (0.0, 0.3)
    mirror: bool = False


@dataclass(frozen=True, eq=False)
class Study:
    """A question to measured data: which of the candidates is right?

    ``candidates`` is in the order of the file, which is the order of a network's classes. ``scale`` says what shares
    one intensity scale: each "slice" has its own, or all slices of one "ei". ``free_widths``: the fit may multiply the
    resolution's Q and energy widths by factors of its own. ``path`` is the file it was read from.
    """

    name: str
    title: str
    path: Path
    lattice: Lattice
    structure: MagneticStructure
    candidates: dict[str, Candidate]
    layout: MosaicLayout
    third: Integrated | Kinematic
    broadening: Broadening
    form_factor: bool
    background: Background = Background()
    scale: Literal["slice", "ei"] = "slice"
    free_widths: bool = False
    data: DataRules = DataRules()
    training: Training = field(default_factory=Training)
    notes: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all that matters for a trained network: what is simulated, and how training corrupts it.

        Texts, reference values, the path, data cleaning, what only the fit uses (background, scale), and how tiles are
        laid out in the image do not count; nor does the order in which bonds are listed or from which end.
        """
        return _sha256({
            "simulation": self.simulation_digest,
            "training": self.training,
        })

    @property
    def simulation_digest(self) -> str:
        """As :attr:`digest`, of what matters for the clean simulated images alone."""
        layout = self.layout.to_dict()
        return _sha256({
            "version": _DIGEST_VERSION,
            "structure": self.structure,
            "candidates": [_candidate_content(c) for c in self.candidates.values()],
            "layout": {name: layout[name] for name in ("axes", "third", "slices")},
            "third": [type(self.third).__name__, self.third],
            "broadening": [type(self.broadening).__name__, self.broadening],
            "form_factor": self.form_factor,
            "seed": self.training.seed,
        })


def _sha256(content: dict[str, Any]) -> str:
    text = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _candidate_content(candidate: Candidate) -> dict[str, Any]:
    bonds = []
    for b in candidate.bonds:
        key = canonical(b.i, b.j, b.dl)
        same_way = key == (b.i, b.j, b.dl)
        # The reverse bond carries the transposed matrix.
        matrix = b.exchange if same_way else tuple(zip(*b.exchange, strict=True))
        bonds.append((key, matrix))
    return {
        "name": candidate.name,
        "parameters": [[p.name, p.prior] for p in candidate.parameters],
        "bonds": sorted(bonds, key=lambda bond: bond[0]),
        "anisotropy": sorted(candidate.anisotropy, key=lambda entry: entry[0]),
    }


def _plain(value: Any) -> Any:
    """JSON types only; floats to ten digits, so that the last bit of a cosine does not matter."""
    if isinstance(value, float):
        return float(f"{value:.10g}") + 0.0
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if f.metadata.get("simulated", True)]
        return {name: _plain(getattr(value, name)) for name in fields}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
