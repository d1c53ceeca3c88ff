"""A cut through a ferromagnet, as an instrument would have counted it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.horace import PixelCut
from insml.instruments import Sample, maps
from insml.resolution.element import DetectorElement
from insml.resolution.pixels import MeasuredPixels, ResolutionRun

Array = NDArray[np.float64]
LATTICE = Lattice(3.0, 3.0, 3.0)


def ferromagnet(h: Array, k: Array, l: Array, e: Array, p: Array) -> Array:  # noqa: E741
    """A chain along k; p: amplitude, S J, FWHM of a Gaussian in E about 4 S J (1 - cos 2 pi k)."""
    amplitude, sj, fwhm = p
    sigma = fwhm / np.sqrt(8 * np.log(2))
    centre = 4 * sj * (1 - np.cos(2 * np.pi * k))
    return np.asarray(amplitude * np.exp(-0.5 * ((e - centre) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)))


def make(runs: int = 4, seed: int = 0) -> PixelCut:
    """Bins along k in a window of energies; no data yet."""
    rng = np.random.default_rng(seed)
    instrument = maps(60, 250)
    psi = np.linspace(-5, 5, runs)
    of = [ResolutionRun(instrument, Sample((0.02, 0.02, 0.02)), Orientation(LATTICE, (1, 0, 0), (0, 1, 0), psi=float(p)))
          for p in psi]
    n = 400 * runs
    element = DetectorElement(6.0, rng.uniform(8, 30, n), rng.uniform(-8, 8, n), 0.0254, 0.02)
    energy = rng.choice(np.arange(12.0, 20.0), n)
    pixels = MeasuredPixels(of, np.repeat(np.arange(runs), 400), element, energy, np.array(1.0))
    edges = np.linspace(pixels.hkl[:, 1].min() - 1e-6, pixels.hkl[:, 1].max() + 1e-6, 21)
    which = np.searchsorted(edges, pixels.hkl[:, 1]) - 1
    return PixelCut(pixels, which, (edges,), np.zeros(20), np.ones(20))
