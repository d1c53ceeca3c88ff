"""Powder averages: the mean over all orientations of a crystal, for each |Q|."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave.binning import deposit, energy_axis
from insml.spinwave.broadening import Width
from insml.spinwave.components import needs_tensor, parse
from insml.spinwave.model import SpinModel
from insml.spinwave.temperature import gain_lines, loss_lines

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

_MODES_AT_ONCE = 1 << 19


@dataclass(frozen=True, eq=False)
class PowderSpectrum:
    """Powder-averaged intensity on |Q| x energy bins.

    Attributes
    ----------
    q_abs : (nQ,) 1/Angstrom.
    energy_edges : (nE + 1,) meV.
    intensity : (nQ, nE) per meV and chemical cell unless ``unit`` says otherwise. NaN where nothing can be measured.
    """

    q_abs: Array
    energy_edges: Array
    intensity: Array
    component: str = "Sperp"
    unit: str = "1/meV/cell"

    @property
    def energy(self) -> Array:
        """(nE,) bin centres."""
        return np.asarray((self.energy_edges[:-1] + self.energy_edges[1:]) / 2)

    @property
    def integrated(self) -> Array:
        """(nQ,) sum over energy of intensity times bin width."""
        return np.asarray(self.intensity @ np.diff(self.energy_edges))

    def scaled(self, factor: float, unit: str) -> PowderSpectrum:
        """In another unit; see :func:`insml.spinwave.units.intensity_factor`."""
        return replace(self, intensity=self.intensity * factor, unit=unit)


def powder(model: SpinModel, q_abs: ArrayLike, energy_edges: ArrayLike, *, points: int = 987, fwhm: Width = 0.0,
           lorentzian: Width = 0.0, temperature: float = 0.0, component: str = "Sperp", method: str = "fibonacci",
           rotate: bool = True, seed: int = 0, **options: Any) -> PowderSpectrum:
    """Mean over the sphere of each |Q|, binned over energy.

    Parameters
    ----------
    q_abs : (nQ,) 1/Angstrom, positive. energy_edges : (nE + 1,) meV; below zero the neutron gains energy.
    points : directions for each |Q|; "fibonacci" takes the largest Fibonacci number that is not larger.
    fwhm, lorentzian : as in :func:`insml.spinwave.binning.bin_lines`. temperature : K.
    component : "Sperp" or a combination of S^ab.
    method : "fibonacci", nearly even points (J. H. Hannay and J. F. Nye, J. Phys. A 37, 11591 (2004)), or "random".
    rotate : turn the Fibonacci points of each |Q| at random, so that no direction of the crystal is met by all of them.
    seed : the same seed gives the same result. options : those of :meth:`SpinModel.spectrum`, such as ``form_factor``.

    Raises
    ------
    ModelError : a model in a field. Grains see the field along different axes of their own, have different ground states,
        and their average is not that of one model.
    """
    if model.field.any():
        raise ModelError(f"field: expected none for a powder, whose grains see it along all their axes, found "
                         f"{model.field.tolist()} T")
    if any(name[0] in "MP" for name in parse(component)):
        raise ModelError(f"component: expected Sperp or Sab, since a powder has no scattering plane, found {component!r}")
    radii, edges = np.atleast_1d(np.asarray(q_abs, float)), energy_axis(energy_edges)
    if radii.ndim != 1 or not (np.isfinite(radii) & (radii > 0)).all():
        raise ModelError(f"q_abs: expected positive numbers in 1/Angstrom, found {np.array2string(radii)}")
    if points < 1:
        raise ModelError(f"points: expected a positive number, found {points}")
    grain = model.replace(twins=())  # a domain of a powder is one more grain
    tensor = needs_tensor(component)
    out = np.zeros((len(radii), len(edges) - 1))
    to_hkl = model.lattice_vectors.T / (2 * np.pi)
    for shells, Q in _sphere_points(radii, points, method, rotate, seed, max(1, _MODES_AT_ONCE // grain.n_modes)):
        spectrum = grain.spectrum(Q @ to_hkl, tensor=tensor, **options)
        lines = [loss_lines(spectrum, component, temperature=temperature)]
        if edges[0] < 0 and temperature > 0:
            # the mean over all Q is also that over all -Q
            lines.append(gain_lines(spectrum, component, temperature=temperature))
        for line in lines:
            rows = np.repeat(shells, line.energy.shape[1])
            deposit(out, rows, line.energy.ravel(), line.intensity.ravel(), edges, fwhm, lorentzian)
    count = _fibonacci(points)[0] if method == "fibonacci" else points
    return PowderSpectrum(radii, edges, out / count, component)


def fibonacci_sphere(points: int) -> Array:
    """(F, 3) unit vectors, F the largest Fibonacci number <= ``points``: z = (2j + 1) / F - 1, phi = 2 pi j F' / F with F'
    the Fibonacci number before."""
    n, before = _fibonacci(points)
    j = np.arange(n)
    z, phi = (2 * j + 1) / n - 1, 2 * np.pi * (j * before % n) / n
    r = np.sqrt(1 - z**2)
    return np.stack([r * np.cos(phi), r * np.sin(phi), z], axis=1)


def _fibonacci(limit: int) -> tuple[int, int]:
    before, n = 1, 1
    while before + n <= limit:
        before, n = n, before + n
    return n, before


def _sphere_points(radii: Array, points: int, method: str, rotate: bool, seed: int,
                   at_once: int) -> Iterator[tuple[Indices, Array]]:
    """(shell index (n,), Cartesian Q (n, 3)) in batches of about ``at_once``."""
    if method not in ("fibonacci", "random"):
        raise ModelError(f"method: expected 'fibonacci' or 'random', found {method!r}")
    from scipy.spatial.transform import Rotation

    rng = np.random.default_rng(seed)
    even = fibonacci_sphere(points) if method == "fibonacci" else np.empty((points, 0))
    batch: list[tuple[Indices, Array]] = []
    waiting = 0
    for shell, radius in enumerate(radii):
        if method == "random":
            unit = rng.standard_normal((points, 3))
            unit /= np.linalg.norm(unit, axis=1)[:, None]
        else:
            unit = even @ Rotation.from_quat(rng.standard_normal(4)).as_matrix().T if rotate else even
        for start in range(0, len(unit), at_once):
            part = unit[start:start + at_once]
            batch.append((np.full(len(part), shell), radius * part))
            waiting += len(part)
            if waiting >= at_once:
                yield np.concatenate([s for s, _ in batch]), np.concatenate([q for _, q in batch])
                batch, waiting = [], 0
    if batch:
        yield np.concatenate([s for s, _ in batch]), np.concatenate([q for _, q in batch])
