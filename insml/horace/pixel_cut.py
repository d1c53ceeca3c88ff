"""A cut with its pixels, as fits through the resolution need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.crystal.lattice import Lattice
from insml.crystal.orientation import Orientation
from insml.errors import FormatError, GeometryError, ModelError
from insml.instruments import Sample
from insml.resolution.beam import Spectrometer
from insml.resolution.element import DetectorElement
from insml.resolution.pixels import MeasuredPixels, ResolutionRun
from insml.sqw import Sqw

Array = NDArray[np.float64]

#: What stored coordinates may differ by from those of run, detector and energy bin: 1/Angstrom and meV, relative to the
#: largest. Horace up to version 3 wrote pixels with E = 2.07 k^2, which is 1e-3 in E and 5e-4 in Q.
_STORED = 2e-3


@dataclass(frozen=True, eq=False)
class PixelCut:
    """Bins with signal and variance (of the mean), and the pixels in them.

    Parameters
    ----------
    pixels : n measured pixels. bin : (n,) flat index of the bin of each, last axis fastest.
    edges : ascending bin edges of each plot axis. signal, variance : of the shape of the bins; variance 0 where nothing
        was measured.

    Raises
    ------
    GeometryError : shapes that do not fit, bins that do not exist.
    """

    pixels: MeasuredPixels
    bin: NDArray[np.intp]
    edges: tuple[Array, ...]
    signal: Array
    variance: Array

    def __post_init__(self) -> None:
        if not len(self.pixels):
            raise GeometryError("cut: pixels: expected at least one, found none")
        edges = tuple(np.asarray(e, float) for e in self.edges)
        shape = tuple(len(e) - 1 for e in edges)
        object.__setattr__(self, "edges", edges)
        for name in ("signal", "variance"):
            value = np.asarray(getattr(self, name), float)
            if value.shape != shape:
                raise GeometryError(f"cut: {name}: expected the shape of the bins {shape}, found {value.shape}")
            object.__setattr__(self, name, value)
        bins = np.asarray(self.bin, np.intp)
        if bins.shape != (len(self.pixels),) or (bins.size and not 0 <= bins.min() <= bins.max() < self.signal.size):
            raise GeometryError(f"cut: bin: expected {len(self.pixels)} indices below {self.signal.size}, found others")
        object.__setattr__(self, "bin", bins)

    @property
    def npix(self) -> NDArray[np.intp]:
        """Pixels in each bin."""
        return np.bincount(self.bin, minlength=self.signal.size).reshape(self.signal.shape)

    @property
    def centres(self) -> list[Array]:
        """Coordinates of all bins along each plot axis, each of the shape of the bins."""
        return list(np.meshgrid(*(0.5 * (e[1:] + e[:-1]) for e in self.edges), indexing="ij"))

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Bins with pixels and a variance."""
        return (self.npix > 0) & (self.variance > 0) & np.isfinite(self.signal)

    def with_signal(self, signal: ArrayLike, variance: ArrayLike | None = None) -> PixelCut:
        """The same bins and pixels; variance 0 where none is given."""
        s = np.asarray(signal, float)
        return replace(self, signal=s, variance=np.zeros_like(s) if variance is None else np.asarray(variance, float))

    @classmethod
    def from_sqw(cls, *, pixels: ArrayLike, npix: ArrayLike, edges: Sequence[ArrayLike], signal: ArrayLike,
                 variance: ArrayLike, runs: ArrayLike, energies: Array | Sequence[Array], detectors: ArrayLike,
                 lattice: Lattice, instrument: Spectrometer | Sequence[Spectrometer], sample: Sample) -> PixelCut:
        """From what a Horace file of a cut holds.

        Parameters
        ----------
        pixels : (n, 9) u1, u2, u3 (crystal Cartesian, 1/Angstrom), dE, run (from 1), detector number, energy bin (from 1),
            signal, variance; in the order of the bins. npix : pixels of each bin.
        runs : (r, 12) Ei, u (3), v (3), psi, omega, dpsi, gl, gs, angles in radians. energies : bin boundaries, meV, of all
            runs or of each.
        detectors : (d, 6) number, distance (m), two-theta, azimuth (degrees), width, height (m).
        instrument : of all runs or of each.

        Raises
        ------
        FormatError : runs, detectors or bins that do not exist; coordinates that are not those of run, detector and energy
        bin.
        """
        record, table, where = (np.asarray(x, float) for x in (pixels, detectors, runs))
        if record.ndim != 2 or record.shape[1] != 9:
            raise FormatError("cut", "nine columns", f"shape {record.shape}", "pixels")
        counts = np.asarray(npix, np.intp).ravel()
        if counts.sum() != len(record):
            raise FormatError("cut", f"a sum of {len(record)} pixels", f"{counts.sum()}", "npix")
        run = record[:, 4].astype(np.intp) - 1
        if not ((run >= 0) & (run < len(where))).all():
            raise FormatError("cut", f"1 to {len(where)}", "others", "pixels: run")
        order = np.argsort(table[:, 0])
        row = order[np.searchsorted(table[:, 0], record[:, 5], sorter=order).clip(max=len(table) - 1)]
        if not (table[row, 0] == record[:, 5]).all():
            raise FormatError("cut", "numbers of the detector table", "others", "pixels: detector")
        instruments = list(instrument) if isinstance(instrument, Sequence) else [instrument] * len(where)
        boundaries = [energies] * len(where) if isinstance(energies, np.ndarray) else list(energies)
        stands = [Orientation(lattice, tuple(r[1:4]), tuple(r[4:7]), *np.degrees(r[7:12])) for r in where]
        of = [ResolutionRun(i, sample, o, float(r[0])) for i, o, r in zip(instruments, stands, where, strict=True)]
        number = record[:, 6].astype(np.intp)
        lengths = np.array([len(b) for b in boundaries])
        if not ((number >= 1) & (number < lengths[run])).all():
            raise FormatError("cut", "numbers of the runs' bins", "others", "pixels: energy bin")
        low, high = (np.array([boundaries[r][i] for r, i in zip(run, number + up, strict=True)]) for up in (-1, 0))
        found = MeasuredPixels(of, run, DetectorElement(*table[row, 1:6].T), 0.5 * (low + high), high - low)
        cls._check(found, record)
        shape = tuple(len(np.asarray(e)) - 1 for e in edges)
        # Horace counts bins along the first axis fastest
        flat = np.arange(counts.size).reshape(shape, order="F").ravel()
        bins = np.empty(counts.size, np.intp)
        bins[np.arange(counts.size)] = np.argsort(flat)
        return cls(found, np.repeat(bins, counts), tuple(np.asarray(e, float) for e in edges),
                   np.asarray(signal, float).reshape(shape), np.asarray(variance, float).reshape(shape))

    @classmethod
    def of(cls, w: Sqw) -> PixelCut:
        """A cut with its pixels, once it has an instrument and a sample (:func:`set_instrument`, :func:`set_sample`).

        Raises
        ------
        ModelError : no instrument or sample. GeometryError : no pixels, no detectors. FormatError : as :meth:`from_sqw`.
        """
        from insml.io.sqw.equipment import instruments_of, samples_of

        instruments, samples = instruments_of(w), samples_of(w)
        for name, found in (("instrument", instruments), ("sample", samples)):
            if any(x is None for x in found):
                raise ModelError(f"{name}: expected one for each run, of insml.instruments, found none; set_{name}(w, ...) "
                                 "gives it")
        if not len(w.detectors):
            raise GeometryError("cut: detectors: expected a table, found none in a form that is known")
        rows = {run.id: n + 1.0 for n, run in enumerate(w.runs)}
        pixels = w.pixels.read().astype(float)
        ids, where = np.unique(pixels[:, 4], return_inverse=True)
        if not all(int(i) in rows for i in ids):
            raise FormatError(w.filename or "cut", "runs of the headers", "others", "pixels: run")
        pixels[:, 4] = np.array([rows[int(i)] for i in ids])[where]
        o = [run.orientation for run in w.runs]
        runs = [[run.efix, *x.u, *x.v, *np.radians([x.psi, x.omega, x.dpsi, x.gl, x.gs])]
                for run, x in zip(w.runs, o, strict=True)]
        t = w.detectors
        table = np.column_stack([t.number, t.distance, t.two_theta, t.azimuth, t.width, t.height])
        return cls.from_sqw(pixels=pixels, npix=w.counted, edges=w.edges, signal=w.signal, variance=w.variance, runs=runs,
                            energies=[run.energies for run in w.runs], detectors=table, lattice=o[0].lattice,
                            instrument=list(instruments), sample=samples[0])

    @staticmethod
    def _check(found: MeasuredPixels, record: Array) -> None:
        q = found.hkl @ found.runs[0].orientation.b.T
        for name, mine, theirs in (("u1, u2, u3", q, record[:, :3]), ("dE", found.energy, record[:, 3])):
            miss = float(np.abs(mine - theirs).max(initial=0.0))
            scale = max(float(np.abs(theirs).max(initial=0.0)), 1e-6)
            if miss > _STORED * scale:
                raise FormatError("cut", f"those of run, detector and energy bin to {_STORED:g}",
                                  f"some {miss / scale:.2g} of the largest away", f"pixels: {name}")
