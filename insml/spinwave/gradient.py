"""Exact derivatives of spin waves with respect to named parameters of the couplings, the spins held where they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml import _core
from insml.errors import GeometryError, ModelError, UnstableStructureError
from insml.spinwave import checks
from insml.spinwave.broadening import SIGMA, Width, energy_fwhm
from insml.spinwave.model import SpinModel
from insml.spinwave.temperature import ELASTIC

Array = NDArray[np.float64]

_CHUNK = 1 << 22
_ENTRY = re.compile(r"\(\d(,\d)?\)$")


@dataclass(frozen=True, eq=False)
class Gradient:
    """Spin waves and their first derivatives at a list of wave vectors.

    Modes are those of :class:`insml.spinwave.spectrum.Spectrum`. Where modes have the same energy each gets the mean of
    what its level as a whole gains: sums over a level are exact, single degenerate modes have no derivative.

    Attributes
    ----------
    q : (nq, 3) r.l.u. of the chemical cell.
    parameters : np names.
    energy, intensity : (nq, nmode) meV; S_perp per chemical cell.
    d_energy, d_intensity : (nq, nmode, np) per unit of each parameter.
    """

    q: Array
    parameters: tuple[str, ...]
    energy: Array
    intensity: Array
    d_energy: Array
    d_intensity: Array


def gradient(
    model: SpinModel,
    q: ArrayLike,
    parameters: Sequence[str] | None = None,
    *,
    form_factor: bool = False,
    g_tensor: bool = False,
    blocks: bool = True,
    threads: int = 0,
) -> Gradient:
    """Energies and intensities with their derivatives, by first-order perturbation theory (docs/derivatives.md).

    Parameters
    ----------
    q : (nq, 3) or (3,) r.l.u. of the chemical cell.
    parameters : names in ``model.parameters``; None for all but single entries of matrices and components of the field.
    form_factor, g_tensor, blocks, threads : as in :meth:`SpinModel.spectrum`.

    Raises
    ------
    ModelError : an unknown name; in a rotating frame a parameter that breaks the symmetry about its axis.
    UnstableStructureError : the structure is not an energy minimum.
    """
    names, points = names_of(model, parameters), checks.wave_vectors(q)
    modes, count = model.n_modes, len(names)
    parts: list[list[Array]] = []
    with _explained(model):
        for core, along, inside, weight in _domains(model, names, points):
            flat = _core.gradient(core, along, inside, form_factor=form_factor, g_tensor=g_tensor, blocks=blocks,
                                  threads=threads)
            energy, intensity, d_energy, d_intensity = np.split(flat, [modes, 2 * modes, (2 + count) * modes], axis=1)
            parts.append([energy, weight * intensity, d_energy.reshape(len(flat), modes, count),
                          weight * d_intensity.reshape(len(flat), modes, count)])
    energy, intensity, d_energy, d_intensity = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
    return Gradient(points, names, energy, intensity, d_energy, d_intensity)


def broadened(
    model: SpinModel,
    q: ArrayLike,
    energies: ArrayLike,
    fwhm: Width,
    parameters: Sequence[str] | None = None,
    *,
    form_factor: bool = False,
    g_tensor: bool = False,
    blocks: bool = True,
    threads: int = 0,
) -> tuple[Array, Array]:
    """S_perp(q, E) = sum over modes of I_m G(E - E_m), G a Gaussian of unit area, and its derivatives.

    Smooth where modes cross or are degenerate: mixing within a level is taken through divided differences of G. Modes
    below 0.0005 meV are left out.

    Parameters
    ----------
    energies : (nE,) energy transfers in meV.
    fwhm : full width of G in meV, that at each energy transfer: a number, the coefficients of a polynomial (highest power
        first), a table (n, 2) of energy and width, or a function of energy.
    parameters, q, form_factor, g_tensor, blocks, threads : as in :func:`gradient`.

    Returns
    -------
    (nq, nE) S per meV and chemical cell, and (nq, nE, np) dS per unit of each parameter.

    Raises
    ------
    As :func:`gradient`; GeometryError : energies that are no list of numbers, a width that is not positive.
    """
    names, points = names_of(model, parameters), checks.wave_vectors(q)
    at = np.asarray(energies, float)
    if at.ndim != 1 or not len(at) or not np.isfinite(at).all():
        raise GeometryError(f"energies: expected a list of finite numbers in meV, found {np.array2string(at)}")
    sigma = np.ascontiguousarray(energy_fwhm(fwhm, at) * SIGMA)
    if not (sigma > 0).all():
        raise GeometryError(f"fwhm: expected a positive width at each energy, found zero at {at[np.argmin(sigma)]:g} meV")
    total = np.zeros((len(points), len(at)))
    slopes = np.zeros((len(points), len(at), len(names)))
    step = max(1, _CHUNK // (len(at) * (1 + len(names))))
    with _explained(model):
        for core, along, inside, weight in _domains(model, names, points):
            for start in range(0, len(points), step):
                part = slice(start, start + step)
                flat = weight * _core.broadened(core, along, inside[part], energy=at, sigma=sigma, lowest=ELASTIC,
                                                form_factor=form_factor, g_tensor=g_tensor, blocks=blocks, threads=threads)
                total[part] += flat[:, :len(at)]
                slopes[part] += flat[:, len(at):].reshape(len(flat), len(at), len(names))
    return total, slopes


def names_of(model: SpinModel, parameters: Sequence[str] | None) -> tuple[str, ...]:
    """The names asked for, checked."""
    if parameters is None:
        return tuple(name for name in model.parameters if not _ENTRY.search(name))
    names = tuple(checks.entries(parameters, "parameters"))
    for name in names:
        if name not in model.parameters:
            raise ModelError(f"parameters: expected some of {', '.join(model.parameters) or '(none)'}, found {name!r}")
    return names


def _direction(model: SpinModel, name: str) -> SpinModel:
    """The couplings' derivatives as a model: h is linear in them. All bonds stay, for they set the gauge of h."""
    p, zero = model.parameters[name], np.zeros((3, 3))
    try:
        return model.replace(
            bonds=[(i, j, dl, p.exchange.get(b, zero)) for b, (i, j, dl, _) in enumerate(model.bonds)],
            biquadratic=[(i, j, dl, p.biquadratic.get(b, 0.0)) for b, (i, j, dl, _) in enumerate(model.biquadratic)],
            anisotropy=[p.anisotropy.get(i, zero) for i in range(len(model.positions))],
            field=np.zeros(3) if p.field is None else p.field,
        )
    except ModelError as e:
        raise ModelError(f"parameters: {name}: {e}") from None


def _domains(model: SpinModel, names: Sequence[str],
             points: Array) -> Iterator[tuple[_core.Model, list[_core.Model], Array, float]]:
    """Model, directions, wave vectors and weight of each domain in its own axes."""
    directions = [_direction(model, name) for name in names]
    if not model.twins:
        yield model.core, [d.core for d in directions], points, 1.0
    v = model.lattice_vectors.T
    for twin in model.twins:
        inside = np.ascontiguousarray(points @ np.linalg.inv(v) @ twin.rotation @ v)
        yield model.domain_core(twin), [d.domain_core(twin) for d in directions], inside, twin.weight


@contextmanager
def _explained(model: SpinModel) -> Iterator[None]:
    try:
        yield
    except UnstableStructureError as e:
        from insml.spinwave.diagnosis import explain_instability

        raise UnstableStructureError(e.q, e.lowest_eigenvalue, partial(explain_instability, model, e.q)) from None
