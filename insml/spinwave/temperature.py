"""Spectra at a temperature: each mode weighted at its own energy, neutron energy loss and gain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinwave import checks
from insml.spinwave.components import component, needs_tensor
from insml.spinwave.model import SpinModel
from insml.spinwave.spectrum import Spectrum

Array = NDArray[np.float64]

K_B = 0.086173324
"""Boltzmann's constant, meV/K."""
ELASTIC = 5e-4
"""Modes below this energy in meV are left out of lines: they are not inelastic, and their Bose factor diverges."""


@dataclass(frozen=True, eq=False)
class Lines:
    """Delta functions in energy at a list of wave vectors.

    Attributes
    ----------
    q : (nq, 3) r.l.u. of the chemical cell.
    energy : (nq, n) meV, positive where the neutron loses energy. NaN for modes without a real energy.
    intensity : (nq, n) weight of each line per chemical cell, 0 where the energy is NaN.
    component : what it is the intensity of.
    lattice_vectors : (3, 3) rows a, b, c, Cartesian Angstrom.
    """

    q: Array
    energy: Array
    intensity: Array
    component: str = "Sperp"
    lattice_vectors: Array = field(default_factory=lambda: np.eye(3))


def bose(energy: ArrayLike, temperature: float) -> Array:
    """n(E) = 1 / (exp(E / kT) - 1) of E > 0 in meV at a temperature in K; 0 at T = 0.

    Raises
    ------
    ModelError : a negative temperature, or E <= 0 at a finite one.
    """
    e, t = np.asarray(energy, float), float(temperature)
    if not (np.isfinite(t) and t >= 0):
        raise ModelError(f"temperature: expected K, zero or more, found {temperature}")
    if t == 0:
        return np.zeros_like(e)
    if (e <= 0).any():
        raise ModelError(f"energy: expected positive energies for a Bose factor, found {float(np.nanmin(e))}")
    # beyond 700 the exponential overflows and n is 0 to double precision
    return np.asarray(1 / np.expm1(np.minimum(e / (K_B * t), 700.0)))


def loss_lines(spectrum: Spectrum, what: str = "Sperp", *, temperature: float = 0.0,
               normal: ArrayLike | None = None) -> Lines:
    """Lines where the neutron loses energy: S(E) (n(E) + 1).

    Parameters
    ----------
    what : component, see :func:`insml.spinwave.components.parse`. normal : (3,) of the scattering plane, for M and P.
    temperature : K.
    """
    energy = np.where(spectrum.energy > ELASTIC, spectrum.energy, np.nan)
    weight = component(spectrum, what, normal=normal) * (bose(energy, temperature) + 1)
    return Lines(spectrum.q, energy, np.where(np.isfinite(energy), weight, 0.0), what, spectrum.lattice_vectors)


def gain_lines(reverse: Spectrum, what: str = "Sperp", *, temperature: float, normal: ArrayLike | None = None) -> Lines:
    """Lines at Q where the neutron gains energy, from the spectrum ``reverse`` at -Q.

    Detailed balance: S^ab(Q, -E) = exp(-E / kT) S^ba(-Q, E) = n(E) times the transposed correlations at -Q.
    """
    turned = replace(reverse, q=-reverse.q, _tensor=lambda: reverse.tensor.swapaxes(-1, -2))
    energy = np.where(reverse.energy > ELASTIC, reverse.energy, np.nan)
    weight = component(turned, what, normal=normal) * bose(energy, temperature)
    return Lines(turned.q, -energy, np.where(np.isfinite(energy), weight, 0.0), what, reverse.lattice_vectors)


def thermal_lines(model: SpinModel, q: ArrayLike, what: str = "Sperp", *, temperature: float,
                  normal: ArrayLike | None = None, **options: Any) -> Lines:
    """Lines of both signs of energy at ``q``; the model is solved at q and at -q.

    Parameters
    ----------
    q : (nq, 3) r.l.u. options : those of :meth:`SpinModel.spectrum`, but for ``tensor``.
    """
    points, tensor = checks.wave_vectors(q), needs_tensor(what)
    loss = loss_lines(model.spectrum(points, tensor=tensor, **options), what, temperature=temperature, normal=normal)
    gain = gain_lines(model.spectrum(-points, tensor=tensor, **options), what, temperature=temperature, normal=normal)
    return replace(loss, energy=np.concatenate([gain.energy, loss.energy], axis=1),
                   intensity=np.concatenate([gain.intensity, loss.intensity], axis=1))
