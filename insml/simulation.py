"""From a study and a candidate's parameters to the mosaic it predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from insml import _core
from insml.errors import InsmlError
from insml.instruments.fermi import wavevector
from insml.mosaic import Mosaic
from insml.resolution import SliceWidths
from insml.spinwave import Spectrum, SpinModel, Twin
from insml.study import Integrated, Kinematic, Study

Array = NDArray[np.float64]

_Slice = tuple[tuple[float, float], float | None, list[float], list[float], list[float]]

#: Momentum grid in units of the smallest smoothing length; scripts/bench_image.py prints the error it leaves.
STEP = 2.5


def simulate_stack(
    study: Study,
    candidate: str,
    values: Mapping[str, float] | None = None,
    *,
    resolution: bool = True,
    step: float = STEP,
    threads: int = 0,
) -> Array:
    """Mean intensity per meV in every bin, ``(n_slices, n0, n1)``: no scale, no background, no noise.

    Parameters
    ----------
    candidate : a name of ``study.candidates``. values : meV by parameter name; None for the reference values.
    resolution : False leaves the Gaussian widths out; the bins stay.
    step : momentum grid in units of the smallest smoothing length (Q resolution, and the energy window seen through the
        dispersion); smaller is more accurate, cost goes as step^-2.
    threads : 0 for one per core. Bits do not depend on it.

    Raises
    ------
    InsmlError : unknown candidate. ModelError : wrong parameter names.
    UnstableStructureError : the study's magnetic structure is not an energy minimum for these values.
    """
    return Simulator(study, candidate, resolution=resolution, step=step, threads=threads).stack(values)


class Simulator:
    """:func:`simulate_stack` for one candidate again and again.

    With ``freeze()`` the momentum grid stays that of the last stack, so that small differences between stacks are those
    of the parameters alone. ``widths``: of each slice, in place of the study's.
    """

    def __init__(self, study: Study, candidate: str, *, resolution: bool = True, step: float = STEP,
                 widths: Sequence[SliceWidths] | None = None, tilt: float = 0.0, threads: int = 0) -> None:
        if candidate not in study.candidates:
            raise InsmlError(f"candidate: expected one of {', '.join(study.candidates)}, found {candidate!r}")
        self._study, self._candidate = study, study.candidates[candidate]
        self.step, self._tilt, self._threads = step, tilt, threads
        self._widths = list(study.broadening.widths(study.lattice, study.layout) if widths is None else widths)
        if not resolution:
            self._widths = [SliceWidths((0.0, 0.0), (0.0,))] * len(self._widths)
        self._last: tuple[list[float], tuple[float, float]] | None = None
        self._frozen: tuple[list[float], tuple[float, float]] | None = None

    def freeze(self) -> None:
        self._frozen = self._last

    def thaw(self) -> None:
        self._frozen = None

    def _slices(self, widths: tuple[float, float], grid: tuple[float, float]) -> list[_Slice]:
        out: list[_Slice] = []
        for spec, w in zip(self._study.layout.slices, self._widths, strict=True):
            middle = float(w.energy_sigma(0.5 * sum(spec.energy)))
            out.append((spec.energy, spec.ei, [s * widths[0] for s in w.sigma_axes],
                        [c * widths[1] for c in w.sigma_energy],
                        [*(s * grid[0] for s in w.sigma_axes), middle * grid[1]]))
        return out

    def stack(self, values: Mapping[str, float] | None = None, widths: tuple[float, float] = (1.0, 1.0)) -> Array:
        """As :func:`simulate_stack`; ``widths`` multiply the study's resolution in Q and in energy."""
        study, chosen, layout = self._study, self._candidate, self._study.layout
        model = SpinModel.from_dict(chosen.model(chosen.reference if values is None else values))
        third = study.third
        slopes, grid = self._frozen or (None, widths)
        flat, used = _core.convolve_mosaic(
            domains=[(model.domain_core(t), np.ascontiguousarray(t.rotation, float), float(t.weight))
                     for t in distinct_twins(model, self._tilt)],
            axes=[(a.vector, a.edges.tolist()) for a in layout.axes],
            third_vector=layout.third,
            integrated=_quadrature(third) if isinstance(third, Integrated) else None,
            beam=third.ki if isinstance(third, Kinematic) else None,
            slices=self._slices(widths, grid),
            form_factor=study.form_factor,
            slopes=slopes,
            step=self.step,
            threads=self._threads,
        )
        self._last = (used, grid)
        return flat.reshape(layout.stack_shape)


def simulate(study: Study, candidate: str, values: Mapping[str, float] | None = None, *, resolution: bool = True,
             threads: int = 0) -> Mosaic:
    """The mosaic of :func:`simulate_stack`; bins that the kinematics cannot reach are masked."""
    stack = simulate_stack(study, candidate, values, resolution=resolution, threads=threads)
    return Mosaic.from_stack(stack, ~reachable(study), study.layout, title=f"{study.name}: {candidate}",
                             source="simulated")


def reachable(study: Study) -> NDArray[np.bool_]:
    """(n_slices, n0, n1) True where the bin centre obeys energy and momentum conservation with kf forward, and where the
    study's instrument has detectors."""
    layout = study.layout
    out = np.ones(layout.stack_shape, bool)
    if not isinstance(study.third, Kinematic):
        return out
    reciprocal = study.lattice.reciprocal
    beam = reciprocal @ np.asarray(study.third.ki, float)
    beam /= np.linalg.norm(beam)
    across = np.eye(3) - np.outer(beam, beam)
    u, v = (reciprocal @ np.asarray(a.vector, float) for a in layout.axes)
    q = layout.axes[0].centres[:, None, None] * u + layout.axes[1].centres[:, None] * v
    # what the third axis can not supply must fit into kf
    w = across @ (reciprocal @ np.asarray(layout.third, float))
    q_across = q @ across
    if np.linalg.norm(w) > 1e-9:
        unit = w / np.linalg.norm(w)
        q_across = q_across - (q_across @ unit)[..., None] * unit
    for s, spec in enumerate(layout.slices):
        assert spec.ei is not None, "the study reader demands ei for a kinematic third axis"
        kf = wavevector(spec.ei - 0.5 * sum(spec.energy))
        out[s] = np.linalg.norm(q_across, axis=-1) < kf
        if (angles := getattr(study.broadening, "two_theta", None)) is not None:
            two_theta = np.degrees(np.arcsin(np.clip(np.linalg.norm(q_across, axis=-1) / kf, 0, 1)))
            out[s] &= (two_theta >= angles[0]) & (two_theta <= angles[1])
    return out


def distinct_twins(model: SpinModel, tilt: float = 0.0) -> list[Twin]:
    """Twins whose spectra coincide are one: tested at three wave vectors in general position.

    ``tilt``: of each to the next of these the share grows by exp(tilt), the sum of all as it was.
    """
    if len(model.twins) < 2:
        return list(model.twins) or [Twin(np.eye(3), 1.0)]
    q = np.array([[0.1237, 0.2891, 0.3973], [-0.3719, 0.1531, 0.7127], [0.6133, -0.4789, 0.0921]])
    spectra = model.spectrum(q, tensor=False).domains
    kept: list[tuple[Spectrum, Twin]] = []
    for spectrum, twin in zip(spectra, model.twins, strict=True):
        for i, (known, other) in enumerate(kept):
            # intensities weighted by energy: independent of how degenerate modes are mixed
            if np.allclose(known.energy, spectrum.energy, rtol=1e-8, atol=1e-9) and all(
                np.allclose((known.intensity * known.energy**p).sum(axis=1),
                            (spectrum.intensity * spectrum.energy**p).sum(axis=1), rtol=1e-8) for p in range(4)
            ):
                kept[i] = (known, Twin(other.rotation, other.weight + twin.weight))
                break
        else:
            kept.append((spectrum, twin))
    shares = np.array([twin.weight for _, twin in kept]) * np.exp(tilt * np.arange(len(kept)))
    shares *= sum(twin.weight for _, twin in kept) / shares.sum()
    return [Twin(twin.rotation, float(share)) for (_, twin), share in zip(kept, shares, strict=True)]


def _quadrature(third: Integrated) -> tuple[list[float], list[float], tuple[float, float, float] | None]:
    """Nodes and weights (sum 1): Gauss-Legendre, or midpoints where detectors cut the range off at any place."""
    lo, hi = third.range
    if third.scattering_angle is None:
        x, w = np.polynomial.legendre.leggauss(third.samples)
        return (0.5 * (lo + hi) + 0.5 * (hi - lo) * x).tolist(), (0.5 * w).tolist(), None
    n = third.samples
    smallest, largest = np.radians(third.scattering_angle)
    return (lo + (hi - lo) * (np.arange(n) + 0.5) / n).tolist(), [1 / n] * n, (
        float(smallest), float(largest), 0.5 * (hi - lo) / n)
