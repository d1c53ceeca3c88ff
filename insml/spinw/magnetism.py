"""Magnetic structure, its energy, and the model that follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insml.errors import ModelError
from insml.spinw.constraints import Constraint, Search, named, structure
from insml.spinw.couplings import Couplings
from insml.spinw.options import matlab_style
from insml.spinw.state import columns
from insml.spinw.struct import Struct
from insml.spinwave.anneal import anneal
from insml.spinwave.classical import energy
from insml.spinwave.minimise import minimise
from insml.spinwave.model import SpinModel
from insml.spinwave.optimal_k import optimal_k
from insml.spinwave.relax import relax
from insml.spinwave.structure import MagneticStructure, commensurate_supercell, rotation

Array = NDArray[np.float64]
_MODES = ("tile", "extend", "direct", "helical", "fourier", "random", "rotate", "func")


class Magnetism(Couplings):
    """genmagstr, optmag* and energies."""

    def model(self) -> SpinModel:
        """The native model: this object's couplings, structure, field and twins."""
        return self.interactions().model(self.structure)

    @matlab_style(1, ignored=("epsilon", "fid"))
    def genmagstr(self, mode: str = "tile", k: Any = None, n: Any = None, S: Any = None, nExt: Any = None,
                  unit: str = "xyz", unitS: str | None = None, norm: bool = True, r0: bool = True, phi: float = 0.0,
                  phid: float = 0.0, func: Constraint | str = "gm_spherical3d", x0: Any = None, seed: int = 0) -> None:
        """Magnetic structure.

        Parameters
        ----------
        mode : "tile" (spins of one cell repeated), "direct" (every spin of the supercell), "helical", "fourier",
            "random", "rotate" (all spins by ``phi`` about ``n``; with phi = 0 onto n, or their plane normal to it), "func".
        S : (3, n) spins in columns ((n, 3) where unambiguous), for "fourier" complex (3, n) or (3, n, nk).
        k : (3,) or (nk, 3) r.l.u. n : (3,) axis. nExt : (3,) supercell, or one number: tolerance within which it holds k.
        unit : axes of S and n, "xyz" or "lu" (along a, b, c, of length one).
        norm : scale spins to the S of their atoms. r0 : phases from atomic positions, not from the first atom.
        phi, phid : rad, degrees. func, x0 : see insml.spinw.constraints. seed : of "random".
        """
        matom = self.matom
        lengths = np.asarray(matom.S)
        if not len(lengths):
            raise ModelError("genmagstr: expected magnetic atoms, found none with S > 0")
        if mode not in _MODES:
            raise ModelError(f"mode: expected one of {', '.join(_MODES)}, found {mode!r}")
        waves = None if k is None else np.atleast_2d(np.asarray(k, float))
        if waves is not None and waves.shape[1] != 3:
            raise ModelError(f"k: expected three numbers for each wave vector, found shape {np.shape(k)}")
        if waves is not None and len(waves) > 1 and mode != "fourier":
            raise ModelError(f"k: expected one wave vector for mode {mode!r}, found {len(waves)}")
        wave = np.zeros(3) if waves is None else waves[0]
        cell = self._supercell(nExt, waves)
        axes: dict[str, Any] = {"unit": unitS or unit, "lattice": self.cell.vectors, "lengths": lengths if norm else None}
        axis = (0.0, 0.0, 1.0) if n is None else np.asarray(n, float).ravel()
        where = np.asarray(matom.r).T
        count = len(lengths) * int(np.prod(cell))
        if (mode in ("tile", "extend") and S is None and not self.nmagext) or mode == "random":
            self.structure = MagneticStructure.random(lengths, cell, seed=seed, k=None if waves is None else wave,
                                                      n=None if waves is None else axis)
        elif mode in ("tile", "extend"):
            spins = self.structure.spins if S is None else columns(S, "S").real.T
            full = len(spins) == count and tuple(self.mag_str.nExt) == cell
            if len(spins) < len(lengths):
                raise ModelError(f"S: expected {len(lengths)} spins, one for each magnetic atom, found {len(spins)}")
            self.structure = (MagneticStructure.direct(spins, cell, **axes) if full
                              else MagneticStructure.tile(spins[: len(lengths)], cell, **axes))
        elif mode == "direct":
            spins = self._given(S).real.T
            if len(spins) == len(lengths):
                cell = (1, 1, 1)
            turns = (wave, axis) if waves is not None and wave.any() else (None, None)
            self.structure = MagneticStructure.direct(spins, cell, *turns, **axes)
        elif mode == "helical":
            spins = self._given(S)
            self.structure = MagneticStructure.helical(spins.real.T, wave, axis, cell, positions=where, r0=r0, **axes)
        elif mode == "fourier":
            parts = np.asarray(S, complex)
            parts = columns(parts, "S")[:, :, None] if parts.ndim < 3 else parts
            self.structure = MagneticStructure.fourier(parts.transpose(2, 1, 0), wave[None] if waves is None else waves,
                                                       cell, positions=where, r0=r0, **axes)
        elif mode == "rotate":
            angle = float(np.degrees(phi)) if phi else float(phid)
            now = self.structure if S is None else MagneticStructure.direct(columns(S, "S").real.T, cell, **axes)
            turned = now.rotated(axis, angle) if angle else now.aligned(axis)
            self.structure = MagneticStructure.direct(turned.spins, turned.supercell, turned.k, turned.n,
                                                      lengths=axes["lengths"])
        else:
            self.structure = structure(named(func)(np.tile(lengths, int(np.prod(cell))), np.asarray(x0, float)), cell)

    def _given(self, S: Any) -> NDArray[Any]:
        if S is not None:
            return columns(S, "S")
        if not self.nmagext:
            raise ModelError("S: expected spins, found none")
        return self.structure.spins.T

    def _supercell(self, nExt: Any, waves: Array | None) -> tuple[int, int, int]:
        value = self.mag_str.nExt if nExt is None else np.asarray(nExt, float).ravel()
        if np.size(value) == 1:
            return commensurate_supercell(np.zeros((1, 3)) if waves is None else waves, float(np.ravel(value)[0]))
        if np.shape(value) != (3,) or (value < 1).any() or (value != np.rint(value)).any():
            raise ModelError(f"nExt: expected three positive whole numbers or a tolerance, found {nExt!r}")
        a, b, c = (int(m) for m in value)
        return a, b, c

    def energy(self) -> float:
        """Classical energy, meV per spin."""
        return energy(self.model())

    @matlab_style(1, ignored=("boundary", "fSub", "subLat", "TolX", "saveAll", "Hmin", "plot", "pause", "fid", "title",
                              "epsilon"))
    def optmagsteep(self, nRun: int = 2000, random: bool = False, nExt: Any = None, seed: int = 0) -> Struct:
        """Turn spins along their molecular fields until they rest (see insml.spinwave.relax), in steps of at most ``nRun``.

        Returns
        -------
        obj, M (3, n), e (energy per spin after each step, meV), nRun, converged, dM (largest torque left, meV).
        """
        if random or not self.nmagext or self._supercell(nExt, None) != tuple(self.mag_str.nExt):
            self.genmagstr(mode="random", nExt=nExt, seed=seed)
        found = relax(self.model(), max_steps=nRun)
        self.structure = MagneticStructure.of(found.model)
        return Struct(obj=self.copy(), M=found.model.spins.T.copy(), e=found.history, dM=found.torque,
                      nRun=len(found.history) - 1, converged=found.converged)

    @matlab_style(1, ignored=("epsilon", "boundary", "title", "tid", "fid", "tolx", "tolfun", "maxfunevals", "maxiter"))
    def optmagstr(self, func: Constraint | str = "gm_spherical3d", xmin: Any = None, xmax: Any = None, x0: Any = None,
                  nRun: int = 1, seed: int = 0, **limits: Any) -> Struct:
        """Least energy over the numbers of a constraint (see insml.spinwave.minimise).

        Parameters
        ----------
        func : a gm function or its name. xmin, xmax, x0 : (nx,). nRun : searches from random starts.
        limits : (low, high) for numbers of the constraint by name, such as nTheta_rad.

        Returns
        -------
        obj, x, e (meV per spin), fname, xname, output (the native result).
        """
        start = self._start(self._supercell(None, None))
        search = Search(func, start.lengths, start.supercell)
        names = [name.lower() for name in search.names]
        bounds = None if xmin is None or xmax is None else np.column_stack([np.ravel(xmin), np.ravel(xmax)]).astype(float)
        for name, pair in limits.items():
            if name.lower() not in names:
                raise ModelError("optmagstr: expected options func, xmin, xmax, x0, nRun, seed"
                                 + "".join(f", {x}" for x in search.names) + f", found {name!r}")
            bounds = np.array(search.bounds, float) if bounds is None else bounds
            bounds[names.index(name.lower())] = pair
        found = minimise(self.interactions().model(start), search, x0=x0, bounds=bounds, runs=nRun, seed=seed)
        self.structure = MagneticStructure.of(found.model)
        return Struct(obj=self.copy(), x=found.x, e=found.energy, fname=search.function.__name__, xname=list(search.names),
                      output=found)

    def _start(self, cell: tuple[int, int, int]) -> MagneticStructure:
        """Spins of the right number and lengths, wherever they point."""
        return MagneticStructure.random(self.matom.S, cell)

    @matlab_style(1, ignored=("fid", "tid"))
    def optmagk(self, n: Any = (0.0, 0.0, 1.0), grid: Any = None) -> Struct:
        """Wave vector of least energy by Luttinger and Tisza; stores the spiral about ``n`` that has it.

        Returns
        -------
        k (3,), E (half the lowest eigenvalue of J(k): bound of the energy per spin, meV), F (3, n), stat.
        """
        found = optimal_k(self.interactions().model(self._start((1, 1, 1))), grid=grid)
        self.structure = found.structure(n)
        return Struct(k=found.k, E=found.energy, F=self.mag_str.F[:, :, 0].copy(), stat=found)

    @matlab_style(1, ignored=("verbosity", "boundary", "fStat", "fSub", "subLat", "title", "autoK", "nORel", "fineT",
                              "rate", "fastmode", "fid"))
    def anneal(self, initT: float | None = None, endT: float = 1e-2, cool: Callable[[float], float] | None = None,
               nMC: int = 100, nStat: int = 100, random: bool = False, nExt: Any = None, spinDim: int = 3,
               seed: int = 0) -> Struct:
        """Simulated annealing (see insml.spinwave.anneal) from ``initT`` (the object's temperature) to ``endT`` kelvin.

        Parameters
        ----------
        cool : next temperature from the last, 0.92 T by default. nMC, nStat : sweeps at each and at the last temperature.

        Returns
        -------
        obj, M (3, n), E (meV per spin at the end), T, avgE and Cp (k_B per spin) at the last temperature.
        """
        if spinDim != 3:
            raise ModelError(f"spinDim: expected 3, found {spinDim}")
        if nExt is not None or not self.nmagext:
            self.genmagstr(mode="random" if random or not self.nmagext else "tile", nExt=nExt, seed=seed)
        kelvin = [float(initT if initT is not None else self.temperature() or 1.0)]
        while kelvin[-1] > endT:
            following = float(cool(kelvin[-1]) if cool else 0.92 * kelvin[-1])
            if not 0 < following < kelvin[-1]:
                raise ModelError(f"cool: expected a lower positive temperature than {kelvin[-1]}, found {following}")
            kelvin.append(following)
        found = anneal(self.model(), temperatures=kelvin, sweeps=max(nMC, nStat), seed=seed, random_start=random,
                       finish=False)
        self.structure = MagneticStructure.of(found.model)
        return Struct(obj=self.copy(), M=found.model.spins.T.copy(), E=found.energy, T=kelvin[-1],
                      avgE=float(found.mean_energy[-1]), Cp=float(found.specific_heat[-1]))

    @matlab_style(1)
    def addtwin(self, axis: Any = None, phi: Any = None, phid: Any = None, rotC: Any = None, vol: Any = None,
                overwrite: bool = False) -> None:
        """Twins beside the original crystal.

        Parameters
        ----------
        axis : (3,) Cartesian, with angles ``phi`` (rad) or ``phid`` (degrees), one for each twin.
        rotC : (3, 3, nt) rotations (or reflections), instead. vol : (nt,) volumes, 1 by default; the original has 1.
        overwrite : replace the last twin.
        """
        if axis is not None:
            direction = np.asarray(axis, float).ravel()
            angles = np.atleast_1d(np.degrees(phi) if phid is None and phi is not None else phid).astype(float)
            if direction.shape != (3,) or not direction.any() or not np.isfinite(angles).all():
                raise ModelError(f"addtwin: expected an axis and angles, found {axis!r}, {phi!r}, {phid!r}")
            turns = rotation(direction / np.linalg.norm(direction), angles).transpose(1, 2, 0)
        elif rotC is not None:
            turns = np.asarray(rotC, float).reshape(3, 3, -1)
            if not np.allclose(np.einsum("abt,cbt->act", turns, turns), np.eye(3)[:, :, None], atol=1e-6):
                raise ModelError(f"rotC: expected orthogonal matrices, found {turns.transpose(2, 0, 1).tolist()}")
        else:
            raise ModelError("addtwin: expected axis with phi or phid, or rotC, found none")
        share = np.ones(turns.shape[2]) if vol is None else np.broadcast_to(
            np.asarray(vol, float).ravel(), turns.shape[2])
        keep = slice(None, -1) if overwrite else slice(None)
        self.twin.vol = np.concatenate([self.twin.vol[keep], share])
        self.twin.rotc = np.concatenate([self.twin.rotc[:, :, keep], turns], axis=2)

    def notwin(self) -> None:
        """Drop all twins but the original crystal."""
        self.twin = Struct(vol=np.ones(1), rotc=np.eye(3)[:, :, None])

    def twinq(self, Q0: Any) -> list[Array]:
        """(3, nQ) r.l.u. of each twin at Q0 (3, nQ) r.l.u. of the original."""
        v = self.basisvector()
        q = np.asarray(columns(Q0, "Q"), float)
        return [(q.T @ np.linalg.inv(v) @ self.twin.rotc[:, :, t] @ v).T for t in range(len(self.twin.vol))]
