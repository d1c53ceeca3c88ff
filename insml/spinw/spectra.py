"""Spin waves: spinwave, powspec, horace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from insml.errors import ModelError
from insml.spinw.grid import bins, sw_egrid, width_of
from insml.spinw.magnetism import Magnetism
from insml.spinw.neutron import listed
from insml.spinw.options import matlab_style
from insml.spinw.paths import sw_qscan
from insml.spinw.struct import Struct
from insml.spinwave.components import needs_tensor
from insml.spinwave.powder import powder
from insml.spinwave.spectrum import Spectrum
from insml.spinwave.units import MBARN

Array = NDArray[np.float64]
_SILENT = ("fid", "tid", "optmem", "fitmode", "cmplxBase", "tol", "omega_tol", "sortMode")


class Spectra(Magnetism):
    """Spectra of the magnetic structure."""

    @matlab_style(2, ignored=_SILENT)
    def spinwave(self, Q: Any, hermit: bool = True, formfact: bool = False, gtensor: bool = False, notwin: bool = False,
                 fastmode: bool = False, neutron_output: bool = False, q_sign: str = "physical",
                 title: str = "Numerical LSWT spectrum") -> Struct:
        """Energies and correlations.

        Parameters
        ----------
        Q : see :func:`insml.spinw.sw_qscan`.
        hermit : True demands a structure that is a minimum of the energy; False gives NaN for modes without real energy.
        formfact : with the form factors of the atoms. gtensor : correlations of g S instead of S.
        notwin : the original crystal alone.
        neutron_output : Sperp in place of Sab. fastmode : also E > 0 alone.
        q_sign : "physical", or "spinw": numbers at -Q, as SpinW's code without mex gives them at Q.

        Returns
        -------
        omega : (nMode, nQ) meV; E > 0 descending, then their counterparts E < 0, which are -omega(-Q); so for Q - k, Q and
            Q + k in a rotating frame. Lists of one array for each twin where there are several (so also Sab, Sperp).
        Sab : (3, 3, nMode, nQ) conj(amp_a) amp_b, Cartesian, hbar, per cell (or formula unit). Sperp if asked for.
        hkl, hklA : (3, nQ) r.l.u. and 1/Angstrom; obj : a copy of this object; formfact, gtensor, incomm, helical, norm,
            nformula, param, title.

        Raises
        ------
        UnstableStructureError : with ``hermit``; carries q and the lowest eigenvalue.
        """
        if q_sign not in ("physical", "spinw"):
            raise ModelError(f"q_sign: expected 'physical' or 'spinw', found {q_sign!r}")
        hkl = sw_qscan(Q)
        shape = hkl.shape[1:]
        points = (self.unit.qmat @ hkl.reshape(3, -1)).T * (1 if q_sign == "physical" else -1)
        model = self.model()
        if notwin:
            model = model.replace(twins=())
        options: dict[str, Any] = {"form_factor": bool(formfact), "g_tensor": bool(gtensor),
                                   "unstable": "raise" if hermit else "general"}
        share = 1.0 / (self.unit.nformula or 1)
        loss = model.spectrum(points, **options)
        domains = [list(loss.domains or (loss,))]
        if not fastmode:
            gain = model.spectrum(-points, **options)
            domains.append(list(gain.domains or (gain,)))
        pairs = [_ordered(pair, len(model.spins)) for pair in zip(*domains, strict=True)]
        out = Struct(omega=_packed([energy.reshape(-1, *shape) for energy, _, _ in pairs]))
        if fastmode or neutron_output:
            out.Sperp = _packed([share * strength.reshape(-1, *shape) for _, strength, _ in pairs])
        else:
            out.Sab = _packed([share * tensor().reshape(3, 3, -1, *shape) for _, _, tensor in pairs])
        out.hkl = hkl
        out.hklA = (self.cell.reciprocal @ (self.unit.qmat @ hkl.reshape(3, -1))).reshape(hkl.shape)
        out.update(obj=self.copy(), formfact=bool(formfact), gtensor=bool(gtensor), incomm=model.k is not None, norm=False,
                   helical=model.k is not None and bool(np.abs(2 * model.k - np.rint(2 * model.k)).max() > 1e-4),
                   nformula=self.unit.nformula, title=title,
                   param=Struct(hermit=hermit, notwin=notwin, q_sign=q_sign))
        return out

    @matlab_style(2, ignored=(*_SILENT, "extrap", "specfun", "nInt", "fastmode", "neutron_output", "hermit"))
    def powspec(self, hklA: ArrayLike, Evect: Any = None, nRand: int = 100, fibo: bool = False, binType: str = "ebin",
                T: float | None = None, component: str = "Sperp", dE: Any = None, imagChk: bool = True, seed: int = 0,
                formfact: bool = False, gtensor: bool = False, title: str = "Powder LSWT spectrum") -> Struct:
        """Powder average, see :func:`insml.spinwave.powder.powder`.

        Parameters
        ----------
        hklA : (nQ,) |Q| in 1/Angstrom. Evect, binType, T, component, dE : see :func:`insml.spinw.sw_egrid`.
        nRand : directions for each |Q|, drawn from ``seed``; with ``fibo`` the points of the largest Fibonacci lattice of
            at most that many.
        imagChk : refuse a structure that is not a minimum of the energy, instead of leaving modes out.

        Returns
        -------
        swConv (nE, nQ) intensity per bin, hklA (nQ,), Evect (nE + 1,) edges, T, component, obj, ...
        """
        if Evect is None:
            raise ModelError("Evect: expected the edges (or centres) of energy bins, found none")
        q = np.atleast_1d(np.asarray(hklA, float)).ravel()
        edges, centres = bins(Evect, binType)
        kelvin = self.temperature() if T is None else float(T)
        model = self.model()
        found = powder(model, np.maximum(q, 1e-9), edges, points=int(nRand), fwhm=width_of(dE, centres), temperature=kelvin,
                       component=component, method="fibonacci" if fibo else "random", rotate=False, seed=seed,
                       form_factor=bool(formfact), g_tensor=bool(gtensor), unstable="raise" if imagChk else "general")
        counts = (found.intensity * np.diff(edges)).T / (self.unit.nformula or 1)
        return Struct(swConv=counts, hklA=q, component=component, nRand=int(nRand), T=kelvin, Evect=edges, obj=self.copy(),
                      norm=False, formfact=bool(formfact), gtensor=bool(gtensor), incomm=model.k is not None, title=title)

    def horace(self, qh: ArrayLike, qk: ArrayLike, ql: ArrayLike, *args: Any, **options: Any
               ) -> tuple[list[Array], list[Array]]:
        """Energies and intensities as Horace's disp2sqw takes them.

        Parameters
        ----------
        qh, qk, ql : r.l.u., of one shape. First of ``args`` may be the parameters, as in fits.
        component : see :func:`insml.spinw.sw_egrid`. norm, dE : mbarn/meV/cell for bins of dE meV.
        param : numbers that ``parfunc(obj, param)`` sets, by default matparser with ``mat``, ``selector`` and ``init``.
        func : called with the object before the spectrum is made, such as one that finds the structure anew.
        useFast : False adds the modes of E < 0. Other options are those of :meth:`spinwave`.

        Returns
        -------
        w, s : for each mode (of each twin) energies in meV and intensities, of the shape of qh. The object stays as it was.
        """
        if args and not isinstance(args[0], str | dict):
            options, args = {"param": args[0], **options}, args[1:]
        return self._horace(qh, qk, ql, *args, **options)

    @matlab_style(4)
    def _horace(self, qh: ArrayLike, qk: ArrayLike, ql: ArrayLike, component: str = "Sperp", norm: bool = False,
                dE: float = 0.0, param: Any = None, parfunc: Callable[[Any, Any], Any] | None = None, mat: Any = None,
                selector: Any = None, init: bool = False, func: Callable[[Any], Any] | None = None, useFast: bool = True,
                **options: Any) -> tuple[list[Array], list[Array]]:
        if norm and not dE > 0:
            raise ModelError(f"dE: expected the bin width in meV for norm, found {dE!r}")
        obj = self.copy()
        if param is not None and parfunc is not None:
            parfunc(obj, param)
        elif param is not None:
            obj.matparser(param=param, mat=mat, selector=selector, init=init)
        if func is not None:
            func(obj)
        h, k, l = np.broadcast_arrays(*(np.asarray(x, float) for x in (qh, qk, ql)))  # noqa: E741
        points = np.stack([h.ravel(), k.ravel(), l.ravel()])
        fast = bool(useFast) and not needs_tensor(component)
        spec = sw_egrid(obj.spinwave(points, fastmode=fast, **options), component=component, Evect=[0.0, 1.0],
                        sumtwin=False, imagChk=False)
        share = obj.twin.vol / np.sum(obj.twin.vol)
        factor = (1.0 if spec.gtensor else 4.0) * MBARN / dE if norm else 1.0
        energies, strengths = listed(spec.omega), listed(spec.swInt)
        w = [row.reshape(h.shape) for omega in energies for row in omega]
        s = [np.abs(factor * v * row).reshape(h.shape)
             for v, intensity in zip(share, strengths, strict=False) for row in intensity]
        return w, s


    @matlab_style(6)
    def horace_sqw(self, qh: ArrayLike, qk: ArrayLike, ql: ArrayLike, en: ArrayLike, pars: ArrayLike, mat: Any = None,
                   resfun: str = "gauss", partrans: Callable[[Array], ArrayLike] | None = None, coordtrans: Any = None,
                   useFast: bool = True, **options: Any) -> Array:
        """S(q, w) at points, for fits: the modes of :meth:`horace`, each with a width in energy.

        Parameters
        ----------
        qh, qk, ql, en : r.l.u. and meV, of one shape.
        pars : one number for each of ``mat``, after ``partrans``; those of ``resfun``; a scale, 1 if left out.
        resfun : "gauss" or "lor" with a FWHM in meV, or "voigt" (pseudo-Voigt) with a FWHM and the Lorentzian share.
        coordtrans : (4, 4), applied to (qh, qk, ql, en) before.

        Raises
        ------
        ModelError : another resfun, or numbers that are too few or too many for it.
        """
        if resfun not in _WIDTHS:
            raise ModelError(f"resfun: expected one of {', '.join(_WIDTHS)}, found {resfun!r}")
        numbers = np.asarray(pars, float).ravel()
        couplings = 0 if mat is None else len([mat] if isinstance(mat, str) else list(mat))
        least = couplings + _WIDTHS[resfun]
        if len(numbers) not in (least, least + 1):
            raise ModelError(f"pars: expected {couplings} for mat, {_WIDTHS[resfun]} for resfun {resfun!r} and perhaps a "
                             f"scale, found {len(numbers)} numbers")
        values, width = numbers[:couplings], numbers[couplings:least]
        if not width[0] > 0:
            raise ModelError(f"pars: expected a positive FWHM, found {width[0]:g}")
        scale = float(numbers[least]) if len(numbers) > least else 1.0
        points = np.stack(np.broadcast_arrays(*(np.asarray(x, float) for x in (qh, qk, ql, en))))
        if coordtrans is not None:
            points = np.tensordot(np.asarray(coordtrans, float), points, axes=1)
        param = values if partrans is None else np.asarray(partrans(values), float)
        w, s = self._horace(*points[:3], param=param if couplings else None, mat=mat, useFast=useFast, **options)
        out = np.zeros(points.shape[1:])
        for energy, strength in zip(w, s, strict=True):
            x = 2.0 * (points[3] - energy) / width[0]
            share = {"gauss": 0.0, "lor": 1.0}.get(resfun, width[-1])
            out += strength * ((1 - share) * np.sqrt(np.log(2) / np.pi) * np.exp(-np.log(2) * x**2)
                               + share / (np.pi * (1 + x**2))) * 2.0 / width[0]
        return scale * out


_WIDTHS = {"gauss": 1, "lor": 1, "voigt": 2}
"""How many numbers each line shape takes."""


def _ordered(pair: tuple[Spectrum, ...], n: int) -> tuple[Array, Array, Callable[[], NDArray[np.complex128]]]:
    """Energies, S_perp and (when called) S^ab of modes in SpinW's order.

    In a rotating frame the modes of Q - k, Q and Q + k follow each other. Within each, E > 0 descending, then E < 0 from
    the spectrum at -Q, where the mode of Q - k is one of -Q + k; S^ab(Q, -E) = S^ba(-Q, E).
    """
    blocks = 3 if pair[0].energy.shape[1] == 3 * n else 1
    size = pair[0].energy.shape[1] // blocks
    loss = [np.arange((b + 1) * size - 1, b * size - 1, -1) for b in range(blocks)]
    gain = [np.arange((blocks - 1 - b) * size, (blocks - b) * size) for b in range(blocks)]
    order = [(s, index) for b in range(blocks) for s, index in zip(range(len(pair)), (loss[b], gain[b]), strict=False)]
    energy = np.concatenate([(-1) ** s * pair[s].energy.T[index] for s, index in order])
    strength = np.concatenate([pair[s].intensity.T[index] for s, index in order])

    def tensor() -> NDArray[np.complex128]:
        parts = [pair[0].tensor.transpose(2, 3, 1, 0), *(s.tensor.transpose(3, 2, 1, 0) for s in pair[1:])]
        return np.concatenate([parts[s][:, :, index] for s, index in order], axis=2)

    return energy, strength, tensor


def _packed(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
